using System.Collections.Concurrent;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Surfaces;

/// <summary>
/// Carries readings between the board and the database. The leader stores its readings at once. Every other process shows them, as the
/// leader judged them, within a second. While the database is down, the leader's board stays live and the other boards turn stale.
/// </summary>
internal sealed partial class ReadingRelay(
    StatusBoard board,
    SurfaceHistory history,
    SurfaceAvailability availability,
    LeaderLease leader,
    DatabaseSignals signals,
    TimeProvider clock,
    ILogger<ReadingRelay> logger
) : Loop(clock, logger)
{
    /// <summary>How many readings wait while the database is down; older ones are dropped.</summary>
    private const int MostWaiting = 20_000;
    private static readonly TimeSpan CountEvery = TimeSpan.FromMinutes(5);

    /// <summary>Readings that arrive within this time are carried together.</summary>
    private static readonly TimeSpan Gather = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    /// <summary>How long the start waits for the stored readings: a live board is worth more than its history.</summary>
    private static readonly TimeSpan RestoreTimeout = TimeSpan.FromSeconds(1);

    private readonly ConcurrentQueue<SurfaceReading> _waiting = new();
    private readonly SemaphoreSlim _carrying = new(1);
    private readonly TaskCompletionSource _restored = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The id of the newest stored reading on the board; null: restore the whole board.</summary>
    private long? _upTo;

    /// <summary>At its last turn another process was the leader.</summary>
    private bool _follows;
    private long? _fence;
    private readonly OutageNotice _outage = new();
    private Task _counting = Task.CompletedTask;

    // A timestamp, because the clock steps when it first follows the database's.
    private long _lastCount = clock.GetTimestamp();

    /// <summary>The first seconds belong to the first checks.</summary>
    private TimeSpan _countAfter = TimeSpan.FromSeconds(3);

    /// <summary>Queues a reading to be stored soon.</summary>
    public void Store(SurfaceReading judged)
    {
        _waiting.Enqueue(judged);
        Wake();
    }

    /// <summary>Synchronizes board and database now, so that a new leader continues from the last leader's readings.</summary>
    /// <returns>False: the database is down.</returns>
    public async Task<bool> CarryAsync(CancellationToken cancellationToken)
    {
        await _carrying.WaitAsync(cancellationToken);
        try
        {
            while (_waiting.Count > MostWaiting)
            {
                _waiting.TryDequeue(out _);
            }

            await FollowAsync(await leader.AskAsync(cancellationToken), cancellationToken);
            await StoreAsync(cancellationToken);
            _outage.End();
            return true;
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            LogOutage(exception);
            return false;
        }
        finally
        {
            _carrying.Release();
        }
    }

    /// <summary>The first page shows the stored readings, and the poller, which starts after this, continues from them.</summary>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await base.StartAsync(cancellationToken);
        await Task.WhenAny(_restored.Task, Task.Delay(RestoreTimeout, cancellationToken));
    }

    protected override void Begin()
    {
        signals.Subscribe(DatabaseSignals.Readings, Wake);
        leader.Changed += Wake;
    }

    protected override async Task<TimeSpan> TurnAsync(CancellationToken stoppingToken)
    {
        var carried = await CarryAsync(stoppingToken);
        if (carried && _counting.IsCompleted && Clock.GetElapsedTime(_lastCount) >= _countAfter)
        {
            (var counted, _counting) = (_counting, CountAsync(stoppingToken));
            await counted;
        }

        await Task.Delay(carried ? Gather : RetryAfter, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return carried ? DatabaseSignals.LongestPause : TimeSpan.Zero;
    }

    /// <summary>Stores the last readings of the poller, which has stopped before: the next leader continues from them.</summary>
    protected override async Task FinishAsync()
    {
        await _counting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        await CarryAsync(timeout.Token);
    }

    /// <summary>Shows what other processes stored: the whole board if this process did not follow so far, otherwise what is new.</summary>
    private async Task FollowAsync(bool leads, CancellationToken cancellationToken)
    {
        // Lost, too, if it leads again after another leader.
        var lost = !_follows && (!leads || (leader.Fence is { } fence && _fence is { } before && fence != before));
        if (lost)
        {
            // It was not the leader when it took these readings.
            _waiting.Clear();
            _upTo = null;
        }

        if (_upTo is not { } upTo)
        {
            (var readings, _upTo) = await history.RecentAsync(cancellationToken);
            board.Restore(readings, forget: lost);
            _restored.TrySetResult();
        }
        // A new leader follows once more, so that it misses none of the last leader's readings.
        else if (_follows && await history.AfterAsync(upTo, cancellationToken) is { Count: > 0 } readings)
        {
            board.PublishJudged(readings);
            _upTo = readings[^1].Id;
        }

        (_follows, _fence) = (!leads, leader.Fence ?? _fence);
    }

    private async Task StoreAsync(CancellationToken cancellationToken)
    {
        if (
            !_follows
            && leader.Fence is { } fence
            && _waiting.ToArray() is { Length: > 0 } readings
            && await history.StoreAsync(readings, fence, cancellationToken)
        )
        {
            for (var stored = 0; stored < readings.Length; stored++)
            {
                _waiting.TryDequeue(out _);
            }
        }
    }

    private async Task CountAsync(CancellationToken cancellationToken)
    {
        var upTo = Clock.GetUtcNow();
        // Also after a failure: a count that times out must not run all the time.
        (_lastCount, _countAfter) = (Clock.GetTimestamp(), CountEvery);
        try
        {
            board.SetAvailability(await availability.CountAsync(upTo, tidy: leader.IsLeader, cancellationToken), upTo);
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            Log.NotCounted(logger, Settings.Text(CountEvery), exception.GetBaseException().Message);
        }
    }

    /// <summary>Logs once an outage.</summary>
    private void LogOutage(Exception exception)
    {
        if (!_outage.Begin())
        {
            return;
        }

        if (leader.ActsAsLeader)
        {
            Log.NotStored(logger, exception.GetBaseException().Message);
        }
        else
        {
            Log.NotRead(logger, exception.GetBaseException().Message);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "readings can't be stored, the board continues without the database: {Problem}")]
        public static partial void NotStored(ILogger logger, string problem);

        [LoggerMessage(LogLevel.Warning, "the surfaces' availability can't be counted, trying again in {Pause}: {Problem}")]
        public static partial void NotCounted(ILogger logger, string pause, string problem);

        [LoggerMessage(LogLevel.Warning, "readings can't be read, the board turns stale until the database answers: {Problem}")]
        public static partial void NotRead(ILogger logger, string problem);
    }
}
