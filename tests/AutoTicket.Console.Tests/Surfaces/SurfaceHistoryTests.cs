using System.Collections.Concurrent;
using AutoTicket.Data;
using AutoTicket.Surfaces;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using static AutoTicket.Tests.Surfaces.Readings;

namespace AutoTicket.Tests.Surfaces;

/// <summary>Readings in the database: what a restart finds again, what availability is counted from, what is thrown away.</summary>
public sealed class SurfaceHistoryTests
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(30);

    private readonly FakeTimeProvider _clock = new(Start);
    private readonly SurfaceList _surfaces = new([Surface(), Surface("shop"), Surface("new")]);
    private readonly StatusOptions _options = new() { PollInterval = Interval };

    [Theory, BothDatabases, Trait("Pitfall", "T-47")]
    public async Task A_restart_goes_on_with_status_since_and_history(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var before = Board();
        await StoreAsync(database, before, "pay", "+++++--");
        await StoreAsync(database, before, "shop", new string('+', 70));

        var after = Board();
        await History(database).RestoreAsync(after, default);

        foreach (var key in new[] { "pay", "shop" })
        {
            var (was, now) = (before.Find(key)!, after.Find(key)!);
            Assert.Equal((was.Status, was.Since, was.CheckedAt, was.LatencyMs, was.P95LatencyMs, was.Cause), (now.Status, now.Since, now.CheckedAt, now.LatencyMs, now.P95LatencyMs, now.Cause));
            Assert.Equal(was.History.Select(reading => reading with { Id = 0 }), now.History.Select(reading => reading with { Id = 0 }));
        }

        Assert.Equal(SurfaceStatus.Unknown, after.Find("new")!.Status);
        // One good answer is not two: the outage goes on where it was.
        Assert.Equal(SurfaceStatus.Down, after.Publish(Reading(ReadingOutcome.Ok, _clock.GetUtcNow()), TimeSpan.Zero).Status);
    }

    [Theory, BothDatabases, Trait("Pitfall", "T-25"), Trait("Pitfall", "T-47")]
    public async Task After_a_week_off_the_last_history_is_shown_as_stale(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await StoreAsync(database, Board(), "pay", "+--");
        _clock.Advance(TimeSpan.FromDays(7));

        var after = Board();
        await History(database).RestoreAsync(after, default);

        var shown = after.Find("pay")!;
        Assert.Equal((SurfaceStatus.Stale, "no reading since; last seen down", 3), (shown.Status, shown.Cause, shown.History.Count));
    }

    [Theory, BothDatabases, Trait("Pitfall", "T-47")]
    public async Task A_history_that_comes_late_is_put_before_what_was_seen_meanwhile(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await StoreAsync(database, Board(), "pay", "+--");
        var after = Board();
        after.Publish(Reading(ReadingOutcome.Ok, _clock.GetUtcNow()), TimeSpan.Zero);

        await History(database).RestoreAsync(after, default);

        var shown = after.Find("pay")!;
        Assert.Equal([ReadingOutcome.Ok, ReadingOutcome.Failed, ReadingOutcome.Failed, ReadingOutcome.Ok], shown.History.Select(reading => reading.Outcome));
        Assert.Equal((SurfaceStatus.Down, Start + (2 * Interval)), (shown.Status, shown.Since));
    }

    [Theory, BothDatabases]
    public async Task Availability_counts_known_time_only(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var board = Board();
        // Most of an hour down; then forty hours of silence, which say nothing; now two answers, of which the second counts as up,
        // half an hour without a network, which says nothing, and two failures, of which the second counts as down.
        await StoreAsync(database, board, "pay", new string('-', 100));
        _clock.SetUtcNow(Start + TimeSpan.FromHours(40));
        await StoreAsync(database, board, "pay", "++" + new string('?', 50) + "--");

        _clock.Advance(TimeSpan.FromMinutes(6));
        await StoreAsync(database, board, "shop", "+");

        var (pay, shop, never) = (board.Find("pay")!, board.Find("shop")!, board.Find("new")!);
        Assert.Equal(2d / 4, pay.Availability24h!.Value, 6);
        // The very first failure confirmed nothing yet.
        Assert.Equal(2d / 103, pay.Availability30d!.Value, 6);
        Assert.Equal((1d, 1d), (shop.Availability24h, shop.Availability30d));
        Assert.Equal((null, null), (never.Availability24h, never.Availability30d));
    }

    [Theory, BothDatabases]
    public async Task Whole_hours_are_rolled_up_once_and_survive_the_readings(Database kind)
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
        Assert.Equal((Start, 6, 5), (hour.Hour, hour.Known, hour.Up));
        Assert.Equal(["shop"], await db.SurfaceReadings.Select(reading => reading.SurfaceKey).ToListAsync());
        Assert.Equal(5d / 6, board.Find("pay")!.Availability30d!.Value, 6);
        Assert.Null(board.Find("pay")!.Availability24h);
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

    private StatusBoard Board() => new(_surfaces, Options.Create(_options), _clock, NullLogger<StatusBoard>.Instance);

    private SurfaceHistory History(TestDatabase database) =>
        new(_surfaces, new Contexts(database), Options.Create(_options), _clock, NullLogger<SurfaceHistory>.Instance);

    /// <summary>Publishes and stores a reading a mark, an interval apart.</summary>
    private async Task StoreAsync(TestDatabase database, StatusBoard board, string key, string marks)
    {
        var waiting = new ConcurrentQueue<SurfaceReading>();
        foreach (var outcome in Outcomes(marks))
        {
            waiting.Enqueue(board.Publish(Reading(outcome, _clock.GetUtcNow(), key), TimeSpan.Zero));
            _clock.Advance(Interval);
        }

        var history = History(database);
        // Only to tell it of the board: what it restores there is what the board has.
        await history.RestoreAsync(board, default);
        await history.StoreAsync(waiting, default);
        Assert.Empty(waiting);
    }

    private sealed class Contexts(TestDatabase database) : IDbContextFactory<AutoTicketDbContext>
    {
        public AutoTicketDbContext CreateDbContext() => database.Open();
    }
}
