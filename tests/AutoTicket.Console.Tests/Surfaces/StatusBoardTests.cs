using AutoTicket.Surfaces;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using static AutoTicket.Tests.Surfaces.Readings;

namespace AutoTicket.Tests.Surfaces;

public sealed class StatusBoardTests
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(30);

    private readonly FakeTimeProvider _clock = new(Start);

    [Fact, Trait("Pitfall", "T-45"), Trait("Pitfall", "T-46")]
    public void A_surface_never_polled_is_unknown_and_empty()
    {
        var board = Board(Surface());

        var snapshot = Assert.Single(board.All());

        Assert.Equal(
            (SurfaceStatus.Unknown, null, null, null, null),
            (snapshot.Status, snapshot.Since, snapshot.CheckedAt, snapshot.LatencyMs, snapshot.Cause)
        );
        Assert.Empty(snapshot.History);
        Assert.True(snapshot.NeedsAttention);
        Assert.Null(board.CheckedAt);
    }

    [Fact, Trait("Pitfall", "T-45")]
    public void An_hour_without_any_reading_stays_unknown()
    {
        var board = Board(Surface());
        _ = board.All();

        _clock.Advance(TimeSpan.FromHours(1));
        board.Tick();

        Assert.Equal(SurfaceStatus.Unknown, board.All().Single().Status);
    }

    [Fact, Trait("Pitfall", "T-46")]
    public void The_first_failure_is_not_yet_down() => Assert.Equal(SurfaceStatus.Unknown, Published(Board(Surface()), "-").Status);

    [Fact]
    public void A_reading_is_judged_shown_and_published()
    {
        var board = Board(Surface(), Surface("shop"));
        List<SurfaceSnapshot> published = [];
        using var subscription = board.Subscribe(published.Add);

        var judged = board.Publish(Reading(ReadingOutcome.Ok, _clock.GetUtcNow(), latencyMs: 31), TimeSpan.Zero);

        Assert.Equal((SurfaceStatus.Operational, Start), (judged.Status, judged.Since));
        var snapshot = Assert.Single(published);
        Assert.Equal(
            ("pay", SurfaceStatus.Operational, Start, Start, 31),
            (snapshot.Key, snapshot.Status, snapshot.Since, snapshot.CheckedAt, snapshot.LatencyMs)
        );
        Assert.Equal(snapshot, board.Find("pay")! with { HasTurned = true });
        Assert.Equal(["pay", "shop"], board.All().Select(surface => surface.Key));
        Assert.Equal(Start, board.CheckedAt);
        Assert.Null(board.Find("nobody"));
    }

    [Fact]
    public void Pages_share_a_list_until_something_changes()
    {
        var board = Board(Surface());
        var shown = board.All();
        Assert.Same(shown, board.All());

        Published(board, "+");
        AssertIsNew();
        board.PublishJudged([Reading(ReadingOutcome.Ok, _clock.GetUtcNow())]);
        AssertIsNew();
        board.SetMaintenance([new("pay", _clock.GetUtcNow(), _clock.GetUtcNow().AddHours(1), "ada", "moves")]);
        AssertIsNew();
        board.SetAvailability(new Dictionary<string, Availability>(), _clock.GetUtcNow());
        AssertIsNew();
        board.Restore([], forget: true);
        AssertIsNew();
        _clock.Advance(TimeSpan.FromSeconds(0.1));
        AssertIsNew();

        void AssertIsNew()
        {
            Assert.NotSame(shown, board.All());
            shown = board.All();
            Assert.Equal(board.Find("pay"), Assert.Single(shown));
        }
    }

    [Fact]
    public void Subscribers_learn_whether_a_surface_turned()
    {
        var board = Board(Surface());
        List<bool> turned = [];
        using var subscription = board.Subscribe(surface => turned.Add(surface.HasTurned));

        Published(board, "++--");
        board.SetMaintenance([new("pay", _clock.GetUtcNow(), _clock.GetUtcNow().AddHours(1), "ada", "moves")]);
        Published(board, "-");

        Assert.Equal([true, false, false, true, true, false], turned);
    }

    [Fact]
    public void Since_is_the_time_of_the_last_confirmed_change()
    {
        var board = Board(Surface());

        Published(board, "+ + --");
        var down = board.Find("pay")!.Since;
        Published(board, "-+-+-");

        Assert.Equal(Start + (3 * Interval), down);
        Assert.Equal((SurfaceStatus.Down, down), (board.Find("pay")!.Status, board.Find("pay")!.Since));
    }

    [Fact]
    public void A_disposed_subscription_gets_no_news()
    {
        var board = Board(Surface());
        var published = 0;
        var subscription = board.Subscribe(_ => published++);
        Published(board, "+");

        subscription.Dispose();
        Published(board, "+");

        Assert.Equal(1, published);
    }

    [Fact]
    public void A_subscriber_that_throws_does_not_stop_the_others()
    {
        var board = Board(Surface());
        var published = 0;
        using var first = board.Subscribe(_ => throw new InvalidOperationException("a page that broke"));
        using var second = board.Subscribe(_ => published++);

        Published(board, "+-");

        Assert.Equal(2, published);
    }

    [Fact, Trait("Pitfall", "T-25")]
    public void Reading_the_board_first_hides_no_news_from_subscribers()
    {
        var board = Board(Surface());
        Published(board, "+");
        List<SurfaceSnapshot> published = [];
        using var subscription = board.Subscribe(published.Add);
        _clock.Advance(3 * Interval);

        Assert.Equal(SurfaceStatus.Stale, Assert.Single(board.All()).Status);
        board.Tick();
        board.Tick();

        Assert.Equal(SurfaceStatus.Stale, Assert.Single(published).Status);
    }

    [Fact, Trait("Pitfall", "T-25")]
    public void Two_intervals_without_a_reading_are_stale_and_no_recovery()
    {
        var board = Board(Surface());
        Published(board, "+--");
        var down = board.Find("pay")!;
        List<SurfaceSnapshot> published = [];
        using var subscription = board.Subscribe(published.Add);

        // Published has advanced the clock one interval past the last reading.
        _clock.Advance(Interval);
        board.Tick();
        Assert.Equal(SurfaceStatus.Down, board.Find("pay")!.Status);

        _clock.Advance(TimeSpan.FromMilliseconds(1));
        board.Tick();
        board.Tick();

        var stale = Assert.Single(published);
        Assert.Equal((SurfaceStatus.Stale, "No recent reading; last seen down", down.Since), (stale.Status, stale.Cause, stale.Since));
        Assert.True(stale.NeedsAttention);
        Assert.Equal((SurfaceStatus.Down, down.Since), (Published(board, "-").Status, board.Find("pay")!.Since));
    }

    [Fact]
    public void A_slow_probe_does_not_make_its_surface_stale()
    {
        var board = Board(Surface());
        board.Publish(Reading(ReadingOutcome.Failed, _clock.GetUtcNow()), took: TimeSpan.FromSeconds(60));
        board.Publish(Reading(ReadingOutcome.Failed, _clock.GetUtcNow()), took: TimeSpan.FromSeconds(60));

        _clock.Advance((2 * Interval) + TimeSpan.FromSeconds(60));
        Assert.Equal(SurfaceStatus.Down, board.Find("pay")!.Status);

        _clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal(SurfaceStatus.Stale, board.Find("pay")!.Status);
    }

    [Fact]
    public void Maintenance_lasts_until_its_end_and_its_end_is_published()
    {
        var board = Board(Surface() with { MaintenanceUntil = Start + TimeSpan.FromMinutes(10) });
        Assert.Equal(SurfaceStatus.Maintenance, board.Find("pay")!.Status);
        Assert.False(Published(board, "--").NeedsAttention);
        List<SurfaceSnapshot> published = [];
        using var subscription = board.Subscribe(published.Add);

        _clock.SetUtcNow(Start + TimeSpan.FromMinutes(10) - Interval);
        Published(board, "-");
        Assert.Equal(SurfaceStatus.Maintenance, published[^1].Status);

        board.Tick();
        Assert.Equal(SurfaceStatus.Down, published[^1].Status);
    }

    [Fact]
    public void Maintenance_that_is_set_shows_who_why_and_until_when_while_the_checks_go_on()
    {
        var board = Board(Surface(), Surface("shop"));
        Published(board, "+");
        List<SurfaceSnapshot> published = [];
        using var subscription = board.Subscribe(published.Add);
        var maintenance = new SurfaceMaintenance("pay", _clock.GetUtcNow(), _clock.GetUtcNow().AddHours(1), "olga", "a new disk");

        board.SetMaintenance([maintenance]);
        board.SetMaintenance([maintenance]);

        var shown = Assert.Single(published);
        Assert.Equal(
            (SurfaceStatus.Maintenance, SurfaceStatus.Operational, maintenance),
            (shown.Status, shown.Observed, shown.Maintenance)
        );
        var down = Published(board, "--");
        Assert.Equal((SurfaceStatus.Maintenance, SurfaceStatus.Down), (down.Status, down.Observed));
        Assert.Equal([false, true, true], down.History.Select(reading => reading.InMaintenance));

        // It is prolonged, and then ended: the pages must show both.
        board.SetMaintenance([maintenance with { Until = maintenance.Until.AddHours(1) }]);
        board.SetMaintenance([]);
        Assert.Equal([maintenance.Until.AddHours(1), null], published.TakeLast(2).Select(surface => surface.Maintenance?.Until));
        Assert.Equal(SurfaceStatus.Down, published[^1].Status);
    }

    [Fact, Trait("Pitfall", "T-47")]
    public void The_history_keeps_the_last_sixty_and_a_failure_is_added_to_it()
    {
        var board = Board(Surface());
        Published(board, new string('+', 75));
        var before = board.Find("pay")!.History;

        var after = Published(board, "-").History;

        Assert.Equal((60, 60), (before.Count, after.Count));
        Assert.Equal(before.Skip(1), after.SkipLast(1));
        Assert.Equal(ReadingOutcome.Failed, after[^1].Outcome);
    }

    [Fact]
    public void The_95th_percentile_counts_only_answers()
    {
        var board = Board(Surface());
        foreach (var ms in Enumerable.Range(1, 40).Reverse())
        {
            board.Publish(Reading(ReadingOutcome.Ok, _clock.GetUtcNow(), latencyMs: ms), TimeSpan.Zero);
        }

        Assert.Equal(38, board.Find("pay")!.P95LatencyMs);
        Assert.Equal(38, Published(board, "---").P95LatencyMs);
        Assert.Null(board.Find("pay")!.LatencyMs);
    }

    [Fact, Trait("Pitfall", "T-30")]
    public void Blind_readings_make_a_known_surface_stale_until_it_is_reached_again()
    {
        var board = Board(Surface(), Surface("new"));
        Published(board, "++");

        var stale = Published(board, "?");

        Assert.Equal((SurfaceStatus.Stale, Start), (stale.Status, stale.Since));
        Assert.Equal(Start + (2 * Interval), board.OwnNetworkLostSince);
        Published(board, "?");
        Assert.Equal(Start + (2 * Interval), board.OwnNetworkLostSince);
        Assert.Equal((SurfaceStatus.Operational, Start), (Published(board, "-").Status, board.Find("pay")!.Since));
        Assert.Null(board.OwnNetworkLostSince);
    }

    [Fact, Trait("Pitfall", "T-30")]
    public void Restored_readings_count_in_their_original_order()
    {
        var board = Board(Surface(), Surface("shop"));

        board.Restore([
            Reading(ReadingOutcome.Blind, Start + TimeSpan.FromMilliseconds(1)) with
            {
                Id = 1,
            },
            Reading(ReadingOutcome.Blind, Start, "shop") with
            {
                Id = 2,
            },
        ]);

        Assert.Equal((Start + TimeSpan.FromMilliseconds(1), Start), (board.OwnNetworkLostSince, board.CheckedAt));
    }

    /// <summary>The clock was put back between the two.</summary>
    [Fact, Trait("Pitfall", "T-25")]
    public void The_reading_that_was_stored_last_is_the_newest_whatever_its_time()
    {
        var board = Board(Surface());

        board.Restore([
            Reading(ReadingOutcome.Ok, Start.AddHours(1)) with
            {
                Id = 1,
                Status = SurfaceStatus.Operational,
            },
            Reading(ReadingOutcome.Failed, Start) with
            {
                Id = 2,
                Status = SurfaceStatus.Down,
            },
        ]);

        Assert.Equal((SurfaceStatus.Down, Start), (board.Find("pay")!.Status, board.Find("pay")!.CheckedAt));
    }

    [Fact, Trait("Pitfall", "T-25")]
    public void A_reading_from_the_future_is_as_stale_as_one_from_the_past()
    {
        var board = Board(Surface());
        board.PublishJudged([Reading(ReadingOutcome.Ok, Start.AddHours(1), latencyMs: 0) with { Status = SurfaceStatus.Operational }]);
        Assert.Equal(SurfaceStatus.Stale, board.Find("pay")!.Status);

        _clock.SetUtcNow(Start.AddHours(1) - (2 * Interval));
        Assert.Equal(SurfaceStatus.Operational, board.Find("pay")!.Status);
    }

    /// <summary>Publishes one reading per mark, an interval apart; returns the last snapshot.</summary>
    private SurfaceSnapshot Published(StatusBoard board, string marks)
    {
        SurfaceSnapshot? shown = null;
        foreach (var outcome in Outcomes(marks))
        {
            board.Publish(Reading(outcome, _clock.GetUtcNow()), TimeSpan.Zero);
            shown = board.Find("pay");
            _clock.Advance(Interval);
        }

        return shown!;
    }

    private StatusBoard Board(params Surface[] surfaces) =>
        new(
            new SurfaceList(surfaces),
            Options.Create(new StatusOptions { PollInterval = Interval }),
            _clock,
            NullLogger<StatusBoard>.Instance
        );
}
