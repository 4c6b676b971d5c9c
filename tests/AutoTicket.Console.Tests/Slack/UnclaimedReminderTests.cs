using System.Net.Http.Json;
using AutoTicket.Alerts;
using AutoTicket.Mailbox;
using AutoTicket.Sandbox;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Slack;

/// <summary>The second message about a P1 or P2 ticket that nobody took.</summary>
public sealed class UnclaimedReminderTests
{
    private const int Sam = 3;

    // Shorter than the lease: after a longer step the leader would look as if it had lost it.
    private static readonly TimeSpan Step = TimeSpan.FromSeconds(5);
    private readonly StillClock _clock = new();

    [Theory, BothDatabases]
    public async Task The_operator_is_told_once_across_restarts_of_the_one_ticket_that_nobody_took(Database kind)
    {
        string[] surfaces = ["pay", "shop", "mail", "search", "docs"];
        var settings = Settings("2m", "2m");
        settings["Surfaces:4:Severity"] = "P3";
        await using var driver = await InvestigateDriver.StartAsync(kind, settings, _clock, surfaces: surfaces);
        var tickets = new Dictionary<string, long>();
        foreach (var surface in surfaces)
        {
            tickets[surface] = (await driver.ClickAsync(surface)).Ticket!.Id;
        }

        await FiringAsync(driver, surfaces.Length);
        driver.FreeScout.Assign(tickets["shop"], Sam);
        // The list does not show a note.
        driver.FreeScout.AddNote(tickets["mail"], Sam, "<p>Looking into it.</p>");
        // The console's own note is no answer of a person.
        driver.FreeScout.AddNote(tickets["pay"], driver.FreeScout.UserId, "<p>Severity is P1 now.</p>");
        driver.Sandbox.Surface("search").Answer(200);
        await _clock.AdvanceUntilAsync(Step, async () => await FiringCountAsync(driver) == surfaces.Length - 1, "search has recovered");
        await RefreshAsync(driver);
        await ToldAsync(driver, 1);

        var lines = Told(driver).Single().Split('\n');
        var pay = driver.FreeScout.Find(tickets["pay"])!;
        Assert.Matches($@"^Nobody has taken ticket #{pay.Number} for [0-9]+ min: .*Surface pay is ", lines[0]);
        Assert.Equal($"Ticket: <{driver.FreeScout.BaseUrl}/conversation/{pay.Id}>", lines[1]);
        var key = AlertIdentity.KeyOf(AlertIdentity.OfSurface("pay"));
        Assert.Equal($"Console: <{driver.Console.Address}console/incidents/{key}>", lines[2]);
        await Eventually.TrueAsync(
            () => driver.Console.Get<OpenTickets>().Current.Tickets.Single(ticket => ticket.Id == tickets["mail"]).LastReplyAt is not null,
            "the look at the ticket showed the note"
        );

        await driver.StopConsoleAsync();
        await driver.StartConsoleAsync();
        driver.FreeScout.Assign(tickets["shop"], null);
        await RefreshAsync(driver);
        await ToldAsync(driver, 2);
        Assert.StartsWith(
            $"Nobody has taken ticket #{driver.FreeScout.Find(tickets["shop"])!.Number} ",
            Told(driver)[1],
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task On_an_old_copy_nothing_is_said_and_a_failed_message_is_sent_later()
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Settings("2m", "2m"), clock: _clock);
        await driver.ClickAsync();
        await FiringAsync(driver, 1);
        await RefreshAsync(driver);
        var down = driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScout, StatusCode = 503 });
        Assert.False(await driver.Console.Get<MailboxWatch>().RefreshAsync(CancellationToken.None));
        await Eventually.TrueAsync(() => driver.Console.Get<OpenTickets>().Current.IsStale, "the copy is old");
        var slack = driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.SlackPost, StatusCode = 503 });
        for (var steps = 0; steps < 10; steps++)
        {
            _clock.Advance(Step);
            await driver.TicketsAsync();
        }

        Assert.Equal(0, slack.Hits);
        down.Dispose();
        await RefreshAsync(driver);
        await _clock.AdvanceUntilAsync(Step, () => Task.FromResult(slack.Hits > 0), "Slack was called");
        slack.Dispose();
        Assert.Empty(Told(driver));

        await ToldAsync(driver, 1);
    }

    [Fact]
    public async Task A_ticket_that_cannot_be_read_holds_back_no_other()
    {
        var settings = Settings("2m", "2m");
        settings["Surfaces:0:Severity"] = "P1";
        await using var driver = await InvestigateDriver.StartAsync(settings: settings, clock: _clock, surfaces: ["pay", "shop"]);
        var unreadable = (await driver.ClickAsync("pay")).Ticket!;
        var other = (await driver.ClickAsync("shop")).Ticket!;
        await FiringAsync(driver, 2);
        await RefreshAsync(driver);
        var broken = new FaultMatch(HttpMethod.Get.Method, $"/freescout/api/conversations/{unreadable.Id}");
        using (driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = broken, StatusCode = 500 }))
        {
            await ToldAsync(driver, 1);
            Assert.StartsWith($"Nobody has taken ticket #{other.Number} ", Told(driver).Single(), StringComparison.Ordinal);
        }

        // After the failures FreeScout is called again when the pause by the clock is over.
        var mailbox = driver.Console.Get<MailboxWatch>();
        await _clock.AdvanceUntilAsync(Step, () => mailbox.RefreshAsync(CancellationToken.None), "a sync succeeds");
        await ToldAsync(driver, 2);
        Assert.StartsWith($"Nobody has taken ticket #{unreadable.Number} ", Told(driver)[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task While_tickets_cannot_be_written_nothing_is_said_and_then_it_is_said_once()
    {
        await using var driver = await InvestigateDriver.StartAsync(Database.Postgres, Settings("2m", "2m"), _clock);
        await driver.ClickAsync();
        await FiringAsync(driver, 1);
        await RefreshAsync(driver);
        await using (var db = driver.Database.Open())
        {
            await using var locked = await db.BeginAsync(CancellationToken.None);
            await db.Database.ExecuteSqlAsync($"LOCK TABLE tickets IN EXCLUSIVE MODE");
            await using var looking = driver.Database.Open();
            await _clock.AdvanceUntilAsync(
                Step,
                () =>
                    looking
                        .Database.SqlQuery<bool>(
                            $"""
                            SELECT count(*) > 0 AS "Value" FROM pg_stat_activity
                            WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%unclaimed_told_at%'
                            """
                        )
                        .SingleAsync(),
                "a claim waits for the lock"
            );
            // The next ones are tried after the pauses, in which messages would have gone out.
            for (var steps = 0; steps < 10; steps++)
            {
                _clock.Advance(Step);
                await Task.Delay(500);
            }

            Assert.Empty(Told(driver));
        }

        await ToldAsync(driver, 1);
        for (var steps = 0; steps < 10; steps++)
        {
            _clock.Advance(Step);
            await driver.TicketsAsync();
        }

        Assert.Single(Told(driver));
    }

    [Fact]
    public async Task Nothing_is_said_while_the_surface_is_in_maintenance_or_the_alert_is_snoozed()
    {
        await using var driver = await InvestigateDriver.StartAsync(
            settings: Settings("2m", "2m"),
            clock: _clock,
            surfaces: ["pay", "shop", "mail"]
        );
        await driver.ClickAsync("pay");
        await driver.ClickAsync("shop");
        var told = (await driver.ClickAsync("mail")).Ticket!;
        await FiringAsync(driver, 3);
        var mute = new { @for = "10m", reason = "They know" };
        foreach (var path in new[] { "surfaces/pay/maintenance", $"alerts/{AlertIdentity.KeyOf(AlertIdentity.OfSurface("shop"))}/snooze" })
        {
            using var muted = await driver.Console.Http.PostAsJsonAsync(new Uri($"/api/{path}", UriKind.Relative), mute);
            muted.EnsureSuccessStatusCode();
        }

        await RefreshAsync(driver);
        await ToldAsync(driver, 1);
        Assert.StartsWith($"Nobody has taken ticket #{told.Number} ", Told(driver).Single(), StringComparison.Ordinal);

        for (var passed = TimeSpan.Zero; passed < TimeSpan.FromMinutes(10); passed += Step)
        {
            _clock.Advance(Step);
            await RefreshAsync(driver);
        }

        await _clock.AdvanceUntilAsync(
            Step,
            () => Task.FromResult(Told(driver).Sum(text => text.Split("#").Length - 1) == 3),
            "each of the other two is told when its mute is over"
        );
    }

    [Fact]
    public async Task Many_tickets_are_one_message_with_the_worst_and_a_severity_can_be_switched_off()
    {
        var surfaces = Enumerable.Range(0, 24).Select(number => $"s{number}").ToList();
        var settings = Settings("never", "2m");
        settings["Surfaces:0:Severity"] = "P1";
        await using var driver = await InvestigateDriver.StartAsync(settings: settings, clock: _clock, surfaces: surfaces);
        foreach (var surface in surfaces)
        {
            await driver.ClickAsync(surface);
        }

        await FiringAsync(driver, surfaces.Count);
        await RefreshAsync(driver);
        await ToldAsync(driver, 1);

        var lines = Told(driver).Single().Split('\n');
        Assert.Equal("23 tickets are open, and nobody has taken them (P2: 23):", lines[0]);
        Assert.Equal(20, lines.Count(line => line.StartsWith('#')));
        Assert.Equal(["and 3 more", $"Take them: <{driver.Console.Address}console/tickets?assignee=nobody>"], lines[^2..]);
    }

    [Fact]
    public async Task A_message_whose_response_was_lost_is_neither_sent_again_nor_logged_as_told()
    {
        await using var driver = await InvestigateDriver.StartAsync(
            settings: Settings("2m", "2m"),
            clock: _clock,
            surfaces: ["pay", "shop"]
        );
        await driver.ClickAsync("pay");
        await FiringAsync(driver, 2);
        await RefreshAsync(driver);
        using (driver.Sandbox.Faults.Add(new Fault(FaultKind.StatusAfter) { Match = FaultMatch.SlackPost, StatusCode = 502 }))
        {
            await ToldAsync(driver, 1);
            await Eventually.TrueAsync(
                () => driver.Console.Log.Any(line => line.Contains("slack degraded", StringComparison.Ordinal)),
                "the response is lost"
            );
        }

        await driver.ClickAsync("shop");
        await RefreshAsync(driver);
        await ToldAsync(driver, 2);
        await Eventually.TrueAsync(() => ToldLines().Any(), "the second message is logged");

        Assert.Single(ToldLines());

        IEnumerable<string> ToldLines() => driver.Console.Log.Where(line => line.Contains("operator told of 1 ", StringComparison.Ordinal));
    }

    /// <summary>Alerts of surfaces are below the threshold of DMs and tickets. Syncs come only when the test asks for them.</summary>
    private static Dictionary<string, string?> Settings(string p1, string p2) =>
        new()
        {
            ["Escalation:UnclaimedAfterP1"] = p1,
            ["Escalation:UnclaimedAfterP2"] = p2,
            ["Alerts:NotifySeverity"] = "P1",
            ["Ticketing:SyncInterval"] = "01:00:00",
            ["Ticketing:ReconcileInterval"] = "01:00:00",
        };

    private static async Task RefreshAsync(InvestigateDriver driver)
    {
        // FreeScout lists by the tags, which are set in a second call.
        await Eventually.TrueAsync(async () => (await driver.RowsAsync()).All(row => !row.TagsPending), "all tickets are tagged");
        await Eventually.TrueAsync(() => driver.Console.Get<MailboxWatch>().RefreshAsync(CancellationToken.None), "a sync succeeds");
        await Eventually.TrueAsync(() => !driver.Console.Get<OpenTickets>().Current.IsStale, "the copy is current");
    }

    private Task ToldAsync(InvestigateDriver driver, int times) =>
        _clock.AdvanceUntilAsync(
            Step,
            () => Task.FromResult(Told(driver).Count == times),
            $"the operator was told {times} times",
            perStep: TimeSpan.FromMilliseconds(300)
        );

    private async Task FiringAsync(InvestigateDriver driver, int count) =>
        await _clock.AdvanceUntilAsync(TimeSpan.FromSeconds(1), async () => await FiringCountAsync(driver) == count, "the alerts fire");

    private static async Task<int> FiringCountAsync(InvestigateDriver driver)
    {
        await using var db = driver.Database.Open();
        return await db.Alerts.CountAsync(alert => alert.Status == AlertStatus.Firing);
    }

    private static List<string> Told(InvestigateDriver driver) =>
        [
            .. driver
                .Sandbox.Slack.Messages.Select(message => message.Text)
                .Where(text => text.Contains("obody has taken", StringComparison.Ordinal)),
        ];
}
