using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Sandbox;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Processes;

/// <summary>The process is killed (SIGKILL) between an alert's arrival and its DM. Every acknowledged alert is stored and gets one
/// ticket and one DM. A kill between Slack's answer and its record repeats the DM once.</summary>
public sealed class KilledPipelineTests : IAsyncLifetime
{
    private const string Token = "canary-intake-kill";

    private static readonly TimeSpan TakeoverPatience = Eventually.Patience;

    private Consoles _all = null!;

    private SlackStandIn Slack => _all.Sandbox.Slack;

    public async Task InitializeAsync() => _all = await Consoles.CreateAsync();

    public async Task DisposeAsync() => await _all.DisposeAsync();

    [Fact]
    public async Task An_acknowledged_alert_survives_a_kill_and_has_one_ticket()
    {
        var acknowledged = new ConcurrentBag<string>();
        var sent = 0;
        for (var kill = 0; kill < 3; kill++)
        {
            var console = await StartAsync();
            using var stop = new CancellationTokenSource();
            var before = acknowledged.Count;
            var senders = Enumerable
                .Range(0, 4)
                .Select(_ =>
                    Task.Run(async () =>
                    {
                        while (!stop.IsCancellationRequested)
                        {
                            var name = $"alert{Interlocked.Increment(ref sent)}";
                            try
                            {
                                if (await SendAsync(console, name) == HttpStatusCode.Accepted)
                                {
                                    acknowledged.Add(name);
                                }
                            }
                            catch (HttpRequestException)
                            {
                                // Killed before the answer: the alert was not acknowledged.
                            }
                        }
                    })
                )
                .ToList();
            await Eventually.TrueAsync(() => acknowledged.Count >= before + 15, "15 more alerts are acknowledged");
            await console.KillAsync();
            await stop.CancelAsync();
            await Task.WhenAll(senders);
        }

        await StartHostAsync();
        await using var db = _all.Database.Open();
        await Eventually.TrueAsync(async () => !await db.AlertOutbox.AnyAsync(), "all alerts are delivered");
        var names = await db.Alerts.Select(alert => alert.Name).ToListAsync();
        Assert.Empty(acknowledged.Except(names));
        Assert.Equal(names.Count, names.Distinct().Count());
        Assert.Equal(
            names.Order(),
            _all.Sandbox.FreeScout.Conversations.Select(conversation => conversation.Subject.Split(": ")[0]["[P2] ".Length..]).Order()
        );
        Assert.Equal(names.Count, await db.AuditLog.CountAsync(entry => entry.Action == AuditActions.AlertTicketFiled));
    }

    [Fact]
    public async Task A_DM_that_was_not_sent_before_a_kill_is_sent_once()
    {
        var doomed = await StartAsync();
        using (_all.Sandbox.Faults.Add(new(FaultKind.HangBefore) { Match = FaultMatch.SlackPost }))
        {
            await SendAsync(doomed, "disk_full");
            await Eventually.TrueAsync(
                () => Slack.RecordedRequests.Any(request => request.Path.EndsWith("chat.postMessage", StringComparison.Ordinal)),
                "Slack has the request"
            );
            await doomed.KillAsync();
        }

        await StartHostAsync();
        await AssertDeliveredAsync();
        Assert.Single(Slack.Messages);
    }

    [Fact]
    public async Task A_DM_that_was_not_recorded_before_a_kill_is_sent_once_more()
    {
        await using var line = TcpProxy.To(_all.Database.Location);
        var doomed = await StartAsync(new() { ["DATABASE_URL"] = line.Through(_all.Database.Location) });
        var slow = _all.Sandbox.Faults.Add(new(FaultKind.Delay) { Match = FaultMatch.SlackPost });
        await SendAsync(doomed, "disk_full");
        await Eventually.TrueAsync(
            () => Slack.RecordedRequests.Any(request => request.Path.EndsWith("chat.postMessage", StringComparison.Ordinal)),
            "Slack has the request"
        );
        await Eventually.TrueAsync(() => _all.Sandbox.FreeScout.Conversations.Count == 1, "the ticket is filed");
        line.Stall();
        slow.Dispose();
        await Eventually.TrueAsync(() => Slack.Messages.Count == 1, "the message is posted");

        await doomed.KillAsync();
        line.Cut();
        await StartHostAsync();

        await AssertDeliveredAsync();
        Assert.Equal(2, Slack.Messages.Count);
    }

    private async Task AssertDeliveredAsync()
    {
        await using var db = _all.Database.Open();
        await Eventually.TrueAsync(
            async () => await db.AlertDeliveries.CountAsync() == 2 && !await db.AlertOutbox.AnyAsync(),
            "the DM and the ticket are recorded",
            TakeoverPatience
        );
        Assert.Single(_all.Sandbox.FreeScout.Conversations);
    }

    private Task<ConsoleProcess> StartAsync(Dictionary<string, string>? settings = null) => _all.StartAsync(Settings(settings));

    private Task<ConsoleHost> StartHostAsync() => _all.StartHostAsync(Settings(null));

    private static Dictionary<string, string> Settings(Dictionary<string, string>? settings) =>
        new(Consoles.Hasty.Concat(settings ?? []))
        {
            ["ALERTS_INGEST_TOKEN"] = Token,
            ["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "1",
            ["Alerts__NotifySeverity"] = "P2",
            ["Ticketing__FloodBudget"] = "100000",
            ["Ticketing__FloodBudgetPerSource"] = "100000",
        };

    private static async Task<HttpStatusCode> SendAsync(ConsoleProcess console, string name)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/alerts")
        {
            Content = JsonContent.Create(
                new
                {
                    name,
                    severity = "P2",
                    summary = "It fails",
                    status = "firing",
                }
            ),
            Headers = { { "Authorization", $"Bearer {Token}" } },
        };
        using var answer = await console.Http.SendAsync(request);
        return answer.StatusCode;
    }
}
