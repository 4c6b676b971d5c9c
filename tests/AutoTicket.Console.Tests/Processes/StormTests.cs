using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using AutoTicket.Alerts;
using AutoTicket.Flags;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Processes;

/// <summary>One hundred thousand different alerts at once: memory stays bounded, worse alerts and other sources don't starve, tickets
/// stop at the budget, and pages answer.</summary>
public sealed class StormTests
{
    private const string Token = "canary-intake-storm";
    private const int Alerts = 100_000;
    private const int Batch = 2_000;

    /// <summary>An idle console uses 150 to 200 MB. A console that kept all alerts in memory would use several times that.</summary>
    private const long MostMemory = 500L * 1024 * 1024;

    [Fact]
    public async Task A_hundred_thousand_alerts_at_once_use_bounded_memory_starve_no_source_and_stay_within_the_budget()
    {
        await using var consoles = await Consoles.CreateAsync("pay");
        var console = await consoles.StartAsync(
            new Dictionary<string, string>
            {
                ["ALERTS_INGEST_TOKEN"] = Token,
                ["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "1",
                ["Alerts__NotifySeverity"] = "P2",
            }
        );
        var freeScout = consoles.Sandbox.FreeScout;
        await Eventually.TrueAsync(() => freeScout.Conversations.Count == 1, "the outage of the surface has its ticket");

        long peak = 0;
        await Parallel.ForEachAsync(
            Enumerable.Range(0, Alerts / Batch),
            new ParallelOptions { MaxDegreeOfParallelism = 4 },
            async (batch, _) =>
            {
                await SendAsync(
                    console,
                    Enumerable
                        .Range(batch * Batch, Batch)
                        .Select(n => new
                        {
                            name = $"storm{n}",
                            source = "storm",
                            severity = "P2",
                            summary = "It storms",
                            status = "firing",
                        })
                );
                InterlockedMax(ref peak, Process.GetProcessById(console.Id) is { } process ? process.WorkingSet64 : 0);
            }
        );

        // During the storm a worse alert comes from another source, and an operator opens pages.
        await SendAsync(
            console,
            [
                new
                {
                    name = "worse",
                    source = "elsewhere",
                    severity = "P1",
                    summary = "Something else",
                    status = "firing",
                },
            ]
        );
        await Eventually.TrueAsync(
            () => freeScout.Conversations.Any(c => c.Subject.Contains("worse", StringComparison.Ordinal)),
            "the worse alert has its ticket"
        );
        foreach (var page in new[] { "/console/status", "/console/alerts", "/console/flags", "/api/alerts?active=true", "/api/flood" })
        {
            Assert.Equal(HttpStatusCode.OK, (await console.GetAsync(page)).Status);
        }

        Assert.Equal("already_open", (await console.InvestigateAsync("pay")).Disposition);

        // Tickets: five of the storm, its summary, the worse alert and the surface.
        await Eventually.TrueAsync(
            () => freeScout.Conversations.Count(c => c.Subject.Contains("ticket_flood", StringComparison.Ordinal)) == 1,
            "the storm has its one summary"
        );
        Assert.Equal(
            5,
            freeScout.Conversations.Count(c =>
                c.Subject.Contains("storm: It", StringComparison.Ordinal) || c.Subject.StartsWith("[P2] storm", StringComparison.Ordinal)
            )
        );
        Assert.InRange(peak, 1, MostMemory);

        Assert.Equal(HttpStatusCode.OK, (await console.SetFlagAsync(FlagNames.AlertsAutoTicket, enabled: false)).Status);
        await using var db = consoles.Database.Open();
        Assert.Equal(Alerts, await db.Alerts.CountAsync(alert => alert.Source == "storm"));
    }

    private static async Task SendAsync(ConsoleProcess console, IEnumerable<object> alerts)
    {
        // The console answers 503 to too many alerts at once. The test sends them again, as senders do.
        await Eventually.TrueAsync(
            async () =>
            {
                using var request = new HttpRequestMessage(HttpMethod.Post, "/api/alerts")
                {
                    Content = JsonContent.Create(alerts),
                    Headers = { { "Authorization", $"Bearer {Token}" } },
                };
                using var answer = await console.Http.SendAsync(request);
                return answer.StatusCode == HttpStatusCode.Accepted;
            },
            "the alerts are accepted"
        );
    }

    private static void InterlockedMax(ref long most, long value)
    {
        for (var seen = Volatile.Read(ref most); value > seen; seen = Volatile.Read(ref most))
        {
            Interlocked.CompareExchange(ref most, value, seen);
        }
    }
}
