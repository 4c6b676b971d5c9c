namespace AutoTicket.Data;

/// <summary>Deletes the old rows of a table. The class that writes the table owns the statement; the leader runs it once an hour.</summary>
/// <param name="Delete">SQL. {0}: rows before this time; {1}: the most rows of one statement.</param>
internal sealed record Expiry(string Delete)
{
    /// <summary>The most rows of one statement, so that none times out or holds locks for long.</summary>
    public const int MostAtOnce = 5_000;
}
