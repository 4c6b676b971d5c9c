using System.Diagnostics;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Processes;

/// <summary>A leader is frozen (SIGSTOP) past its lease and resumes when another process leads.</summary>
public sealed class FrozenLeaderTests : Replicas
{
    [Fact, Trait("Pitfall", "T-25")]
    public async Task A_resumed_leader_repeats_nothing_and_shows_the_next_leaders_readings()
    {
        var (frozen, others) = await StartAsync(2, NotifyingSettings);
        var successor = others[0];
        await WaitForCyclesAsync(2);
        frozen.Freeze();
        var since = Stopwatch.GetTimestamp();
        await Eventually.TrueAsync(() => Leads(successor), "the other console leads");
        Pay.Answer(503);
        await Eventually.TrueAsync(
            async () => DirectMessages.Count == 1 && All.TicketsOf("pay").Count == 1 && await DeliveredAsync() == 2,
            "the outage has its ticket and its DM"
        );
        await WaitForCyclesAsync(2);
        var past = 2 * Consoles.LeaderLease;
        await Eventually.TrueAsync(() => Stopwatch.GetElapsedTime(since) > past, "the leader's lease has long expired");

        frozen.Thaw();

        await frozen.Output.WaitForLineAsync(line => line.Contains("this process leads no more", StringComparison.Ordinal));
        await ShowsAsync(frozen, "down", Eventually.Patience);
        await Eventually.TrueAsync(async () => await BoardAsync(frozen) == await BoardAsync(successor), "both boards are the same");
        await WaitForCyclesAsync(2);
        Pay.Answer();
        await AssertNotifiedOnceAsync();
        await AssertOneProbesAsync();
        await using var db = All.Database.Open();
        var times = await db
            .SurfaceReadings.Where(reading => reading.SurfaceKey == "pay")
            .OrderBy(reading => reading.Id)
            .Select(reading => reading.CheckedAt)
            .ToListAsync();
        Assert.Equal(times.Order(), times);
    }

    /// <summary>Freezes the leader during its first of five DMs. Slack may get the first one twice, because its answer was not recorded.
    /// The next leader sends the other four.</summary>
    [Fact, Trait("Pitfall", "T-2")]
    public async Task A_leader_frozen_between_DMs_does_not_repeat_the_rest()
    {
        var (frozen, others) = await StartAsync(
            2,
            new(NotifyingSettings)
            {
                ["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "0",
                ["ALERTS_INGEST_TOKEN"] = "canary-intake",
                ["Slack__SinglesPerMinute"] = "60",
            }
        );
        var slow = All.Sandbox.Faults.Add(new(FaultKind.Delay) { Match = FaultMatch.SlackPost });
        var alerts = string.Join(
            ',',
            Enumerable.Range(0, 5).Select(n => $$"""{"name":"alert{{n}}","severity":"P2","summary":"s","status":"firing"}""")
        );
        await others[0]
            .AskAsync(HttpMethod.Post, "/api/alerts", new StringContent($"[{alerts}]"), ("Authorization", "Bearer canary-intake"));
        await Eventually.TrueAsync(
            () => All.Sandbox.Slack.RecordedRequests.Any(request => request.Path.EndsWith("chat.postMessage", StringComparison.Ordinal)),
            "Slack has the first DM"
        );

        frozen.Freeze();
        slow.Dispose();
        await Eventually.TrueAsync(
            async () => DirectMessages.Count == 6 && await DeliveredAsync() == 5,
            "the other console sends all five DMs",
            2 * Eventually.Patience
        );
        frozen.Thaw();

        await frozen.Output.WaitForLineAsync(line => line.Contains("this process leads no more", StringComparison.Ordinal));
        await WaitForCyclesAsync(4);
        Assert.Equal(6, DirectMessages.Count);
    }
}
