using Microsoft.Extensions.Options;

namespace AutoTicket.Slack;

/// <summary>Whether Slack works, by the result of the last call, and until when no call is made.</summary>
internal sealed class SlackHealth
{
    /// <summary>Upper bound of a Retry-After, and the pause while only a person can help.</summary>
    public static readonly TimeSpan LongestHold = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan ShortestHold = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly TimeProvider _clock;
    private volatile State _state = new(null, null, DateTimeOffset.MinValue, null, 0);

    public SlackHealth(TimeProvider clock, IOptions<SlackOptions> options)
    {
        _clock = clock;
        if (options.Value.Missing().ToList() is { Count: > 0 } missing)
        {
            _state = _state with { Failure = SlackFailure.NotConfigured(missing), FailingSince = clock.GetUtcNow() };
        }
    }

    /// <summary>Raised when Slack goes down, recovers or fails in another way. Handlers must return at once and never throw.</summary>
    public event Action? Changed;

    /// <summary>The last failure; null: Slack works, or was not called yet.</summary>
    public SlackFailure? Failure => _state.Failure;

    public DateTimeOffset? FailingSince => _state.FailingSince;

    /// <summary>No call is made until then.</summary>
    public DateTimeOffset HoldUntil => _state.HoldUntil;

    /// <summary>When the last message was sent; null: none since the start.</summary>
    public DateTimeOffset? LastSentAt => _state.LastSentAt;

    /// <summary>A hold longer than <see cref="LongestHold"/> was set before the clock was put back, and is ignored.</summary>
    public bool IsHeld => HoldUntil - _clock.GetUtcNow() is var left && left > TimeSpan.Zero && left <= LongestHold;

    public void Sent() => Set((_, now) => new State(null, null, DateTimeOffset.MinValue, now, 0));

    public void Failed(SlackFailure failure) =>
        Set(
            (before, now) =>
                before with
                {
                    Failure = failure,
                    FailingSince = before.FailingSince ?? now,
                    HoldUntil = now + Pause(failure, before.Failures),
                    Failures = before.Failures + 1,
                }
        );

    private static TimeSpan Pause(SlackFailure failure, int failuresBefore)
    {
        if (failure.NeedsPerson)
        {
            return LongestHold;
        }

        // 2, 4, 8, 16, 30 seconds, unless Slack asks for a pause.
        var step = failuresBefore < 4 ? FirstPause * Math.Pow(2, failuresBefore) : LongestPause;
        var asked = failure.RetryAfter ?? step;
        return asked < ShortestHold ? ShortestHold
            : asked > LongestHold ? LongestHold
            : asked;
    }

    // The alert hook, the reminders and the test DM call at the same time.
    private void Set(Func<State, DateTimeOffset, State> next)
    {
        bool changed;
        lock (_lock)
        {
            var before = _state;
            _state = next(before, _clock.GetUtcNow());
            changed = before.Failure?.Kind != _state.Failure?.Kind;
        }

        if (changed)
        {
            Changed?.Invoke();
        }
    }

    private sealed record State(
        SlackFailure? Failure,
        DateTimeOffset? FailingSince,
        DateTimeOffset HoldUntil,
        DateTimeOffset? LastSentAt,
        int Failures
    );
}
