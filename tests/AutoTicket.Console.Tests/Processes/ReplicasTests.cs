using System.Diagnostics;
using AutoTicket.Sandbox;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Processes;

/// <summary>The leader of two and three consoles is killed, stopped and cut off.</summary>
public sealed class ReplicasTests : Replicas
{
    /// <summary>With the lease of production: ten seconds, a third of one more to ask, and a machine that is busy.</summary>
    private static readonly TimeSpan Takeover = TimeSpan.FromSeconds(30);
    private static readonly Dictionary<string, string> ProductionLease = new(Telling) { ["Leader__Lease"] = "00:00:10" };

    [Fact, Trait("Pitfall", "T-53")]
    public async Task Of_three_consoles_one_asks_and_all_show_a_change_within_a_second()
    {
        var (leader, others) = await StartAsync(3);
        await ReadAsync(5);

        var delays = new List<TimeSpan>();
        foreach (var (code, status) in new[] { (503, "down"), (200, "operational"), (503, "down"), (200, "operational"), (503, "down") })
        {
            Pay.Answer(code);
            await ShowsAsync(leader, status, Eventually.Patience);
            var shown = Stopwatch.GetTimestamp();
            await Task.WhenAll(others.Select(other => ShowsAsync(other, status, Eventually.Patience)));
            delays.Add(Stopwatch.GetElapsedTime(shown));
        }

        // The median: one of them may be late because the machine is. Without the news it would take any time up to five seconds.
        Assert.InRange(delays.Order().ElementAt(delays.Count / 2), TimeSpan.Zero, TimeSpan.FromSeconds(2));
        // Alike to the letter: since when, checked when, why. A reading may come between two questions.
        await Eventually.TrueAsync(
            async () => (await Task.WhenAll(others.Append(leader).Select(BoardAsync))).Distinct().Count() == 1, "all boards are the same");
        await AssertOneAskedAsync();
    }

    [Fact, Trait("Pitfall", "T-25"), Trait("Pitfall", "T-2"), Trait("Pitfall", "T-4")]
    public async Task Killed_it_is_followed_after_its_lease_and_no_board_says_anything_untrue_meanwhile()
    {
        var (leader, others) = await StartAsync(3, ProductionLease);
        Pay.Answer(503);
        await Eventually.TrueAsync(async () => Told.Count == 1 && All.TicketsOf("pay").Count == 1 && await DeliveredAsync() == 2, "the outage has its ticket and its DM");

        await leader.KillAsync();
        var asked = Pay.RequestCount;
        var seen = new HashSet<(string, string)>();
        await Eventually.TrueAsync(
            async () =>
            {
                foreach (var other in others)
                {
                    seen.UnionWith([("pay", await StatusAsync(other, "pay")), ("shop", await StatusAsync(other, "shop"))]);
                }

                return Pay.RequestCount > asked;
            },
            "another asks", Takeover);

        Assert.Subset(new HashSet<(string, string)> { ("pay", "down"), ("pay", "stale"), ("shop", "operational"), ("shop", "stale") }, seen);
        await Task.WhenAll(others.Select(other => ShowsAsync(other, "down", Eventually.Patience)));
        Assert.Single(others, Leads);
        Pay.Answer();
        await AssertToldOnceAsync();
        await AssertOneAskedAsync();
    }

    [Fact]
    public async Task Asked_to_end_it_hands_the_lead_over_at_once()
    {
        var (leader, others) = await StartAsync(2, new() { ["Leader__Lease"] = "00:00:30" });
        await ReadAsync(2);

        Assert.Equal(0, await leader.StopAsync());
        var ended = Stopwatch.GetTimestamp();
        await Eventually.TrueAsync(() => Leads(others[0]), "the other leads");

        // Not for its lease to run out.
        Assert.InRange(Stopwatch.GetElapsedTime(ended), TimeSpan.Zero, TimeSpan.FromSeconds(25));
        await ReadAsync(2);
        await AssertOneAskedAsync();
    }

    [Fact]
    public async Task Asked_to_end_while_it_files_for_an_alert_it_brings_that_to_its_end_and_the_next_does_not_repeat_it()
    {
        var patient = new Dictionary<string, string>(Telling)
        {
            ["FreeScout__CallTimeout"] = "00:00:20",
            ["Ticketing__ClickBudget"] = "00:00:20",
            ["Ticketing__Grace"] = "00:00:20",
            ["Ticketing__Lease"] = "00:00:30",
        };
        var (leader, others) = await StartAsync(2, patient);
        var slow = All.Sandbox.Faults.Add(new(FaultKind.Delay) { Match = FaultMatch.FreeScoutCreate });
        Pay.Answer(503);
        await Eventually.TrueAsync(() => All.Sandbox.FreeScout.CreatesInFlight == 1, "FreeScout has the request");

        var started = Stopwatch.GetTimestamp();
        var ending = leader.StopAsync();
        await leader.Output.WaitForLineAsync(line => line.Contains("Application is shutting down", StringComparison.Ordinal));
        slow.Dispose();

        Assert.Equal(0, await ending);
        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, Eventually.OnABusyMachine(TimeSpan.FromSeconds(5)));
        await Eventually.TrueAsync(() => Leads(others[0]), "the other leads");
        // An outage that ended before anybody told it would be told as one that is over already.
        await Eventually.TrueAsync(() => Told.Count == 1, "the other tells it");
        Pay.Answer();
        await AssertToldOnceAsync();
    }

    [Fact, Trait("Pitfall", "T-25")]
    public async Task A_leader_that_is_cut_off_from_the_database_is_followed_and_stores_nothing_of_its_own_when_it_is_back()
    {
        await using var line = TcpProxy.To(All.Database.Location);
        var (cutOff, others) = await StartAsync(2, new() { ["DATABASE_URL"] = line.Through(All.Database.Location) }, new());
        await ReadAsync(2);

        line.Cut();
        await Eventually.TrueAsync(() => Leads(others[0]), "the other leads", Takeover);
        Pay.Answer(503);
        // Nobody can tell the one that is cut off that it is followed: its board goes on by itself, and says the same.
        await Task.WhenAll(ShowsAsync(cutOff, "down", Eventually.Patience), ShowsAsync(others[0], "down", Eventually.Patience));
        line.Restore();

        await Eventually.TrueAsync(async () => await BoardAsync(cutOff) == await BoardAsync(others[0]), "both boards are the same");
        var asked = Pay.RequestCount - await StoredAsync();
        await ReadAsync(3);
        Assert.InRange(Pay.RequestCount - await StoredAsync(), 0, asked + 1);
        await using var db = All.Database.Open();
        var times = await db.SurfaceReadings.Where(reading => reading.SurfaceKey == "pay").OrderBy(reading => reading.Id).Select(reading => reading.CheckedAt).ToListAsync();
        Assert.Equal(times.Order(), times);
    }

    [Fact, Trait("Pitfall", "T-25")]
    public async Task A_follower_that_is_cut_off_from_the_database_turns_stale_and_catches_up()
    {
        await using var line = TcpProxy.To(All.Database.Location);
        var (leader, others) = await StartAsync(2, new(), new() { ["DATABASE_URL"] = line.Through(All.Database.Location) });
        await ShowsAsync(others[0], "operational", Eventually.Patience);

        line.Cut();
        await ShowsAsync(others[0], "stale", Eventually.Patience);
        Pay.Answer(503);
        await ShowsAsync(leader, "down", Eventually.Patience);
        Assert.Equal("stale", await StatusAsync(others[0], "pay"));
        line.Restore();

        await Eventually.TrueAsync(async () => await BoardAsync(leader) == await BoardAsync(others[0]), "both boards are the same");
        await AssertOneAskedAsync();
    }

    [Fact, Trait("Pitfall", "T-30")]
    public async Task That_the_leaders_own_network_is_lost_every_board_says()
    {
        // Names that nobody answers for: nothing can be reached.
        var lost = Enumerable.Range(2, 3).SelectMany(n => ConsoleHost.SurfaceSettings(n - 2, $"nobody{n}", new Uri($"http://nobody-{n}.invalid/")))
            .ToDictionary(pair => pair.Key.Replace(":", "__", StringComparison.Ordinal), pair => pair.Value!);
        var (leader, others) = await StartAsync(2, lost);

        await Eventually.TrueAsync(async () => await LostSinceAsync(leader) is not null && await LostSinceAsync(leader) == await LostSinceAsync(others[0]), "both say since when");
        var late = await All.StartAsync(lost);
        await Eventually.TrueAsync(async () => await LostSinceAsync(late) == await LostSinceAsync(leader), "who comes later says the same");
    }

    /// <summary>What the leader met at FreeScout, the others' boards say too, and no longer than it lasts.</summary>
    [Fact, Trait("Pitfall", "T-31")]
    public async Task That_FreeScout_fails_and_works_again_every_console_knows_though_one_asks()
    {
        var (_, others) = await StartAsync(2);
        using (All.Sandbox.Faults.Add(new(FaultKind.Status) { Match = FaultMatch.FreeScout }))
        {
            await Eventually.TrueAsync(() => MeetsFreeScoutAsync(others[0], failing: true), "the other knows that it fails");
        }

        await Eventually.TrueAsync(() => MeetsFreeScoutAsync(others[0], failing: false), "the other knows that it works");
    }

    private static async Task<bool> MeetsFreeScoutAsync(ConsoleProcess console, bool failing) =>
        (await console.GetAsync("/console/status")).Text.Contains("No ticket can be filed since", StringComparison.Ordinal) == failing;

    private static async Task<long?> LostSinceAsync(ConsoleProcess console) =>
        (await console.GetAsync("/api/status")).Body.GetProperty("own_network_lost_since") is { ValueKind: System.Text.Json.JsonValueKind.String } since ? since.GetDateTimeOffset().ToUnixTimeMilliseconds() : null;
}
