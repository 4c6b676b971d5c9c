using System.Diagnostics;
using Microsoft.Extensions.Time.Testing;

namespace AutoTicket.Tests.Kit;

/// <summary>
/// A clock that stands still until the test moves it. Pauses of less than a second pass by themselves: nothing is judged by
/// them, and whoever waits through one (for another click, before a second try) would wait for a test that waits for him.
/// A step of the clock overtakes no work under way: a time limit passes no sooner than a moment of real time after it was set.
/// </summary>
internal sealed class StillClock(DateTimeOffset? start = null)
    : FakeTimeProvider(start ?? new DateTimeOffset(2026, 11, 23, 12, 0, 0, TimeSpan.Zero))
{
    private static readonly TimeSpan Short = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan Moment = TimeSpan.FromSeconds(2);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        dueTime >= TimeSpan.Zero && dueTime < Short && period < Short ? System.CreateTimer(callback, state, dueTime, period)
        : IsLimit(state) ? new Limit(passed => base.CreateTimer(passed, null, dueTime, period), () => callback(state))
        : base.CreateTimer(callback, state, dueTime, period);

    // A CancellationTokenSource that cancels itself, and what Task.WaitAsync makes. Pauses are neither.
    private static bool IsLimit(object? state) =>
        state is CancellationTokenSource || state?.GetType().Name.StartsWith("CancellationPromise", StringComparison.Ordinal) == true;

    private TimeSpan _back;

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() - _back;

    public override long GetTimestamp() => base.GetUtcNow().Ticks;

    /// <summary>Sets the time back, as the database's clock may be. Pauses under way and timestamps know nothing of it.</summary>
    public void SetBack(TimeSpan by) => _back += by;

    /// <summary>Lets the clock run by itself, no faster than a real one, until the result is disposed: for loops that look once in a while.
    /// The test still moves it ahead.</summary>
    public IDisposable Run()
    {
        var tick = TimeSpan.FromMilliseconds(250);
        return new Timer(_ => Advance(tick), null, tick, tick);
    }

    /// <summary>Moves on step by step until the condition holds. Between two steps there is time for what the step set off.</summary>
    /// <param name="perStep">The longest pause after a step.</param>
    /// <param name="isFollowed">The step has had its effect: the next one need not wait out the pause.</param>
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
        for (var left = patience; left > TimeSpan.Zero; left -= pause)
        {
            Advance(step);
            var holds = false;
            try
            {
                await Eventually.TrueAsync(async () => (holds = await condition()) || isFollowed?.Invoke() == true, what, pause);
                if (holds)
                {
                    return;
                }
            }
            catch (TimeoutException) when (left > pause)
            {
                // Whatever is to happen was not waiting yet when the clock moved: once more.
            }
        }

        throw new TimeoutException($"Not within {patience / pause:0} steps of {step}: {what}.");
    }

    private sealed class Limit : ITimer
    {
        private readonly long _set = Stopwatch.GetTimestamp();
        private readonly ITimer _timer;
        private readonly Timer _moment;

        public Limit(Func<TimerCallback, ITimer> create, Action pass)
        {
            _moment = new Timer(_ => pass());
            _timer = create(_ =>
            {
                var left = Moment - Stopwatch.GetElapsedTime(_set);
                _moment.Change(left > TimeSpan.Zero ? left : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
            });
        }

        public bool Change(TimeSpan dueTime, TimeSpan period) => _timer.Change(dueTime, period);

        public void Dispose()
        {
            _timer.Dispose();
            _moment.Dispose();
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
