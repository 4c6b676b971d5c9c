using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;
using AutoTicket.Data;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace AutoTicket.Tests.Processes;

/// <summary>The boards of several consoles on one PostgreSQL, all in the test process. <see cref="ReplicasTests"/> kills and freezes
/// processes.</summary>
public sealed class ReplicaBoardsTests : IAsyncLifetime
{
    private readonly List<ConsoleHost> _consoles = [];
    private TestDatabase _database = null!;
    private SandboxServer _sandbox = null!;

    private SandboxSurface Pay => _sandbox.Surface("pay");

    public async Task InitializeAsync()
    {
        (_database, _sandbox) = (await TestDatabase.CreateAsync(Database.Postgres), await SandboxServer.StartAsync());
        Pay.Answer();
        _sandbox.Surface("shop").Answer();
    }

    public async Task DisposeAsync()
    {
        foreach (var console in _consoles)
        {
            await console.DisposeAsync();
        }

        await _sandbox.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Fact, Trait("Pitfall", "T-53")]
    public async Task One_of_three_consoles_probes_and_all_show_a_change_within_a_second()
    {
        var (leader, others) = await StartAsync(3);
        await WaitForCyclesAsync(5);

        var delays = new List<TimeSpan>();
        foreach (var (code, status) in new[] { (503, "down"), (200, "operational"), (503, "down"), (200, "operational"), (503, "down") })
        {
            Pay.Answer(code);
            await ShowsAsync(leader, status);
            var shown = Stopwatch.GetTimestamp();
            await Task.WhenAll(others.Select(other => ShowsAsync(other, status)));
            delays.Add(Stopwatch.GetElapsedTime(shown));
        }

        // The median, because a busy machine delays single changes. Without the database's signal a change takes up to five seconds.
        Assert.InRange(delays.Order().ElementAt(delays.Count / 2), TimeSpan.Zero, TimeSpan.FromSeconds(2));
        // All fields must be equal. It retries, because a reading may arrive between two requests.
        await Eventually.TrueAsync(
            async () => (await Task.WhenAll(others.Append(leader).Select(BoardAsync))).Distinct().Count() == 1,
            "all boards are the same"
        );
        await AssertOneProbesAsync();
    }

    [Fact, Trait("Pitfall", "T-25")]
    public async Task A_leader_without_the_database_is_replaced_and_stores_no_old_reading_when_it_reconnects()
    {
        await using var line = TcpProxy.To(_database.Location);
        var (cutOff, others) = await StartAsync(2, new() { ["DATABASE_URL"] = line.Through(_database.Location) }, new());
        await WaitForCyclesAsync(2);

        line.Cut();
        await Eventually.TrueAsync(() => Leads(others[0]), "the other console leads");
        Pay.Answer(503);
        // The console without the database can't know the new leader, so it keeps probing and shows the same.
        await Task.WhenAll(ShowsAsync(cutOff, "down"), ShowsAsync(others[0], "down"));
        line.Restore();

        await Eventually.TrueAsync(async () => await BoardAsync(cutOff) == await BoardAsync(others[0]), "both boards are the same");
        var asked = Pay.RequestCount - await CountReadingsAsync();
        await WaitForCyclesAsync(3);
        Assert.InRange(Pay.RequestCount - await CountReadingsAsync(), 0, asked + 1);
        await using var db = _database.Open();
        var times = await db
            .SurfaceReadings.Where(reading => reading.SurfaceKey == "pay")
            .OrderBy(reading => reading.Id)
            .Select(reading => reading.CheckedAt)
            .ToListAsync();
        Assert.Equal(times.Order(), times);
    }

    [Fact, Trait("Pitfall", "T-25")]
    public async Task A_follower_that_is_cut_off_from_the_database_turns_stale_and_catches_up()
    {
        await using var line = TcpProxy.To(_database.Location);
        var (leader, others) = await StartAsync(2, new(), new() { ["DATABASE_URL"] = line.Through(_database.Location) });
        await ShowsAsync(others[0], "operational");

        line.Cut();
        await ShowsAsync(others[0], "stale");
        Pay.Answer(503);
        await ShowsAsync(leader, "down");
        Assert.Equal("stale", await StatusAsync(others[0], "pay"));
        line.Restore();

        await Eventually.TrueAsync(async () => await BoardAsync(leader) == await BoardAsync(others[0]), "both boards are the same");
        await AssertOneProbesAsync();
    }

    [Fact, Trait("Pitfall", "T-30")]
    public async Task Every_board_shows_that_the_leaders_network_is_lost()
    {
        // These host names don't resolve, so no surface can be reached.
        var lost = Enumerable
            .Range(2, 3)
            .SelectMany(n => ConsoleHost.SurfaceSettings(n - 2, $"nobody{n}", new Uri($"http://nobody-{n}.invalid/")))
            .ToDictionary();
        var (leader, others) = await StartAsync(2, lost, lost);

        await Eventually.TrueAsync(
            async () => await LostSinceAsync(leader) is not null && await LostSinceAsync(leader) == await LostSinceAsync(others[0]),
            "both show the same start of the network loss"
        );
        var late = await StartAsync(lost);
        await Eventually.TrueAsync(
            async () => await LostSinceAsync(late) == await LostSinceAsync(leader),
            "a console that starts later shows the same"
        );
    }

    /// <summary>Only the leader calls FreeScout. The boards of the others show the failure until it ends.</summary>
    [Fact, Trait("Pitfall", "T-31")]
    public async Task Every_board_shows_that_FreeScout_fails_and_works_again()
    {
        var (_, others) = await StartAsync(2);
        using (_sandbox.Faults.Add(new(FaultKind.Status) { Match = FaultMatch.FreeScout }))
        {
            await Eventually.TrueAsync(() => MeetsFreeScoutAsync(others[0], failing: true), "the other console shows that FreeScout fails");
        }

        await Eventually.TrueAsync(() => MeetsFreeScoutAsync(others[0], failing: false), "the other console shows that FreeScout works");
    }

    [Theory]
    [InlineData(FaultKind.Status, "failed with 500"), InlineData(FaultKind.Unauthorized, "No tickets can be filed.")]
    public async Task Every_board_shows_that_FreeScout_takes_no_tickets_or_rejects_the_key(FaultKind kind, string problem)
    {
        Pay.Answer(503);
        _sandbox.Surface("shop").Answer(503);
        var (leader, others) = await StartAsync(2);
        await leader.WaitForFlagsAsync();
        await Eventually.TrueAsync(
            async () => await StatusAsync(leader, "pay") == "down" && await StatusAsync(leader, "shop") == "down",
            "both surfaces can be investigated"
        );
        var match = kind == FaultKind.Status ? FaultMatch.FreeScoutCreate : FaultMatch.FreeScout;
        using (_sandbox.Faults.Add(new(kind) { Match = match }))
        {
            await ClickAsync("pay");
            await Eventually.TrueAsync(() => ShowsProblemAsync(true), "the other console shows that FreeScout fails");
        }

        await ClickAsync("shop");
        await Eventually.TrueAsync(() => ShowsProblemAsync(false), "the other console shows that FreeScout works");

        async Task ClickAsync(string surface)
        {
            using var answer = await leader.Http.PostAsync(new Uri($"/api/surfaces/{surface}/investigate", UriKind.Relative), null);
            answer.EnsureSuccessStatusCode();
        }

        async Task<bool> ShowsProblemAsync(bool shows) =>
            (await others[0].Http.GetStringAsync(new Uri("/console/status", UriKind.Relative))).Contains(problem, StringComparison.Ordinal)
            == shows;
    }

    private static async Task<bool> MeetsFreeScoutAsync(ConsoleHost console, bool failing) =>
        (await console.Http.GetStringAsync(new Uri("/console/status", UriKind.Relative))).Contains(
            "when it is back",
            StringComparison.Ordinal
        ) == failing;

    private static async Task<long?> LostSinceAsync(ConsoleHost console) =>
        (await StatusAsync(console)).GetProperty("own_network_lost_since") is { ValueKind: JsonValueKind.String } since
            ? since.GetDateTimeOffset().ToUnixTimeMilliseconds()
            : null;

    private async Task<ConsoleHost> StartAsync(Dictionary<string, string?>? settings = null)
    {
        var all = Consoles
            .CommonSettings(_sandbox)
            .Concat(Consoles.Watched(_sandbox, ["pay", "shop"]))
            .ToDictionary(pair => pair.Key.Replace("__", ":", StringComparison.Ordinal), pair => (string?)pair.Value);
        foreach (var (name, value) in settings ?? [])
        {
            all[name] = value;
        }

        _consoles.Add(
            await ConsoleHost.StartAsync(
                _database,
                _sandbox,
                all,
                // A follower turns stale soon.
                services: services => services.Configure<StatusOptions>(status => status.StaleAfter = TimeSpan.Zero)
            )
        );
        return _consoles[^1];
    }

    /// <summary>Starts the consoles. The first one leads before the others start.</summary>
    private async Task<(ConsoleHost Leader, IReadOnlyList<ConsoleHost> Others)> StartAsync(
        int count,
        Dictionary<string, string?>? leaders = null,
        Dictionary<string, string?>? others = null
    )
    {
        var leader = await StartAsync(leaders);
        await Eventually.TrueAsync(() => Leads(leader), "the first console leads");
        var rest = new List<ConsoleHost>();
        while (rest.Count < count - 1)
        {
            rest.Add(await StartAsync(others));
        }

        return (leader, rest);
    }

    private static bool Leads(ConsoleHost console) => console.Get<LeaderLease>().IsLeader;

    private static Task<JsonElement> StatusAsync(ConsoleHost console) =>
        console.Http.GetFromJsonAsync<JsonElement>(new Uri("/api/status", UriKind.Relative));

    private static async Task<string> StatusAsync(ConsoleHost console, string surface) =>
        (await StatusAsync(console))
            .GetProperty("surfaces")
            .EnumerateArray()
            .Single(row => row.GetProperty("key").GetString() == surface)
            .GetProperty("status")
            .GetString()!;

    private static Task ShowsAsync(ConsoleHost console, string status) =>
        Eventually.TrueAsync(async () => await StatusAsync(console, "pay") == status, $"pay is {status}");

    private static async Task<string> BoardAsync(ConsoleHost console) => Replicas.BoardOf(await StatusAsync(console));

    private async Task<int> CountReadingsAsync()
    {
        await using var db = _database.Open();
        return await db.SurfaceReadings.CountAsync(reading => reading.SurfaceKey == "pay");
    }

    private async Task WaitForCyclesAsync(int cycles)
    {
        var before = await CountReadingsAsync();
        await Eventually.TrueAsync(async () => await CountReadingsAsync() >= before + cycles, $"{cycles} more readings are stored");
    }

    /// <summary>Asserts that only one console probes. Each probe is a stored reading, except one probe and one write in flight, and one
    /// whose result each change of the leader may lose.</summary>
    private async Task AssertOneProbesAsync()
    {
        await WaitForCyclesAsync(3);
        // The poller runs during the count, so the number of probes lies between two counts of readings.
        var before = await CountReadingsAsync();
        var asked = Pay.RequestCount;
        Assert.InRange(asked, before, await CountReadingsAsync() + 2 + await Replicas.CountChangesAsync(_database));
    }
}
