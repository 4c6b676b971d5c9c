using System.Diagnostics;
using AutoTicket.Sandbox;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Processes;

/// <summary>The leader of two and three consoles is killed, stopped and cut off.</summary>
public sealed class ReplicasTests : Replicas
{
    /// <summary>With the lease of production: ten seconds, a third of one more to ask, and a machine that is busy.</summary>
    private static readonly TimeSpan Takeover = Eventually.Patience;
    private static readonly Dictionary<string, string> ProductionLease = new(Telling) { ["Leader__Lease"] = "00:00:10" };

    [Fact, Trait("Pitfall", "T-25"), Trait("Pitfall", "T-2"), Trait("Pitfall", "T-4")]
    public async Task Killed_it_is_followed_after_its_lease_and_no_board_says_anything_untrue_meanwhile()
    {
        var (leader, others) = await StartAsync(3, ProductionLease);
        Pay.Answer(503);
        await Eventually.TrueAsync(
            async () => Told.Count == 1 && All.TicketsOf("pay").Count == 1 && await DeliveredAsync() == 2,
            "the outage has its ticket and its DM"
        );

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
            "another asks",
            Takeover
        );

        Assert.Subset(
            new HashSet<(string, string)> { ("pay", "down"), ("pay", "stale"), ("shop", "operational"), ("shop", "stale") },
            seen
        );
        await Task.WhenAll(others.Select(other => ShowsAsync(other, "down", Eventually.Patience)));
        Assert.Single(others, Leads);
        Pay.Answer();
        await AssertToldOnceAsync();
        await AssertOneAskedAsync();
    }

    [Fact]
    public async Task Asked_to_end_it_hands_the_lead_over_at_once()
    {
        var (leader, others) = await StartAsync(2, new() { ["Leader__Lease"] = "00:01:00" });
        await ReadAsync(2);

        Assert.Equal(0, await leader.StopAsync());
        var ended = Stopwatch.GetTimestamp();
        await Eventually.TrueAsync(() => Leads(others[0]), "the other leads");

        // Not for its lease to run out.
        Assert.InRange(Stopwatch.GetElapsedTime(ended), TimeSpan.Zero, TimeSpan.FromSeconds(55));
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
}
