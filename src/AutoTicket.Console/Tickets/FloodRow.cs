namespace AutoTicket.Tickets;

/// <summary>Where the flood breaker stands. Stored as the lower-case word.</summary>
public enum FloodState
{
    Closed,

    /// <summary>No ticket is filed until <see cref="FloodRow.Until"/>.</summary>
    Tripped,

    /// <summary>A quarter of the budget is let through, until a person resets it.</summary>
    HalfOpen,
}

/// <summary>The breaker of one scope: a row of <c>flood_breaker</c>, shared by all processes.</summary>
internal sealed class FloodRow
{
    /// <summary>Empty for all filing by alerts; else the one source that it stops.</summary>
    public required string Scope { get; init; }

    public required FloodState State { get; set; }

    public required DateTimeOffset Since { get; set; }

    public DateTimeOffset? Until { get; set; }

    /// <summary>Tickets before this don't count against the budget: a person has looked at them.</summary>
    public DateTimeOffset CountFrom { get; set; }

    public string? ChangedBy { get; set; }

    public string? Reason { get; set; }

    public int Version { get; set; }
}
