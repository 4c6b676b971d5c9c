using AutoTicket.Mailbox;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Kit;

namespace AutoTicket.Tests.Alerts;

/// <summary>FreeScout and Slack can't stop one another: whatever one of them does, the other has its part at once, and the one that
/// failed has its own when it is well again.</summary>
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
    public async Task Whatever_FreeScout_does_the_DM_goes_out_and_in_the_end_there_is_one_ticket(FaultKind kind)
    {
        await using var driver = await AlertDriver.StartAsync(settings: AlertOutageTests.Quick);
        var fault = driver.Sandbox.Faults.Add(new Fault(kind) { Match = FaultMatch.FreeScout });
        await driver.RaiseAsync(AlertDriver.Say());

        await Eventually.TrueAsync(() => driver.Sandbox.Slack.Messages.Count == 1, "the operator is told");
        await Eventually.TrueAsync(
            async () => (await driver.DecisionsAsync()).Exists(d => d.Path == "ticket"),
            "it is said why there is no ticket"
        );
        Assert.All(
            (await driver.DecisionsAsync()).Where(d => d.Path == "ticket"),
            d => Assert.Matches("^degraded: |^unconfirmed, looked up$", d.Word.Text)
        );
        await Eventually.TrueAsync(async () => (await driver.DeliveriesAsync()) is [{ Hook: "slack" }], "the DM is recorded, and it alone");
        // A first try that ran out of its own time, on a busy machine, says nothing of FreeScout: the next one does.
        await Eventually.TrueAsync(
            () =>
                driver.Console.Log.Any(line =>
                    line.StartsWith("WARNING", StringComparison.Ordinal) && line.Contains("freescout degraded", StringComparison.Ordinal)
                ),
            "the outage is logged"
        );

        // Reading fails, too: what only a create met would be tried again by a create alone.
        await driver.Console.Get<MailboxWatch>().RefreshAsync(default);
        fault.Dispose();
        await Eventually.TrueAsync(
            async () =>
            {
                // What only a person can mend is asked for once a minute; a person who mended it looks.
                await driver.Console.Get<MailboxWatch>().RefreshAsync(default);
                return await driver.FiledAsync() == 1;
            },
            "the ticket is filed",
            TimeSpan.FromSeconds(60)
        );
        await driver.EventuallySettledAsync();
        Assert.Equal(1, driver.FreeScout.CreatedCount);
        Assert.Single(driver.Sandbox.Slack.Messages);
    }

    /// <summary>It may take half a minute here: longer than anybody waits for the DM.</summary>
    [Fact, Trait("Pitfall", "T-14")]
    public async Task While_FreeScout_is_still_at_it_the_DM_goes_out()
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

        await Eventually.TrueAsync(() => driver.Sandbox.Slack.Messages.Count == 1, "the operator is told");
        Assert.Equal(1, driver.FreeScout.CreatesInFlight);

        slow.Dispose();
        await driver.EventuallyTicketsAsync(1);
    }

    [Theory, Trait("Pitfall", "T-14"), Trait("Pitfall", "T-37")]
    [InlineData(FaultKind.Status, "server_error")]
    [InlineData(FaultKind.HangBefore, "timed_out")]
    [InlineData(FaultKind.ResetBefore, "unreachable")]
    [InlineData(FaultKind.RateLimited, "rate_limited")]
    public async Task Whatever_Slack_does_the_ticket_is_filed_and_the_DM_goes_out_once_it_is_well(FaultKind kind, string cause)
    {
        await using var driver = await AlertDriver.StartAsync();
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
    public async Task What_only_a_person_can_mend_in_Slack_is_told_apart_and_holds_up_no_ticket(string error, string cause)
    {
        await using var driver = await AlertDriver.StartAsync();
        driver.Sandbox.Faults.Add(Fault.SlackError(error));
        await driver.RaiseAsync(AlertDriver.Say());

        await driver.EventuallyTicketsAsync(1);
        await driver.EventuallyDecidedAsync($"degraded: {cause}", "slack");
    }

    /// <summary>More of one source than a hook is given at a time, and the breaker takes none of it.</summary>
    [Theory, BothDatabases]
    public async Task A_flood_that_is_held_back_keeps_nobody_elses_alert_waiting_and_each_of_it_is_told_why(Database kind)
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
            "the calm one has its ticket"
        );
        await Eventually.TrueAsync(
            async () => (await driver.DecisionsAsync()).Count(d => d is { Path: "ticket", Word.Text: "breaker tripped" }) == 1099,
            "each of the flood is told why",
            TimeSpan.FromSeconds(60)
        );
    }
}
