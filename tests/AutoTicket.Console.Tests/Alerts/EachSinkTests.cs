using AutoTicket.Mailbox;
using AutoTicket.Sandbox;
using AutoTicket.Slack;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Kit;
using Microsoft.Extensions.DependencyInjection;

namespace AutoTicket.Tests.Alerts;

/// <summary>FreeScout and Slack can't stop each other. If one fails, the other gets the alert at once; the failed one gets it after it
/// recovers.</summary>
public sealed class EachSinkTests
{
    [Theory, Trait("Pitfall", "T-14"), Trait("Pitfall", "T-31")]
    [InlineData(FaultKind.Status)]
    [InlineData(FaultKind.StatusAfter)]
    [InlineData(FaultKind.HangBefore)]
    [InlineData(FaultKind.HangAfter)]
    [InlineData(FaultKind.ResetBefore)]
    [InlineData(FaultKind.CloseAfter)]
    [InlineData(FaultKind.Unauthorized)]
    [InlineData(FaultKind.Forbidden)]
    [InlineData(FaultKind.ModuleOff)]
    [InlineData(FaultKind.RateLimited)]
    [InlineData(FaultKind.HtmlLogin)]
    [InlineData(FaultKind.Redirect)]
    [InlineData(FaultKind.TornJson)]
    [InlineData(FaultKind.HugeBody)]
    public async Task Any_fault_of_FreeScout_delays_no_DM_and_ends_in_one_ticket(FaultKind kind)
    {
        await using var driver = await AlertDriver.StartAsync(settings: AlertOutageTests.Quick);
        var fault = driver.Sandbox.Faults.Add(new Fault(kind) { Match = FaultMatch.FreeScout });
        await driver.RaiseAsync(AlertDriver.Say());

        await Eventually.TrueAsync(() => driver.Sandbox.Slack.Messages.Count == 1, "the DM is sent");
        await Eventually.TrueAsync(
            async () => (await driver.DecisionsAsync()).Exists(d => d.Path == "ticket"),
            "a decision says why there is no ticket"
        );
        Assert.All(
            (await driver.DecisionsAsync()).Where(d => d.Path == "ticket"),
            d => Assert.Matches("^degraded: |^answer lost: looking it up$", d.Word.Text)
        );
        await Eventually.TrueAsync(async () => (await driver.DeliveriesAsync()) is [{ Hook: "slack" }], "only the DM is recorded");
        // On a busy machine the first try may reach its own timeout, which says nothing about FreeScout. Then the next try logs the outage.
        await Eventually.TrueAsync(
            () =>
                driver.Console.Log.Any(line =>
                    line.StartsWith("WARNING", StringComparison.Ordinal) && line.Contains("freescout degraded", StringComparison.Ordinal)
                ),
            "the outage is logged"
        );

        // The sync must meet the outage too. If only a create had met it, only another create would end the pause.
        await driver.Console.Get<MailboxWatch>().RefreshAsync(default);
        fault.Dispose();
        await Eventually.TrueAsync(
            async () =>
            {
                // The hook retries a failure that a person must fix only once a minute. A sync that succeeds, as after the fix, ends the
                // pause.
                await driver.Console.Get<MailboxWatch>().RefreshAsync(default);
                return await driver.FiledAsync() == 1;
            },
            "the ticket is filed",
            // A busy machine is slower than the call timeout of this test now and then, which pauses creates again.
            TimeSpan.FromMinutes(3)
        );
        await driver.EventuallySettledAsync();
        Assert.Equal(1, driver.FreeScout.CreatedCount);
        Assert.Single(driver.Sandbox.Slack.Messages);
    }

    /// <summary>The create may take half a minute; the DM must not wait for it.</summary>
    [Fact, Trait("Pitfall", "T-14")]
    public async Task The_DM_is_sent_while_FreeScout_is_still_answering()
    {
        await using var driver = await AlertDriver.StartAsync(
            settings: new Dictionary<string, string?>
            {
                ["Ticketing:ClickBudget"] = "00:00:30",
                ["Ticketing:Lease"] = "00:01:00",
                ["FreeScout:CallTimeout"] = "00:01:00",
            }
        );
        var slow = driver.Sandbox.Faults.Add(new Fault(FaultKind.Delay) { Match = FaultMatch.FreeScoutCreate });
        await driver.RaiseAsync(AlertDriver.Say());
        await Eventually.TrueAsync(() => driver.FreeScout.CreatesInFlight == 1, "FreeScout has the request");

        await Eventually.TrueAsync(() => driver.Sandbox.Slack.Messages.Count == 1, "the DM is sent");
        Assert.Equal(1, driver.FreeScout.CreatesInFlight);

        slow.Dispose();
        await driver.EventuallyTicketsAsync(1);
    }

    [Theory, Trait("Pitfall", "T-14"), Trait("Pitfall", "T-37")]
    [InlineData(FaultKind.Status, "server_error")]
    [InlineData(FaultKind.HangBefore, "timed_out")]
    [InlineData(FaultKind.ResetBefore, "unreachable")]
    [InlineData(FaultKind.RateLimited, "rate_limited")]
    public async Task Any_fault_of_Slack_delays_no_ticket_and_the_DM_is_sent_after_it(FaultKind kind, string cause)
    {
        await using var driver = await AlertDriver.StartAsync(services: services =>
            services.Configure<SlackOptions>(slack => slack.CallTimeout = TimeSpan.FromSeconds(3))
        );
        var fault = driver.Sandbox.Faults.Add(new Fault(kind) { Match = FaultMatch.Slack, RetryAfter = 1 });
        await driver.RaiseAsync(AlertDriver.Say());

        await driver.EventuallyTicketsAsync(1);
        await driver.EventuallyDecidedAsync($"degraded: {cause}", "slack");
        Assert.Empty(driver.Sandbox.Slack.Messages);

        fault.Dispose();
        await driver.EventuallySettledAsync();
        Assert.Single(driver.Sandbox.Slack.Messages);
        Assert.Equal(1, driver.FreeScout.CreatedCount);
    }

    [Theory, Trait("Pitfall", "T-37")]
    [InlineData("token_revoked", "token_rejected")]
    [InlineData("missing_scope", "scope_missing")]
    [InlineData("is_archived", "channel_gone")]
    public async Task A_Slack_error_that_a_person_must_fix_is_named_and_delays_no_ticket(string error, string cause)
    {
        await using var driver = await AlertDriver.StartAsync();
        driver.Sandbox.Faults.Add(Fault.SlackError(error));
        await driver.RaiseAsync(AlertDriver.Say());

        await driver.EventuallyTicketsAsync(1);
        await driver.EventuallyDecidedAsync($"degraded: {cause}", "slack");
    }

    /// <summary>One source raises more alerts than a hook gets per pass, and the tripped breaker holds all of them back.</summary>
    [Theory, BothDatabases]
    public async Task A_paused_flood_delays_no_other_source_and_each_of_its_alerts_has_a_decision(Database kind)
    {
        await using var driver = await AlertDriver.StartAsync(
            kind,
            new Dictionary<string, string?> { ["Ticketing:FloodBudgetPerSource"] = "1" }
        );
        await driver.RaiseAsync([.. Enumerable.Range(0, 1100).Select(n => AlertDriver.Say($"noise{n}", Severity.P1, source: "noisy"))]);
        await driver.EventuallyDecidedAsync("breaker tripped");

        await driver.RaiseAsync(AlertDriver.Say("calm", source: "calm"));

        await Eventually.TrueAsync(
            () => driver.FreeScout.Conversations.Any(c => c.Subject.Contains("calm", StringComparison.Ordinal)),
            "the alert of the calm source has its ticket"
        );
        await Eventually.TrueAsync(
            async () => (await driver.DecisionsAsync()).Count(d => d is { Path: "ticket", Word.Text: "breaker tripped" }) == 1099,
            "each alert of the flood has its decision"
        );
    }
}
