using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using AutoTicket.Alerts;
using AutoTicket.Data;
using Microsoft.Extensions.Options;

namespace AutoTicket.Surfaces;

/// <summary>Probes every surface once an interval and publishes what it saw. One that hangs holds up no other: it is left out of
/// the following cycles until its probe ends.</summary>
internal sealed partial class StatusPoller(
    SurfaceList surfaces,
    SurfaceProbe probe,
    StatusBoard board,
    SurfaceHistory history,
    AlertAggregator alerts,
    OutageAlerts outage,
    LeaderLease leader,
    IOptions<StatusOptions> options,
    TimeProvider clock,
    ILogger<StatusPoller> logger) : BackgroundService
{
    /// <summary>With fewer surfaces, all of them failing at once is no sign that the fault is ours.</summary>
    private const int EnoughToDoubtOurselves = 3;

    private static readonly TimeSpan AgainAfter = TimeSpan.FromSeconds(1);
    private static readonly Histogram<double> Cycles = Telemetry.Seconds("autoticket.poll.cycle.duration", "From a cycle's first probe to its last, the interval at most.");

    private readonly SemaphoreSlim _places = new(options.Value.Parallelism);
    private readonly ConcurrentDictionary<string, Task> _underWay = new();
    private readonly ConcurrentQueue<SurfaceReading> _toStore = new();
    private readonly Nudge _changed = new();
    private readonly ConcurrentDictionary<string, SurfaceStatus> _confirmed = new();
    private readonly Lock _lock = new();
    private readonly List<Suspect> _suspects = [];
    private long _lastReached = long.MinValue;

    /// <summary>A failure that our own network may have caused: nobody has been reached since its probe began.</summary>
    private sealed record Suspect(SurfaceReading Reading, long Begun, TimeSpan Took);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var ticking = TickAsync(stoppingToken);
        var observing = ObserveAsync(stoppingToken);
        // The board goes on from its history if the database gives it soon; a board that works is worth more than its history.
        var storing = history.RestoreAsync(board, stoppingToken);
        await Task.WhenAny(storing, Task.Delay(TimeSpan.FromSeconds(1), clock, stoppingToken));
        while (!stoppingToken.IsCancellationRequested)
        {
            var begun = clock.GetTimestamp();
            // A little jitter, so that several consoles do not knock on the same doors in step.
            var interval = options.Value.PollInterval * (0.95 + (Random.Shared.NextDouble() * 0.1));
            var cycle = StartCycle(stoppingToken);
            await Task.WhenAny(cycle, Task.Delay(interval, clock, stoppingToken));
            Cycles.Record(clock.GetElapsedTime(begun).TotalSeconds);
            SettleSuspects(begun);
            // A database that is away or slow must not hold up the next cycle.
            storing = storing.IsCompleted ? StoreAsync(stoppingToken) : storing;
            var left = interval - clock.GetElapsedTime(begun);
            if (left > TimeSpan.Zero)
            {
                await Task.Delay(left, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        await storing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Task.WhenAll(_underWay.Values).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await observing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await ticking.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task StoreAsync(CancellationToken cancellationToken)
    {
        try
        {
            await history.StoreAsync(_toStore, cancellationToken);
        }
#pragma warning disable CA1031 // a bug in storing must not stop the watch, nor pass unseen
        catch (Exception exception)
#pragma warning restore CA1031
        {
            Log.NotStored(logger, exception);
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
            var begun = clock.GetTimestamp();
            var reading = await probe.ProbeAsync(surface, cancellationToken);
            Take(new Suspect(reading, begun, clock.GetElapsedTime(begun)));
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
    private void SettleSuspects(long cycleBegun)
    {
        List<Suspect> settled;
        bool reachedNobody;
        lock (_lock)
        {
            settled = [.. _suspects];
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
        var judged = board.Publish(result.Reading, result.Took);
        _toStore.Enqueue(judged);
        if (!_confirmed.TryGetValue(judged.SurfaceKey, out var before) || before != judged.Status)
        {
            _confirmed[judged.SurfaceKey] = judged.Status;
            _changed.Give();
        }
    }

    /// <summary>Tells the aggregator what is confirmed of every surface: at once when one changes, and every cycle, so that whatever was
    /// missed in an outage of the database, or by another leader, is made good.</summary>
    private async Task ObserveAsync(CancellationToken stoppingToken)
    {
        leader.Changed += _changed.Give;
        while (!stoppingToken.IsCancellationRequested)
        {
            var taken = false;
            try
            {
                taken = await ObserveOnceAsync(stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
            }
#pragma warning disable CA1031 // a bug met once must not end the alerts of all surfaces, nor pass unseen
            catch (Exception exception)
#pragma warning restore CA1031
            {
                Log.NotObserved(logger, exception);
            }

            await _changed.WaitAsync(taken ? options.Value.PollInterval : AgainAfter, stoppingToken);
        }

        leader.Changed -= _changed.Give;
    }

    /// <returns>False: the database is away, and it should be tried again soon.</returns>
    private async Task<bool> ObserveOnceAsync(CancellationToken stoppingToken)
    {
        if (!leader.IsLeader && !leader.WasLeader)
        {
            return true;
        }

        List<Observation> seen = [.. SurfaceAlerts.Of(board)];
        // A lease that ran out because the database is away can't be asked for: only whether it answers.
        if (await alerts.ObserveAsync(seen, stoppingToken) is { } answers)
        {
            await outage.TookAsync(seen, answers, stoppingToken);
            return true;
        }

        await outage.TellAsync(seen, stoppingToken);
        return false;
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

        [LoggerMessage(LogLevel.Error, "storing readings failed")]
        public static partial void NotStored(ILogger logger, Exception exception);

        [LoggerMessage(LogLevel.Error, "observing surfaces failed, trying again")]
        public static partial void NotObserved(ILogger logger, Exception exception);

        [LoggerMessage(LogLevel.Error, "watching failed surface={Surface}")]
        public static partial void Failed(ILogger logger, string surface, Exception exception);
    }
}
