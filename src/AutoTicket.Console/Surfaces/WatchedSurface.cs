using System.Collections.Immutable;

namespace AutoTicket.Surfaces;

/// <summary>A surface on the board: its readings and the state that follows from them. The board's lock guards it.</summary>
internal sealed class WatchedSurface(Surface surface, TimeSpan pollInterval)
{
    private DateTimeOffset? _since;
    private TimeSpan _lastTook;
    private (double? Day, double? Month) _availability;
    private SurfaceSnapshot? _shown;

    public Surface Surface => surface;

    /// <summary>Oldest first.</summary>
    public ImmutableList<SurfaceReading> Readings { get; private set; } = [];

    public SurfaceStatus Confirmed { get; private set; } = SurfaceStatus.Unknown;

    /// <summary>The status of which subscribers were last notified. A page that reads the board may see a newer one first.</summary>
    public SurfaceStatus Published { get; private set; } = SurfaceStatus.Unknown;

    /// <summary>Judges a reading and adds it.</summary>
    /// <returns>The reading with the status that it and those before it confirm.</returns>
    public SurfaceReading Judge(SurfaceReading reading, TimeSpan took)
    {
        var confirmed =
            reading.Outcome == ReadingOutcome.Blind ? Confirmed : SurfaceJudge.Confirm(surface, Confirmed, Readings.Add(reading));
        var judged = reading with { Status = confirmed, Since = confirmed == Confirmed && _since is { } since ? since : reading.CheckedAt };
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
            .OrderBy(reading => reading.CheckedAt)
            .TakeLast(StatusBoard.HistoryLength)
            .ToList();
        if (older.Count == 0 && !forget)
        {
            return false;
        }

        (Readings, Confirmed, _since, _lastTook, _shown) = ([], SurfaceStatus.Unknown, null, TimeSpan.Zero, null);
        older.ForEach(AddJudged);
        meanwhile.ForEach(reading => Judge(reading, took));
        return true;
    }

    public void SetAvailability((double? Day, double? Month) availability) => (_availability, _shown) = (availability, null);

    /// <returns>The snapshot, of which the caller now notifies the subscribers.</returns>
    public SurfaceSnapshot Publish(DateTimeOffset now)
    {
        var shown = Show(now);
        Published = shown.Status;
        return shown;
    }

    public SurfaceSnapshot Show(DateTimeOffset now)
    {
        var status = Status(now);
        if (_shown?.Status == status)
        {
            return _shown;
        }

        var newest = Readings.IsEmpty ? null : Readings[^1];
        var latencies = Readings.Select(reading => reading.LatencyMs).OfType<int>().Order().ToList();
        return _shown = new SurfaceSnapshot(
            surface,
            status,
            status == SurfaceStatus.Unknown ? null : _since,
            newest?.CheckedAt,
            newest?.LatencyMs,
            latencies.Count == 0 ? null : latencies[(int)Math.Ceiling(latencies.Count * 0.95) - 1],
            newest?.Outcome == ReadingOutcome.Blind ? newest.Cause
                : status == SurfaceStatus.Stale ? $"No recent reading; last seen {Data.Words.Of(Confirmed)}"
                : SurfaceJudge.Explain(surface, Confirmed, Readings),
            Readings,
            SurfaceJudge.IsFlapping(Readings),
            _availability.Day,
            _availability.Month
        );
    }

    private void Add(SurfaceReading judged, TimeSpan took)
    {
        var readings = Readings.Add(judged);
        Readings =
            readings.Count > StatusBoard.HistoryLength ? readings.RemoveRange(0, readings.Count - StatusBoard.HistoryLength) : readings;
        (Confirmed, _since, _lastTook, _shown) = (judged.Status, judged.Since, took, null);
    }

    private SurfaceStatus Status(DateTimeOffset now) =>
        surface.MaintenanceUntil > now ? SurfaceStatus.Maintenance
        : Confirmed == SurfaceStatus.Unknown || Readings.IsEmpty ? SurfaceStatus.Unknown
        // Plus the time of the last probe, because the next one may still be running.
        : Readings[^1].Outcome == ReadingOutcome.Blind || now - Readings[^1].CheckedAt > (2 * pollInterval) + _lastTook
            ? SurfaceStatus.Stale
        : Confirmed;
}
