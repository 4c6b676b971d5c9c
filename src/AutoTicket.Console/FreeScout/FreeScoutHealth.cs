using Polly.CircuitBreaker;

namespace AutoTicket.FreeScout;

/// <summary>Whether FreeScout works, by the results of the last calls of this process and of the leader.</summary>
internal sealed class FreeScoutHealth(TimeProvider clock)
{
    /// <summary>Upper bound of a Retry-After.</summary>
    public static readonly TimeSpan LongestHold = TimeSpan.FromSeconds(60);

    /// <summary>A failure of creates alone ends when no create failed for this long: pending creates are tried more often, even those whose
    /// lost answers are looked up for two minutes first.</summary>
    private static readonly TimeSpan Quiet = TimeSpan.FromMinutes(2) + FreeScoutFailure.LongestPause;

    /// <summary>How long a ticket that was found shows that creates make tickets.</summary>
    private static readonly TimeSpan JustNow = TimeSpan.FromSeconds(2);

    private readonly Lock _lock = new();
    private DateTimeOffset _updatedAt = DateTimeOffset.MinValue;
    private DateTimeOffset _failedAt = DateTimeOffset.MinValue;

    /// <summary>The failure that <see cref="KindSince"/> is about.</summary>
    private FreeScoutFailure? _kind;
    private bool _onlyCreatesFail;
    private bool _isHeard;
    private long? _foundAt;

    /// <summary>Raised when FreeScout goes down, recovers or fails in another way. Handlers must return at once and never throw.</summary>
    public event Action? Changed;

    /// <summary>The last failure; null: FreeScout works, or was not called yet.</summary>
    public FreeScoutFailure? Failure { get; private set; }

    /// <summary><see cref="Failure"/>, except when only creates fail.</summary>
    public FreeScoutFailure? ReadFailure => _onlyCreatesFail ? null : Failure;

    /// <summary>When FreeScout began to fail; null: it works.</summary>
    public DateTimeOffset? FailingSince { get; private set; }

    /// <summary>A ticket was just found whose create seemed to fail: FreeScout makes tickets, but answers too late or wrongly.</summary>
    public bool HasJustFoundCreated => _foundAt is { } at && clock.GetElapsedTime(at) < JustNow;

    /// <summary>When FreeScout began to fail with the kind of <see cref="Failure"/>, or to be down in any way; null: it works.</summary>
    public DateTimeOffset? KindSince { get; private set; }

    /// <summary>The last success; null: none since this start.</summary>
    public DateTimeOffset? WorkedAt { get; private set; }

    /// <summary>The state of the circuit breaker.</summary>
    public CircuitBreakerStateProvider Circuit { get; } = new();

    /// <summary>The failure that opened the circuit last. Retries may open it before any call as a whole has failed.</summary>
    public string? OpenedBy { get; set; }

    public bool IsCircuitOpen => Circuit.CircuitState is CircuitState.Open or CircuitState.Isolated;

    /// <summary>No call is made until then, because FreeScout asked for a pause.</summary>
    public DateTimeOffset HoldUntil { get; private set; } = DateTimeOffset.MinValue;

    public bool IsHeld => IsHold(HoldUntil);

    public void Succeeded(FreeScoutCall call)
    {
        if (call != FreeScoutCall.Change)
        {
            Set(null, call);
        }
    }

    /// <summary>A ticket was found whose create seemed to fail: FreeScout works, and only its answer was lost.</summary>
    public void FoundCreated()
    {
        _foundAt = clock.GetTimestamp();
        if (_onlyCreatesFail && Failure is { Kind: FreeScoutFailureKind.TimedOut or FreeScoutFailureKind.Broken })
        {
            Set(null, FreeScoutCall.Create);
        }
    }

    public void Failed(FreeScoutFailure failure, FreeScoutCall call)
    {
        if (failure.Kind == FreeScoutFailureKind.RateLimited)
        {
            var pause = failure.RetryAfter ?? TimeSpan.FromSeconds(5);
            Hold(clock.GetUtcNow() + (pause > LongestHold ? LongestHold : pause));
        }

        if (!failure.IsOfRequest && call != FreeScoutCall.Change)
        {
            Set(failure, call);
        }
    }

    /// <summary>Takes over the result of the leader's last read. It is ignored if this process has a newer result. An open circuit counts
    /// as a failure, but does not replace a known cause.</summary>
    /// <param name="onlyCreates">The leader's reads work, and its creates fail.</param>
    public void Hear(FreeScoutFailure? failure, DateTimeOffset at, bool onlyCreates = false)
    {
        if (onlyCreates && _onlyCreatesFail)
        {
            // The leader reads its own news too: they must not make the failure younger than its last create.
            return;
        }

        var isUsed = failure?.Kind switch
        {
            FreeScoutFailureKind.Refused or FreeScoutFailureKind.RateLimited => false,
            FreeScoutFailureKind.CircuitOpen => Failure is null,
            _ => true,
        };
        if (isUsed)
        {
            // The leader's success includes that it found the mailbox. A failure of creates that this process met itself goes on.
            var read =
                !_onlyCreatesFail ? FreeScoutCall.FindMailbox
                : _isHeard ? FreeScoutCall.Create
                : FreeScoutCall.Read;
            Set(onlyCreates ? null : failure, read, at);
            if (onlyCreates)
            {
                Set(failure, FreeScoutCall.Create, at);
            }
        }
    }

    /// <summary>Stops all calls until then, because FreeScout asked this or another replica for a pause.</summary>
    public void Hold(DateTimeOffset until)
    {
        lock (_lock)
        {
            if (!IsHold(until) || (IsHeld && until <= HoldUntil))
            {
                return;
            }

            HoldUntil = until;
        }

        Changed?.Invoke();
    }

    /// <summary>A hold longer than <see cref="LongestHold"/> was set before the clock was put back, and is ignored.</summary>
    private bool IsHold(DateTimeOffset until) => until - clock.GetUtcNow() is var left && left > TimeSpan.Zero && left <= LongestHold;

    /// <param name="heardAt">When another process called FreeScout; null: this one did just now.</param>
    private void Set(FreeScoutFailure? failure, FreeScoutCall call, DateTimeOffset? heardAt = null)
    {
        bool changed;
        lock (_lock)
        {
            var at = heardAt ?? clock.GetUtcNow();
            // A result of the future was stored before the clock was set back.
            if (heardAt < _updatedAt && _updatedAt <= clock.GetUtcNow())
            {
                return;
            }

            _updatedAt = at;
            if (failure is null && !Ends(call, at))
            {
                return;
            }

            _isHeard = heardAt is not null;

            var (before, readBefore) = (Failure, ReadFailure);
            _onlyCreatesFail = failure is not null && call == FreeScoutCall.Create && (Failure is null || _onlyCreatesFail);
            _failedAt = at;
            Failure = failure;
            changed = before?.Kind != failure?.Kind || readBefore is null != ReadFailure is null;
            FailingSince = failure is null ? null : FailingSince ?? at;
            // A 429 says nothing about the failure before it.
            var kind = failure is { Kind: FreeScoutFailureKind.RateLimited } ? _kind ?? failure : failure;
            KindSince =
                kind is null ? null
                : _kind?.Kind == kind.Kind || (_kind is { IsDown: true } && kind.IsDown) ? KindSince
                : at;
            _kind = kind;
            WorkedAt = failure is null ? at : WorkedAt;
        }

        if (changed)
        {
            Changed?.Invoke();
        }
    }

    /// <returns>Whether a success ends the failure. A list does not prove that its mailbox exists: FreeScout returns an empty list for a
    /// deleted one.</returns>
    private bool Ends(FreeScoutCall call, DateTimeOffset at) =>
        call == FreeScoutCall.Create
        || Failure switch
        {
            { Kind: FreeScoutFailureKind.MailboxMissing } => call == FreeScoutCall.FindMailbox,
            // A key that may read may still lack the scope to write.
            { Kind: FreeScoutFailureKind.ScopeMissing } => !_onlyCreatesFail,
            { NeedsPerson: true } => true,
            _ => !_onlyCreatesFail || (at - _failedAt).Duration() > Quiet,
        };
}
