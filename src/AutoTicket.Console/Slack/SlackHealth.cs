using Microsoft.Extensions.Options;

namespace AutoTicket.Slack;

/// <summary>Whether Slack did its part when it was last asked, and until when it is left alone.</summary>
internal sealed class SlackHealth
{
    /// <summary>The longest we let a Retry-After keep us away, and the pause when only a person can help.</summary>
    public static readonly TimeSpan LongestHold = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan ShortestHold = TimeSpan.FromSeconds(1);

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

    /// <summary>Raised when it goes down, comes back or fails in another way. Handlers must return at once and never throw.</summary>
    public event Action? Changed;

    /// <summary>What the last try failed with; null while Slack works, or before it was first asked.</summary>
    public SlackFailure? Failure => _state.Failure;

    public DateTimeOffset? FailingSince => _state.FailingSince;

    /// <summary>Nobody asks Slack anything until then.</summary>
    public DateTimeOffset HoldUntil => _state.HoldUntil;

    /// <summary>When the last message went out; null: none since the start.</summary>
    public DateTimeOffset? LastSentAt => _state.LastSentAt;

    /// <summary>A hold that is longer than any can be was set before the clock was put back: it holds nobody.</summary>
    public bool IsHeld => HoldUntil - _clock.GetUtcNow() is var left && left > TimeSpan.Zero && left <= LongestHold;

    public void Sent() => Set(new State(null, null, DateTimeOffset.MinValue, _clock.GetUtcNow(), 0));

    public void Failed(SlackFailure failure)
    {
        var (now, before) = (_clock.GetUtcNow(), _state);
        Set(
            before with
            {
                Failure = failure,
                FailingSince = before.FailingSince ?? now,
                HoldUntil = now + Pause(failure, before.Failures),
                Failures = before.Failures + 1,
            }
        );
    }

    private static TimeSpan Pause(SlackFailure failure, int failuresBefore)
    {
        if (failure.NeedsPerson)
        {
            return LongestHold;
        }

        // 2, 4, 8, 16, 30 seconds; what Slack asks for comes first.
        var step = failuresBefore < 4 ? FirstPause * Math.Pow(2, failuresBefore) : LongestPause;
        var asked = failure.RetryAfter ?? step;
        return asked < ShortestHold ? ShortestHold
            : asked > LongestHold ? LongestHold
            : asked;
    }

    // One emitter writes, one try at a time; pages read.
    private void Set(State state)
    {
        var changed = _state.Failure?.Kind != state.Failure?.Kind;
        _state = state;
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
