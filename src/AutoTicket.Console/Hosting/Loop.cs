using System.Diagnostics.Metrics;
using AutoTicket.Data;

namespace AutoTicket.Hosting;

/// <summary>
/// Works in the background, turn after turn, until the console ends. A wake-up ends the pause between two turns; several wake-ups during
/// a turn count as one. A database outage is not logged here, because the database gate logs it. Any other exception is a bug: it is
/// logged as an ERROR, and the loop goes on.
/// </summary>
internal abstract partial class Loop(TimeProvider clock, ILogger logger) : BackgroundService
{
    private static readonly Counter<long> Turns = Telemetry.Meter.CreateCounter<long>(
        "autoticket.loop.turns",
        description: "Turns of the background loops, by loop."
    );

    /// <summary>The first pause after a turn that failed. It doubles with each further failure.</summary>
    protected static readonly TimeSpan AfterFailure = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan LongestAfterFailure = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestRest = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(10);

    // Not a semaphore: ending its wait by a timer throws an exception at every pause, which costs as much as a turn.
    private volatile TaskCompletionSource _awake = NewAwake();
    private bool _wakesSoon;
    private readonly OutageNotice _refusal = new();

    protected TimeProvider Clock => clock;

    /// <returns>The longest pause until the next turn.</returns>
    protected abstract Task<TimeSpan> TurnAsync(CancellationToken stoppingToken);

    /// <summary>Runs before the first turn: subscribes to what wakes the loop.</summary>
    protected virtual void Begin() { }

    /// <summary>Runs after the last turn, when the console ends.</summary>
    protected virtual Task FinishAsync() => Task.CompletedTask;

    /// <summary>Begins the next turn at once. Returns at once and never throws.</summary>
    public void Wake()
    {
        // What the caller changed must be seen by a turn that does not see this wake-up.
        Interlocked.MemoryBarrier();
        _awake.TrySetResult();
    }

    /// <summary>Begins the next turn in a moment, for what is not urgent: several wake-ups share the turn, and work that is urgent goes
    /// first. Returns at once and never throws.</summary>
    public void WakeSoon()
    {
        if (!Interlocked.Exchange(ref _wakesSoon, true))
        {
            _ = WakeAfterAsync();
        }

        async Task WakeAfterAsync()
        {
            await Task.Delay(Soon);
            Volatile.Write(ref _wakesSoon, false);
            Wake();
        }
    }

    protected sealed override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        Begin();
        if (clock is DatabaseClock shared)
        {
            shared.Stepped += Wake;
        }

        var afterBug = AfterFailure;
        while (!stoppingToken.IsCancellationRequested)
        {
            var pause = AfterFailure;
            try
            {
                Turns.Add(1, new KeyValuePair<string, object?>("loop", GetType().Name));
                pause = await TurnAsync(stoppingToken);
                afterBug = AfterFailure;
                _refusal.End();
            }
            // While the console ends, a driver may throw another exception than a cancellation.
            catch (Exception) when (stoppingToken.IsCancellationRequested) { }
            catch (Exception exception) when (Outages.IsOutage(exception))
            {
                // The database gate logs an outage, but a refused statement only at the start.
                if (Outages.IsRefusal(exception) && _refusal.Begin())
                {
                    Log.Refused(logger, GetType().Name, exception.GetBaseException().Message);
                }
            }
#pragma warning disable CA1031 // a bug must not end the loop
            catch (Exception exception)
#pragma warning restore CA1031
            {
                Log.Failed(logger, GetType().Name, exception);
                pause = afterBug;
                afterBug = afterBug * 2 < LongestAfterFailure ? afterBug * 2 : LongestAfterFailure;
            }

            await PauseAsync(pause, stoppingToken);
        }

        await FinishAsync();
    }

    /// <returns>The pause until a time; null: nothing is due.</returns>
    internal static TimeSpan Until(DateTimeOffset? due, DateTimeOffset now, TimeSpan atMost) =>
        due - now is not { } left || left > atMost ? atMost
        // A timer may be early by a moment.
        : left < ShortestPause ? ShortestPause
        : left;

    /// <summary>Rests in proportion to the work, so that a flood of wake-ups never uses a whole core. Both are measured by the machine's
    /// clock. Returns early when canceled; never throws.</summary>
    /// <param name="times">The rest as a multiple of the work.</param>
    protected static async Task RestAsync(TimeSpan work, int times, TimeSpan atLeast, CancellationToken cancellationToken)
    {
        var rest = work * times < atLeast ? atLeast : work * times;
        await Task.Delay(rest < LongestRest ? rest : LongestRest, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task PauseAsync(TimeSpan atMost, CancellationToken stoppingToken)
    {
        if (atMost != TimeSpan.Zero)
        {
            var awake = _awake;
            await using var timer = clock.CreateTimer(_ => awake.TrySetResult(), null, atMost, Timeout.InfiniteTimeSpan);
            await using var stopping = stoppingToken.Register(() => awake.TrySetResult());
            await awake.Task;
        }

        // Before the next turn, which sees what a wake-up until now was about.
        Interlocked.Exchange(ref _awake, NewAwake());
    }

    private static TaskCompletionSource NewAwake() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "{Loop} can't go on, the database refuses a statement, trying again: {Problem}")]
        public static partial void Refused(ILogger logger, string loop, string problem);

        [LoggerMessage(LogLevel.Error, "{Loop} failed, it goes on")]
        public static partial void Failed(ILogger logger, string loop, Exception exception);
    }
}
