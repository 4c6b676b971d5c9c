using System.Collections.Concurrent;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Surfaces;

/// <summary>
/// Carries readings between the board and the database. What the leader reads is stored at once; every other process puts it on its own
/// board, as the leader judged it, so that all boards show the same within a second. A leader that can't store keeps its own board going;
/// the others say that theirs is stale.
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
    /// <summary>While the database is away this many readings wait for it; older ones are dropped.</summary>
    private const int MostWaiting = 20_000;
    private static readonly TimeSpan CountEvery = TimeSpan.FromMinutes(5);

    /// <summary>Readings that come so soon after one another are carried together.</summary>
    private static readonly TimeSpan Gather = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan AgainAfter = TimeSpan.FromSeconds(1);

    /// <summary>The start waits so long for what is stored; a board that works is worth more than its history.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly ConcurrentQueue<SurfaceReading> _waiting = new();
    private readonly SemaphoreSlim _carrying = new(1);
    private readonly TaskCompletionSource _restored = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The board goes on from the reading with this id; null: it has to be read anew.</summary>
    private long? _upTo;
    private bool _follows;
    private long? _fence;
    private readonly OutageNotice _outage = new();
    private Task _counting = Task.CompletedTask;

    /// <summary>Not in the first seconds, which are the first checks'.</summary>
    private DateTimeOffset _countAt = clock.GetUtcNow() + TimeSpan.FromSeconds(3);

    /// <summary>Hands over what the poller read, to be stored soon.</summary>
    public void Store(SurfaceReading judged)
    {
        _waiting.Enqueue(judged);
        Wake();
    }

    /// <summary>Brings board and database into step now: the poller goes on from where the last leader ended.</summary>
    /// <returns>False: the database is away.</returns>
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
            TellAway(exception);
            return false;
        }
        finally
        {
            _carrying.Release();
        }
    }

    /// <summary>Who opens a page first sees what is stored, and the poller, which starts after this, goes on from it.</summary>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await base.StartAsync(cancellationToken);
        await Task.WhenAny(_restored.Task, Task.Delay(Patience, cancellationToken));
    }

    protected override void Begin()
    {
        signals.Subscribe(DatabaseSignals.Readings, Wake);
        leader.Changed += Wake;
    }

    protected override async Task<TimeSpan> TurnAsync(CancellationToken stoppingToken)
    {
        var carried = await TryAsync(CarryAsync, stoppingToken);
        if (carried && _counting.IsCompleted && Clock.GetUtcNow() >= _countAt)
        {
            _counting = TryAsync(CountAsync, stoppingToken);
        }

        await Task.Delay(carried ? Gather : AgainAfter, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return DatabaseSignals.AtLeastEvery;
    }

    /// <summary>The poller has ended before: its last readings are where the next leader goes on.</summary>
    protected override async Task FinishAsync()
    {
        await _counting;
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        await TryAsync(CarryAsync, patience.Token);
    }

    /// <summary>Puts the readings that others stored on the board: all of them at first, and then the new ones.</summary>
    private async Task FollowAsync(bool acts, CancellationToken cancellationToken)
    {
        // Or it leads again, and another did meanwhile.
        var lost = !_follows && (!acts || (leader.Fence is { } fence && _fence is { } before && fence != before));
        if (lost)
        {
            // Whatever it read since, it read without being asked.
            _waiting.Clear();
            _upTo = null;
        }

        if (_upTo is not { } upTo)
        {
            (var readings, _upTo) = await history.RecentAsync(cancellationToken);
            board.Restore(readings, forget: lost);
            _restored.TrySetResult();
        }
        // Who takes the lead follows once more: nothing that the last leader stored may be missing.
        else if (_follows && await history.AfterAsync(upTo, cancellationToken) is { Count: > 0 } readings)
        {
            board.Take(readings);
            _upTo = readings[^1].Id;
        }

        (_follows, _fence) = (!acts, leader.Fence ?? _fence);
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

    private async Task<bool> CountAsync(CancellationToken cancellationToken)
    {
        try
        {
            board.SetAvailability(await availability.CountAsync(tidy: leader.IsLeader, cancellationToken));
            _countAt = Clock.GetUtcNow() + CountEvery;
            return true;
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            return false;
        }
    }

    private async Task<bool> TryAsync(Func<CancellationToken, Task<bool>> work, CancellationToken cancellationToken)
    {
        try
        {
            return await work(cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested) { }
#pragma warning disable CA1031 // a bug met once must not end the watch, nor pass unseen
        catch (Exception exception)
#pragma warning restore CA1031
        {
            Log.Failed(logger, exception);
        }

        return false;
    }

    /// <summary>Once an outage.</summary>
    private void TellAway(Exception exception)
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
        [LoggerMessage(LogLevel.Warning, "readings can't be stored, the board goes on without the database: {Problem}")]
        public static partial void NotStored(ILogger logger, string problem);

        [LoggerMessage(LogLevel.Warning, "readings can't be read, the board turns stale until the database answers: {Problem}")]
        public static partial void NotRead(ILogger logger, string problem);

        [LoggerMessage(LogLevel.Error, "carrying readings failed, trying again")]
        public static partial void Failed(ILogger logger, Exception exception);
    }
}
