using System.Collections.Immutable;

namespace AutoTicket.Surfaces;

/// <summary>A surface on the board: its readings and the state that follows from them. The board's lock guards it.</summary>
internal sealed class WatchedSurface(Surface surface, TimeSpan pollInterval, TimeSpan staleAfter)
{
    private DateTimeOffset? _since;
    private TimeSpan _lastTook;

    /// <summary>By the stored readings before <see cref="_countedUpTo"/>.</summary>
    private Availability _counted = Availability.Unknown;

    /// <summary>Of all readings, so that a confirmed change counts at once.</summary>
    private Availability _availability = Availability.Unknown;

    /// <summary>Until the first count it is not known how much is stored.</summary>
    private DateTimeOffset _countedUpTo = DateTimeOffset.MaxValue;
    private SurfaceSnapshot? _shown;
    private IReadOnlyList<SurfaceMaintenance> _maintenance = [];
    private (SurfaceStatus, SurfaceStatus, SurfaceMaintenance?) _published = (SurfaceStatus.Unknown, SurfaceStatus.Unknown, null);

    private readonly SurfaceMaintenance? _configured = surface.MaintenanceUntil is { } until
        ? new(surface.Key, DateTimeOffset.MinValue, until, SurfaceMaintenance.Configuration, "MaintenanceUntil is set.")
        : null;

    public Surface Surface => surface;

    /// <summary>Oldest first.</summary>
    public ImmutableList<SurfaceReading> Readings { get; private set; } = [];

    public SurfaceStatus Confirmed { get; private set; } = SurfaceStatus.Unknown;

    /// <summary>Judges a reading and adds it.</summary>
    /// <returns>The reading with the status that it and those before it confirm.</returns>
    public SurfaceReading Judge(SurfaceReading reading, TimeSpan took)
    {
        var confirmed =
            reading.Outcome == ReadingOutcome.Blind ? Confirmed : SurfaceJudge.Confirm(surface, Confirmed, Readings.Add(reading));
        var judged = reading with
        {
            Status = confirmed,
            Since = confirmed == Confirmed && _since is { } since ? since : reading.CheckedAt,
            IntervalMs = (int)pollInterval.TotalMilliseconds,
            InMaintenance = MaintenanceAt(reading.CheckedAt) is not null,
        };
        Add(judged, took);
        return judged;
    }

    /// <summary>Adds a reading that another process judged. A probe that failed may have taken up to the timeout.</summary>
    public void AddJudged(SurfaceReading judged) =>
        Add(judged, judged.LatencyMs is { } latency ? TimeSpan.FromMilliseconds(latency) : surface.Timeout);

    /// <returns>Whether anything changed.</returns>
    public bool Restore(IEnumerable<SurfaceReading> stored, bool forget)
    {
        var (meanwhile, took) = (forget ? [] : Readings, _lastTook);
        var older = stored
            .Where(reading => meanwhile.IsEmpty || reading.CheckedAt < meanwhile[0].CheckedAt)
            // Not by time: the clock may have been put back.
            .OrderBy(reading => reading.Id)
            .TakeLast(StatusBoard.HistoryLength)
            .ToList();
        if (older.Count == 0 && !forget)
        {
            return false;
        }

        (Readings, Confirmed, _since, _lastTook, _shown) = ([], SurfaceStatus.Unknown, null, TimeSpan.Zero, null);
        _availability = _counted;
        older.ForEach(AddJudged);
        meanwhile.ForEach(reading => Judge(reading, took));
        return true;
    }

    /// <param name="upTo">Readings of this time and later are not counted yet.</param>
    public void SetAvailability(Availability counted, DateTimeOffset upTo)
    {
        (_counted, _availability, _countedUpTo, _shown) = (counted, counted, upTo, null);
        Readings.ForEach(Count);
    }

    public void SetMaintenance(IReadOnlyList<SurfaceMaintenance> maintenance) => _maintenance = maintenance;

    /// <returns>The maintenance at this time; of several, the one that ends last.</returns>
    public SurfaceMaintenance? MaintenanceAt(DateTimeOffset at) =>
        _maintenance.Count is 0 && _configured is null
            ? null
            : _maintenance.Prepend(_configured).OfType<SurfaceMaintenance>().Where(one => one.Covers(at)).MaxBy(one => one.Until);

    /// <returns>The snapshot, of which the caller now notifies the subscribers.</returns>
    public SurfaceSnapshot Publish(DateTimeOffset now)
    {
        var shown = Show(now);
        var before = _published;
        _published = StateOf(shown);
        return _published == before ? shown : shown with { HasTurned = true };
    }

    /// <summary>Whether subscribers know another state. A page that reads the board may see a newer one first.</summary>
    public bool MustPublish(DateTimeOffset now) => StateOf(Show(now)) != _published;

    public SurfaceSnapshot Show(DateTimeOffset now)
    {
        var (observed, maintenance) = (Observed(now), MaintenanceAt(now));
        var status = maintenance is null ? observed : SurfaceStatus.Maintenance;
        if (_shown is not null && StateOf(_shown) == (status, observed, maintenance))
        {
            return _shown;
        }

        var newest = Readings.IsEmpty ? null : Readings[^1];
        var latencies = Readings.Select(reading => reading.LatencyMs).OfType<int>().Order().ToList();
        return _shown = new SurfaceSnapshot(
            surface,
            status,
            observed == SurfaceStatus.Unknown ? null : _since,
            newest?.CheckedAt,
            newest?.LatencyMs,
            ReadingTally.Percentile(latencies, 95),
            newest?.Outcome == ReadingOutcome.Blind ? newest.Cause
                : observed == SurfaceStatus.Stale ? $"No recent reading; last seen {Data.Words.Of(Confirmed)}"
                : SurfaceJudge.Explain(surface, Confirmed, Readings),
            Readings,
            SurfaceJudge.IsFlapping(Readings),
            _availability
        )
        {
            Observed = observed,
            Maintenance = maintenance,
        };
    }

    private void Add(SurfaceReading judged, TimeSpan took)
    {
        var readings = Readings.Add(judged);
        Readings =
            readings.Count > StatusBoard.HistoryLength ? readings.RemoveRange(0, readings.Count - StatusBoard.HistoryLength) : readings;
        (Confirmed, _since, _lastTook, _shown) = (judged.Status, judged.Since, took, null);
        Count(judged);
    }

    private void Count(SurfaceReading judged)
    {
        if (judged.CheckedAt >= _countedUpTo)
        {
            _availability = _availability.With(judged);
        }
    }

    private static (SurfaceStatus, SurfaceStatus, SurfaceMaintenance?) StateOf(SurfaceSnapshot shown) =>
        (shown.Status, shown.Observed, shown.Maintenance);

    /// <returns>The status by the checks alone.</returns>
    private SurfaceStatus Observed(DateTimeOffset now) =>
        Confirmed == SurfaceStatus.Unknown || Readings.IsEmpty ? SurfaceStatus.Unknown
        // Plus the time of the last probe, because the next one may still be running. A reading from the future, as after the clock was put
        // back, must not stay fresh until then.
        : Readings[^1].Outcome == ReadingOutcome.Blind || (now - Readings[^1].CheckedAt).Duration() > staleAfter + _lastTook
            ? SurfaceStatus.Stale
        : Confirmed;
}
