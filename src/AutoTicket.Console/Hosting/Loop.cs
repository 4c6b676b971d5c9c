using System.Diagnostics.Metrics;
using AutoTicket.Data;

namespace AutoTicket.Hosting;

/// <summary>
/// Works in the background, turn after turn, until the console ends. Between two turns it pauses; a wake-up ends the pause, and wake-ups
/// that come during a turn are one. An outage of the database is quiet, because the database gate tells of it. Any other exception is a
/// bug: an ERROR, and the next turn comes all the same.
/// </summary>
internal abstract partial class Loop(TimeProvider clock, ILogger logger) : BackgroundService
{
    private static readonly Counter<long> Turns = Telemetry.Meter.CreateCounter<long>(
        "autoticket.loop.turns",
        description: "Turns of the loops that work in the background, by loop."
    );

    /// <summary>The pause after a turn that failed; a bug that stays is met more and more rarely.</summary>
    protected static readonly TimeSpan AfterFailure = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan LongestAfterFailure = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan LongestRest = TimeSpan.FromSeconds(2);

    private readonly SemaphoreSlim _awake = new(0, 1);

    protected TimeProvider Clock => clock;

    /// <returns>The pause until the next turn, at most.</returns>
    protected abstract Task<TimeSpan> TurnAsync(CancellationToken stoppingToken);

    /// <summary>Before the first turn: says what wakes it.</summary>
    protected virtual void Begin() { }

    /// <summary>After the last turn, when the console ends.</summary>
    protected virtual Task FinishAsync() => Task.CompletedTask;

    /// <summary>The next turn comes at once. Returns at once and never throws.</summary>
    public void Wake()
    {
        // Looked at first, because in a flood an exception each is dear.
        if (_awake.CurrentCount > 0)
        {
            return;
        }

        try
        {
            _awake.Release();
        }
        catch (Exception exception) when (exception is SemaphoreFullException or ObjectDisposedException)
        {
            // Woken at this very moment, or over.
        }
    }

    protected sealed override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        Begin();
        var afterBug = AfterFailure;
        while (!stoppingToken.IsCancellationRequested)
        {
            var pause = AfterFailure;
            try
            {
                Turns.Add(1, new KeyValuePair<string, object?>("loop", GetType().Name));
                pause = await TurnAsync(stoppingToken);
                afterBug = AfterFailure;
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested) { }
            catch (Exception exception) when (Outages.IsOutage(exception))
            {
                // The database gate says so.
            }
#pragma warning disable CA1031 // a bug met once must not end the loop, nor pass unseen
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

    /// <summary>Rests after work that it is woken for again and again: the longer it took, the longer, so that a flood of wake-ups costs a
    /// part of a core and never all of it. Returns early when cancelled; never throws.</summary>
    /// <param name="times">How many times as long as the work.</param>
    protected static async Task RestAsync(TimeSpan work, int times, TimeSpan atLeast, CancellationToken cancellationToken)
    {
        var rest = work * times < atLeast ? atLeast : work * times;
        await Task.Delay(rest < LongestRest ? rest : LongestRest, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task PauseAsync(TimeSpan atMost, CancellationToken stoppingToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        var awake = _awake.WaitAsync(either.Token);
        await Task.WhenAny(awake, Task.Delay(atMost, clock, either.Token));
        await either.CancelAsync();
        await awake.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public override void Dispose()
    {
        base.Dispose();
        _awake.Dispose();
        GC.SuppressFinalize(this);
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Error, "{Loop} failed, it goes on")]
        public static partial void Failed(ILogger logger, string loop, Exception exception);
    }
}
