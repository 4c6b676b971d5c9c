using AutoTicket.Data;
using AutoTicket.Surfaces;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using static AutoTicket.Tests.Surfaces.Readings;

namespace AutoTicket.Tests.Surfaces;

/// <summary>Stored readings: restored at a restart, counted for availability, and deleted by retention.</summary>
public sealed class SurfaceHistoryTests
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(30);

    private readonly FakeTimeProvider _clock = new(Start);
    private readonly SurfaceList _surfaces = new([Surface(), Surface("shop"), Surface("new")]);
    private readonly StatusOptions _options = new() { PollInterval = Interval };

    [Theory, BothDatabases, Trait("Pitfall", "T-47")]
    public async Task A_restart_restores_status_since_and_history(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var before = Board();
        await StoreAsync(database, before, "pay", "+++++--");
        await StoreAsync(database, before, "shop", new string('+', 70));

        var after = Board();
        await RestoreAsync(database, after);

        foreach (var key in new[] { "pay", "shop" })
        {
            var (was, now) = (before.Find(key)!, after.Find(key)!);
            Assert.Equal(
                (was.Status, was.Since, was.CheckedAt, was.LatencyMs, was.P95LatencyMs, was.Cause),
                (now.Status, now.Since, now.CheckedAt, now.LatencyMs, now.P95LatencyMs, now.Cause)
            );
            Assert.Equal(was.History.Select(reading => reading with { Id = 0 }), now.History.Select(reading => reading with { Id = 0 }));
        }

        Assert.Equal(SurfaceStatus.Unknown, after.Find("new")!.Status);
        // One good answer does not confirm a recovery: the outage continues.
        Assert.Equal(SurfaceStatus.Down, after.Publish(Reading(ReadingOutcome.Ok, _clock.GetUtcNow()), TimeSpan.Zero).Status);
    }

    [Theory, BothDatabases, Trait("Pitfall", "T-25"), Trait("Pitfall", "T-47")]
    public async Task After_a_week_without_readings_the_history_is_stale(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await StoreAsync(database, Board(), "pay", "+--");
        _clock.Advance(TimeSpan.FromDays(7));

        var after = Board();
        await RestoreAsync(database, after);

        var shown = after.Find("pay")!;
        Assert.Equal((SurfaceStatus.Stale, "No recent reading; last seen down", 3), (shown.Status, shown.Cause, shown.History.Count));
    }

    [Theory, BothDatabases, Trait("Pitfall", "T-47")]
    public async Task A_history_loaded_late_is_put_before_newer_readings(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await StoreAsync(database, Board(), "pay", "+--");
        var after = Board();
        after.Publish(Reading(ReadingOutcome.Ok, _clock.GetUtcNow()), TimeSpan.Zero);

        await RestoreAsync(database, after);

        var shown = after.Find("pay")!;
        Assert.Equal(
            [ReadingOutcome.Ok, ReadingOutcome.Failed, ReadingOutcome.Failed, ReadingOutcome.Ok],
            shown.History.Select(reading => reading.Outcome)
        );
        Assert.Equal((SurfaceStatus.Down, Start + (2 * Interval)), (shown.Status, shown.Since));
    }

    [Theory, BothDatabases]
    public async Task Availability_counts_known_time_only(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var board = Board();
        // Most of an hour down, then forty hours without readings, which don't count. Then two good answers (the second counts as up), half
        // an hour without a network, which does not count, and two failures (the second counts as down).
        await StoreAsync(database, board, "pay", new string('-', 100));
        _clock.SetUtcNow(Start + TimeSpan.FromHours(40));
        await StoreAsync(database, board, "pay", "++" + new string('?', 50) + "--");

        _clock.Advance(TimeSpan.FromMinutes(6));
        await StoreAsync(database, board, "shop", "+");

        var (pay, shop, never) = (board.Find("pay")!, board.Find("shop")!, board.Find("new")!);
        Assert.Equal(2d / 4, pay.Availability.Day.Share!.Value, 6);
        // The first failure does not count, because it confirmed nothing yet.
        Assert.Equal(2d / 103, pay.Availability.Month.Share!.Value, 6);
        Assert.Equal((1d, 1d), (shop.Availability.Day.Share, shop.Availability.Month.Share));
        Assert.Equal((null, null), (never.Availability.Day.Share, never.Availability.Month.Share));
    }

    [Theory, BothDatabases]
    public async Task The_last_hour_counts_before_the_leader_has_rolled_it_up(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await StoreAsync(database, Board(), "pay", "++++--");
        _clock.Advance(TimeSpan.FromHours(1));
        var availability = new SurfaceAvailability(new Contexts(database), Options.Create(_options), _clock);

        var before = await availability.CountAsync(_clock.GetUtcNow(), tidy: false, default);
        await availability.CountAsync(_clock.GetUtcNow(), tidy: true, default);
        var after = await availability.CountAsync(_clock.GetUtcNow(), tidy: false, default);

        Assert.Equal((6 * Interval, 5 * Interval), (before["pay"].Day.Known, before["pay"].Month.Up));
        Assert.Equal(before["pay"], after["pay"]);
    }

    /// <summary>As after the last surface was removed: the hours since then must not be rolled up again and again.</summary>
    [Fact]
    public async Task Hours_without_readings_are_skipped()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var db = database.Open();
        await db.Database.ExecuteSqlAsync(
            $"""
            CREATE SEQUENCE roll_ups;
            CREATE FUNCTION note_roll_up() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM nextval(''roll_ups''); RETURN NULL; END';
            CREATE TRIGGER note_roll_up AFTER INSERT ON surface_hours EXECUTE FUNCTION note_roll_up();
            """
        );
        await StoreAsync(database, Board(), "pay", "+");
        _clock.Advance(TimeSpan.FromDays(2));
        await StoreAsync(database, Board(), "pay", "+");
        _clock.Advance(TimeSpan.FromDays(10));
        var availability = new SurfaceAvailability(new Contexts(database), Options.Create(_options), _clock);

        for (var time = 0; time < 2; time++)
        {
            await availability.CountAsync(_clock.GetUtcNow(), tidy: true, default);
        }

        Assert.Equal(2, await db.SurfaceHours.CountAsync());
        Assert.Equal(2, await db.Database.SqlQuery<long>($"SELECT last_value AS \"Value\" FROM roll_ups").SingleAsync());
    }

    [Theory, BothDatabases]
    public async Task Whole_hours_are_rolled_up_once_and_outlive_their_readings(Database kind)
    {
        _options.Retention = TimeSpan.FromDays(2);
        await using var database = await TestDatabase.CreateAsync(kind);
        var board = Board();
        await StoreAsync(database, board, "pay", "++++--");
        _clock.Advance(TimeSpan.FromHours(1));
        await StoreAsync(database, board, "shop", "+");
        _clock.Advance(TimeSpan.FromDays(3));
        await StoreAsync(database, board, "shop", "+");

        await using var db = database.Open();
        var hour = await db.SurfaceHours.SingleAsync(hour => hour.SurfaceKey == "pay");
        Assert.Equal((Start, 6, 5), (hour.Hour, hour.KnownMs / 30_000, hour.UpMs / 30_000));
        Assert.Equal(["shop"], await db.SurfaceReadings.Select(reading => reading.SurfaceKey).ToListAsync());
        Assert.Equal(5d / 6, board.Find("pay")!.Availability.Month.Share!.Value, 6);
        Assert.Null(board.Find("pay")!.Availability.Day.Share);
    }

    /// <summary>As when the retention is shortened: a statement that runs into its time limit deletes nothing, also at the next
    /// try.</summary>
    [Fact]
    public async Task Months_of_readings_are_deleted_in_statements_that_are_short()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await StoreAsync(database, Board(), "pay", new string('+', 5_001));
        await database.CancelAsync("DELETE", "surface_readings", "(SELECT count(*) FROM changed) > 5000");
        _clock.Advance(_options.Retention);
        var board = Board();

        await StoreAsync(database, board, "shop", "+");

        await using var db = database.Open();
        Assert.Equal(["shop"], await db.SurfaceReadings.Select(reading => reading.SurfaceKey).ToListAsync());
    }

    [Theory, BothDatabases]
    public async Task Availability_leaves_maintenance_out_and_says_how_much(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var board = Board();
        await StoreAsync(database, board, "pay", "++");
        board.SetMaintenance([Maintenance("pay", _clock.GetUtcNow(), TimeSpan.FromMinutes(5))]);
        await StoreAsync(database, board, "pay", new string('-', 10));
        await StoreAsync(database, board, "pay", "--");

        var pay = board.Find("pay")!;
        // Two good readings, ten in maintenance, two failures afterwards.
        Assert.Equal((2d / 4, 2d / 4), (pay.Availability.Day.Share, pay.Availability.Month.Share));
        Assert.Equal(
            (TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(5)),
            (pay.Availability.Day.Maintained, pay.Availability.Month.Maintained)
        );
    }

    [Theory, BothDatabases]
    public async Task Maintenance_set_for_the_past_is_taken_out_of_hours_that_were_rolled_up(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var board = Board();
        var from = _clock.GetUtcNow();
        await StoreAsync(database, board, "pay", "++" + new string('-', 10) + "++");
        await StoreAsync(database, board, "shop", "--");
        _clock.SetUtcNow(Start + TimeSpan.FromHours(2));
        await StoreAsync(database, board, "pay", "+");
        Assert.Equal(5d / 15, board.Find("pay")!.Availability.Month.Share!.Value, 6);
        var availability = new SurfaceAvailability(new Contexts(database), Options.Create(_options), _clock);

        for (var time = 0; time < 2; time++)
        {
            await availability.LeaveOutAsync("pay", from + (2 * Interval), from + (12 * Interval), default);
        }

        board.SetAvailability(await availability.CountAsync(_clock.GetUtcNow(), tidy: true, default), _clock.GetUtcNow());
        var (pay, shop) = (board.Find("pay")!, board.Find("shop")!);
        // The first good reading after the outage does not end it.
        Assert.Equal((4d / 5, 4d / 5), (pay.Availability.Day.Share, pay.Availability.Month.Share));
        Assert.Equal(
            (TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(5)),
            (pay.Availability.Day.Maintained, pay.Availability.Month.Maintained)
        );
        Assert.Equal((0d, TimeSpan.Zero), (shop.Availability.Month.Share, shop.Availability.Month.Maintained));
    }

    [Theory, BothDatabases]
    public async Task The_newest_readings_of_a_surface_come_newest_first(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var board = Board();
        await StoreAsync(database, board, "pay", "++++-");
        await StoreAsync(database, board, "shop", "+");

        var latest = await History(database).LatestAsync("pay", 2, default);

        Assert.Equal([ReadingOutcome.Failed, ReadingOutcome.Ok], latest.Select(reading => reading.Outcome));
    }

    [Theory, BothDatabases, Trait("Pitfall", "T-30")]
    public async Task A_followers_board_shows_what_the_leader_judged(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var leader = Board();
        await StoreAsync(database, leader, "pay", "++");
        var follower = Board();
        var upTo = await RestoreAsync(database, follower);
        var published = new List<SurfaceSnapshot>();
        using var subscription = follower.Subscribe(published.Add);

        foreach (var marks in new[] { "--", "+-+-+-", "~", "?", "++" })
        {
            await StoreAsync(database, leader, "pay", marks);
            var news = await History(database).AfterAsync(upTo, default);
            follower.PublishJudged(news);
            upTo = news[^1].Id;

            var (was, shown) = (leader.Find("pay")!, follower.Find("pay")!);
            Assert.Equal(
                (was.Status, was.Since, was.CheckedAt, was.LatencyMs, was.Cause, was.IsFlapping),
                (shown.Status, shown.Since, shown.CheckedAt, shown.LatencyMs, shown.Cause, shown.IsFlapping)
            );
            Assert.Equal(was.History.Select(reading => reading with { Id = 0 }), shown.History.Select(reading => reading with { Id = 0 }));
            Assert.Equal((leader.OwnNetworkLostSince, leader.CheckedAt), (follower.OwnNetworkLostSince, follower.CheckedAt));
        }

        // Readings that arrive together raise one event.
        Assert.Equal(5, published.Count);
    }

    [Theory, BothDatabases, Trait("Pitfall", "T-30")]
    public async Task A_restart_restores_since_when_the_own_network_is_lost(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var before = Board();
        await StoreAsync(database, before, "shop", "?");
        await StoreAsync(database, before, "pay", "+??");

        var after = Board();
        await RestoreAsync(database, after);

        Assert.NotNull(before.OwnNetworkLostSince);
        Assert.Equal((before.OwnNetworkLostSince, before.CheckedAt), (after.OwnNetworkLostSince, after.CheckedAt));
    }

    [Theory, BothDatabases]
    public async Task Readings_of_a_former_leader_are_refused(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await LeadAsync(database, 7);
        var late = Board().Publish(Reading(ReadingOutcome.Failed, _clock.GetUtcNow()), TimeSpan.Zero);

        Assert.False(await History(database).StoreAsync([late], 6, default));
        Assert.Empty(await History(database).AfterAsync(0, default));
        Assert.True(await History(database).StoreAsync([late], 7, default));
        Assert.Single(await History(database).AfterAsync(0, default));
    }

    /// <summary>The response to a commit was lost, so the leader stores the same readings again.</summary>
    [Theory, BothDatabases]
    public async Task Readings_that_are_stored_again_count_once(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await LeadAsync(database, 7);
        // Not a whole microsecond, which is what PostgreSQL stores.
        var first = Board().Publish(Reading(ReadingOutcome.Ok, _clock.GetUtcNow().AddTicks(7)), TimeSpan.Zero);
        var next = first with { CheckedAt = first.CheckedAt + Interval };

        Assert.True(await History(database).StoreAsync([first], 7, default));
        Assert.True(await History(database).StoreAsync([first, next, first with { SurfaceKey = "shop" }], 7, default));
        Assert.True(await History(database).StoreAsync([first, next], 7, default));
        Assert.False(await History(database).StoreAsync([first, next], 6, default));

        Assert.Equal(
            ["pay", "pay", "shop"],
            (await History(database).AfterAsync(0, default)).Select(reading => reading.SurfaceKey).Order()
        );
    }

    [Fact]
    public async Task A_process_cut_off_for_long_reads_only_what_the_board_can_show()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Sqlite);
        await StoreAsync(database, Board(), "pay", new string('+', 200) + "-");

        var news = await History(database).AfterAsync(3, default);

        Assert.Equal(3 * StatusBoard.HistoryLength, news.Count);
        Assert.Equal(ReadingOutcome.Failed, news[^1].Outcome);
    }

    [Theory, BothDatabases]
    public async Task A_restart_with_a_longer_interval_reads_little_more_than_the_board_can_show(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await StoreAsync(database, Board(), "pay", new string('+', 400) + "-");
        _options.PollInterval *= 100;

        var (readings, upTo) = await History(database).RecentAsync(default);

        Assert.Equal(2 * 3 * StatusBoard.HistoryLength, readings.Count);
        Assert.Equal((upTo, ReadingOutcome.Failed), (readings.Max(reading => reading.Id), readings.MaxBy(reading => reading.Id)!.Outcome));
    }

    private static SurfaceMaintenance Maintenance(string key, DateTimeOffset from, TimeSpan length) =>
        new(key, from, from + length, "olga", "a test");

    private StatusBoard Board() => new(_surfaces, Options.Create(_options), _clock, NullLogger<StatusBoard>.Instance);

    private SurfaceHistory History(TestDatabase database) => new(_surfaces, new Contexts(database), Options.Create(_options), _clock);

    private async Task<long> RestoreAsync(TestDatabase database, StatusBoard board)
    {
        var (readings, upTo) = await History(database).RecentAsync(default);
        board.Restore(readings);
        return upTo;
    }

    /// <summary>Publishes and stores one reading per mark, an interval apart, as the leader.</summary>
    private async Task StoreAsync(TestDatabase database, StatusBoard board, string key, string marks)
    {
        var readings = new List<SurfaceReading>();
        foreach (var outcome in Outcomes(marks))
        {
            readings.Add(board.Publish(Reading(outcome, _clock.GetUtcNow(), key), TimeSpan.Zero));
            _clock.Advance(Interval);
        }

        await LeadAsync(database, 1);
        Assert.True(await History(database).StoreAsync(readings, 1, default));
        board.SetAvailability(
            await new SurfaceAvailability(new Contexts(database), Options.Create(_options), _clock).CountAsync(
                _clock.GetUtcNow(),
                tidy: true,
                default
            ),
            _clock.GetUtcNow()
        );
    }

    /// <summary>Only the leader may store readings.</summary>
    private async Task LeadAsync(TestDatabase database, long fence)
    {
        await using var db = database.Open();
        await db.Leases.ExecuteDeleteAsync();
        db.Leases.Add(
            new LeaseRow
            {
                Name = LeaderLease.Name,
                Owner = $"owner {fence}",
                Until = _clock.GetUtcNow() + TimeSpan.FromSeconds(10),
                Fence = fence,
            }
        );
        await db.SaveChangesAsync();
    }
}
