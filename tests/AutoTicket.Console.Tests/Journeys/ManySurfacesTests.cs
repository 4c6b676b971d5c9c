using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Playwright;
using Xunit.Abstractions;

namespace AutoTicket.Tests.Journeys;

public sealed class ManySurfacesTests(ITestOutputHelper output)
{
    // One more than a group shows at first.
    private const int Surfaces = 101;

    [Fact, Trait("Pitfall", "T-49")]
    public async Task A_hundred_surfaces_with_ninety_days_of_history_load_at_once_without_reading_their_readings()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Sqlite);
        await StoreNinetyDaysAsync(database);
        await using var sandbox = await SandboxServer.StartAsync();
        await using var console = await ConsoleHost.StartAsync(database, sandbox, Settings(sandbox, Surfaces, "00:00:30"));
        var all = console.Get<StatusBoard>();
        await Eventually.TrueAsync(
            () => all.All().All(surface => surface is { Status: SurfaceStatus.Operational, Availability.Month.Share: not null }),
            "all are checked and counted",
            TimeSpan.FromSeconds(60)
        );
        Assert.All(all.All(), surface => Assert.Equal(StatusBoard.HistoryLength, surface.History.Count));

        using var commands = new Commands(database.Location);
        await using var board = await ConsolePage.OpenAsync(console, "/console/flags");
        var begun = Stopwatch.GetTimestamp();
        await board.GoToAsync("/console/status");
        var live = Stopwatch.GetElapsedTime(begun);

        await Assertions.Expect(board.Page.GetByRole(AriaRole.Article)).ToHaveCountAsync(0);
        await board.Button($"No group: {Surfaces} operational").ClickAsync();
        await Assertions.Expect(board.Page.GetByRole(AriaRole.Article)).ToHaveCountAsync(Surfaces - 1);
        output.WriteLine(
            string.Create(CultureInfo.InvariantCulture, $"{Surfaces} surfaces: interactive after {live.TotalMilliseconds:0} ms")
        );
        Assert.NotEmpty(commands.Texts);
        Assert.DoesNotContain(
            commands.Texts,
            text => text.StartsWith("SELECT", StringComparison.Ordinal) && text.Contains("FROM \"surface_", StringComparison.Ordinal)
        );

        // Back from a surface, its group is unfolded to its row.
        await board.Button($"Show all {Surfaces}").ClickAsync();
        var last = board.Page.GetByRole(AriaRole.Link, new() { Name = "Surface s99", Exact = true });
        await last.PressAsync("Enter");
        await Assertions.Expect(board.Heading).ToHaveTextAsync("Surface s99");
        await board.Page.GoBackAsync();
        await Assertions.Expect(last).ToBeFocusedAsync();
    }

    [Fact]
    public async Task A_board_of_a_thousand_surfaces_is_served_in_at_most_300_KiB_without_compression()
    {
        await using var sandbox = await SandboxServer.StartAsync();
        var settings = Settings(sandbox, 1000, "01:00:00");
        // A bad day: each of these is a tile.
        for (var down = 0; down < 20; down++)
        {
            sandbox.Surface($"s{down}").Answer(503);
        }

        await using var console = await ConsoleHost.StartAsync(sandbox: sandbox, settings: settings);
        var all = console.Get<StatusBoard>();
        await Eventually.TrueAsync(
            () => all.All().All(surface => surface.Status is SurfaceStatus.Operational or SurfaceStatus.Down),
            "all are checked",
            TimeSpan.FromSeconds(180)
        );

        // Without Accept-Encoding.
        using var page = await console.Http.GetAsync(new Uri("/console/status", UriKind.Relative));
        var body = await page.Content.ReadAsByteArrayAsync();

        Assert.Empty(page.Content.Headers.ContentEncoding);
        Assert.Contains("980 operational", System.Text.Encoding.UTF8.GetString(body), StringComparison.Ordinal);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"1000 surfaces: {body.Length / 1024.0:0} KiB"));
        Assert.InRange(body.Length, 10 * 1024, 300 * 1024);
    }

    [Fact, Trait("Pitfall", "T-53")]
    public async Task Ten_open_boards_add_no_probe()
    {
        await using var sandbox = await SandboxServer.StartAsync();
        await using var console = await ConsoleHost.StartAsync(sandbox: sandbox, settings: Settings(sandbox, 1, "00:00:00.5"));
        List<ConsolePage> pages = [];
        while (pages.Count < 10)
        {
            pages.Add(await ConsolePage.OpenAsync(console, "/console/status"));
        }

        // On a busy machine time alone can change a surface between two readings.
        var checks = new ConcurrentDictionary<DateTimeOffset, bool>();
        using var subscription = console.Get<StatusBoard>().Subscribe(surface => checks.TryAdd(surface.CheckedAt!.Value, true));
        var requests = sandbox.Surface("s0").RequestCount;

        await Eventually.TrueAsync(() => checks.Count >= 6, "six more poll cycles are read");

        Assert.InRange(sandbox.Surface("s0").RequestCount - requests, checks.Count - 1, checks.Count + 1);
        foreach (var page in pages)
        {
            await Assertions.Expect(page.Tile("Surface s0")).ToHaveAttributeAsync("data-status", "operational");
            await page.DisposeAsync();
        }
    }

    private static Dictionary<string, string?> Settings(SandboxServer sandbox, int count, string interval)
    {
        var settings = Enumerable
            .Range(0, count)
            .SelectMany(i => ConsoleHost.SurfaceSettings(i, $"s{i}", sandbox.Surface($"s{i}").Url))
            .ToDictionary();
        for (var i = 0; i < count; i++)
        {
            settings[$"Surfaces:{i}:Timeout"] = settings[$"Surfaces:{i}:SlowAfter"] = "00:01:00";
        }

        settings["Status:PollInterval"] = interval;
        return settings;
    }

    private static async Task StoreNinetyDaysAsync(TestDatabase database)
    {
        await using var db = database.Open();
        var now = TimeProvider.System.GetUtcNow().UtcTicks;
        var step = TimeSpan.FromDays(90).Ticks / 2000;
        await db.Database.ExecuteSqlAsync(
            $"""
            WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {(Surfaces * 2000) - 1})
            INSERT INTO surface_readings (surface_key, checked_at, outcome, latency_ms, reached, status, since, interval_ms, in_maintenance)
            SELECT 's' || (i % {Surfaces}), {now} - (2000 - i / {Surfaces}) * {step}, 'ok', 20 + i % 50, 1, 'operational',
              {now} - 2000 * {step}, 30000, 0 FROM n
            """
        );
        // A running console sums readings up per hour.
        var hour = TimeSpan.TicksPerHour;
        await db.Database.ExecuteSqlAsync(
            $"""
            INSERT INTO surface_hours (surface_key, hour, known_ms, up_ms, degraded_ms, maintained_ms)
            SELECT surface_key, checked_at - checked_at % {hour}, SUM(interval_ms), SUM(interval_ms), 0, 0
            FROM surface_readings WHERE checked_at < {now - (now % hour)} GROUP BY 1, 2
            """
        );
    }

    /// <summary>Records the SQL that EF sends to one database.</summary>
    private sealed class Commands : IObserver<DiagnosticListener>, IObserver<KeyValuePair<string, object?>>, IDisposable
    {
        private readonly ConcurrentQueue<string> _texts = new();
        private readonly ConcurrentBag<IDisposable> _subscriptions = [];
        private readonly string _location;

        public Commands(string location)
        {
            _location = location;
            _subscriptions.Add(DiagnosticListener.AllListeners.Subscribe(this));
        }

        public IReadOnlyCollection<string> Texts => _texts;

        public void OnNext(DiagnosticListener value)
        {
            if (value.Name == DbLoggerCategory.Name)
            {
                _subscriptions.Add(value.Subscribe(this));
            }
        }

        public void OnNext(KeyValuePair<string, object?> value)
        {
            if (value.Value is CommandEventData command && command.Command.Connection?.DataSource == _location)
            {
                _texts.Enqueue(command.Command.CommandText);
            }
        }

        public void OnCompleted() { }

        public void OnError(Exception error) { }

        public void Dispose()
        {
            foreach (var subscription in _subscriptions)
            {
                subscription.Dispose();
            }
        }
    }
}
