using AutoTicket.Data;
using AutoTicket.Surfaces;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using static AutoTicket.Tests.Surfaces.Readings;

namespace AutoTicket.Tests.Surfaces;

/// <summary>Readings rolled up to hours, and the trends that a surface's page reads from them.</summary>
public sealed class SurfaceTrendTests
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(30);
    private static readonly long PerReading = (long)Interval.TotalMilliseconds;
    private static readonly DateTimeOffset Hour = Start;

    private readonly FakeTimeProvider _clock = new(Start + TimeSpan.FromHours(1.5));
    private readonly StatusOptions _options = new() { PollInterval = Interval };

    [Theory, BothDatabases]
    public async Task An_hour_keeps_what_was_counted_and_both_percentiles_and_a_second_roll_up_changes_nothing(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        // 1 to 40 ms in no order, then four without a response, three in maintenance, and two that say nothing.
        var latencies = Enumerable.Range(0, 40).Select(i => (i * 7 % 40) + 1).ToList();
        await AddAsync(
            database,
            [
                .. latencies.Select((latency, i) => Row(i, latency is > 30 ? SurfaceStatus.Degraded : SurfaceStatus.Operational, latency)),
                .. Enumerable.Range(40, 4).Select(i => Row(i, SurfaceStatus.Down, null)),
                .. Enumerable.Range(44, 3).Select(i => Row(i, SurfaceStatus.Operational, 9_000) with { InMaintenance = true }),
                Row(47, SurfaceStatus.Operational, 9_000) with
                {
                    Outcome = ReadingOutcome.Blind,
                },
                Row(48, SurfaceStatus.Unknown, 9_000),
                Row(49, SurfaceStatus.Down, null) with
                {
                    SurfaceKey = "shop",
                },
                Row(50, SurfaceStatus.Operational, 70) with
                {
                    CheckedAt = Hour + TimeSpan.FromHours(1),
                },
            ]
        );

        for (var time = 0; time < 2; time++)
        {
            await Availability(database).CountAsync(_clock.GetUtcNow(), tidy: true, default);

            var hours = await HoursAsync(database);
            Assert.Equal([Step(Hour, 44, 40, 10, 3, 20, 38), Step(Hour, 1, 0, 0, 0, null, null)], hours);
        }
    }

    [Theory, BothDatabases]
    public async Task Maintenance_set_for_the_past_is_taken_out_of_the_percentiles_and_the_degraded_readings(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await AddAsync(
            database,
            [
                .. Enumerable.Range(0, 10).Select(i => Row(i, SurfaceStatus.Operational, 10)),
                .. Enumerable.Range(10, 10).Select(i => Row(i, SurfaceStatus.Degraded, 5_000)),
            ]
        );
        await Availability(database).CountAsync(_clock.GetUtcNow(), tidy: true, default);
        Assert.Equal([Step(Hour, 20, 20, 10, 0, 10, 5_000)], await HoursAsync(database));

        for (var time = 0; time < 2; time++)
        {
            await Availability(database).LeaveOutAsync("pay", Hour + (10 * Interval), Hour + (20 * Interval), default);

            Assert.Equal([Step(Hour, 10, 10, 0, 10, 10, 10)], await HoursAsync(database));
        }
    }

    /// <summary>A month of one surface at 1 s has 2.6 million readings: in one statement they would exceed every timeout.</summary>
    [Fact]
    public async Task Maintenance_set_for_the_past_is_taken_out_an_hour_at_a_time()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await AddAsync(database, [.. Enumerable.Range(0, 3 * 120).Select(i => Row(i, SurfaceStatus.Down, null))]);
        _clock.SetUtcNow(Hour.AddHours(3.5));
        await Availability(database).CountAsync(_clock.GetUtcNow(), tidy: true, default);
        await database.CancelAsync(
            "UPDATE",
            "surface_readings",
            "(SELECT max(checked_at) - min(checked_at) >= interval '1 hour' FROM changed)"
        );

        await Availability(database).LeaveOutAsync("pay", Hour.AddMinutes(45), Hour.AddMinutes(135), default);

        var hours = await HoursAsync(database);
        Assert.Equal([(90, 30), (0, 120), (90, 30)], hours.OrderBy(hour => hour.From).Select(Readings));

        static (long, long) Readings(TrendStep hour) => (hour.KnownMs / PerReading, hour.MaintainedMs / PerReading);
    }

    [Theory, BothDatabases]
    public async Task An_hour_counts_for_the_same_time_after_the_poll_interval_was_changed(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await AddAsync(database, [.. Enumerable.Range(0, 120).Select(i => Row(i, SurfaceStatus.Operational, 10))]);
        await Availability(database).CountAsync(_clock.GetUtcNow(), tidy: true, default);

        _options.PollInterval = TimeSpan.FromSeconds(5);
        await AddAsync(
            database,
            [
                .. Enumerable
                    .Range(0, 120)
                    .Select(i => Row(Hour.AddHours(1).AddSeconds(5 * i), SurfaceStatus.Down, null, _options.PollInterval)),
            ]
        );
        // A window for the past counts the hour again, but each reading stands for as much time as before.
        await Availability(database).LeaveOutAsync("pay", Hour, Hour.AddMinutes(15), default);

        var counted = (await Availability(database).CountAsync(_clock.GetUtcNow(), tidy: true, default))["pay"];
        var expected = new Uptime(TimeSpan.FromDays(1), TimeSpan.FromMinutes(55), TimeSpan.FromMinutes(45), TimeSpan.FromMinutes(15));
        Assert.Equal(expected, counted.Day);
        Assert.Equal(expected, (await Trends(database).ReadAsync("pay", TrendRange.Default, default))!.Uptimes[0]);
    }

    [Theory, BothDatabases]
    public async Task An_hour_within_which_the_poll_interval_was_shortened_counts_in_full(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        // Up for half an hour with a check every 5 minutes, then down for half an hour with a check every 5 seconds.
        var (begin, slow, fast) = (Hour.AddHours(2), TimeSpan.FromMinutes(5), TimeSpan.FromSeconds(5));
        await AddAsync(database, Enumerable.Range(0, 6).Select(i => Row(begin + (i * slow), SurfaceStatus.Operational, 10, slow)));
        await AddAsync(database, Fast(0));
        _options.PollInterval = fast;
        await AssertKnownAsync(after: 45, known: 45);

        await AddAsync(database, Fast(180));
        // Before it is rolled up, and later.
        await AssertKnownAsync(after: 62, known: 60);
        await AssertKnownAsync(after: 180, known: 60);

        IEnumerable<SurfaceReading> Fast(int first) =>
            Enumerable.Range(first, 180).Select(i => Row(begin.AddMinutes(30) + (i * fast), SurfaceStatus.Down, null, fast));

        async Task AssertKnownAsync(int after, int known)
        {
            _clock.SetUtcNow(begin.AddMinutes(after));
            var trend = (await Trends(database).ReadAsync("pay", TrendRange.Default, default))!;
            var board = (await Availability(database).CountAsync(_clock.GetUtcNow(), tidy: true, default))["pay"].Day;

            Assert.Equal(new Uptime(TimeSpan.FromDays(1), TimeSpan.FromMinutes(known), TimeSpan.FromMinutes(30)), board);
            Assert.Equal(board, trend.Uptimes[0]);
        }
    }

    /// <summary>A restart with a longer interval: the last reading stands for time that has not passed yet.</summary>
    [Theory, BothDatabases]
    public async Task No_hour_counts_for_more_time_than_has_passed_after_the_poll_interval_was_changed_within_it(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var begin = (int)(TimeSpan.FromHours(2) / Interval);
        await AddAsync(database, [.. Enumerable.Range(begin, 100).Select(i => Row(i, SurfaceStatus.Operational, 10))]);
        _options.PollInterval = TimeSpan.FromMinutes(5);
        await AddAsync(
            database,
            [
                .. Enumerable
                    .Range(0, 2)
                    .Select(i => Row(Hour + ((begin + 100 + (10 * i)) * Interval), SurfaceStatus.Operational, 10, _options.PollInterval)),
            ]
        );

        // Within the hour; just after it, before it is rolled up; and later.
        foreach (var (minutes, known) in new[] { (56, 56), (62, 60), (180, 60) })
        {
            _clock.SetUtcNow(Hour.AddHours(2).AddMinutes(minutes));

            var trend = (await Trends(database).ReadAsync("pay", TrendRange.Default, default))!.Uptimes[0];
            var board = (await Availability(database).CountAsync(_clock.GetUtcNow(), tidy: true, default))["pay"].Day;

            Assert.InRange(board.Known, TimeSpan.FromMinutes(known - 0.1), TimeSpan.FromMinutes(known));
            Assert.Equal((1d, board), (board.Share, trend));
        }
    }

    [Theory, BothDatabases]
    public async Task Ninety_days_of_hours_are_rolled_up_after_a_long_pause_and_no_more(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        _options.Retention = TimeSpan.FromDays(200);
        await AddAsync(
            database,
            [Row(0, SurfaceStatus.Operational, 10), Row(0, SurfaceStatus.Operational, 10) with { CheckedAt = Hour.AddDays(20) }]
        );
        _clock.SetUtcNow(Hour.AddDays(100));

        await Availability(database).CountAsync(_clock.GetUtcNow(), tidy: true, default);

        Assert.Equal([Hour.AddDays(20)], (await HoursAsync(database)).Select(hour => hour.From));
    }

    [Theory, BothDatabases]
    public async Task A_trend_has_every_step_of_its_range_and_its_newest_readings(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var now = new DateTimeOffset(2026, 11, 21, 12, 40, 0, TimeSpan.Zero);
        _clock.SetUtcNow(now);
        await using (var db = database.Open())
        {
            // Readings are kept for a day, their hours for longer.
            db.SurfaceHours.AddRange(
                Stored(now.AddDays(-80).Floor(TimeSpan.FromDays(1)), 100, 50, 900),
                Stored(now.AddDays(-20).Floor(TimeSpan.FromDays(1)), 120, 120, 100),
                Stored(now.AddDays(-20).Floor(TimeSpan.FromDays(1)).AddHours(1), 120, 119, 300),
                Stored(now.AddDays(-20).Floor(TimeSpan.FromDays(1)).AddHours(2), 120, 120, 200),
                Stored(now.AddDays(-3).Floor(TimeSpan.FromHours(1)), 120, 120, 400),
                Stored(now.AddHours(-2).Floor(TimeSpan.FromHours(1)), 1, 1, 50)
            );
            await db.SaveChangesAsync();
        }

        // The hour before this one is not rolled up yet.
        await AddAsync(
            database,
            [
                Row(0, SurfaceStatus.Down, null) with
                {
                    CheckedAt = now.AddMinutes(-50),
                },
                Row(0, SurfaceStatus.Operational, 40) with
                {
                    CheckedAt = now.AddMinutes(-11),
                },
                Row(0, SurfaceStatus.Degraded, 60) with
                {
                    CheckedAt = now,
                },
            ]
        );

        var day = await TrendAsync("24h");
        Assert.Equal(96, day.Steps.Count);
        Assert.Equal(new DateTimeOffset(2026, 11, 21, 12, 30, 0, TimeSpan.Zero), day.Steps[^1].From);
        Assert.Equal(
            [(92, SurfaceStatus.Down), (93, SurfaceStatus.Unknown), (94, SurfaceStatus.Operational), (95, SurfaceStatus.Degraded)],
            new[] { 92, 93, 94, 95 }.Select(i => (i, day.Steps[i].Status))
        );

        var week = await TrendAsync("7d");
        Assert.Equal((168, new DateTimeOffset(2026, 11, 21, 12, 0, 0, TimeSpan.Zero)), (week.Steps.Count, week.Steps[^1].From));
        Assert.Equal(Step(week.Steps[^1].From, 2, 2, 1, 0, 40, 60), week.Steps[^1]);
        Assert.Equal(SurfaceStatus.Down, week.Steps[^2].Status);
        Assert.Equal([400, 50], week.Steps.SkipLast(2).Select(step => step.P50Ms).OfType<int>());

        var month = await TrendAsync("30d");
        Assert.Equal(120, month.Steps.Count);
        // Three hours in one step: the median of their medians, and the slowest one's 95th percentile.
        Assert.Equal(
            Step(now.AddDays(-20).Floor(TimeSpan.FromDays(1)), 360, 359, 0, 0, 200, 600),
            month.Steps.First(step => step.KnownMs > 0)
        );

        var quarter = await TrendAsync("90d");
        Assert.Equal((90, now.Date), (quarter.Steps.Count, quarter.Steps[^1].From.Date));
        Assert.Equal(900, quarter.Steps.First(step => step.KnownMs > 0).P50Ms);

        Assert.Equal([4, 124, 484, 584], quarter.Uptimes.Select(uptime => uptime.Known / Interval));
        Assert.Equal([3, 123, 482, 532], quarter.Uptimes.Select(uptime => uptime.Up / Interval));
        Assert.Equal(quarter.Uptimes, day.Uptimes);

        async Task<SurfaceTrend> TrendAsync(string range) => (await Trends(database).ReadAsync("pay", TrendRange.Parse(range), default))!;
    }

    [Theory, BothDatabases]
    public async Task The_boards_uptime_is_the_one_of_the_trend_and_a_confirmed_change_counts_at_once(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var board = new StatusBoard(new([Surface()]), Options.Create(_options), _clock, NullLogger<StatusBoard>.Instance);
        board.Publish(Reading(ReadingOutcome.Failed, _clock.GetUtcNow()), TimeSpan.Zero);
        // Before the first count nothing is known about the time before.
        Assert.Null(board.Find("pay")!.Availability.Day.Share);
        await CountAsync();
        _clock.Advance(Interval);

        await PublishAsync(ReadingOutcome.Failed);
        Assert.Equal((0d, Interval), (board.Find("pay")!.Availability.Day.Share, board.Find("pay")!.Availability.Day.Known));
        Assert.True(board.Find("pay")!.Availability.Month.IsKnownInPart);

        await PublishAsync(ReadingOutcome.Ok);
        await PublishAsync(ReadingOutcome.Ok);
        Assert.Equal(1d / 3, board.Find("pay")!.Availability.Month.Share!.Value, 6);

        // Neither a restored history nor a count of what is stored changes it.
        board.Restore(board.Find("pay")!.History, forget: true);
        Assert.Equal(3 * Interval, board.Find("pay")!.Availability.Month.Known);
        await CountAsync();
        var trend = (await Trends(database).ReadAsync("pay", TrendRange.Default, default))!;
        Assert.Equal((trend.Uptimes[0], trend.Uptimes[2]), (board.Find("pay")!.Availability.Day, board.Find("pay")!.Availability.Month));
        Assert.Equal(1d / 3, trend.Uptimes[0].Share!.Value, 6);

        async Task PublishAsync(ReadingOutcome outcome)
        {
            await AddAsync(database, [board.Publish(Reading(outcome, _clock.GetUtcNow()), TimeSpan.Zero)]);
            _clock.Advance(Interval);
        }

        async Task CountAsync()
        {
            var now = _clock.GetUtcNow();
            board.SetAvailability(await Availability(database).CountAsync(now, tidy: true, default), now);
        }
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(19, 10, 19)]
    [InlineData(20, 10, 19)]
    [InlineData(21, 11, 20)]
    [InlineData(100, 50, 95)]
    public void A_percentile_is_one_of_the_values_by_nearest_rank(int count, int median, int p95)
    {
        int[] sorted = [.. Enumerable.Range(1, count)];

        Assert.Equal((median, p95), (ReadingTally.Percentile(sorted, 50), ReadingTally.Percentile(sorted, 95)));
    }

    private static SurfaceReading Row(int index, SurfaceStatus status, int? latencyMs) =>
        Row(Hour + (index * Interval), status, latencyMs, Interval);

    private static SurfaceReading Row(DateTimeOffset at, SurfaceStatus status, int? latencyMs, TimeSpan interval) =>
        Reading(latencyMs is null ? ReadingOutcome.Failed : ReadingOutcome.Ok, at) with
        {
            Status = status,
            LatencyMs = latencyMs,
            IntervalMs = (int)interval.TotalMilliseconds,
        };

    /// <summary>A step with so many readings of <see cref="Interval"/>.</summary>
    private static TrendStep Step(DateTimeOffset from, int known, int up, int degraded, int maintained, int? p50, int? p95) =>
        new(from, known * PerReading, up * PerReading, degraded * PerReading, maintained * PerReading, p50, p95);

    private static SurfaceHour Stored(DateTimeOffset hour, int known, int up, int p50) =>
        SurfaceHour.Of("pay", Step(hour, known, up, 0, 0, p50, 2 * p50));

    private SurfaceAvailability Availability(TestDatabase database) => new(new Contexts(database), Options.Create(_options), _clock);

    private SurfaceTrends Trends(TestDatabase database) => new(new Contexts(database), _clock);

    private static async Task<List<TrendStep>> HoursAsync(TestDatabase database)
    {
        await using var db = database.Open();
        return [.. (await db.SurfaceHours.AsNoTracking().OrderBy(hour => hour.SurfaceKey).ToListAsync()).Select(hour => hour.ToStep())];
    }

    private static async Task AddAsync(TestDatabase database, IEnumerable<SurfaceReading> readings)
    {
        await using var db = database.Open();
        db.SurfaceReadings.AddRange(readings);
        await db.SaveChangesAsync();
    }
}
