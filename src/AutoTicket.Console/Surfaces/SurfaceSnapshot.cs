namespace AutoTicket.Surfaces;

/// <summary>All that a tile shows of a surface at one moment. Immutable: a changed surface is a new snapshot.</summary>
/// <param name="Status">What holds now: staleness and maintenance included.</param>
/// <param name="Since">Since when, by the last confirmed change; null while unknown.</param>
/// <param name="CheckedAt">When it was last probed; null: never.</param>
/// <param name="LatencyMs">Of the last answer.</param>
/// <param name="P95LatencyMs">Over <paramref name="History"/>.</param>
/// <param name="Cause">Why it is not operational, or what is being confirmed; null when there is nothing to say.</param>
/// <param name="History">The last 60 readings at most, oldest first.</param>
/// <param name="IsFlapping">It changed its outcome four times or more within <paramref name="History"/>'s last 20.</param>
/// <param name="Availability24h">Share of known time it was not down, 0 to 1; null: nothing known.</param>
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

    /// <summary>Somebody should look: it is neither operational nor under maintenance.</summary>
    public bool NeedsAttention => Status is not (SurfaceStatus.Operational or SurfaceStatus.Maintenance);
}
