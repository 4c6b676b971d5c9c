namespace AutoTicket.Data;

/// <summary>Which process leads: a row of <c>leases</c>.</summary>
internal sealed class LeaseRow
{
    public required string Name { get; init; }

    public required string Owner { get; set; }

    public DateTimeOffset Until { get; set; }

    /// <summary>Counts the owners.</summary>
    public long Fence { get; set; }
}
