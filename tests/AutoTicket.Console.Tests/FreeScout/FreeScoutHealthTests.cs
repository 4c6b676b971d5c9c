using AutoTicket.FreeScout;

namespace AutoTicket.Tests.FreeScout;

public sealed class FreeScoutHealthTests
{
    private static readonly FreeScoutFailure CircuitOpen = new(FreeScoutFailureKind.CircuitOpen, "it failed several times just now.", WasSent: false);

    private readonly StillClock _clock = new();
    private readonly FreeScoutHealth _health;

    public FreeScoutHealthTests() => _health = new FreeScoutHealth(_clock);

    [Fact, Trait("Pitfall", "T-31")]
    public void An_open_circuit_of_the_replica_that_asks_is_an_outage_to_the_others()
    {
        _health.Hear(null, _clock.GetUtcNow());
        _health.Hear(CircuitOpen, _clock.GetUtcNow());

        Assert.True(_health.Failure is { IsOutage: true });
        Assert.Equal(_clock.GetUtcNow(), _health.FailingSince);
    }

    [Fact]
    public void An_open_circuit_hides_no_better_known_cause()
    {
        _health.Hear(new FreeScoutFailure(FreeScoutFailureKind.ServerError, "FreeScout answered 503.", WasSent: true), _clock.GetUtcNow());
        _health.Hear(CircuitOpen, _clock.GetUtcNow());

        Assert.Equal(FreeScoutFailureKind.ServerError, _health.Failure?.Kind);
    }

    [Theory]
    [InlineData(FreeScoutFailureKind.Refused)]
    [InlineData(FreeScoutFailureKind.RateLimited)]
    public void What_says_nothing_of_FreeScouts_health_is_not_taken_over(object kind)
    {
        _health.Hear(new FreeScoutFailure((FreeScoutFailureKind)kind, "refused", WasSent: true), _clock.GetUtcNow());

        Assert.Null(_health.Failure);
    }
}
