namespace AutoTicket.Hosting;

/// <summary>A pause that doubles with each failure in a row, up to the longest.</summary>
internal readonly record struct Backoff(TimeSpan First, TimeSpan Longest)
{
    /// <param name="failures">In a row, from 1.</param>
    public TimeSpan After(int failures) => First * Math.Min(Math.Pow(2, failures - 1), Longest / First);
}
