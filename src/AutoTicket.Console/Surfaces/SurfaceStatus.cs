namespace AutoTicket.Surfaces;

/// <summary>What we say about a surface. The names are the contract's words in lower case.</summary>
public enum SurfaceStatus
{
    /// <summary>Never judged yet. Never shown as green.</summary>
    Unknown,
    Operational,

    /// <summary>Slow, or partly failing.</summary>
    Degraded,
    Down,

    /// <summary>No fresh reading for two intervals, or the console's own network is lost: what was last seen may no longer hold.</summary>
    Stale,
    Maintenance,
}
