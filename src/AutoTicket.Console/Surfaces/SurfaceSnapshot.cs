namespace AutoTicket.Surfaces;

/// <summary>Everything that a tile shows about a surface. Immutable: a changed surface is a new snapshot.</summary>
/// <param name="Status">The status now, including stale and maintenance.</param>
/// <param name="Since">The last confirmed change; null while unknown.</param>
/// <param name="CheckedAt">When it was last probed; null: never.</param>
/// <param name="LatencyMs">Latency of the last reading; null: it failed.</param>
/// <param name="P95LatencyMs">95th percentile over <paramref name="History"/>.</param>
/// <param name="Cause">Why it is not operational, or what is being confirmed; null: all is well.</param>
/// <param name="History">At most the last 60 readings, oldest first.</param>
/// <param name="IsFlapping">At least four changes between failed and not failed in the last 20 readings.</param>
/// <param name="Availability24h">Share of known time in which it was not down, 0 to 1; null when no reading is known.</param>
/// <param name="Availability30d">The same over 30 days.</param>
public sealed record SurfaceSnapshot(
    Surface Surface,
    SurfaceStatus Status,
    DateTimeOffset? Since,
    DateTimeOffset? CheckedAt,
    int? LatencyMs,
    int? P95LatencyMs,
    string? Cause,
    IReadOnlyList<SurfaceReading> History,
    bool IsFlapping,
    double? Availability24h,
    double? Availability30d
)
{
    public string Key => Surface.Key;

    /// <summary>It is neither operational nor in maintenance.</summary>
    public bool NeedsAttention => Status is not (SurfaceStatus.Operational or SurfaceStatus.Maintenance);

    /// <summary>Its first check has not finished.</summary>
    public bool IsUnchecked => this is { Status: SurfaceStatus.Unknown, CheckedAt: null };
}
