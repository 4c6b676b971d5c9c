using System.Net;
using AutoTicket.Mailbox;
using AutoTicket.Sandbox;
using AutoTicket.Tests.Kit;

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

    private static readonly Uri Ready = new("/healthz/ready", UriKind.Relative);

    private static Task EventuallyAsync(ConsoleHost console, string word) =>
        Eventually.TrueAsync(async () => await console.Http.GetStringAsync(Ready) == word, $"the health is {word}");
}
