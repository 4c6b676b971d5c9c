using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using AutoTicket.Data;
using Microsoft.Extensions.Options;

namespace AutoTicket.Surfaces;

/// <summary>On the leader, probes every surface once an interval and publishes the readings. A surface that hangs delays no other: the
/// next cycles skip it until its probe ends. A new leader, also after a restart, keeps the last leader's rhythm.</summary>
internal sealed partial class StatusPoller(
    SurfaceList surfaces,
    SurfaceProbe probe,
    StatusBoard board,
    ReadingRelay relay,
    LeaderLease leader,
    IOptions<StatusOptions> options,
    TimeProvider clock,
    ILogger<StatusPoller> logger
) : Loop(clock, logger)
{
    /// <summary>With fewer surfaces, all of them failing at once does not mean that the console is offline.</summary>
    private const int FewestToSuspectOwnNetwork = 3;

    /// <summary>How long a new leader waits for the last leader's readings: a live board is worth more than its history.</summary>
    private static readonly TimeSpan CarryTimeout = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan AskEvery = TimeSpan.FromSeconds(1);
    private static readonly Histogram<double> Cycles = Telemetry.Seconds(
        "autoticket.poll.cycle.duration",
        "From a cycle's first probe to its last, the interval at most."
    );

    private readonly SemaphoreSlim _slots = new(options.Value.Parallelism);
    private readonly ConcurrentDictionary<string, Task> _underWay = new();
    private readonly Lock _lock = new();

    /// <summary>Failures that the console's own network may have caused: nothing was reached since their probes began.</summary>
    private readonly List<ProbeResult> _suspects = [];
    private readonly Lock _publishing = new();
    private long _lastReached = long.MinValue;
    private bool _followed = true;

    /// <summary>Surfaces that the next cycle leaves out, because they were probed just before it.</summary>
    private HashSet<string> _probedEarly = [];

    private sealed record ProbeResult(SurfaceReading Reading, long Begun, TimeSpan Took);

    protected override void Begin() => leader.Changed += Wake;

    protected override async Task<TimeSpan> TurnAsync(CancellationToken stoppingToken)
    {
        if (!await leader.AskAsync(stoppingToken))
        {
            _followed = true;
            return AskEvery;
        }

        if (_followed)
        {
            _followed = false;
            await Task.WhenAny(relay.CarryAsync(stoppingToken), Task.Delay(CarryTimeout, Clock, stoppingToken));
            await KeepRhythmAsync(stoppingToken);
        }
        else
        {
            await CycleAsync(stoppingToken);
        }

        return TimeSpan.Zero;
    }

    protected override async Task FinishAsync() =>
        await Task.WhenAll(_underWay.Values).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    private async Task CycleAsync(CancellationToken stoppingToken)
    {
        var begun = Clock.GetTimestamp();
        // Jitter, so that several consoles don't probe the same surfaces in step.
        var interval = options.Value.PollInterval * (0.95 + (Random.Shared.NextDouble() * 0.1));
        (var early, _probedEarly) = (_probedEarly, []);
        var cycle = StartProbes(key => !early.Contains(key), stoppingToken);
        await Task.WhenAny(cycle, Task.Delay(interval, Clock, stoppingToken));
        if (stoppingToken.IsCancellationRequested)
        {
            // A cycle that was cut short does not show whether the network is lost.
            return;
        }

        Cycles.Record(Clock.GetElapsedTime(begun).TotalSeconds);
        SettleSuspects(begun, isLeader: await leader.AskAsync(stoppingToken));
        await PauseAsync(interval - Clock.GetElapsedTime(begun), stoppingToken);
    }

    /// <summary>Waits until the last leader's readings are an interval old, so that two failures in a row are an interval apart. Surfaces
    /// that have none, or only older ones, are probed at once, because a cycle that was cut short left them out; their next probe is at
    /// least half an interval later. At most an interval, because readings are dated in the future if the clock was put back.</summary>
    private async Task KeepRhythmAsync(CancellationToken stoppingToken)
    {
        var (interval, now) = (options.Value.PollInterval, Clock.GetUtcNow());
        var pauses = board.All().ToDictionary(surface => surface.Key, surface => surface.CheckedAt + interval - now);
        _probedEarly = [];
        if (pauses.Values.Where(left => left > TimeSpan.Zero).Min() is not { } pause)
        {
            return;
        }

        var late = pauses.Where(pair => pair.Value is null || pair.Value <= TimeSpan.Zero).Select(pair => pair.Key).ToHashSet();
        _ = StartProbes(late.Contains, stoppingToken);
        await PauseAsync(pause < interval ? pause : interval, stoppingToken);
        _probedEarly = pause < interval / 2 ? late : [];
    }

    private async Task PauseAsync(TimeSpan pause, CancellationToken stoppingToken)
    {
        if (pause > TimeSpan.Zero)
        {
            await Task.Delay(pause, Clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private Task StartProbes(Func<string, bool> isDue, CancellationToken cancellationToken)
    {
        foreach (var surface in surfaces.All.Where(surface => isDue(surface.Key)))
        {
            if (!_underWay.TryGetValue(surface.Key, out var task) || task.IsCompleted)
            {
                _underWay[surface.Key] = WatchAsync(surface, cancellationToken);
            }
        }

        return Task.WhenAll(_underWay.Values);
    }

    private async Task WatchAsync(Surface surface, CancellationToken cancellationToken)
    {
        await _slots.WaitAsync(cancellationToken);
        try
        {
            // A cycle may outlast the lease. The readings of a process that was frozen, its timeouts above all, don't count.
            if (await leader.AskAsync(cancellationToken))
            {
                var begun = Clock.GetTimestamp();
                var reading = await probe.ProbeAsync(surface, cancellationToken);
                if (await leader.AskAsync(cancellationToken))
                {
                    Sort(new ProbeResult(reading, begun, Clock.GetElapsedTime(begun)));
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested) { }
#pragma warning disable CA1031 // a bug with one surface must not stop the others
        catch (Exception exception)
#pragma warning restore CA1031
        {
            Log.Failed(logger, surface.Key, exception);
        }
        finally
        {
            _slots.Release();
        }
    }

    /// <summary>Publishes a certain result at once. A failure without contact waits until another surface is reached, or for the end of the
    /// cycle.</summary>
    private void Sort(ProbeResult result)
    {
        List<ProbeResult> certain = [];
        lock (_lock)
        {
            if (result.Reading.Reached)
            {
                _lastReached = Clock.GetTimestamp();
                certain.AddRange(_suspects);
                _suspects.Clear();
                certain.Add(result);
            }
            else if (_lastReached >= result.Begun)
            {
                certain.Add(result);
            }
            else
            {
                _suspects.Add(result);
            }
        }

        certain.ForEach(Publish);
    }

    /// <summary>Publishes what is left at the end of a cycle. If it reached no surface at all, the console is offline: the surfaces are
    /// stale, not down.</summary>
    /// <param name="isLeader">False: this process lost the lease during the cycle, and its results don't count.</param>
    private void SettleSuspects(long cycleBegun, bool isLeader)
    {
        List<ProbeResult> settled;
        bool reachedNothing;
        lock (_lock)
        {
            settled = isLeader ? [.. _suspects] : [];
            _suspects.Clear();
            reachedNothing = _lastReached < cycleBegun;
        }

        var unreached = settled.Select(suspect => suspect.Reading.SurfaceKey).Distinct().Count();
        var isOffline = reachedNothing && surfaces.All.Count >= FewestToSuspectOwnNetwork && unreached >= FewestToSuspectOwnNetwork;
        if (isOffline && board.OwnNetworkLostSince is null)
        {
            Log.Blind(logger, unreached);
        }

        foreach (var suspect in settled)
        {
            Publish(
                isOffline
                    ? suspect with
                    {
                        Reading = suspect.Reading with
                        {
                            Outcome = ReadingOutcome.Blind,
                            Cause = $"The console itself is offline ({suspect.Reading.Cause})",
                        },
                    }
                    : suspect
            );
        }
    }

    private void Publish(ProbeResult result)
    {
        // Stored in the order in which they are shown, because the last one says whether the console is offline.
        lock (_publishing)
        {
            relay.Store(board.Publish(result.Reading, result.Took));
        }
    }

    private static partial class Log
    {
        [LoggerMessage(
            LogLevel.Warning,
            "own network seems lost: none of {Count} surfaces could be reached; they are shown as stale, not as down"
        )]
        public static partial void Blind(ILogger logger, int count);

        [LoggerMessage(LogLevel.Error, "watching failed surface={Surface}")]
        public static partial void Failed(ILogger logger, string surface, Exception exception);
    }
}
