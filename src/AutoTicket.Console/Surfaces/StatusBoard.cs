using System.Collections.Immutable;
using Microsoft.Extensions.Options;

namespace AutoTicket.Surfaces;

/// <summary>What is known of every surface now, in memory, and who wants to hear of changes. The one place from which pages,
/// API and pipeline read.</summary>
internal sealed partial class StatusBoard(SurfaceList surfaces, IOptions<StatusOptions> options, TimeProvider clock, ILogger<StatusBoard> logger)
{
    /// <summary>Readings kept in memory and shown on a tile.</summary>
    public const int HistoryLength = 60;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Watched> _watched = surfaces.All.ToDictionary(surface => surface.Key, surface => new Watched(surface));
    private ImmutableArray<Action<SurfaceSnapshot>> _subscribers = [];
    private DateTimeOffset? _ownNetworkLostSince;
    private DateTimeOffset? _checkedAt;

    /// <summary>A surface, its readings and what follows from them.</summary>
    private sealed class Watched(Surface surface)
    {
        public Surface Surface { get; } = surface;
        public ImmutableList<SurfaceReading> Readings { get; set; } = [];
        public SurfaceStatus Confirmed { get; set; } = SurfaceStatus.Unknown;
        public DateTimeOffset? Since { get; set; }
        public TimeSpan LastTook { get; set; }
        public double? Availability24h { get; set; }
        public double? Availability30d { get; set; }
        public SurfaceSnapshot? Shown { get; set; }

        /// <summary>What everybody was told last. Not what is shown: whoever reads the board may be the first to see that it turned.</summary>
        public SurfaceStatus Told { get; set; } = SurfaceStatus.Unknown;
    }

    /// <summary>Since when nothing at all could be reached, which is our own network's fault; null: it works.</summary>
    public DateTimeOffset? OwnNetworkLostSince
    {
        get
        {
            lock (_lock)
            {
                return _ownNetworkLostSince;
            }
        }
    }

    /// <summary>The last moment at which any surface was probed; null: none yet.</summary>
    public DateTimeOffset? CheckedAt
    {
        get
        {
            lock (_lock)
            {
                return _checkedAt;
            }
        }
    }

    /// <summary>All surfaces in the configuration's order.</summary>
    public IReadOnlyList<SurfaceSnapshot> All()
    {
        lock (_lock)
        {
            return [.. surfaces.All.Select(surface => Show(_watched[surface.Key]))];
        }
    }

    public SurfaceSnapshot? Find(string key)
    {
        lock (_lock)
        {
            return _watched.TryGetValue(key, out var watched) ? Show(watched) : null;
        }
    }

    /// <summary>Hears of every changed surface. A handler that throws stops no other.</summary>
    public IDisposable Subscribe(Action<SurfaceSnapshot> onChange)
    {
        ImmutableInterlocked.Update(ref _subscribers, list => list.Add(onChange));
        return new Subscription(() => ImmutableInterlocked.Update(ref _subscribers, list => list.Remove(onChange)));
    }

    /// <summary>Takes a reading in and tells everybody.</summary>
    /// <param name="took">How long the probe took, answer or not.</param>
    /// <returns>The reading with the status that it confirms.</returns>
    public SurfaceReading Publish(SurfaceReading reading, TimeSpan took)
    {
        SurfaceSnapshot shown;
        SurfaceReading judged;
        lock (_lock)
        {
            var watched = _watched[reading.SurfaceKey];
            var before = watched.Confirmed;
            judged = Judge(watched, reading);
            if (judged.Status != before && (before != SurfaceStatus.Unknown || judged.Status is SurfaceStatus.Down or SurfaceStatus.Degraded))
            {
                Log.Changed(logger, reading.SurfaceKey, before, judged.Status, reading.Cause);
            }

            watched.LastTook = took;
            _checkedAt = reading.CheckedAt;
            if (reading.Reached)
            {
                _ownNetworkLostSince = null;
            }
            else if (reading.Outcome == ReadingOutcome.Blind)
            {
                _ownNetworkLostSince ??= reading.CheckedAt;
            }

            shown = Show(watched);
            watched.Told = shown.Status;
        }

        Tell(shown);
        return judged;
    }

    /// <summary>Time passes: tells of surfaces that turned stale, or whose maintenance ended.</summary>
    public void Tick()
    {
        List<SurfaceSnapshot> turned = [];
        lock (_lock)
        {
            foreach (var watched in _watched.Values)
            {
                if (Show(watched) is { } shown && shown.Status != watched.Told)
                {
                    watched.Told = shown.Status;
                    turned.Add(shown);
                }
            }
        }

        turned.ForEach(Tell);
    }

    /// <summary>Goes on from what was stored before this start. It may come late: what was seen meanwhile is judged again,
    /// now with what went before it.</summary>
    public void Restore(IEnumerable<SurfaceReading> readings)
    {
        lock (_lock)
        {
            foreach (var group in readings.GroupBy(reading => reading.SurfaceKey))
            {
                if (!_watched.TryGetValue(group.Key, out var watched))
                {
                    continue;
                }

                var meanwhile = watched.Readings;
                var older = group.Where(reading => meanwhile.IsEmpty || reading.CheckedAt < meanwhile[0].CheckedAt).OrderBy(reading => reading.CheckedAt).TakeLast(HistoryLength).ToImmutableList();
                if (!older.IsEmpty)
                {
                    watched.Readings = older;
                    (watched.Confirmed, watched.Since) = (older[^1].Status, older[^1].Since);
                    watched.Shown = null;
                    meanwhile.ForEach(reading => Judge(watched, reading));
                }
            }
        }
    }

    public void SetAvailability(IReadOnlyDictionary<string, (double? Day, double? Month)> availability)
    {
        lock (_lock)
        {
            foreach (var watched in _watched.Values)
            {
                (watched.Availability24h, watched.Availability30d) = availability.GetValueOrDefault(watched.Surface.Key);
                watched.Shown = null;
            }
        }
    }

    /// <summary>Adds a reading with the status that it and those before it confirm.</summary>
    private static SurfaceReading Judge(Watched watched, SurfaceReading reading)
    {
        var readings = watched.Readings.Add(reading);
        var confirmed = reading.Outcome == ReadingOutcome.Blind ? watched.Confirmed : SurfaceJudge.Confirm(watched.Surface, watched.Confirmed, readings);
        if (confirmed != watched.Confirmed || watched.Since is null)
        {
            (watched.Confirmed, watched.Since) = (confirmed, reading.CheckedAt);
        }

        var judged = reading with { Status = confirmed, Since = watched.Since.Value };
        readings = readings.SetItem(readings.Count - 1, judged);
        watched.Readings = readings.Count > HistoryLength ? readings.RemoveRange(0, readings.Count - HistoryLength) : readings;
        watched.Shown = null;
        return judged;
    }

    private SurfaceStatus Status(Watched watched)
    {
        var now = clock.GetUtcNow();
        return watched.Surface.MaintenanceUntil > now ? SurfaceStatus.Maintenance
            : watched.Confirmed == SurfaceStatus.Unknown || watched.Readings.IsEmpty ? SurfaceStatus.Unknown
            // While a probe may still be out, the surface gets the time its last one took on top.
            : watched.Readings[^1].Outcome == ReadingOutcome.Blind || now - watched.Readings[^1].CheckedAt > (2 * options.Value.PollInterval) + watched.LastTook ? SurfaceStatus.Stale
            : watched.Confirmed;
    }

    private SurfaceSnapshot Show(Watched watched)
    {
        var status = Status(watched);
        if (watched.Shown?.Status == status)
        {
            return watched.Shown;
        }

        var newest = watched.Readings.IsEmpty ? null : watched.Readings[^1];
        var latencies = watched.Readings.Select(reading => reading.LatencyMs).OfType<int>().Order().ToList();
        return watched.Shown = new SurfaceSnapshot(
            watched.Surface,
            status,
            status == SurfaceStatus.Unknown ? null : watched.Since,
            newest?.CheckedAt,
            newest?.LatencyMs,
            latencies.Count == 0 ? null : latencies[(int)Math.Ceiling(latencies.Count * 0.95) - 1],
            newest?.Outcome == ReadingOutcome.Blind ? newest.Cause
                : status == SurfaceStatus.Stale ? $"no reading since; last seen {Data.Words.Of(watched.Confirmed)}"
                : SurfaceJudge.Explain(watched.Surface, watched.Confirmed, watched.Readings),
            watched.Readings,
            SurfaceJudge.IsFlapping(watched.Readings),
            watched.Availability24h,
            watched.Availability30d);
    }

    private void Tell(SurfaceSnapshot snapshot)
    {
        foreach (var onChange in _subscribers)
        {
            try
            {
                onChange(snapshot);
            }
#pragma warning disable CA1031 // one page's failure must not keep the news from the others
            catch (Exception exception)
#pragma warning restore CA1031
            {
                Log.Deaf(logger, snapshot.Key, exception.Message);
            }
        }
    }

    private sealed class Subscription(Action end) : IDisposable
    {
        public void Dispose() => end();
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "surface changed surface={Surface} from={From} to={To} cause={Cause}")]
        public static partial void Changed(ILogger logger, string surface, SurfaceStatus from, SurfaceStatus to, string? cause);

        [LoggerMessage(LogLevel.Warning, "a subscriber could not take a change of surface={Surface}: {Problem}")]
        public static partial void Deaf(ILogger logger, string surface, string problem);
    }
}
