using Polly.CircuitBreaker;

namespace AutoTicket.FreeScout;

/// <summary>Whether FreeScout did its part when it was last asked, for all who show it or decide by it.</summary>
internal sealed class FreeScoutHealth(TimeProvider clock)
{
    /// <summary>The longest we let a Retry-After keep us away.</summary>
    public static readonly TimeSpan LongestHold = TimeSpan.FromSeconds(60);

    private readonly Lock _lock = new();
    private DateTimeOffset _heardAt = DateTimeOffset.MinValue;

    /// <summary>Raised when it goes down, comes back or fails in another way. Handlers must return at once and never throw.</summary>
    public event Action? Changed;

    /// <summary>What the last call failed with; null while FreeScout works, or before it was first asked.</summary>
    public FreeScoutFailure? Failure { get; private set; }

    /// <summary>Since when it has been failing; null while it works.</summary>
    public DateTimeOffset? FailingSince { get; private set; }

    /// <summary>Since when it has been failing in the way of <see cref="Failure"/>; null while it works.</summary>
    public DateTimeOffset? KindSince { get; private set; }

    /// <summary>When it last did its part; null: not since this start.</summary>
    public DateTimeOffset? WorkedAt { get; private set; }

    /// <summary>What the circuit breaker before it thinks of it.</summary>
    public CircuitBreakerStateProvider Circuit { get; } = new();

    /// <summary>The failure that opened the circuit last: tries of calls that are not over yet may open it before any call has failed.</summary>
    public string? OpenedBy { get; set; }

    public bool IsCircuitOpen => Circuit.CircuitState is CircuitState.Open or CircuitState.Isolated;

    /// <summary>FreeScout asked to be left alone until then.</summary>
    public DateTimeOffset HoldUntil { get; private set; } = DateTimeOffset.MinValue;

    public void Succeeded() => Set(null, clock.GetUtcNow());

    public void Failed(FreeScoutFailure failure)
    {
        if (failure.Kind == FreeScoutFailureKind.RateLimited)
        {
            var pause = failure.RetryAfter ?? TimeSpan.FromSeconds(5);
            Hold(clock.GetUtcNow() + (pause > LongestHold ? LongestHold : pause));
        }

        // A refusal of one request says nothing of FreeScout's health.
        if (failure.Kind != FreeScoutFailureKind.Refused)
        {
            Set(failure, clock.GetUtcNow());
        }
    }

    /// <summary>What another replica met when it asked. It counts unless this one has asked since. An open circuit says that FreeScout failed,
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
            Set(failure, at);
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

    private void Set(FreeScoutFailure? failure, DateTimeOffset at)
    {
        bool changed;
        lock (_lock)
        {
            if (at < _heardAt)
            {
                return;
            }

            _heardAt = at;
            changed = Failure?.Kind != failure?.Kind;
            Failure = failure;
            FailingSince = failure is null ? null : FailingSince ?? at;
            KindSince = failure is null ? null : changed ? at : KindSince;
            WorkedAt = failure is null ? at : WorkedAt;
        }

        if (changed)
        {
            Changed?.Invoke();
        }
    }
}
