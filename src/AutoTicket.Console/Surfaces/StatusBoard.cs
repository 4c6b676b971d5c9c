using System.Collections.Immutable;
using Microsoft.Extensions.Options;

namespace AutoTicket.Surfaces;

/// <summary>What is known of every surface now, in memory, and who wants to hear of changes. The one place from which pages,
/// API and pipeline read.</summary>
internal sealed partial class StatusBoard(
    SurfaceList surfaces,
    IOptions<StatusOptions> options,
    TimeProvider clock,
    ILogger<StatusBoard> logger
)
{
    /// <summary>Readings kept in memory and shown on a tile.</summary>
    public const int HistoryLength = 60;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, WatchedSurface> _watched = surfaces.All.ToDictionary(
        surface => surface.Key,
        surface => new WatchedSurface(surface, options.Value.PollInterval)
    );
    private ImmutableArray<Action<SurfaceSnapshot>> _subscribers = [];
    private DateTimeOffset? _ownNetworkLostSince;
    private DateTimeOffset? _checkedAt;

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
            return [.. surfaces.All.Select(surface => _watched[surface.Key].Show(clock.GetUtcNow()))];
        }
    }

    public SurfaceSnapshot? Find(string key)
    {
        lock (_lock)
        {
            return _watched.TryGetValue(key, out var watched) ? watched.Show(clock.GetUtcNow()) : null;
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
            judged = watched.Judge(reading, took);
            if (
                judged.Status != before
                && (before != SurfaceStatus.Unknown || judged.Status is SurfaceStatus.Down or SurfaceStatus.Degraded)
            )
            {
                Log.Changed(logger, reading.SurfaceKey, before, judged.Status, reading.Cause);
            }

            Note(reading);
            shown = watched.Tell(clock.GetUtcNow());
        }

        Tell(shown);
        return judged;
    }

    /// <summary>Takes in what another process read and judged, oldest first, and tells everybody.</summary>
    public void Take(IEnumerable<SurfaceReading> judged)
    {
        List<SurfaceSnapshot> changed;
        lock (_lock)
        {
            var touched = new HashSet<WatchedSurface>();
            foreach (var reading in judged)
            {
                Note(reading);
                if (_watched.TryGetValue(reading.SurfaceKey, out var watched))
                {
                    watched.Take(reading);
                    touched.Add(watched);
                }
            }

            changed = [.. touched.Select(watched => watched.Tell(clock.GetUtcNow()))];
        }

        changed.ForEach(Tell);
    }

    /// <summary>Time passes: tells of surfaces that turned stale, or whose maintenance ended.</summary>
    public void Tick()
    {
        List<SurfaceSnapshot> turned;
        lock (_lock)
        {
            var now = clock.GetUtcNow();
            turned = [.. _watched.Values.Where(watched => watched.Show(now).Status != watched.Told).Select(watched => watched.Tell(now))];
        }

        turned.ForEach(Tell);
    }

    /// <summary>Continues from the stored readings. They may come late: later readings are then judged again after them.</summary>
    /// <param name="forget">What was seen here does not count: another process has watched since.</param>
    public void Restore(IEnumerable<SurfaceReading> readings, bool forget = false)
    {
        List<SurfaceSnapshot> restored = [];
        lock (_lock)
        {
            var stored = readings.ToLookup(reading => reading.SurfaceKey);
            foreach (var watched in _watched.Values)
            {
                if (watched.Restore(stored[watched.Surface.Key], forget))
                {
                    restored.Add(watched.Tell(clock.GetUtcNow()));
                }
            }

            (_checkedAt, _ownNetworkLostSince) = (null, null);
            // Keep the start as it was shown: two probes that end at the same moment may arrive in the other order.
            foreach (
                var reading in _watched
                    .Values.SelectMany(watched => watched.Readings)
                    .OrderBy(reading => reading.Id == 0)
                    .ThenBy(reading => reading.Id)
                    .ThenBy(reading => reading.CheckedAt)
            )
            {
                Note(reading);
            }
        }

        restored.ForEach(Tell);
    }

    public void SetAvailability(IReadOnlyDictionary<string, (double? Day, double? Month)> availability)
    {
        lock (_lock)
        {
            foreach (var watched in _watched.Values)
            {
                watched.SetAvailability(availability.GetValueOrDefault(watched.Surface.Key));
            }
        }
    }

    /// <summary>What a reading says of the whole board.</summary>
    private void Note(SurfaceReading reading)
    {
        _checkedAt = reading.CheckedAt;
        if (reading.Reached)
        {
            _ownNetworkLostSince = null;
        }
        else if (reading.Outcome == ReadingOutcome.Blind)
        {
            _ownNetworkLostSince ??= reading.CheckedAt;
        }
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

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "surface changed surface={Surface} from={From} to={To} cause={Cause}")]
        public static partial void Changed(ILogger logger, string surface, SurfaceStatus from, SurfaceStatus to, string? cause);

        [LoggerMessage(LogLevel.Warning, "a subscriber could not take a change of surface={Surface}: {Problem}")]
        public static partial void Deaf(ILogger logger, string surface, string problem);
    }
}
