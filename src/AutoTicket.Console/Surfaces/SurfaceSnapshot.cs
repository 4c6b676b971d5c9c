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
    Availability Availability
)
{
    private readonly SurfaceStatus? _observed;

    public string Key => Surface.Key;

    /// <summary>Until when its certificate is valid, as last seen in <see cref="History"/>; null: http, or not seen.</summary>
    public DateTimeOffset? CertificateUntil =>
        Surface.Url.Scheme == Uri.UriSchemeHttps
            ? History.LastOrDefault(reading => reading.CertificateUntil is not null)?.CertificateUntil
            : null;

    /// <summary>Whether the newest reading confirmed that it is up, also if it is slow; null: not known.</summary>
    public bool? IsUp =>
        Status == SurfaceStatus.Stale
            ? null
            : (History is [.., var newest] ? newest.Status : SurfaceStatus.Unknown) switch
            {
                SurfaceStatus.Operational or SurfaceStatus.Degraded => true,
                SurfaceStatus.Down => false,
                _ => null,
            };

    /// <summary>The status by the checks alone, which go on in maintenance.</summary>
    public SurfaceStatus Observed
    {
        get => _observed ?? Status;
        init => _observed = value;
    }

    /// <summary>The current maintenance; null: none.</summary>
    public SurfaceMaintenance? Maintenance { get; init; }

    /// <summary>To subscribers: its status, or its maintenance, differs from the one before.</summary>
    public bool HasTurned { get; init; }

    /// <summary>It is neither operational nor in maintenance.</summary>
    public bool NeedsAttention => Status is not (SurfaceStatus.Operational or SurfaceStatus.Maintenance);

    /// <summary>Its first check has not finished.</summary>
    public bool IsUnchecked => this is { Status: SurfaceStatus.Unknown, CheckedAt: null };
}
