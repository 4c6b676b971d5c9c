using AutoTicket.FreeScout;

namespace AutoTicket.Tests.FreeScout;

public sealed class FreeScoutHealthTests
{
    private static readonly FreeScoutFailure CircuitOpen = new(
        FreeScoutFailureKind.CircuitOpen,
        "it failed several times just now.",
        WasSent: false
    );

    private readonly StillClock _clock = new();
    private readonly FreeScoutHealth _health;

    public FreeScoutHealthTests() => _health = new FreeScoutHealth(_clock);

    [Fact, Trait("Pitfall", "T-31")]
    public void An_open_circuit_of_one_replica_is_an_outage_for_the_others()
    {
        _health.Hear(null, _clock.GetUtcNow());
        _health.Hear(CircuitOpen, _clock.GetUtcNow());

        Assert.True(_health.Failure is { IsOutage: true });
        Assert.Equal(_clock.GetUtcNow(), _health.FailingSince);
    }

    [Fact]
    public void That_only_the_leaders_creates_fail_is_heard_and_ends_when_it_says_so()
    {
        var failure = new FreeScoutFailure(FreeScoutFailureKind.ServerError, "503", WasSent: true);
        _health.Hear(failure, _clock.GetUtcNow());
        _clock.Advance(TimeSpan.FromSeconds(1));
        for (var sync = 0; sync < 3; sync++)
        {
            _health.Hear(failure, _clock.GetUtcNow(), onlyCreates: true);
            Assert.Equal((failure, null), (_health.Failure, _health.ReadFailure));
            _clock.Advance(TimeSpan.FromSeconds(30));
        }

        _health.Hear(null, _clock.GetUtcNow());
        Assert.Null(_health.Failure);
    }

    /// <summary>The leader reads back what it wrote.</summary>
    [Fact]
    public void Its_own_news_do_not_keep_a_failure_of_creates_alive()
    {
        var failure = new FreeScoutFailure(FreeScoutFailureKind.ServerError, "503", WasSent: true);
        _health.Failed(failure, FreeScoutCall.Create);
        for (var minute = 0; minute < 6; minute++)
        {
            _clock.Advance(TimeSpan.FromMinutes(1));
            _health.Hear(failure, _clock.GetUtcNow(), onlyCreates: true);
        }

        _health.Succeeded(FreeScoutCall.Read);

        Assert.Null(_health.Failure);
    }

    [Fact]
    public void An_open_circuit_does_not_replace_a_known_cause()
    {
        _health.Hear(new FreeScoutFailure(FreeScoutFailureKind.ServerError, "FreeScout answered 503.", WasSent: true), _clock.GetUtcNow());
        _health.Hear(CircuitOpen, _clock.GetUtcNow());

        Assert.Equal(FreeScoutFailureKind.ServerError, _health.Failure?.Kind);
    }

    [Fact]
    public void After_the_clock_was_set_back_by_an_hour_calls_count_and_a_pause_is_no_longer_than_it_was()
    {
        var failure = new FreeScoutFailure(FreeScoutFailureKind.RateLimited, "429", WasSent: true, TimeSpan.FromSeconds(30));
        _health.Failed(failure, FreeScoutCall.Read);
        Assert.True(_health.IsHeld);

        _clock.SetBack(TimeSpan.FromHours(1));
        _health.Succeeded(FreeScoutCall.Read);

        Assert.Equal((null, false), (_health.Failure, _health.IsHeld));
    }

    [Fact]
    public void After_the_clock_was_set_back_by_an_hour_the_leaders_success_counts()
    {
        _health.Failed(new FreeScoutFailure(FreeScoutFailureKind.ServerError, "503", WasSent: true), FreeScoutCall.Read);

        _clock.SetBack(TimeSpan.FromHours(1));
        _health.Hear(null, _clock.GetUtcNow());

        Assert.Null(_health.Failure);
    }

    [Fact]
    public void A_create_that_fails_while_reading_works_stays_a_failure_until_one_succeeds()
    {
        var since = _clock.GetUtcNow();
        for (var second = 0; second < 30 * 60; second += 60)
        {
            _health.Failed(new FreeScoutFailure(FreeScoutFailureKind.ServerError, "500", WasSent: true), FreeScoutCall.Create);
            _clock.Advance(TimeSpan.FromSeconds(60));
            _health.Succeeded(FreeScoutCall.Read);
            _health.Hear(null, _clock.GetUtcNow());
        }

        Assert.Equal((FreeScoutFailureKind.ServerError, since), (_health.Failure?.Kind, _health.FailingSince));
        Assert.Null(_health.ReadFailure);

        _health.Succeeded(FreeScoutCall.Create);
        Assert.Null(_health.Failure);
    }

    /// <summary>The sync reads more often then.</summary>
    [Fact]
    public void That_reads_fail_like_creates_is_news()
    {
        var failure = new FreeScoutFailure(FreeScoutFailureKind.ServerError, "503", WasSent: true);
        var changes = 0;
        _health.Changed += () => changes++;

        _health.Failed(failure, FreeScoutCall.Create);
        _health.Failed(failure, FreeScoutCall.Read);
        _health.Failed(failure, FreeScoutCall.Read);

        Assert.Equal((failure, 2), (_health.ReadFailure, changes));
    }

    [Fact]
    public void An_outage_that_changes_its_kind_goes_on()
    {
        var since = _clock.GetUtcNow();
        foreach (
            var kind in new[]
            {
                FreeScoutFailureKind.Unreachable,
                FreeScoutFailureKind.ServerError,
                FreeScoutFailureKind.RateLimited,
                FreeScoutFailureKind.TimedOut,
            }
        )
        {
            _health.Failed(new FreeScoutFailure(kind, "down", WasSent: true), FreeScoutCall.Read);
            _clock.Advance(TimeSpan.FromMinutes(10));
        }

        Assert.Equal(since, _health.KindSince);
        _health.Failed(new FreeScoutFailure(FreeScoutFailureKind.KeyRejected, "401", WasSent: true), FreeScoutCall.Read);
        Assert.Equal(_clock.GetUtcNow(), _health.KindSince);
    }

    [Theory]
    [InlineData(FreeScoutFailureKind.Broken, true), InlineData(FreeScoutFailureKind.TimedOut, true)]
    [InlineData(FreeScoutFailureKind.ServerError, false), InlineData(FreeScoutFailureKind.ScopeMissing, false)]
    public void A_create_whose_answer_was_lost_is_no_failure_once_its_ticket_is_found(object kind, bool ends)
    {
        _health.Failed(new FreeScoutFailure((FreeScoutFailureKind)kind, "lost", WasSent: true), FreeScoutCall.Create);
        _health.Succeeded(FreeScoutCall.Read);
        Assert.NotNull(_health.Failure);

        _health.FoundCreated();

        Assert.Equal(ends, _health.Failure is null);
    }

    [Fact]
    public void An_outage_seen_only_by_a_create_ends_after_a_pause_when_reading_works()
    {
        _health.Failed(new FreeScoutFailure(FreeScoutFailureKind.ServerError, "500", WasSent: true), FreeScoutCall.Create);
        _clock.Advance(TimeSpan.FromMinutes(6));
        Assert.NotNull(_health.Failure);

        _health.Succeeded(FreeScoutCall.Read);

        Assert.Null(_health.Failure);
    }

    [Fact]
    public void An_outage_seen_by_a_read_ends_when_reading_works()
    {
        _health.Failed(new FreeScoutFailure(FreeScoutFailureKind.ServerError, "503", WasSent: true), FreeScoutCall.Create);
        _health.Failed(new FreeScoutFailure(FreeScoutFailureKind.ServerError, "503", WasSent: true), FreeScoutCall.Read);
        _health.Failed(new FreeScoutFailure(FreeScoutFailureKind.ServerError, "503", WasSent: true), FreeScoutCall.Create);

        _health.Succeeded(FreeScoutCall.Read);

        Assert.Null(_health.Failure);
    }

    [Theory]
    [InlineData(FreeScoutCall.Read, false)]
    [InlineData(FreeScoutCall.Change, false)]
    [InlineData(FreeScoutCall.Create, true)]
    [InlineData(FreeScoutCall.FindMailbox, true)]
    public void A_missing_mailbox_stays_missing_until_it_is_found_or_accepts_a_ticket(object call, bool ends)
    {
        _health.Failed(new FreeScoutFailure(FreeScoutFailureKind.MailboxMissing, "gone", WasSent: true), FreeScoutCall.Read);
        _clock.Advance(TimeSpan.FromHours(1));

        _health.Succeeded((FreeScoutCall)call);

        Assert.Equal(ends, _health.Failure is null);
    }

    [Fact]
    public void A_failure_of_one_request_or_one_change_does_not_affect_filing()
    {
        _health.Failed(new FreeScoutFailure(FreeScoutFailureKind.Blocked, "403", WasSent: true, IsOfRequest: true), FreeScoutCall.Read);
        _health.Failed(new FreeScoutFailure(FreeScoutFailureKind.ServerError, "500", WasSent: true), FreeScoutCall.Change);

        Assert.Null(_health.Failure);

        _health.Failed(new FreeScoutFailure(FreeScoutFailureKind.ServerError, "503", WasSent: true), FreeScoutCall.Read);
        _health.Succeeded(FreeScoutCall.Change);

        Assert.NotNull(_health.Failure);
    }

    [Fact]
    public void A_leaders_failure_older_than_the_last_success_is_ignored()
    {
        var failure = new FreeScoutFailure(FreeScoutFailureKind.ServerError, "503", WasSent: true);
        var metAt = _clock.GetUtcNow();
        _health.Hear(failure, metAt);
        _clock.Advance(TimeSpan.FromSeconds(1));
        _health.Succeeded(FreeScoutCall.Read);

        _health.Hear(failure, metAt);

        Assert.Null(_health.Failure);
    }

    [Theory]
    [InlineData(FreeScoutFailureKind.Refused)]
    [InlineData(FreeScoutFailureKind.RateLimited)]
    public void A_leaders_failure_that_says_nothing_about_health_is_ignored(object kind)
    {
        _health.Hear(new FreeScoutFailure((FreeScoutFailureKind)kind, "refused", WasSent: true), _clock.GetUtcNow());

        Assert.Null(_health.Failure);
    }
}
