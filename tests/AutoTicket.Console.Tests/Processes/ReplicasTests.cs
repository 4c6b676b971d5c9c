using System.Diagnostics;
using AutoTicket.Sandbox;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Processes;

/// <summary>The leader of two or three consoles is killed or stopped.</summary>
public sealed class ReplicasTests : Replicas
{
    /// <summary>Covers the production lease of 10 s, a third of it until the next check, and a busy machine.</summary>
    private static readonly TimeSpan Takeover = Eventually.Patience;

    [Fact, Trait("Pitfall", "T-25"), Trait("Pitfall", "T-2"), Trait("Pitfall", "T-4")]
    public async Task A_killed_leader_is_replaced_after_its_lease_and_no_board_shows_a_wrong_state()
    {
        var (leader, others) = await StartAsync(3, NotifyingSettings);
        Pay.Answer(503);
        await Eventually.TrueAsync(
            async () => DirectMessages.Count == 1 && All.TicketsOf("pay").Count == 1 && await DeliveredAsync() == 2,
            "the outage has its ticket and its DM"
        );

        // A follower may be a moment behind.
        await Task.WhenAll(others.Select(other => ShowsAsync(other, "down", Eventually.Patience)));
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
            "another console probes",
            Takeover
        );

        Assert.Subset(
            new HashSet<(string, string)> { ("pay", "down"), ("pay", "stale"), ("shop", "operational"), ("shop", "stale") },
            seen
        );
        await Task.WhenAll(others.Select(other => ShowsAsync(other, "down", Eventually.Patience)));
        await Eventually.TrueAsync(() => others.Count(Leads) == 1, "one of the others leads");
        Pay.Answer();
        await AssertNotifiedOnceAsync();
        await AssertOneProbesAsync();
    }

    [Fact]
    public async Task A_stopped_leader_gives_its_lease_back_at_once()
    {
        var (leader, others) = await StartAsync(2, new() { ["Leader__Lease"] = "00:01:00" });
        await WaitForCyclesAsync(2);

        Assert.Equal(0, await leader.StopAsync());
        var ended = Stopwatch.GetTimestamp();
        await Eventually.TrueAsync(() => Leads(others[0]), "the other console leads");

        // The other console leads before the lease of one minute expires.
        Assert.InRange(Stopwatch.GetElapsedTime(ended), TimeSpan.Zero, TimeSpan.FromSeconds(55));
        await WaitForCyclesAsync(2);
        await AssertOneProbesAsync();
    }

    [Fact]
    public async Task A_stopped_leader_finishes_its_filing_and_the_next_leader_does_not_repeat_it()
    {
        var (leader, others) = await StartAsync(2, NotifyingSettings);
        var slow = All.Sandbox.Faults.Add(new(FaultKind.Delay) { Match = FaultMatch.FreeScoutCreate });
        Pay.Answer(503);
        await Eventually.TrueAsync(() => All.Sandbox.FreeScout.CreatesInFlight == 1, "FreeScout has the request");

        var started = Stopwatch.GetTimestamp();
        var ending = leader.StopAsync();
        await leader.Output.WaitForLineAsync(line => line.Contains("Application is shutting down", StringComparison.Ordinal));
        slow.Dispose();

        Assert.Equal(0, await ending);
        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, Eventually.OnABusyMachine(TimeSpan.FromSeconds(5)));
        await Eventually.TrueAsync(() => Leads(others[0]), "the other console leads");
        // The DM must come before the recovery. Otherwise one DM reports an outage that is already over.
        await Eventually.TrueAsync(() => DirectMessages.Count == 1, "the other console sends the DM");
        Pay.Answer();
        await AssertNotifiedOnceAsync();
    }
}
