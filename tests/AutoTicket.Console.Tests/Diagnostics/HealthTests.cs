using System.Net;
using AutoTicket.Data;
using AutoTicket.Mailbox;
using AutoTicket.Sandbox;
using AutoTicket.Slack;
using AutoTicket.Tests.Kit;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Diagnostics;

public sealed class HealthTests
{
    [Fact]
    public async Task FreeScout_and_Slack_make_the_health_degraded_and_never_unhealthy()
    {
        await using var console = await DiagnosedConsole.StartAsync();
        await EventuallyAsync(console.Host, "Healthy");

        using (console.Sandbox.Faults.Add(new(FaultKind.Status) { Match = FaultMatch.FreeScout, StatusCode = 503 }))
        {
            await console.Host.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);
            await EventuallyAsync(console.Host, "Degraded");
        }

        await Eventually.TrueAsync(
            async () =>
            {
                await console.Host.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);
                return await console.Host.Http.GetStringAsync(Ready) == "Healthy";
            },
            "FreeScout works again"
        );
        using (console.Sandbox.Faults.Add(Fault.SlackError("token_revoked")))
        {
            await console.RaiseAsync(Alerts.AlertDriver.Say());
            await EventuallyAsync(console.Host, "Degraded");
        }
    }

    [Fact]
    public async Task An_anonymous_caller_gets_only_the_health_word()
    {
        await using var console = await DiagnosedConsole.StartAsync(new() { ["FREESCOUT_API_KEY"] = null, ["SLACK_BOT_TOKEN"] = null });

        foreach (var path in new[] { "/healthz/live", "/healthz/ready" })
        {
            using var answer = await console.Host.Http.GetAsync(new Uri(path, UriKind.Relative));

            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            Assert.Equal("Healthy", await answer.Content.ReadAsStringAsync());
        }
    }

    /// <summary>The alert rules of docs/ops would fire for as long.</summary>
    [Fact]
    public async Task What_is_not_set_up_is_no_failure_in_the_metrics()
    {
        await using var console = await DiagnosedConsole.StartAsync(new() { ["FREESCOUT_API_KEY"] = null, ["SLACK_BOT_TOKEN"] = null });

        Assert.Equal(1, console.Host.Gauge("autoticket.freescout.up"));
        Assert.Equal(1, console.Host.Gauge("autoticket.slack.up"));
    }

    /// <summary>A test DM from another process fails: that process sends nothing afterwards, and would report the failure for
    /// good.</summary>
    [Fact]
    public async Task Only_the_leader_reports_that_Slack_fails()
    {
        await using var console = await DiagnosedConsole.StartAsync();
        var leader = console.Host.Get<LeaderLease>();
        await Eventually.TrueAsync(() => leader.IsLeader, "it leads");
        console.Host.Get<SlackHealth>().Failed(new(SlackFailureKind.TokenRejected, "token_revoked"));
        Assert.Equal(0, console.Host.Gauge("autoticket.slack.up"));

        await using var db = console.Database.Open();
        var until = TimeProvider.System.GetUtcNow().AddMinutes(5);
        await db.Leases.ExecuteUpdateAsync(set =>
            set.SetProperty(lease => lease.Owner, "another").SetProperty(lease => lease.Fence, 7).SetProperty(lease => lease.Until, until)
        );
        await Eventually.TrueAsync(() => console.Host.Gauge("autoticket.slack.up") == 1, "it is not its failure any more");
    }

    private static readonly Uri Ready = new("/healthz/ready", UriKind.Relative);

    private static Task EventuallyAsync(ConsoleHost console, string word) =>
        Eventually.TrueAsync(async () => await console.Http.GetStringAsync(Ready) == word, $"the health is {word}");
}
