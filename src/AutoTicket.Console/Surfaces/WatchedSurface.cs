using System.Collections.Immutable;

namespace AutoTicket.Surfaces;

/// <summary>A surface on the board: its readings and what follows from them. The board's lock guards it.</summary>
internal sealed class WatchedSurface(Surface surface, TimeSpan pollInterval)
{
    private DateTimeOffset? _since;
    private TimeSpan _lastTook;
    private (double? Day, double? Month) _availability;
    private SurfaceSnapshot? _shown;

    public Surface Surface => surface;

    /// <summary>The newest last.</summary>
    public ImmutableList<SurfaceReading> Readings { get; private set; } = [];

    public SurfaceStatus Confirmed { get; private set; } = SurfaceStatus.Unknown;

    /// <summary>What everybody was told last. Not what is shown: whoever reads the board may be the first to see that it turned.</summary>
    public SurfaceStatus Told { get; private set; } = SurfaceStatus.Unknown;

    /// <summary>Adds a reading with the status that it and those before it confirm.</summary>
    public SurfaceReading Judge(SurfaceReading reading, TimeSpan took)
    {
        var confirmed =
            reading.Outcome == ReadingOutcome.Blind ? Confirmed : SurfaceJudge.Confirm(surface, Confirmed, Readings.Add(reading));
        var judged = reading with { Status = confirmed, Since = confirmed == Confirmed && _since is { } since ? since : reading.CheckedAt };
        Add(judged, took);
        return judged;
    }

    /// <summary>Adds a reading as another process judged it. How long its probe took is known of answers alone; without one it may have
    /// been the timeout.</summary>
    public void Take(SurfaceReading judged) =>
        Add(judged, judged.LatencyMs is { } latency ? TimeSpan.FromMilliseconds(latency) : surface.Timeout);

    /// <returns>Whether there was anything to go on from, or to forget.</returns>
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
        older.ForEach(Take);
        meanwhile.ForEach(reading => Judge(reading, took));
        return true;
    }

    public void SetAvailability((double? Day, double? Month) availability) => (_availability, _shown) = (availability, null);

    /// <summary>What it shows, to be told to everybody.</summary>
    public SurfaceSnapshot Tell(DateTimeOffset now)
    {
        var shown = Show(now);
        Told = shown.Status;
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
                : status == SurfaceStatus.Stale ? $"no reading since; last seen {Data.Words.Of(Confirmed)}"
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
        // While a probe may still be out, the surface gets the time its last one took on top.
        : Readings[^1].Outcome == ReadingOutcome.Blind || now - Readings[^1].CheckedAt > (2 * pollInterval) + _lastTook
            ? SurfaceStatus.Stale
        : Confirmed;
}
