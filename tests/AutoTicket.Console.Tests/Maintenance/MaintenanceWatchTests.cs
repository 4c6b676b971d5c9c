using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Maintenance;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Alerts;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using static AutoTicket.Tests.Surfaces.Readings;

namespace AutoTicket.Tests.Maintenance;

/// <summary>The maintenance of one or two processes on one database, without a host, with a clock that only the test moves.</summary>
public sealed class MaintenanceWatchTests : IAsyncLifetime
{
    private readonly StillClock _clock = new(Start);
    private readonly List<IAsyncDisposable> _processes = [];
    private TestDatabase _database = null!;

    public async Task InitializeAsync() => _database = await TestDatabase.CreateAsync(Database.Sqlite);

    public async Task DisposeAsync()
    {
        foreach (var process in _processes)
        {
            await process.DisposeAsync();
        }

        await _database.DisposeAsync();
    }

    [Fact]
    public async Task A_window_reaches_other_processes_by_signal_or_else_by_a_poll_and_ends_by_the_clock()
    {
        var (first, signaled, polling) = (await StartAsync(), await StartAsync(), await StartAsync(signals: false));
        var announced = 0;
        signaled.Mutes.Changed += () => announced++;

        await first.AddAsync(new("a test", "1h"));
        Assert.True(first.IsInMaintenance);
        await Eventually.TrueAsync(() => signaled.IsInMaintenance && announced > 0, "the signal arrives");
        await AdvanceAsync(() => polling.IsInMaintenance, "it polls the window");

        _clock.Advance(TimeSpan.FromHours(1));
        Assert.All([first, signaled, polling], process => Assert.False(process.IsInMaintenance));
    }

    [Fact]
    public async Task A_planned_window_begins_by_the_clock_and_is_announced()
    {
        var process = await StartAsync(signals: false);
        await process.AddAsync(new("a test", "1h", StartsAt: Start.AddHours(2)));
        var announced = 0;
        process.Mutes.Changed += () => announced++;
        Assert.False(process.IsInMaintenance);
        Assert.Equal(Start.AddHours(2), process.Watch.Next);

        _clock.Advance(TimeSpan.FromHours(2));

        Assert.True(process.IsInMaintenance);
        await AdvanceAsync(() => announced > 0, "its begin is announced");
        Assert.Equal(Start.AddHours(3), process.Watch.Next);
    }

    [Theory, BothDatabases]
    public async Task A_weekly_window_that_is_ended_early_in_two_weeks_keeps_both_ends(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await using var process = new OneProcess(database, _clock, isAway: false);
        await process.StartAsync(signals: false);
        // Now it is Friday, 12:00.
        await process.AddAsync(new("backup", "3h", Weekly: new(["fri"], "13:00", "UTC")));
        foreach (var (week, minutes) in new[] { (0, 60), (1, 30) })
        {
            _clock.SetUtcNow(Start.AddDays(7 * week).AddHours(1).AddMinutes(minutes));
            await process.Watch.RefreshAsync(default);
            Assert.True(process.IsInMaintenance);

            Assert.Equal(MuteResult.Done, (await process.Planner.EndAsync("pay", "olga", default)).Result);
            Assert.Equal(MuteResult.Conflict, (await process.Planner.EndAsync("pay", "mara", default)).Result);
            Assert.False(process.IsInMaintenance);
        }

        var times = await process.Planner.TimesAsync("pay", Start, default);
        Assert.Equal(
            [(Start.AddHours(1), 60), (Start.AddDays(7).AddHours(1), 30)],
            times!.Select(time => (time.From, (int)(time.Until - time.From).TotalMinutes))
        );
    }

    [Fact]
    public async Task While_the_database_is_away_the_last_known_windows_stay_in_force_and_a_request_fails()
    {
        var process = await StartAsync(signals: false);
        await process.AddAsync(new("a test", "1h"));

        process.Contexts.IsAway = true;
        Assert.Equal(
            new(
                MuteResult.StoreUnreachable,
                "The console's database can't be reached. It is not known whether the change was made: look before you repeat it."
            ),
            await process.Planner.EndAsync("pay", "olga", default)
        );
        await AdvanceAsync(() => process.Watch.Current.IsStale, "the state is marked stale");
        Assert.True(process.IsInMaintenance);
        Assert.True(process.Mutes.IsKnown);

        _clock.Advance(TimeSpan.FromHours(1));
        Assert.False(process.IsInMaintenance);
        process.Contexts.IsAway = false;
        await AdvanceAsync(() => !process.Watch.Current.IsStale, "the windows are read again");
    }

    [Fact]
    public async Task A_process_that_could_never_read_knows_no_maintenance_and_says_so()
    {
        await (await StartAsync()).AddAsync(new("a test", "1h"));
        var process = await StartAsync(signals: false, isAway: true);

        Assert.False(process.IsInMaintenance);
        Assert.False(process.Mutes.IsKnown);

        process.Contexts.IsAway = false;
        await AdvanceAsync(() => process.IsInMaintenance && process.Mutes.IsKnown, "the windows are read");
    }

    [Fact]
    public async Task A_bug_in_reading_maintenance_does_not_stop_the_alerts()
    {
        var process = await StartAsync(signals: false, isAway: true);

        process.Contexts.HasBug = true;

        await AdvanceAsync(() => process.Mutes.IsKnown, "alerts are delivered without it");
    }

    [Fact]
    public async Task A_surface_has_a_limited_number_of_open_windows()
    {
        var process = await StartAsync(signals: false);
        for (var n = 0; n < MaintenanceRules.MostWindows; n++)
        {
            await process.AddAsync(new($"number {n}", "1h"));
        }

        var (outcome, _) = await process.Planner.AddAsync("pay", new("one more", "1h"), "olga", default);

        Assert.Equal(new(MuteResult.Conflict, "The surface has 50 open maintenance windows already. Cancel some of them first."), outcome);
        Assert.Equal(MuteResult.Done, (await process.Planner.EndAsync("pay", "olga", default)).Result);
        Assert.False(process.IsInMaintenance);
    }

    [Fact]
    public async Task A_weekly_maintenance_in_force_can_be_ended_and_canceled_after_the_end_of_its_series()
    {
        var process = await StartAsync(signals: false);
        // Now it is Friday, 12:00.
        foreach (var reason in new[] { "to end", "to cancel" })
        {
            await process.AddAsync(new(reason, "12h", Until: Start.AddHours(11), Weekly: new(["fri"], "22:00", "UTC")));
        }

        _clock.SetUtcNow(Start.AddHours(14));
        await process.Watch.RefreshAsync(default);
        Assert.True(process.IsInMaintenance);
        var (_, windows) = await process.Planner.LatestAsync("pay", 10, default);

        Assert.Equal(MuteResult.Done, (await process.Planner.CancelAsync("pay", windows[0].Id, "olga", default)).Result);
        Assert.True(process.IsInMaintenance);
        Assert.Equal(MuteResult.Done, (await process.Planner.EndAsync("pay", "olga", default)).Result);
        Assert.False(process.IsInMaintenance);
        Assert.Equal(MuteResult.UnknownTarget, (await process.Planner.CancelAsync("pay", windows[1].Id, "olga", default)).Result);
    }

    [Fact]
    public async Task Maintenance_recorded_later_mutes_no_alert_that_ended_before_it_was_recorded()
    {
        var process = await StartAsync(signals: false);
        _clock.SetUtcNow(Start.AddMinutes(30));
        await process.AddAsync(new("it is over", "35m", StartsAt: Start.AddMinutes(-10)));
        await process.AddAsync(new("it goes on", "1h", StartsAt: Start.AddMinutes(-5)));
        var alert = Alert.From(AlertDriver.Say("db_down", surface: "pay"), Start);

        Assert.Null(process.Mutes.At(alert, Start.AddMinutes(20)));
        Assert.Equal("it goes on", process.Mutes.At(alert, Start.AddMinutes(31))?.Reason);
    }

    [Fact]
    public async Task Open_windows_are_listed_before_newer_ones_that_ended()
    {
        var process = await StartAsync(signals: false);
        await process.AddAsync(new("planned", "1h", StartsAt: Start.AddDays(2)));
        foreach (var reason in new[] { "first", "second", "third" })
        {
            await process.AddAsync(new(reason, "1h"));
            Assert.Equal(MuteResult.Done, (await process.Planner.EndAsync("pay", "olga", default)).Result);
        }

        var (_, windows) = await process.Planner.LatestAsync("pay", 2, default);

        Assert.Equal(["third", "planned"], windows.Select(window => window.Reason));
    }

    [Fact]
    public async Task A_weekly_window_that_begins_after_the_furthest_start_shows_when()
    {
        var process = await StartAsync(signals: false);

        // Its first Tuesday is 95 days ahead.
        var (_, added) = await process.Planner.AddAsync(
            "pay",
            new("backup", "1h", StartsAt: Start.AddDays(89), Weekly: new(["tue"], "22:00", "UTC")),
            "olga",
            default
        );

        Assert.Equal(Start.AddDays(95).AddHours(10), process.Planner.ViewOf(added!).NextFrom);
    }

    [Fact]
    public async Task A_request_that_is_repeated_because_its_answer_was_lost_adds_one_window()
    {
        var process = await StartAsync(signals: false);
        var request = new MaintenanceRequest("new disks", "1h", StartsAt: Start.AddHours(2));
        var (_, first) = await process.Planner.AddAsync("pay", request, "olga", default);
        _clock.Advance(TimeSpan.FromSeconds(10));

        var (outcome, second) = await process.Planner.AddAsync("pay", request, "olga", default);

        Assert.Equal((MuteResult.Done, first!.Id), (outcome.Result, second!.Id));
        await using var db = _database.Open();
        Assert.Equal(1, await db.AuditLog.CountAsync(entry => entry.Action == AuditActions.MaintenanceScheduled));
        var (_, other) = await process.Planner.AddAsync("pay", request, "mara", default);
        Assert.NotEqual(first.Id, other!.Id);
    }

    private Task AdvanceAsync(Func<bool> condition, string what) =>
        _clock.AdvanceUntilAsync(TimeSpan.FromSeconds(1), () => Task.FromResult(condition()), what);

    private async Task<OneProcess> StartAsync(bool signals = true, bool isAway = false)
    {
        var process = new OneProcess(_database, _clock, isAway);
        _processes.Add(process);
        await process.StartAsync(signals);
        return process;
    }

    private sealed class OneProcess : IAsyncDisposable
    {
        private readonly SqliteSignals _signals;
        private readonly StatusBoard _board;
        private readonly StillClock _clock;

        public OneProcess(TestDatabase database, StillClock clock, bool isAway)
        {
            var options = Options.Create(new StatusOptions());
            Contexts = new(database) { IsAway = isAway };
            _clock = clock;
            _signals = new($"Data Source={database.Location}", clock, NullLogger<DatabaseSignals>.Instance);
            _board = new(new SurfaceList([Surface()]), options, clock, NullLogger<StatusBoard>.Instance);
            Mutes = new(_board, clock);
            var store = new MaintenanceStore(Contexts);
            Watch = new(store, new(Contexts), _board, Mutes, _signals, clock, NullLogger<MaintenanceWatch>.Instance);
            Planner = new(store, Watch, _board, options, clock);
        }

        public Contexts Contexts { get; }

        public AlertMutes Mutes { get; }

        public MaintenanceWatch Watch { get; }

        public MaintenancePlanner Planner { get; }

        public bool IsInMaintenance => _board.MaintenanceAt("pay", _clock.GetUtcNow()) is not null;

        public async Task StartAsync(bool signals)
        {
            await Watch.StartAsync(default);
            if (signals)
            {
                await _signals.StartAsync(default);
            }
        }

        public async Task AddAsync(MaintenanceRequest request) =>
            Assert.Equal(MuteResult.Done, (await Planner.AddAsync("pay", request, "olga", default)).Outcome.Result);

        public async ValueTask DisposeAsync()
        {
            await Watch.StopAsync(default);
            await _signals.StopAsync(default);
            Watch.Dispose();
            _signals.Dispose();
        }
    }

    private sealed class Contexts(TestDatabase database) : IDbContextFactory<AutoTicketDbContext>
    {
        public bool IsAway { get; set; }

        public bool HasBug { get; set; }

        public AutoTicketDbContext CreateDbContext() =>
            HasBug ? throw new InvalidOperationException("a bug")
            : !IsAway ? database.Open()
            : new SqliteDbContext(new DbContextOptionsBuilder<SqliteDbContext>().UseSqlite("Data Source=/nowhere/autoticket.db").Options);
    }
}
