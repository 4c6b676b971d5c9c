using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using AutoTicket.Data;
using Microsoft.Extensions.Options;

namespace AutoTicket.Surfaces;

/// <summary>Probes every surface once an interval and publishes what it saw. One that hangs holds up no other: it is left out of
/// the following cycles until its probe ends. Of several processes only the leader does; one that takes the lead goes on in the
/// last one's rhythm.</summary>
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
    /// <summary>With fewer surfaces, all of them failing at once is no sign that the fault is ours.</summary>
    private const int EnoughToDoubtOurselves = 3;

    /// <summary>Who takes the lead waits so long for the last readings; a board that works is worth more than its history.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);
    private static readonly Histogram<double> Cycles = Telemetry.Seconds(
        "autoticket.poll.cycle.duration",
        "From a cycle's first probe to its last, the interval at most."
    );

    private readonly SemaphoreSlim _places = new(options.Value.Parallelism);
    private readonly ConcurrentDictionary<string, Task> _underWay = new();
    private readonly PeriodicTimer _timer = new(TimeSpan.FromSeconds(1), clock);
    private readonly Lock _lock = new();
    private readonly List<Suspect> _suspects = [];
    private readonly Lock _publishing = new();
    private long _lastReached = long.MinValue;
    private bool _followed;
    private Task _ticking = Task.CompletedTask;

    /// <summary>A failure that our own network may have caused: nobody has been reached since its probe began.</summary>
    private sealed record Suspect(SurfaceReading Reading, long Begun, TimeSpan Took);

    protected override void Begin()
    {
        leader.Changed += Wake;
        _ticking = TickAsync();
    }

    protected override async Task<TimeSpan> TurnAsync(CancellationToken stoppingToken)
    {
        if (!await leader.AskAsync(stoppingToken))
        {
            _followed = true;
            return Patience;
        }

        if (_followed)
        {
            _followed = false;
            await Task.WhenAny(relay.CarryAsync(stoppingToken), Task.Delay(Patience, Clock, stoppingToken));
            await PauseAsync(UntilDue(), stoppingToken);
        }
        else
        {
            await CycleAsync(stoppingToken);
        }

        return TimeSpan.Zero;
    }

    protected override async Task FinishAsync()
    {
        _timer.Dispose();
        await Task.WhenAll([.. _underWay.Values, _ticking]).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task CycleAsync(CancellationToken stoppingToken)
    {
        var begun = Clock.GetTimestamp();
        // A little jitter, so that several consoles do not knock on the same doors in step.
        var interval = options.Value.PollInterval * (0.95 + (Random.Shared.NextDouble() * 0.1));
        var cycle = StartCycle(stoppingToken);
        await Task.WhenAny(cycle, Task.Delay(interval, Clock, stoppingToken));
        Cycles.Record(Clock.GetElapsedTime(begun).TotalSeconds);
        SettleSuspects(begun, counts: await leader.AskAsync(stoppingToken));
        await PauseAsync(interval - Clock.GetElapsedTime(begun), stoppingToken);
    }

    /// <summary>Until the last leader's readings are an interval old: two failures in a row stay an interval apart.</summary>
    private TimeSpan UntilDue() =>
        board.All().Select(surface => surface.CheckedAt ?? DateTimeOffset.MinValue).DefaultIfEmpty().Min()
        + options.Value.PollInterval
        - Clock.GetUtcNow();

    private async Task PauseAsync(TimeSpan pause, CancellationToken stoppingToken)
    {
        if (pause > TimeSpan.Zero)
        {
            await Task.Delay(pause, Clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private Task StartCycle(CancellationToken cancellationToken)
    {
        foreach (var surface in surfaces.All)
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
        await _places.WaitAsync(cancellationToken);
        try
        {
            // The lease may end during a cycle. What a frozen process saw, above all its timeouts, must not be published.
            if (await leader.AskAsync(cancellationToken))
            {
                var begun = Clock.GetTimestamp();
                var reading = await probe.ProbeAsync(surface, cancellationToken);
                if (await leader.AskAsync(cancellationToken))
                {
                    Take(new Suspect(reading, begun, Clock.GetElapsedTime(begun)));
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested) { }
#pragma warning disable CA1031 // a bug in one surface's handling must not stop the others' watch
        catch (Exception exception)
#pragma warning restore CA1031
        {
            Log.Failed(logger, surface.Key, exception);
        }
        finally
        {
            _places.Release();
        }
    }

    /// <summary>Publishes at once what is certain. A failure to connect waits until another surface is reached or the cycle ends.</summary>
    private void Take(Suspect result)
    {
        List<Suspect> certain = [];
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

    /// <summary>Ends a cycle. If no surface was reached, our own network has failed, and the surfaces are stale, not down.</summary>
    /// <param name="counts">False: the lead was lost in it.</param>
    private void SettleSuspects(long cycleBegun, bool counts)
    {
        List<Suspect> settled;
        bool reachedNobody;
        lock (_lock)
        {
            settled = counts ? [.. _suspects] : [];
            _suspects.Clear();
            reachedNobody = _lastReached < cycleBegun;
        }

        var ours = reachedNobody && surfaces.All.Count >= EnoughToDoubtOurselves && settled.Count >= EnoughToDoubtOurselves;
        if (ours && board.OwnNetworkLostSince is null)
        {
            Log.Blind(logger, settled.Count);
        }

        foreach (var suspect in settled)
        {
            Publish(
                ours
                    ? suspect with
                    {
                        Reading = suspect.Reading with
                        {
                            Outcome = ReadingOutcome.Blind,
                            Cause = $"nothing can be reached: the console's own network seems lost ({suspect.Reading.Cause})",
                        },
                    }
                    : suspect
            );
        }
    }

    private void Publish(Suspect result)
    {
        // Stored in the order in which they were shown: whether our own network is lost, the last one says.
        lock (_publishing)
        {
            relay.Store(board.Publish(result.Reading, result.Took));
        }
    }

    private async Task TickAsync()
    {
        while (await _timer.WaitForNextTickAsync())
        {
            board.Tick();
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
