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
    ILogger<StatusPoller> logger) : BackgroundService
{
    /// <summary>With fewer surfaces, all of them failing at once is no sign that the fault is ours.</summary>
    private const int EnoughToDoubtOurselves = 3;

    /// <summary>Who takes the lead waits so long for the last readings; a board that works is worth more than its history.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);
    private static readonly Histogram<double> Cycles = Telemetry.Seconds("autoticket.poll.cycle.duration", "From a cycle's first probe to its last, the interval at most.");

    private readonly SemaphoreSlim _places = new(options.Value.Parallelism);
    private readonly ConcurrentDictionary<string, Task> _underWay = new();
    private readonly Nudge _led = new(clock);
    private readonly Lock _lock = new();
    private readonly List<Suspect> _suspects = [];
    private readonly Lock _publishing = new();
    private long _lastReached = long.MinValue;

    /// <summary>A failure that our own network may have caused: nobody has been reached since its probe began.</summary>
    private sealed record Suspect(SurfaceReading Reading, long Begun, TimeSpan Took);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var ticking = TickAsync(stoppingToken);
        leader.Changed += _led.Give;
        var followed = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            if (!await leader.AskAsync(stoppingToken))
            {
                followed = true;
                await _led.WaitAsync(Patience, stoppingToken);
            }
            else if (followed)
            {
                followed = false;
                await Task.WhenAny(relay.CarryAsync(stoppingToken), Task.Delay(Patience, clock, stoppingToken));
                await PauseAsync(UntilDue(), stoppingToken);
            }
            else
            {
                await CycleAsync(stoppingToken);
            }
        }

        leader.Changed -= _led.Give;
        await Task.WhenAll(_underWay.Values).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await ticking.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task CycleAsync(CancellationToken stoppingToken)
    {
        var begun = clock.GetTimestamp();
        // A little jitter, so that several consoles do not knock on the same doors in step.
        var interval = options.Value.PollInterval * (0.95 + (Random.Shared.NextDouble() * 0.1));
        var cycle = StartCycle(stoppingToken);
        await Task.WhenAny(cycle, Task.Delay(interval, clock, stoppingToken));
        Cycles.Record(clock.GetElapsedTime(begun).TotalSeconds);
        SettleSuspects(begun, counts: await leader.AskAsync(stoppingToken));
        await PauseAsync(interval - clock.GetElapsedTime(begun), stoppingToken);
    }

    /// <summary>Until the last leader's readings are an interval old: two failures in a row stay an interval apart, whoever saw them.</summary>
    private TimeSpan UntilDue() =>
        board.All().Select(surface => surface.CheckedAt ?? DateTimeOffset.MinValue).DefaultIfEmpty().Min() + options.Value.PollInterval - clock.GetUtcNow();

    private async Task PauseAsync(TimeSpan pause, CancellationToken stoppingToken)
    {
        if (pause > TimeSpan.Zero)
        {
            await Task.Delay(pause, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
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
            // A cycle may outlast the lead, and what a process saw while it was frozen, its time-outs above all, is another's to say by then.
            if (await leader.AskAsync(cancellationToken))
            {
                var begun = clock.GetTimestamp();
                var reading = await probe.ProbeAsync(surface, cancellationToken);
                if (await leader.AskAsync(cancellationToken))
                {
                    Take(new Suspect(reading, begun, clock.GetElapsedTime(begun)));
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
        }
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

    /// <summary>Publishes at once what is certain. A failure that reached nobody waits until somebody else is reached, or the cycle's end.</summary>
    private void Take(Suspect result)
    {
        List<Suspect> certain = [];
        lock (_lock)
        {
            if (result.Reading.Reached)
            {
                _lastReached = clock.GetTimestamp();
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

    /// <summary>A cycle is over. Where nobody at all was reached in it, the fault is our own network's, and the surfaces are stale, not down.</summary>
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
            Publish(ours
                ? suspect with { Reading = suspect.Reading with { Outcome = ReadingOutcome.Blind, Cause = $"nothing can be reached: the console's own network seems lost ({suspect.Reading.Cause})" } }
                : suspect);
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

    private async Task TickAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1), clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            board.Tick();
        }
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "own network seems lost: none of {Count} surfaces could be reached; they are shown as stale, not as down")]
        public static partial void Blind(ILogger logger, int count);

        [LoggerMessage(LogLevel.Error, "watching failed surface={Surface}")]
        public static partial void Failed(ILogger logger, string surface, Exception exception);
    }
}
