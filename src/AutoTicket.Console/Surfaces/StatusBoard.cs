using System.Collections.Immutable;
using Microsoft.Extensions.Options;

namespace AutoTicket.Surfaces;

/// <summary>The current state of every surface, in memory, and its subscribers. Pages, API and pipeline all read it.</summary>
internal sealed partial class StatusBoard(
    SurfaceList surfaces,
    IOptions<StatusOptions> options,
    TimeProvider clock,
    ILogger<StatusBoard> logger
)
{
    /// <summary>Readings kept in memory and shown on a tile.</summary>
    public const int HistoryLength = 60;

    /// <summary>For so long a list is shared. Time alone can turn a surface meanwhile; a reading or a change makes a new list.</summary>
    private static readonly TimeSpan SharedFor = TimeSpan.FromMilliseconds(50);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, WatchedSurface> _watched = surfaces.All.ToDictionary(
        surface => surface.Key,
        surface => new WatchedSurface(surface, options.Value.PollInterval, options.Value.StaleAfter)
    );
    private ImmutableArray<Action<SurfaceSnapshot>> _subscribers = [];
    private Shown? _shown;
    private DateTimeOffset? _ownNetworkLostSince;
    private DateTimeOffset? _checkedAt;

    /// <summary>Since when no surface could be reached, which means that the console is offline; null: it is online.</summary>
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

    /// <summary>When any surface was last probed; null: never.</summary>
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

    /// <returns>All surfaces in the configuration's order. Hundreds of open pages that read at the same time share one list.</returns>
    public IReadOnlyList<SurfaceSnapshot> All()
    {
        var now = clock.GetUtcNow();
        if (Current() is { } shown)
        {
            return shown;
        }

        lock (_lock)
        {
            // Not the time before the lock: a surface may have turned since.
            now = clock.GetUtcNow();
            if (Current() is { } meanwhile)
            {
                return meanwhile;
            }

            _shown = new([.. surfaces.All.Select(surface => _watched[surface.Key].Show(now))], now);
            return _shown.Surfaces;
        }

        IReadOnlyList<SurfaceSnapshot>? Current() =>
            Volatile.Read(ref _shown) is { } shown && (now - shown.At).Duration() < SharedFor ? shown.Surfaces : null;
    }

    public SurfaceSnapshot? Find(string key)
    {
        lock (_lock)
        {
            return _watched.TryGetValue(key, out var watched) ? watched.Show(clock.GetUtcNow()) : null;
        }
    }

    /// <summary>Calls the handler for every changed surface. A handler that throws does not stop the others.</summary>
    public IDisposable Subscribe(Action<SurfaceSnapshot> onChange)
    {
        ImmutableInterlocked.Update(ref _subscribers, list => list.Add(onChange));
        return new Subscription(() => ImmutableInterlocked.Update(ref _subscribers, list => list.Remove(onChange)));
    }

    /// <summary>Judges a reading, adds it and notifies the subscribers.</summary>
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
            _shown = null;
            shown = watched.Publish(clock.GetUtcNow());
        }

        Notify(shown);
        return judged;
    }

    /// <summary>Adds readings that another process judged, oldest first, and notifies the subscribers.</summary>
    public void PublishJudged(IEnumerable<SurfaceReading> judged)
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
                    watched.AddJudged(reading);
                    touched.Add(watched);
                }
            }

            _shown = null;
            changed = [.. touched.Select(watched => watched.Publish(clock.GetUtcNow()))];
        }

        changed.ForEach(Notify);
    }

    /// <summary>Publishes the surfaces that time alone changed: they turned stale, or their maintenance began or ended.</summary>
    public void Tick()
    {
        List<SurfaceSnapshot> turned;
        lock (_lock)
        {
            var now = clock.GetUtcNow();
            turned = [.. _watched.Values.Where(watched => watched.MustPublish(now)).Select(watched => watched.Publish(now))];
            _shown = turned.Count is 0 ? _shown : null;
        }

        turned.ForEach(Notify);
    }

    /// <summary>Continues from the stored readings. If they come late, newer readings are judged again on top of them.</summary>
    /// <param name="forget">Drops the readings taken here, because another process has been the leader since.</param>
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
                    restored.Add(watched.Publish(clock.GetUtcNow()));
                }
            }

            (_shown, _checkedAt, _ownNetworkLostSince) = (null, null, null);
            // In the order in which they were shown: two probes may end at the same time, and every board must show the same beginning.
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

        restored.ForEach(Notify);
    }

    /// <param name="upTo">Readings of this time and later are not counted yet.</param>
    public void SetAvailability(IReadOnlyDictionary<string, Availability> availability, DateTimeOffset upTo)
    {
        lock (_lock)
        {
            foreach (var watched in _watched.Values)
            {
                watched.SetAvailability(availability.GetValueOrDefault(watched.Surface.Key) ?? Availability.Unknown, upTo);
            }

            _shown = null;
        }
    }

    /// <summary>Sets the times of maintenance: past, current and planned ones, without those of the configuration.</summary>
    public void SetMaintenance(IEnumerable<SurfaceMaintenance> maintenance)
    {
        lock (_lock)
        {
            var bySurface = maintenance.ToLookup(one => one.SurfaceKey);
            foreach (var watched in _watched.Values)
            {
                watched.SetMaintenance([.. bySurface[watched.Surface.Key]]);
            }

            _shown = null;
        }

        Tick();
    }

    /// <returns>The maintenance of a surface at this time; null: none, or there is no such surface.</returns>
    public SurfaceMaintenance? MaintenanceAt(string key, DateTimeOffset at)
    {
        lock (_lock)
        {
            return _watched.TryGetValue(key, out var watched) ? watched.MaintenanceAt(at) : null;
        }
    }

    private sealed record Shown(IReadOnlyList<SurfaceSnapshot> Surfaces, DateTimeOffset At);

    /// <summary>Updates what holds for the whole board.</summary>
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

    private void Notify(SurfaceSnapshot snapshot)
    {
        foreach (var onChange in _subscribers)
        {
            try
            {
                onChange(snapshot);
            }
#pragma warning disable CA1031 // a page that fails must not stop the others
            catch (Exception exception)
#pragma warning restore CA1031
            {
                Log.SubscriberFailed(logger, snapshot.Key, exception.Message);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "surface changed surface={Surface} from={From} to={To} cause={Cause}")]
        public static partial void Changed(ILogger logger, string surface, SurfaceStatus from, SurfaceStatus to, string? cause);

        [LoggerMessage(LogLevel.Warning, "a subscriber failed on a change of surface={Surface}: {Problem}")]
        public static partial void SubscriberFailed(ILogger logger, string surface, string problem);
    }
}

/// <summary>Publishes, once a second, the surfaces that time alone changed.</summary>
internal sealed class StatusBoardTicker(StatusBoard board, TimeProvider clock, ILogger<StatusBoardTicker> logger) : Loop(clock, logger)
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(1);

    protected override Task<TimeSpan> TurnAsync(CancellationToken stoppingToken)
    {
        board.Tick();
        return Task.FromResult(Every);
    }
}
