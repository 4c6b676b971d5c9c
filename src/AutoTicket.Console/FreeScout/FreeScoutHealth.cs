using Polly.CircuitBreaker;

namespace AutoTicket.FreeScout;

/// <summary>Whether FreeScout did its part when it was last asked, for all who show it or decide by it.</summary>
internal sealed class FreeScoutHealth(TimeProvider clock)
{
    /// <summary>The longest we let a Retry-After keep us away.</summary>
    public static readonly TimeSpan LongestHold = TimeSpan.FromSeconds(60);

    /// <summary>Whoever still wants a ticket tries again within this time: an outage that only creates met is over when none met it for
    /// longer.</summary>
    private static readonly TimeSpan Quiet = FreeScoutFailure.RetryRefused + FreeScoutFailure.LongestPause;

    private readonly Lock _lock = new();
    private DateTimeOffset _heardAt = DateTimeOffset.MinValue;
    private DateTimeOffset _metAt = DateTimeOffset.MinValue;
    private bool _isOfCreates;

    /// <summary>Raised when it goes down, comes back or fails in another way. Handlers must return at once and never throw.</summary>
    public event Action? Changed;

    /// <summary>What the last call failed with; null while FreeScout works, or before it was first asked.</summary>
    public FreeScoutFailure? Failure { get; private set; }

    /// <summary>The same, unless reading works and only creates fail.</summary>
    public FreeScoutFailure? ReadFailure => _isOfCreates ? null : Failure;

    /// <summary>Since when it has been failing; null while it works.</summary>
    public DateTimeOffset? FailingSince { get; private set; }

    /// <summary>Since when it has been failing in the way of <see cref="Failure"/>; null while it works.</summary>
    public DateTimeOffset? KindSince { get; private set; }

    /// <summary>When it last did its part; null: not since this start.</summary>
    public DateTimeOffset? WorkedAt { get; private set; }

    /// <summary>What the circuit breaker before it thinks of it.</summary>
    public CircuitBreakerStateProvider Circuit { get; } = new();

    /// <summary>The failure that opened the circuit last. Retries may open it before a call has failed for good.</summary>
    public string? OpenedBy { get; set; }

    public bool IsCircuitOpen => Circuit.CircuitState is CircuitState.Open or CircuitState.Isolated;

    /// <summary>FreeScout asked to be left alone until then.</summary>
    public DateTimeOffset HoldUntil { get; private set; } = DateTimeOffset.MinValue;

    public void Succeeded(FreeScoutCall call)
    {
        if (call != FreeScoutCall.Change)
        {
            Set(null, call, clock.GetUtcNow());
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
            Set(failure, call, clock.GetUtcNow());
        }
    }

    /// <summary>What another replica met when it read. It counts unless this one has asked since. An open circuit says that FreeScout
    /// failed,
    /// and hides no better known cause: retries may open it before any call has failed as a whole.</summary>
    public void Hear(FreeScoutFailure? failure, DateTimeOffset at)
    {
        var isNews = failure?.Kind switch
        {
            FreeScoutFailureKind.Refused or FreeScoutFailureKind.RateLimited => false,
            FreeScoutFailureKind.CircuitOpen => Failure is null,
            _ => true,
        };
        if (isNews)
        {
            // A mailbox that was missing there was found there.
            Set(failure, _isOfCreates ? FreeScoutCall.Read : FreeScoutCall.FindMailbox, at);
        }
    }

    /// <summary>Nobody asks FreeScout anything until then: it said so to us, or to another replica.</summary>
    public void Hold(DateTimeOffset until)
    {
        lock (_lock)
        {
            if (until <= HoldUntil)
            {
                return;
            }

            HoldUntil = until;
        }

        Changed?.Invoke();
    }

    private void Set(FreeScoutFailure? failure, FreeScoutCall call, DateTimeOffset at)
    {
        bool changed;
        lock (_lock)
        {
            if (at < _heardAt)
            {
                return;
            }

            _heardAt = at;
            if (failure is null && !Ends(call, at))
            {
                return;
            }

            _isOfCreates = failure is not null && call == FreeScoutCall.Create && (Failure is null || _isOfCreates);
            _metAt = at;
            changed = Failure?.Kind != failure?.Kind;
            Failure = failure;
            FailingSince = failure is null ? null : FailingSince ?? at;
            KindSince =
                failure is null ? null
                : changed ? at
                : KindSince;
            WorkedAt = failure is null ? at : WorkedAt;
        }

        if (changed)
        {
            Changed?.Invoke();
        }
    }

    /// <summary>Whether a success ends the failure. That a list answers says nothing of its mailbox: FreeScout lists a deleted one as
    /// empty.</summary>
    private bool Ends(FreeScoutCall call, DateTimeOffset at) =>
        call == FreeScoutCall.Create
        || Failure switch
        {
            { Kind: FreeScoutFailureKind.MailboxMissing } => call == FreeScoutCall.FindMailbox,
            // A key that may read need not be one that may write.
            { Kind: FreeScoutFailureKind.ScopeMissing } => !_isOfCreates,
            { NeedsPerson: true } => true,
            _ => !_isOfCreates || at - _metAt > Quiet,
        };
}
