using System.Diagnostics;
using Microsoft.Extensions.Time.Testing;

namespace AutoTicket.Tests.Kit;

/// <summary>
/// A clock that stands still until the test moves it. Pauses under a second pass in real time, because the test often waits for their end
/// and would never move the clock. A timeout follows the clock, but takes at least ten real seconds, so that a step of the clock does not
/// cancel work in progress on a busy machine. A short one takes at least two, so that tests of a hang end soon.
/// </summary>
internal sealed class StillClock(DateTimeOffset? start = null)
    : FakeTimeProvider(start ?? new DateTimeOffset(2026, 11, 23, 12, 0, 0, TimeSpan.Zero))
{
    private static readonly TimeSpan LongestRealPause = TimeSpan.FromSeconds(1);

    /// <summary>Timeouts up to this one take two real seconds, longer ones ten.</summary>
    public TimeSpan LongestShortTimeout { get; init; } = TimeSpan.FromSeconds(3);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        dueTime >= TimeSpan.Zero && dueTime < LongestRealPause && period < LongestRealPause
            ? System.CreateTimer(callback, state, dueTime, period)
        : IsTimeout(state)
            ? new RealTimeout(
                passed => base.CreateTimer(passed, null, dueTime, period),
                () => callback(state),
                TimeSpan.FromSeconds(dueTime <= LongestShortTimeout ? 2 : 10)
            )
        : base.CreateTimer(callback, state, dueTime, period);

    // A CancellationTokenSource that cancels itself, or the timer of Task.WaitAsync. Task.Delay uses neither.
    private static bool IsTimeout(object? state) =>
        state is CancellationTokenSource || state?.GetType().Name.StartsWith("CancellationPromise", StringComparison.Ordinal) == true;

    private TimeSpan _back;

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() - _back;

    public override long GetTimestamp() => base.GetUtcNow().Ticks;

    /// <summary>Sets the time back, as the database's clock may be. Running pauses and timestamps are not affected.</summary>
    public void SetBack(TimeSpan by) => _back += by;

    /// <summary>Lets the clock run at real speed until the result is disposed, for loops that poll. The test can still advance
    /// it.</summary>
    public IDisposable Run()
    {
        var tick = TimeSpan.FromMilliseconds(250);
        return new Timer(_ => Advance(tick), null, tick, tick);
    }

    /// <summary>Advances step by step until the condition holds, with a pause after each step for the work that it triggers.</summary>
    /// <param name="perStep">The longest pause after a step.</param>
    /// <param name="isFollowed">True once the step has had its effect; ends the pause early.</param>
    public async Task AdvanceUntilAsync(
        TimeSpan step,
        Func<Task<bool>> condition,
        string what,
        TimeSpan? perStep = null,
        Func<bool>? isFollowed = null
    )
    {
        var patience = 2 * Eventually.Patience;
        var pause = perStep ?? TimeSpan.FromSeconds(1);
        Task<bool>? asked = null;
        for (var left = patience; left > TimeSpan.Zero; left -= pause)
        {
            Advance(step);
            var holds = false;
            try
            {
                await Eventually.TrueAsync(async () => (holds = await AskAsync()) || isFollowed?.Invoke() == true, what, pause);
                if (holds)
                {
                    return;
                }
            }
            catch (TimeoutException) when (left > pause)
            {
                // The awaited timer may not have been set yet when the clock moved: take another step.
            }
        }

        throw new TimeoutException($"Not within {patience / pause:0} steps of {step}: {what}.{ConsoleHost.LastWarnings}");

        // A condition that outlasts its step is not asked a second time meanwhile, or slow ones would pile up.
        Task<bool> AskAsync() => asked is null or { IsCompleted: true } ? asked = condition() : asked;
    }

    private sealed class RealTimeout : ITimer
    {
        private readonly long _set = Stopwatch.GetTimestamp();
        private readonly ITimer _timer;
        private readonly Timer _realTimer;

        public RealTimeout(Func<TimerCallback, ITimer> create, Action pass, TimeSpan shortest)
        {
            _realTimer = new Timer(_ => pass());
            _timer = create(_ =>
            {
                var left = shortest - Stopwatch.GetElapsedTime(_set);
                _realTimer.Change(left > TimeSpan.Zero ? left : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
            });
        }

        public bool Change(TimeSpan dueTime, TimeSpan period) => _timer.Change(dueTime, period);

        public void Dispose()
        {
            _timer.Dispose();
            _realTimer.Dispose();
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
