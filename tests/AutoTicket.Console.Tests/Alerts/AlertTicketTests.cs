using System.Net.Http.Json;
using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.FreeScout;
using AutoTicket.Mailbox;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Diagnostics;
using AutoTicket.Tests.Kit;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Alerts;

/// <summary>From an alert to its one ticket.</summary>
public sealed class AlertTicketTests
{
    [Theory, BothDatabases]
    public async Task An_alert_gets_one_ticket_however_often_it_is_repeated(Database kind)
    {
        await using var driver = await AlertDriver.StartAsync(kind);
        var observed = await driver.RaiseAsync(AlertDriver.Say(severity: Severity.P1));
        await driver.EventuallyTicketsAsync(1);
        for (var i = 0; i < 5; i++)
        {
            await driver.RaiseAsync(AlertDriver.Say(severity: Severity.P1));
        }

        await Eventually.TrueAsync(
            async () => (await driver.DeliveriesAsync()).Exists(d => d.Hook == "ticket" && d.TicketId is not null),
            "the delivery is recorded"
        );
        var conversation = Assert.Single(driver.FreeScout.Conversations);
        Assert.StartsWith("[P1] disk_full: disk_full on db1", conversation.Subject, StringComparison.Ordinal);
        await Eventually.TrueAsync(
            () => driver.FreeScout.Conversations[0].Tags.Order().SequenceEqual(["auto:alert", "sev:p1"]),
            "the ticket is tagged"
        );
        Assert.Equal(1, driver.FreeScout.CreatedCount);
        Assert.Contains(
            await driver.DecisionsAsync(),
            d =>
                d is { Path: "ticket", Word.Text: "filed", Count: 1 }
                && d.AlertId == observed.AlertId
                && d.TicketNumber == conversation.Number
        );
        Assert.Contains(
            driver.Console.Log,
            line =>
                line.StartsWith("INFO", StringComparison.Ordinal)
                && line.Contains(
                    $"ticket_filed alert_key={observed.AlertId[..16]} severity=p1 conversation={conversation.Id}",
                    StringComparison.Ordinal
                )
        );
        Assert.Contains(
            driver.Console.Log,
            line => line.Contains($"alert_aggregator emit alert_key={observed.AlertId[..16]}", StringComparison.Ordinal)
        );
    }

    [Fact]
    public async Task A_reopened_ticket_of_any_age_is_the_alerts_ticket()
    {
        var clock = new StillClock();
        await using var driver = await AlertDriver.StartAsync(clock: clock);
        await driver.RaiseAsync(AlertDriver.Say());
        await driver.EventuallyTicketsAsync(1);
        await driver.EventuallySettledAsync();
        await driver.RaiseAsync(AlertDriver.Say(firing: false));
        await driver.EventuallySettledAsync();
        var ticket = driver.FreeScout.Conversations[0].Id;
        driver.FreeScout.Close(ticket);
        clock.Advance(TimeSpan.FromHours(2));
        await Eventually.TrueAsync(() => driver.Console.Get<Data.LeaderLease>().IsLeader, "it leads again");
        driver.Console.Get<Reconciler>().CompareSoon();
        await using var db = driver.Database.Open();
        await Eventually.TrueAsync(() => db.Tickets.AnyAsync(row => row.State == TicketState.Closed), "the console has recorded the close");

        driver.FreeScout.Reopen(ticket);
        await driver.RaiseAsync(AlertDriver.Say());
        await driver.EventuallyDecidedAsync("already open");

        Assert.Equal(1, driver.FreeScout.CreatedCount);
    }

    /// <summary>The end was lost, and the operator has resolved the ticket.</summary>
    [Theory, BothDatabases, Trait("Pitfall", "T-25")]
    public async Task An_alert_that_fires_days_after_its_end_was_lost_gets_its_own_DM_and_ticket(Database kind)
    {
        var clock = new StillClock();
        await using var driver = await AlertDriver.StartAsync(kind, clock: clock);
        await driver.RaiseAsync(Exact());
        await driver.EventuallyTicketsAsync(1);
        await driver.EventuallySettledAsync();
        driver.FreeScout.Close(driver.FreeScout.Conversations[0].Id);
        clock.Advance(TimeSpan.FromDays(3));
        var again = Exact();
        clock.Advance(TimeSpan.FromSeconds(30));
        using var running = clock.Run();

        Assert.Equal(ObservationResult.Opened, (await driver.RaiseAsync(again)).Result);

        await driver.EventuallyTicketsAsync(2);
        await Eventually.TrueAsync(
            () => driver.Sandbox.Slack.Messages.Count(message => message.Text.Contains("FIRING", StringComparison.Ordinal)) == 2,
            "both are sent by DM"
        );
        Assert.Equal([AlertStatus.Expired, AlertStatus.Firing], (await driver.AlertsAsync()).Select(alert => alert.Status));

        Observation Exact() => AlertDriver.Say() with { StartsAt = clock.GetUtcNow(), HasExactStart = true };
    }

    [Theory, BothDatabases]
    public async Task An_alert_below_the_threshold_gets_no_ticket_and_a_decision_says_why(Database kind)
    {
        await using var driver = await AlertDriver.StartAsync(kind);
        await driver.RaiseAsync(AlertDriver.Say(severity: Severity.P3));
        await driver.EventuallyDecidedAsync("below severity", "intake");
        Assert.Empty(driver.FreeScout.Conversations);

        // Once it gets worse, it gets a ticket.
        await driver.RaiseAsync(AlertDriver.Say(severity: Severity.P2));
        await driver.EventuallyTicketsAsync(1);
    }

    [Theory, BothDatabases]
    public async Task Each_change_of_the_severity_is_in_the_incidents_timeline_without_a_ticket_too(Database kind)
    {
        var clock = new StillClock();
        await using var driver = await AlertDriver.StartAsync(
            kind,
            new Dictionary<string, string?> { ["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "0" },
            clock
        );
        foreach (var severity in new[] { Severity.P4, Severity.P3, Severity.P1, Severity.P1, Severity.P3, Severity.P1 })
        {
            await driver.RaiseAsync(AlertDriver.Say(severity: severity));
            clock.Advance(TimeSpan.FromSeconds(1));
        }

        var key = (await driver.AlertsAsync())[0].AlertKey;
        List<string?> changes = [];
        await Eventually.TrueAsync(
            async () =>
            {
                var incident = await driver.Console.Http.GetFromJsonAsync<JsonElement>(new Uri($"/api/incidents/{key}", UriKind.Relative));
                changes =
                [
                    .. incident
                        .GetProperty("timeline")
                        .EnumerateArray()
                        .Where(entry => entry.GetProperty("kind").GetString() == "severity_changed")
                        .Select(entry => $"{entry.GetProperty("text")} ×{entry.GetProperty("count")}"),
                ];
                return changes.Count == 3;
            },
            "all changes are in the timeline"
        );

        Assert.Equal(["Severity P4 → P3 ×1", "Severity P3 → P1 ×2", "Severity P1 → P3 ×1"], changes);
        Assert.Equal(0, driver.FreeScout.CreatedCount);
    }

    [Fact, Trait("Pitfall", "T-15")]
    public async Task With_the_flag_off_nothing_is_filed_and_once_it_is_on_every_active_alert_is()
    {
        await using var driver = await AlertDriver.StartAsync(
            settings: new Dictionary<string, string?> { ["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = null }
        );
        await driver.RaiseAsync(AlertDriver.Say("stays"));
        await driver.RaiseAsync(AlertDriver.Say("ends"));
        await driver.EventuallyDecidedAsync("flag off");
        await driver.RaiseAsync(AlertDriver.Say("ends", firing: false));
        Assert.Empty(driver.FreeScout.Conversations);

        await driver.FlipAsync(true);
        await driver.EventuallyTicketsAsync(1);
        Assert.Contains("stays", driver.FreeScout.Conversations[0].Subject, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_flag_that_goes_off_while_an_alert_waits_for_budget_stops_it()
    {
        await using var driver = await AlertDriver.StartAsync(
            settings: new Dictionary<string, string?>
            {
                ["Ticketing:FloodBudgetPerSource"] = "2",
                // The second fails after it, and a busy machine switches the flag off before.
                ["FreeScout:CallTimeout"] = "00:00:12",
                ["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = null,
            }
        );
        await driver.FlipAsync(true);
        // One goes first alone. The second then holds the rest of the budget, for which the third waits.
        var slow = driver.Sandbox.Faults.Add(new Fault(FaultKind.Delay) { Match = FaultMatch.FreeScoutCreate, Times = 1 });
        driver.Sandbox.Faults.Add(new Fault(FaultKind.HangBefore) { Match = FaultMatch.FreeScoutCreate, Times = 1 });
        await driver.RaiseAsync([AlertDriver.Say("a"), AlertDriver.Say("b"), AlertDriver.Say("c")]);
        await Eventually.TrueAsync(() => driver.Creates.Count == 1, "the first is posted");
        slow.Dispose();
        await Eventually.TrueAsync(() => driver.Creates.Count == 2, "the second is posted");

        await driver.FlipAsync(false);

        await driver.EventuallyDecidedAsync("flag off");
        Assert.Equal(2, driver.Creates.Count);
    }

    /// <summary>FreeScout needs most of the time to say that the last ticket is still closed. No time would be left to file the
    /// next.</summary>
    [Fact, Trait("Pitfall", "T-11")]
    public async Task A_recurring_alert_gets_its_ticket_from_a_slow_FreeScout()
    {
        await using var driver = await AlertDriver.StartAsync(
            settings: new Dictionary<string, string?>
            {
                ["Ticketing:SyncInterval"] = "00:00:01",
                ["Ticketing:ClickBudget"] = "00:00:12",
                ["Ticketing:Lease"] = "00:00:15",
                ["FreeScout:CallTimeout"] = "00:00:10.5",
            }
        );
        await driver.RaiseAsync(AlertDriver.Say());
        await driver.EventuallyTicketsAsync(1);
        await driver.EventuallySettledAsync();
        await driver.RaiseAsync(AlertDriver.Say(firing: false));
        await driver.EventuallySettledAsync();
        driver.FreeScout.Close(driver.FreeScout.Conversations[0].Id);
        await using var db = driver.Database.Open();
        await Eventually.TrueAsync(() => db.Tickets.AnyAsync(row => row.State == TicketState.Closed), "the console has recorded the close");
        // Longer ago than the window.
        var then = TimeProvider.System.GetUtcNow().AddHours(-2);
        await db.Tickets.ExecuteUpdateAsync(set => set.SetProperty(row => row.PostedAt, then));

        driver.Sandbox.Faults.Add(
            new Fault(FaultKind.Delay) { Match = InvestigateDriver.OneConversation, Delay = TimeSpan.FromSeconds(7.5) }
        );
        await driver.RaiseAsync(AlertDriver.Say());

        await driver.EventuallyTicketsAsync(2);
        Assert.DoesNotContain(await driver.DecisionsAsync(), d => d.Word.Text == "degraded: no time left");
    }

    [Theory, BothDatabases]
    public async Task An_alert_that_ended_long_ago_is_deleted_with_its_decisions(Database kind)
    {
        await using var driver = await AlertDriver.StartAsync(kind);
        await driver.RaiseAsync([AlertDriver.Say("over"), AlertDriver.Say("stays")]);
        await driver.EventuallyTicketsAsync(2);
        await driver.RaiseAsync(AlertDriver.Say("over", firing: false));
        await driver.EventuallySettledAsync();

        await DeleteAsync(before: TimeProvider.System.GetUtcNow().AddDays(-1));
        Assert.Equal(2, (await driver.AlertsAsync()).Count);
        await DeleteAsync(before: TimeProvider.System.GetUtcNow().AddMinutes(1));

        var left = Assert.Single(await driver.AlertsAsync());
        Assert.Equal("stays", left.Name);
        Assert.All(await driver.DeliveriesAsync(), delivery => Assert.Equal(left.Id, delivery.AlertRow));
        Assert.Empty(await driver.DecisionsAsync());

        async Task DeleteAsync(DateTimeOffset before)
        {
            await driver.Console.Get<AlertStore>().DeleteAsync(before, default);
            await driver.Console.Get<DecisionLog>().DeleteAsync(before, default);
        }
    }

    [Theory, BothDatabases, Trait("Pitfall", "T-24")]
    public async Task A_flapping_alert_keeps_its_ticket(Database kind)
    {
        await using var driver = await AlertDriver.StartAsync(kind);
        await driver.RaiseAsync(AlertDriver.Say());
        await driver.EventuallyTicketsAsync(1);
        for (var i = 0; i < 5; i++)
        {
            await driver.RaiseAsync(AlertDriver.Say(firing: false));
            await driver.RaiseAsync(AlertDriver.Say());
        }

        await driver.EventuallyDecidedAsync("already open");
        Assert.Equal(1, driver.FreeScout.CreatedCount);
    }

    [Fact, Trait("Pitfall", "T-11")]
    public async Task An_alert_that_fires_again_after_its_ticket_was_closed_gets_a_new_one_linked_to_the_old()
    {
        await using var driver = await AlertDriver.StartAsync();
        await driver.RaiseAsync(AlertDriver.Say());
        await driver.EventuallyTicketsAsync(1);
        var old = driver.FreeScout.Conversations[0];
        driver.FreeScout.Close(old.Id);
        await driver.RaiseAsync(AlertDriver.Say(firing: false));
        await driver.RaiseAsync(AlertDriver.Say());
        await driver.EventuallyTicketsAsync(2);
        Assert.Contains(
            $"conversation/{old.Id}",
            driver.FreeScout.Conversations.MaxBy(c => c.Id)!.Threads[^1].Body,
            StringComparison.Ordinal
        );
    }

    /// <summary>A warning and a critical rule of one name. An operator closes the ticket while only the warning fires.</summary>
    [Theory, BothDatabases, Trait("Pitfall", "T-11")]
    public async Task An_alert_that_gets_worse_again_after_its_ticket_was_closed_gets_a_new_one_linked_to_the_old(Database kind)
    {
        await using var driver = await AlertDriver.StartAsync(kind);
        await driver.RaiseAsync(AlertDriver.Say(severity: Severity.P1));
        await driver.EventuallyTicketsAsync(1);
        await driver.RaiseAsync(AlertDriver.Say(severity: Severity.P3));
        await driver.EventuallyDecidedAsync("severity noted");
        await CloseAndRaiseAsync(driver, Severity.P1);
    }

    [Theory, BothDatabases, Trait("Pitfall", "T-11")]
    public async Task A_P2_that_becomes_a_P1_after_its_ticket_was_closed_gets_a_new_one_linked_to_the_old(Database kind)
    {
        await using var driver = await AlertDriver.StartAsync(kind);
        await driver.RaiseAsync(AlertDriver.Say(severity: Severity.P2));
        await driver.EventuallyTicketsAsync(1);
        await CloseAndRaiseAsync(driver, Severity.P1);
    }

    [Fact, Trait("Pitfall", "T-11")]
    public async Task An_alert_that_ends_before_it_gets_another_ticket_gets_none()
    {
        var clock = new StillClock();
        await using var driver = await AlertDriver.StartAsync(
            settings: new Dictionary<string, string?> { ["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = null },
            clock: clock
        );
        await driver.FlipAsync(true);
        await driver.RaiseAsync(AlertDriver.Say(severity: Severity.P2));
        await driver.EventuallyTicketsAsync(1);
        await driver.EventuallySettledAsync();
        driver.FreeScout.Close(driver.FreeScout.Conversations[0].Id);
        await driver.FlipAsync(false);
        await driver.RaiseAsync(AlertDriver.Say(severity: Severity.P1));
        await driver.EventuallyDecidedAsync("flag off");

        await driver.RaiseAsync(AlertDriver.Say(severity: Severity.P1, firing: false));
        await clock.AdvanceUntilAsync(TimeSpan.FromSeconds(10), driver.IsSettledAsync, "nothing is left to do");

        Assert.Contains(await driver.DecisionsAsync(), decision => decision.Word == DecisionWord.TicketClosed);
        Assert.Equal(1, driver.FreeScout.CreatedCount);
    }

    [Theory, BothDatabases]
    public async Task An_alert_whose_ticket_is_closed_waits_for_another_one(Database kind)
    {
        await using var driver = await AlertDriver.StartAsync(
            kind,
            new Dictionary<string, string?> { ["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = null, ["Ticketing:SyncInterval"] = "00:00:01" }
        );
        await driver.FlipAsync(true);
        await driver.RaiseAsync([AlertDriver.Say("worse"), AlertDriver.Say("again"), AlertDriver.Say("same")]);
        await driver.EventuallyTicketsAsync(3);
        await driver.RaiseAsync(AlertDriver.Say("again", firing: false));
        await driver.EventuallySettledAsync();
        foreach (var ticket in driver.FreeScout.Conversations)
        {
            driver.FreeScout.Close(ticket.Id);
        }

        await using var db = driver.Database.Open();
        await Eventually.TrueAsync(
            () => db.Tickets.AllAsync(row => row.State == TicketState.Closed),
            "the console has recorded that they are closed"
        );
        await driver.FlipAsync(false);
        await driver.RaiseAsync([AlertDriver.Say("worse", Severity.P1), AlertDriver.Say("again")]);

        await Eventually.TrueAsync(
            async () =>
            {
                var answer = await driver.Console.Http.GetFromJsonAsync<JsonElement>(new Uri("/api/alerts", UriKind.Relative));
                return answer
                        .GetProperty("alerts")
                        .EnumerateArray()
                        .ToDictionary(alert => alert.GetProperty("name").GetString()!, alert => alert.GetProperty("verdict").GetString()!)
                        is var verdicts
                    && verdicts["worse"].Contains("No ticket: flag off.", StringComparison.Ordinal)
                    && verdicts["again"].Contains("No ticket: flag off.", StringComparison.Ordinal)
                    && verdicts["same"] == "Ticket filed, DM sent.";
            },
            "the two that need another ticket have none"
        );
        var waiting = (await driver.Console.Get<AlertQueries>().WaitingForTicketAsync(5, default))!;
        Assert.Equal(["again", "worse"], waiting.Worst.Select(alert => alert.Name).Order(StringComparer.Ordinal));
    }

    private static async Task CloseAndRaiseAsync(AlertDriver driver, Severity severity)
    {
        var old = driver.FreeScout.Conversations[0];
        driver.FreeScout.Close(old.Id);
        await driver.RaiseAsync(AlertDriver.Say(severity: severity));
        await driver.EventuallyTicketsAsync(2);
        var filed = driver.FreeScout.Conversations.MaxBy(c => c.Id)!;
        Assert.StartsWith($"[{severity}] ", filed.Subject, StringComparison.Ordinal);
        Assert.Contains($"conversation/{old.Id}", filed.Threads[^1].Body, StringComparison.Ordinal);
        await Eventually.TrueAsync(
            async () =>
                (await driver.DeliveriesAsync()).Exists(d => d.Hook == "ticket" && d.TicketId == filed.Id && d.Severity == severity),
            "the new ticket is the alert's"
        );
    }

    [Theory, BothDatabases, Trait("Pitfall", "T-6")]
    public async Task An_alert_that_gets_worse_again_keeps_its_open_ticket(Database kind)
    {
        await using var driver = await AlertDriver.StartAsync(kind);
        await driver.RaiseAsync(AlertDriver.Say(severity: Severity.P1));
        await driver.EventuallyTicketsAsync(1);
        await driver.RaiseAsync(AlertDriver.Say(severity: Severity.P3));
        await EventuallyAsync(Severity.P3);
        await driver.RaiseAsync(AlertDriver.Say(severity: Severity.P1));
        await EventuallyAsync(Severity.P1);

        Assert.Equal(1, driver.FreeScout.CreatedCount);
        Assert.Equal(["Severity is P3 now", "Severity is P1 now"], Notes(driver).Select(note => note.Split(';')[0]));

        Task EventuallyAsync(Severity severity) =>
            Eventually.TrueAsync(
                async () =>
                    ShowsSeverity(driver, severity)
                    && (await driver.DeliveriesAsync()).Exists(d => d.Hook == "ticket" && d.Severity == severity),
                $"the ticket shows {severity}"
            );
    }

    /// <summary>The console does not know that FreeScout has the lower severity.</summary>
    [Theory, BothDatabases, Trait("Pitfall", "T-6"), Trait("Pitfall", "T-12")]
    public async Task A_ticket_whose_alert_gets_worse_while_the_last_change_of_its_subject_is_unconfirmed_shows_the_severity(Database kind)
    {
        await using var driver = await AlertDriver.StartAsync(kind);
        await driver.RaiseAsync(AlertDriver.Say(severity: Severity.P1));
        await driver.EventuallyTicketsAsync(1);
        var path = $"{FreeScoutStandIn.ApiPath}/conversations/{driver.FreeScout.Conversations[0].Id}";
        using (driver.Sandbox.Faults.Add(new Fault(FaultKind.ResetAfter) { Match = new FaultMatch("PUT", path, Whole: true) }))
        {
            await driver.RaiseAsync(AlertDriver.Say(severity: Severity.P3));
            await Eventually.TrueAsync(() => ShowsSeverity(driver, Severity.P3), "FreeScout shows P3");
            await driver.RaiseAsync(AlertDriver.Say(severity: Severity.P1));
            await Eventually.TrueAsync(
                async () => (await driver.QueryAsync(db => db.Tickets.SingleAsync())).Severity == Severity.P1,
                "the ticket's row is P1"
            );
        }

        await Eventually.TrueAsync(() => ShowsSeverity(driver, Severity.P1), "FreeScout shows P1");
        Assert.Equal(1, driver.FreeScout.CreatedCount);
    }

    [Theory, BothDatabases, Trait("Pitfall", "T-6")]
    public async Task A_ticket_whose_alert_fires_again_worse_shows_the_severity_and_that_it_fires(Database kind)
    {
        await using var driver = await AlertDriver.StartAsync(kind);
        await FireEndAndFireAgainAsync(driver);
    }

    [Fact, Trait("Pitfall", "T-6")]
    public async Task A_ticket_whose_alert_begins_a_new_episode_shows_the_severity_and_that_it_fires()
    {
        await using var driver = await AlertDriver.StartAsync(
            settings: new Dictionary<string, string?> { ["Alerts:QuietPeriod"] = "00:00:00" }
        );
        await FireEndAndFireAgainAsync(driver);
        Assert.Equal(2, (await driver.AlertsAsync()).Count);
    }

    [Fact, Trait("Pitfall", "T-26")]
    public async Task A_note_that_an_alert_fires_again_is_retried_and_files_no_second_ticket()
    {
        var clock = new StillClock();
        await using var driver = await AlertDriver.StartAsync(clock: clock);
        await driver.RaiseAsync(AlertDriver.Say(severity: Severity.P2));
        await driver.EventuallyTicketsAsync(1);
        await driver.RaiseAsync(AlertDriver.Say(severity: Severity.P2, firing: false));
        await driver.EventuallyDecidedAsync("end noted");
        var fault = driver.Sandbox.Faults.Add(
            new Fault(FaultKind.Status) { Match = new FaultMatch("POST", FreeScoutStandIn.ApiPath + "/conversations/*/threads") }
        );
        await driver.RaiseAsync(AlertDriver.Say(severity: Severity.P1));
        await driver.EventuallyDecidedAsync("already open");
        var checks = await driver.Console.Http.GetFromJsonAsync<JsonElement>(new Uri("/api/diagnostics", UriKind.Relative));
        Assert.Equal("ok", DiagnosedConsole.Step(checks, "last_ticket").GetProperty("state").GetString());
        Assert.Equal(1, fault.Hits);
        fault.Dispose();

        await clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(10),
            () => Task.FromResult(Notes(driver) is [.., var last] && last.StartsWith("Fires again", StringComparison.Ordinal)),
            "the note is written"
        );
        Assert.Equal(1, driver.FreeScout.CreatedCount);
        Assert.Single(Notes(driver), note => note.StartsWith("Fires again", StringComparison.Ordinal));
    }

    /// <summary>Both become due during a pass, so the next one has both. Otherwise "Recovered" would be the ticket's last word.</summary>
    [Fact]
    public async Task The_end_of_an_alert_is_noted_before_it_fires_again()
    {
        await using var driver = await AlertDriver.StartAsync(
            settings: new Dictionary<string, string?> { ["Alerts:QuietPeriod"] = "00:00:00" }
        );
        await driver.RaiseAsync(AlertDriver.Say());
        await driver.EventuallyTicketsAsync(1);
        await driver.EventuallySettledAsync();
        var slow = driver.Sandbox.Faults.Add(new Fault(FaultKind.Delay) { Match = FaultMatch.FreeScoutCreate });
        await driver.RaiseAsync(AlertDriver.Say("another"));
        await Eventually.TrueAsync(() => driver.FreeScout.CreatesInFlight == 1, "a pass is under way");
        await driver.RaiseAsync(AlertDriver.Say(firing: false));
        await driver.RaiseAsync(AlertDriver.Say());
        Assert.Equal(3, (await driver.AlertsAsync()).Count);
        slow.Dispose();

        await driver.EventuallySettledAsync();

        Assert.Equal(2, driver.FreeScout.CreatedCount);
        Assert.StartsWith("Fires again", Notes(driver)[^1], StringComparison.Ordinal);
        Assert.StartsWith("Recovered", Notes(driver)[^2], StringComparison.Ordinal);
    }

    private static async Task FireEndAndFireAgainAsync(AlertDriver driver)
    {
        await driver.RaiseAsync(AlertDriver.Say(severity: Severity.P2));
        await driver.EventuallyTicketsAsync(1);
        await driver.RaiseAsync(AlertDriver.Say(severity: Severity.P2, firing: false));
        await driver.EventuallyDecidedAsync("end noted");
        Assert.StartsWith("Recovered at ", Notes(driver)[^1], StringComparison.Ordinal);

        await driver.RaiseAsync(AlertDriver.Say(severity: Severity.P1));
        await driver.EventuallyDecidedAsync("already open");
        await Eventually.TrueAsync(() => ShowsSeverity(driver, Severity.P1), "the tag and the subject follow");

        Assert.Equal(1, driver.FreeScout.CreatedCount);
        Assert.StartsWith("Fires again since ", Notes(driver)[^1], StringComparison.Ordinal);
        Assert.EndsWith(" Severity is P1 now.", Notes(driver)[^1], StringComparison.Ordinal);
    }

    private static bool ShowsSeverity(AlertDriver driver, Severity severity) =>
        driver.FreeScout.Conversations[0] is var ticket
        && ticket.Subject.StartsWith($"[{severity}] ", StringComparison.Ordinal)
        && ticket.Tags.Where(tag => tag.StartsWith("sev:", StringComparison.Ordinal)).SequenceEqual([$"sev:p{severity.ToString()[1]}"]);

    /// <summary>The texts of the notes on the first ticket, oldest first.</summary>
    private static List<string> Notes(AlertDriver driver) => TicketPassTests.NotesOf(driver.FreeScout.Conversations[0]);

    [Fact, Trait("Pitfall", "T-6")]
    public async Task A_worse_severity_becomes_a_note_and_a_tag_on_the_same_ticket()
    {
        await using var driver = await AlertDriver.StartAsync();
        await driver.RaiseAsync(AlertDriver.Say(severity: Severity.P2));
        await driver.EventuallyTicketsAsync(1);
        await driver.RaiseAsync(AlertDriver.Say(severity: Severity.P1));
        await driver.EventuallyDecidedAsync("severity noted");
        await Eventually.TrueAsync(
            () => driver.FreeScout.Conversations[0].Tags.Contains("sev:p1") && !driver.FreeScout.Conversations[0].Tags.Contains("sev:p2"),
            "the tag follows"
        );
        await driver.RaiseAsync(AlertDriver.Say(severity: Severity.P1, firing: false));
        await driver.EventuallyDecidedAsync("end noted");
        await driver.EventuallySettledAsync();
        var conversation = Assert.Single(driver.FreeScout.Conversations);
        Assert.Equal("active", conversation.Status);
        Assert.StartsWith("[P1] disk_full: disk_full on db1 [at-", conversation.Subject, StringComparison.Ordinal);
        Assert.Equal(["note", "note"], conversation.Threads.Where(thread => thread.Type == "note").Select(thread => thread.Type));
    }

    [Fact]
    public async Task A_subject_that_an_agent_edited_stays_as_it_is()
    {
        await using var driver = await AlertDriver.StartAsync();
        await driver.RaiseAsync(AlertDriver.Say(severity: Severity.P2));
        await driver.EventuallyTicketsAsync(1);
        await Eventually.TrueAsync(async () => await driver.UntaggedAsync() == 0, "the ticket is tagged");
        var ticket = driver.FreeScout.Conversations[0];
        var edited = $"Mara looks into it, {ticket.Subject}";
        driver.FreeScout.Rename(ticket.Id, edited);

        await driver.RaiseAsync(AlertDriver.Say(severity: Severity.P1));
        await Eventually.TrueAsync(() => driver.FreeScout.Conversations[0].Tags.Contains("sev:p1"), "the tag follows");
        await Eventually.TrueAsync(async () => await driver.UntaggedAsync() == 0, "nothing is left to do");

        Assert.Equal(edited, driver.FreeScout.Conversations[0].Subject);
    }

    [Fact]
    public async Task Tickets_of_outages_and_other_alerts_hold_the_facts_that_the_console_knows()
    {
        await using var driver = await InvestigateDriver.StartAsync(
            settings: new Dictionary<string, string?> { ["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "1", ["Surfaces:0:Name"] = "Checkout" }
        );
        await driver
            .Console.Get<AlertAggregator>()
            .ObserveAsync(
                [AlertDriver.Say("queue_full") with { Surface = InvestigateDriver.Surface, AllLabels = """{"host":"db1","team":"<b>"}""" }],
                default
            );
        await Eventually.TrueAsync(() => driver.FreeScout.Conversations.Count == 2, "both have a ticket");

        var (outage, other) = (Of("[P2] Checkout is down [at-"), Of("[P2] queue_full: queue_full on db1 [at-"));
        foreach (var body in (string[])[outage.Body, other.Body])
        {
            Assert.Contains($"{driver.Sandbox.Surface("pay").Url}", body, StringComparison.Ordinal);
            Assert.Contains("failed", body, StringComparison.Ordinal);
            Assert.Contains("<b>Last checks</b>", body, StringComparison.Ordinal);
        }

        Assert.StartsWith("<p><b>Checkout is down: ", outage.Body, StringComparison.Ordinal);
        Assert.Contains("host=db1<br>team=&lt;b&gt;", other.Body, StringComparison.Ordinal);
        Assert.Equal(
            "ops-console+pay@127.0.0.1",
            Assert
                .Single(driver.FreeScout.Customers, customer => customer.Email?.StartsWith("ops-", StringComparison.Ordinal) == true)
                .Email
        );

        (string Subject, string Body) Of(string subject) =>
            driver
                .FreeScout.Conversations.Where(one => one.Subject.StartsWith(subject, StringComparison.Ordinal))
                .Select(one => (one.Subject, one.Threads[^1].Body))
                .Single();
    }

    [Fact, Trait("Pitfall", "T-26")]
    public async Task A_recovery_note_that_fails_is_retried_until_it_is_posted()
    {
        await using var driver = await AlertDriver.StartAsync();
        await driver.RaiseAsync(AlertDriver.Say());
        await driver.EventuallyTicketsAsync(1);
        driver.Sandbox.Faults.Add(
            new Fault(FaultKind.Status)
            {
                Match = new FaultMatch("POST", FreeScoutStandIn.ApiPath + "/conversations/*/threads"),
                StatusCode = 500,
            }
        );
        await driver.RaiseAsync(AlertDriver.Say(firing: false));
        await driver.EventuallyDecidedAsync("degraded: server_error");
        driver.Sandbox.Faults.Clear();
        await driver.EventuallyDecidedAsync("end noted");
        Assert.Equal("active", driver.FreeScout.Conversations[0].Status);
    }

    [Fact]
    public async Task A_note_whose_answer_was_lost_is_written_once()
    {
        await using var driver = await AlertDriver.StartAsync();
        await driver.RaiseAsync(AlertDriver.Say());
        await driver.EventuallyTicketsAsync(1);
        driver.Sandbox.Faults.Add(
            new Fault(FaultKind.ResetAfter)
            {
                Match = new FaultMatch("POST", FreeScoutStandIn.ApiPath + "/conversations/*/threads"),
                Times = 2,
            }
        );

        await driver.RaiseAsync(AlertDriver.Say(firing: false));
        await driver.EventuallyDecidedAsync("end noted");

        Assert.Single(driver.FreeScout.Conversations[0].Threads, thread => thread.Type == "note");
    }

    [Fact]
    public async Task A_note_that_FreeScout_refuses_is_abandoned_with_a_decision()
    {
        await using var driver = await AlertDriver.StartAsync();
        await driver.RaiseAsync(AlertDriver.Say());
        await driver.EventuallyTicketsAsync(1);
        driver.Sandbox.Faults.Add(
            new Fault(FaultKind.Status)
            {
                Match = new FaultMatch("POST", FreeScoutStandIn.ApiPath + "/conversations/*/threads"),
                StatusCode = 400,
                Body = """{"message":"Error occurred","errorCode":"BAD REQUEST"}""",
            }
        );

        await driver.RaiseAsync(AlertDriver.Say(firing: false));
        await driver.EventuallyDecidedAsync("note refused");

        await driver.EventuallySettledAsync();
        Assert.Single(
            driver.FreeScout.RecordedRequests,
            request => request.Method == "POST" && request.Path.EndsWith("/threads", StringComparison.Ordinal)
        );
    }

    [Fact]
    public async Task A_ticket_whose_threads_are_too_long_to_read_gets_no_note()
    {
        await using var driver = await AlertDriver.StartAsync();
        await driver.RaiseAsync(AlertDriver.Say());
        await driver.EventuallyTicketsAsync(1);
        await driver.EventuallySettledAsync();
        driver.FreeScout.Reply(driver.FreeScout.Conversations[0].Id, new string('x', AnswerReader.Limit));

        await driver.RaiseAsync(AlertDriver.Say(firing: false));
        await driver.EventuallyDecidedAsync("note refused");

        await driver.EventuallySettledAsync();
        Assert.Empty(Notes(driver));
    }

    [Fact]
    public async Task A_closed_ticket_whose_threads_are_too_long_to_read_is_followed_by_another_one()
    {
        await using var driver = await AlertDriver.StartAsync();
        await driver.RaiseAsync(AlertDriver.Say(severity: Severity.P2));
        await driver.EventuallyTicketsAsync(1);
        await driver.EventuallySettledAsync();
        driver.FreeScout.Reply(driver.FreeScout.Conversations[0].Id, new string('x', AnswerReader.Limit));

        await CloseAndRaiseAsync(driver, Severity.P1);
    }

    [Fact, Trait("Pitfall", "T-34")]
    public async Task A_note_for_which_the_key_lacks_the_scope_waits_and_is_written_once_the_key_has_it()
    {
        var clock = new StillClock();
        await using var driver = await AlertDriver.StartAsync(clock: clock);
        await driver.RaiseAsync(AlertDriver.Say());
        await driver.EventuallyTicketsAsync(1);
        var readOnly = driver.Sandbox.Faults.Add(
            new Fault(FaultKind.Forbidden) { Match = new FaultMatch("POST", FreeScoutStandIn.ApiPath + "/conversations/*/threads") }
        );

        await driver.RaiseAsync(AlertDriver.Say(firing: false));
        await driver.EventuallyDecidedAsync("degraded: scope_missing");
        clock.Advance(TimeSpan.FromSeconds(50));
        Assert.Equal(1, readOnly.Hits);
        readOnly.Dispose();

        await clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(5),
            async () => (await driver.DecisionsAsync()).Exists(decision => decision.Word == DecisionWord.EndNoted),
            "the note is written"
        );
        Assert.Single(driver.FreeScout.Conversations[0].Threads, thread => thread.Type == "note");
    }

    [Fact, Trait("Pitfall", "T-28")]
    public async Task A_ticket_closed_before_the_recovery_gets_no_note()
    {
        await using var driver = await AlertDriver.StartAsync();
        await driver.RaiseAsync(AlertDriver.Say());
        await driver.EventuallyTicketsAsync(1);
        driver.FreeScout.Close(driver.FreeScout.Conversations[0].Id);
        await driver.RaiseAsync(AlertDriver.Say(firing: false));
        await driver.EventuallyDecidedAsync("ticket closed");
        Assert.DoesNotContain(driver.FreeScout.Conversations[0].Threads, thread => thread.Type == "note");
    }
}
