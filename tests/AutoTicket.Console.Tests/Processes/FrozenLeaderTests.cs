using System.Diagnostics;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Processes;

/// <summary>The leader sleeps (SIGSTOP) past its lease, and wakes when another leads.</summary>
public sealed class FrozenLeaderTests : Replicas
{
    [Fact, Trait("Pitfall", "T-25")]
    public async Task Frozen_and_woken_it_does_no_double_work_and_shows_what_the_next_leader_saw()
    {
        var (frozen, others) = await StartAsync(2, Telling);
        var heir = others[0];
        await ReadAsync(2);
        frozen.Freeze();
        var since = Stopwatch.GetTimestamp();
        await Eventually.TrueAsync(() => Leads(heir), "the other leads");
        Pay.Answer(503);
        await Eventually.TrueAsync(
            async () => Told.Count == 1 && All.TicketsOf("pay").Count == 1 && await DeliveredAsync() == 2,
            "the outage has its ticket and its DM"
        );
        await ReadAsync(2);
        // Long past its lease, and past every lease that it had given out.
        var past = 2 * (Consoles.LeaderLease + Consoles.Lease);
        await Eventually.TrueAsync(() => Stopwatch.GetElapsedTime(since) > past, "all leases have run out", 2 * past);

        frozen.Thaw();

        await frozen.Output.WaitForLineAsync(line => line.Contains("this process leads no more", StringComparison.Ordinal));
        await ShowsAsync(frozen, "down", Eventually.Patience);
        await Eventually.TrueAsync(async () => await BoardAsync(frozen) == await BoardAsync(heir), "both boards are the same");
        await ReadAsync(2);
        Pay.Answer();
        await AssertToldOnceAsync();
        // What it had begun when it was frozen may have arrived: a probe a surface.
        await AssertOneAskedAsync(interrupted: 1);
        await using var db = All.Database.Open();
        var times = await db
            .SurfaceReadings.Where(reading => reading.SurfaceKey == "pay")
            .OrderBy(reading => reading.Id)
            .Select(reading => reading.CheckedAt)
            .ToListAsync();
        Assert.Equal(times.Order(), times);
    }

    /// <summary>Between the first and the second of several messages: the first it can't unsay, the others are the next leader's.</summary>
    [Fact, Trait("Pitfall", "T-2")]
    public async Task Frozen_in_the_middle_of_telling_it_does_not_tell_the_rest_again()
    {
        var (frozen, others) = await StartAsync(
            2,
            new(Telling)
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
            "Slack has the first"
        );

        frozen.Freeze();
        slow.Dispose();
        await Eventually.TrueAsync(
            async () => Told.Count == 6 && await DeliveredAsync() == 5,
            "the other tells all five",
            2 * Eventually.Patience
        );
        frozen.Thaw();

        await frozen.Output.WaitForLineAsync(line => line.Contains("this process leads no more", StringComparison.Ordinal));
        await ReadAsync(4);
        Assert.Equal(6, Told.Count);
    }
}
