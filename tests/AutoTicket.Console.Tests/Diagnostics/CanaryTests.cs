using System.Runtime.CompilerServices;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Diagnostics;
using AutoTicket.Tests.Kit;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using static AutoTicket.Tests.Diagnostics.DiagnosedConsole;

namespace AutoTicket.Tests.Diagnostics;

public sealed class CanaryTests
{
    [Theory, BothDatabases]
    public async Task The_self_test_repeats_and_leaves_no_alert_DM_or_ticket(Database kind)
    {
        await using var console = await StartAsync(new() { ["Diagnostics:CanaryInterval"] = "00:00:01" }, kind: kind);
        await Eventually.TrueAsync(
            async () =>
            {
                await using var db = console.Database.Open();
                return await db.Decisions.SingleOrDefaultAsync(decision => decision.Path == DecisionSources.Canary)
                    is { Word.Text: "passed", Count: >= 3 };
            },
            "the self-test passed three times"
        );

        await using var after = console.Database.Open();
        Assert.Equal(0, await after.Alerts.CountAsync());
        Assert.Equal(0, await after.Tickets.CountAsync());
        Assert.Equal(0, await after.AuditLog.CountAsync(entry => entry.Action.StartsWith("console.alerts")));
        Assert.Equal(0, console.Sandbox.Slack.RequestCount);
        Assert.Empty(console.Sandbox.FreeScout.Conversations);
        Assert.Contains(
            "Last self-test at ",
            Step(await console.AskAsync(), "last_emit").GetProperty("seen").GetString(),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task A_hanging_hook_fails_the_self_test()
    {
        await using var console = await StartAsync(services: services => services.AddSingleton<IAlertHook, Deaf>());

        var answer = await console.EventuallyFailedAsync("last_emit");

        Assert.StartsWith(
            "Neither DMs nor tickets are being sent: the canary alert does not get through since ",
            VerdictOf(answer),
            StringComparison.Ordinal
        );
    }

    private sealed class Deaf : IAlertHook
    {
        public string Name => "deaf";

        public async IAsyncEnumerable<IReadOnlyList<HookOutcome>> DeliverAsync(
            IReadOnlyList<AlertNotice> notices,
            [EnumeratorCancellation] CancellationToken cancellationToken
        )
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
            yield break;
        }
    }
}
