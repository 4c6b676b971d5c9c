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
                return await db.Decisions.AnyAsync(decision =>
                    decision.Path == DecisionSources.Canary && decision.Word == DecisionWord.Passed && decision.Count >= 3
                );
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
    public async Task A_test_alert_that_the_database_does_not_take_in_time_is_no_failure()
    {
        await using var console = await StartAsync(new() { ["Diagnostics:CanaryInterval"] = "00:00:01" }, kind: Kit.Database.Postgres);
        await using (var locking = console.Database.Open())
        {
            await using var transaction = await locking.BeginAsync(default);
            await locking.ExecuteAsync($"LOCK TABLE alerts IN ACCESS EXCLUSIVE MODE", default);
            await Eventually.TrueAsync(
                () => console.Host.Log.Any(line => line.Contains("alert_aggregator canary", StringComparison.Ordinal)),
                "the log says that the self-test did not run"
            );
        }

        var locked = TimeProvider.System.GetUtcNow();
        await Eventually.TrueAsync(() => console.Host.Get<Canary>().PassedAt > locked, "the self-test passes again");
        await using var db = console.Database.Open();
        Assert.Equal(
            [DecisionWord.Passed],
            await db.Decisions.Where(decision => decision.Path == DecisionSources.Canary).Select(decision => decision.Word).ToListAsync()
        );
    }

    [Fact]
    public async Task A_self_test_that_failed_is_repeated_soon()
    {
        var (clock, deaf) = (new StillClock(), new Deaf());
        using var running = clock.Run();
        await using var console = await StartAsync(
            new() { ["Diagnostics:CanaryInterval"] = "01:00:00" },
            services => services.AddSingleton<IAlertHook>(deaf),
            clock
        );
        await clock.AdvanceUntilAsync(TimeSpan.FromSeconds(5), async () => await StateAsync() == "failed", "the self-test fails");

        deaf.Hears = true;

        // Far less than an hour.
        await clock.AdvanceUntilAsync(TimeSpan.FromSeconds(5), async () => await StateAsync() == "ok", "the self-test passes");

        async Task<string?> StateAsync() => Step(await console.AskAsync(), "last_emit").GetProperty("state").GetString();
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

        public bool Hears { get; set; }

        public async IAsyncEnumerable<IReadOnlyList<HookOutcome>> DeliverAsync(
            IReadOnlyList<AlertNotice> notices,
            [EnumeratorCancellation] CancellationToken cancellationToken
        )
        {
            await Task.Delay(Hears ? 0 : Timeout.Infinite, cancellationToken);
            yield break;
        }
    }
}
