using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Components.Board;
using AutoTicket.Components.Tickets;
using AutoTicket.Data;
using AutoTicket.FreeScout;
using AutoTicket.Mailbox;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Kit;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Tickets;

/// <summary>Failure mode 3: a surface recovered and its ticket is open. Only an operator resolves it.</summary>
public sealed class ResolveTests
{
    private static readonly string[] Surfaces = ["pay", "shop", "mail"];

    [Theory, BothDatabases]
    public async Task Each_ticket_is_closed_by_the_agent_with_a_note_of_the_evidence_and_one_audit_entry(Database kind)
    {
        await using var driver = await StartAsync(kind);
        var (pay, shop, mail) = await RecoveredAsync(driver);

        var results = await ResolveAsync(driver, [pay, shop], "Restarted the pool. {evidence} <b>");

        Assert.Equal([(pay, "resolved"), (shop, "resolved")], results);
        foreach (var (id, name) in new[] { (pay, "Surface pay"), (shop, "Surface shop") })
        {
            var conversation = driver.FreeScout.Find(id)!;
            Assert.Equal(("closed", driver.FreeScout.UserId), (conversation.Status, conversation.ClosedBy));
            // Threads are newest first, so the note came before the change of the status.
            Assert.Equal(["lineitem", "note", "customer"], conversation.Threads.Select(thread => thread.Type));
            Assert.StartsWith(
                $"<p>Restarted the pool. {name} has been operational since 20",
                conversation.Threads[1].Body,
                StringComparison.Ordinal
            );
            Assert.EndsWith(
                "&lt;b&gt;</p><p>Resolved in AutoTicket Console by developer.</p>",
                conversation.Threads[1].Body,
                StringComparison.Ordinal
            );
        }

        Assert.Empty(driver.FreeScout.Mails);
        Assert.True(driver.FreeScout.Find(mail)!.IsOpen, "a ticket that was not selected stays open");
        Assert.Equal([(pay, "developer", "pay"), (shop, "developer", "shop")], await AuditedAsync(driver));
        Assert.Equal("developer", (await driver.RowsAsync()).Single(row => row.ConversationId == pay).ResolvedBy);
        await Eventually.TrueAsync(async () => (await driver.ListedAsync()).SequenceEqual([mail]), "the list follows at once");
    }

    [Fact]
    public async Task A_failed_ticket_does_not_affect_the_others_and_the_retry_writes_no_second_note()
    {
        await using var driver = await StartAsync();
        var (pay, shop, _) = await RecoveredAsync(driver);
        using (
            driver.Sandbox.Faults.Add(
                new Fault(FaultKind.Status)
                {
                    Match = new FaultMatch("PUT", $"{FreeScoutStandIn.ApiPath}/conversations/{pay}", Whole: true),
                    StatusCode = 500,
                }
            )
        )
        {
            Assert.Equal([(pay, "failed"), (shop, "resolved")], await ResolveAsync(driver, [pay, shop], "Fixed."));
        }

        Assert.True(driver.FreeScout.Find(pay)!.IsOpen);
        Assert.Equal([shop], (await AuditedAsync(driver)).Select(entry => entry.Id));
        Assert.Contains(
            driver.Console.Log,
            line =>
                line.StartsWith("WARNING", StringComparison.Ordinal)
                && line.Contains($"ticket resolving failed conversation={pay}", StringComparison.Ordinal)
        );

        Assert.Equal([(pay, "resolved")], await ResolveAsync(driver, [pay], "Fixed."));

        Assert.Single(driver.FreeScout.Find(pay)!.Threads, thread => thread.Type == "note");
        Assert.Equal([pay, shop], (await AuditedAsync(driver)).Select(entry => entry.Id).Order());
    }

    [Fact]
    public async Task A_stopped_console_finishes_the_ticket_that_it_is_resolving()
    {
        await using var driver = await StartAsync();
        var (pay, _, _) = await RecoveredAsync(driver);
        using var slow = driver.Sandbox.Faults.Add(
            new Fault(FaultKind.Delay)
            {
                Match = new FaultMatch("POST", $"{FreeScoutStandIn.ApiPath}/conversations/{pay}/threads", Whole: true),
                Delay = TimeSpan.FromSeconds(1),
            }
        );
        // Without a request, as on a page whose connection ended with the web server.
        var resolving = driver.Console.Get<TicketResolver>().ResolveAsync(new ResolveRequest([pay], "Fixed."), "developer");
        await Eventually.TrueAsync(() => slow.Hits == 1, "the note is on its way");

        await driver.StopConsoleAsync();

        Assert.True(resolving.IsCompletedSuccessfully, "the console ended before the ticket was resolved");
        Assert.False(driver.FreeScout.Find(pay)!.IsOpen);
        Assert.Equal([pay], (await AuditedAsync(driver)).Select(entry => entry.Id));
    }

    [Fact]
    public async Task The_audit_entries_of_an_alerts_ticket_name_its_alert_and_its_surface()
    {
        await using var driver = await InvestigateDriver.StartAsync(surfaces: []);
        var alert = AlertIdentity.Of("test", "backup", "shop", []);
        var draft = new TicketDraft(
            alert,
            "shop",
            Severity.P2,
            TicketTags.Alert,
            AuditActions.AlertTicketFiled,
            "test",
            "[P2] backup",
            [],
            IsForAlert: true
        );
        var id = (await driver.Console.Get<TicketingService>().FileAsync(draft)).Ticket!.Id;
        await Eventually.TrueAsync(
            () => driver.Console.Get<OpenTickets>().Current.Tickets.Any(ticket => ticket is { AlertId: not null, Surface: "shop" }),
            "the ticket is shown"
        );

        Assert.Equal([(id, "resolved")], await ResolveAsync(driver, [id], "Fixed."));

        await using var db = driver.Database.Open();
        var payloads = (await db.AuditLog.AsNoTracking().ToListAsync())
            .Where(entry => entry.Action is AuditActions.TicketResolving or AuditActions.TicketResolved)
            .Select(entry => JsonSerializer.Deserialize<JsonElement>(entry.Payload))
            .Select(payload => (payload.GetProperty("alert_key").GetString(), payload.GetProperty("surface").GetString()));
        Assert.Equal([(AlertIdentity.KeyOf(alert), "shop"), (AlertIdentity.KeyOf(alert), "shop")], payloads);
    }

    [Fact]
    public async Task A_ticket_whose_threads_are_too_long_to_read_is_resolved()
    {
        await using var driver = await InvestigateDriver.StartAsync(surfaces: []);
        var id = await ReconciliationTest.FileAsync(driver, "backup", TicketTags.Alert);
        driver.FreeScout.Reply(id, new string('x', AnswerReader.Limit));
        await Eventually.TrueAsync(() => driver.Console.Get<OpenTickets>().Current.Tickets.Any(), "the ticket is shown");

        Assert.Equal([(id, "resolved")], await ResolveAsync(driver, [id], "Fixed."));

        Assert.Single(driver.FreeScout.Find(id)!.Threads, thread => thread.Type == "note");
    }

    [Fact]
    public async Task A_ticket_is_not_closed_without_its_note()
    {
        await using var driver = await StartAsync();
        var (pay, _, _) = await RecoveredAsync(driver);
        using var fault = driver.Sandbox.Faults.Add(
            new Fault(FaultKind.Status)
            {
                Match = new FaultMatch("POST", $"{FreeScoutStandIn.ApiPath}/conversations/{pay}/threads", Whole: true),
                StatusCode = 500,
            }
        );

        Assert.Equal([(pay, "failed")], await ResolveAsync(driver, [pay], "Fixed."));

        Assert.True(driver.FreeScout.Find(pay)!.IsOpen);
        Assert.Empty(driver.Requests("PUT", $"/conversations/{pay}"));
    }

    [Fact]
    [Trait("Pitfall", "T-28")]
    public async Task A_ticket_that_an_agent_closed_first_is_not_changed()
    {
        await using var driver = await StartAsync(
            settings: new() { ["Ticketing:SyncInterval"] = "01:00:00", ["Ticketing:ReconcileInterval"] = "01:00:00" }
        );
        var (pay, shop, _) = await RecoveredAsync(driver);
        driver.FreeScout.Close(pay);
        driver.FreeScout.DeleteForever(shop);

        Assert.Equal([(pay, "already_closed"), (shop, "already_closed")], await ResolveAsync(driver, [pay, shop], "Fixed."));

        Assert.DoesNotContain(driver.FreeScout.Find(pay)!.Threads, thread => thread.Type == "note");
        Assert.Empty(await AuditedAsync(driver));
        Assert.Equal("Olga Operator", (await driver.RowsAsync()).Single(row => row.ConversationId == pay).ResolvedBy);
        await Eventually.TrueAsync(async () => (await driver.ListedAsync()).Count == 1, "the closed tickets leave the list");
    }

    [Fact]
    public async Task Without_an_agent_resolving_is_off_and_names_the_variable_to_set()
    {
        await using var driver = await StartAsync(settings: new() { ["FREESCOUT_USER_ID"] = null });
        var (pay, _, _) = await RecoveredAsync(driver);

        using var answer = await PostAsync(driver, [pay], "Fixed.");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Contains("FREESCOUT_USER_ID", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.True(driver.FreeScout.Find(pay)!.IsOpen);
    }

    [Fact]
    public async Task Only_what_the_console_shows_as_open_can_be_resolved()
    {
        await using var driver = await StartAsync();
        await RecoveredAsync(driver);
        var foreign = driver.FreeScout.CreateByHand("A customer's question", mailboxId: 1).Id;

        Assert.Equal([(foreign, "not_open"), (-5, "not_open")], await ResolveAsync(driver, [foreign, -5, foreign], "Fixed."));

        Assert.True(driver.FreeScout.Find(foreign)!.IsOpen);
        foreach (
            var body in new object[]
            {
                new { ids = Array.Empty<long>() },
                new { note = "x" },
                new { ids = new[] { 1 }, note = new string('x', 2001) },
                new { ids = Enumerable.Range(1, 501) },
            }
        )
        {
            using var refused = await driver.Console.Http.PostAsJsonAsync("/api/tickets/resolve", body);
            Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        }
    }

    [Fact]
    public async Task When_the_key_is_rejected_the_other_tickets_are_not_tried()
    {
        await using var driver = await StartAsync(
            settings: new() { ["Ticketing:SyncInterval"] = "01:00:00", ["Ticketing:ReconcileInterval"] = "01:00:00" }
        );
        var ids = Enumerable
            .Range(0, 30)
            .Select(number => driver.FreeScout.CreateByHand($"Ticket {number}", ["auto:status", "surface:pay"]).Id)
            .ToList();
        await driver.Console.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);
        await Eventually.TrueAsync(async () => (await driver.ListedAsync()).Count == 30, "the tickets are listed");
        var fault = driver.Sandbox.Faults.Add(new Fault(FaultKind.Unauthorized) { Match = FaultMatch.FreeScout });

        var results = await ResolveAsync(driver, ids, "Fixed.");

        Assert.All(results, result => Assert.Equal("failed", result.Result));
        Assert.InRange(fault.Hits, 1, 8);
    }

    [Fact]
    [Trait("Pitfall", "T-18")]
    [Trait("Pitfall", "T-25")]
    public async Task The_worklist_holds_all_tickets_of_surfaces_that_have_been_operational_long_enough()
    {
        var clock = new StillClock();
        await using var driver = await InvestigateDriver.StartAsync(clock: clock, surfaces: Surfaces);
        var recovered = driver.Console.Get<RecoveredTickets>();
        var board = driver.Console.Get<StatusBoard>();
        var pay = (await driver.ClickAsync("pay")).Ticket!;
        var shop = (await driver.ClickAsync("shop")).Ticket!;
        var doubled = driver.FreeScout.CreateByHand("Pay is odd", ["auto:status", "surface:pay"], status: "pending");
        await driver.Console.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);
        await Eventually.TrueAsync(async () => (await driver.ListedAsync()).Count == 3, "the tickets are listed");
        Assert.Empty(recovered.Current);

        // Small steps, so that regular polls keep the surfaces from becoming stale.
        driver.Sandbox.Surface("pay").Answer(200);
        await clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(30),
            () => Task.FromResult(board.Find("pay")!.Status == SurfaceStatus.Operational),
            "pay has recovered"
        );
        Assert.Empty(recovered.Current);
        Assert.False(IsMarked());
        Assert.Equal(0, driver.Console.Gauge("autoticket.tickets.recovered_open"));
        await clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(30),
            () => Task.FromResult(recovered.Current.Count == 2),
            "pay has been operational for ten minutes",
            isFollowed: () => board.All().All(surface => clock.GetUtcNow() - surface.CheckedAt < TimeSpan.FromSeconds(30))
        );

        Assert.InRange(clock.GetUtcNow() - board.Find("pay")!.Since!.Value, TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(12));
        Assert.True(IsMarked());
        Assert.Equal(2, driver.Console.Gauge("autoticket.tickets.recovered_open"));
        Assert.Equal(
            [(pay.Id, doubled.Id), (doubled.Id, pay.Id)],
            recovered.Current.Select(one => (one.Ticket.Id, one.Doubles.Single().Id))
        );

        // The surface becomes stale, which is not a recovery.
        using var silence = driver.Sandbox.Faults.Add(new Fault(FaultKind.HangBefore) { Match = new FaultMatch("GET", "/surfaces/") });
        await clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(50),
            () => Task.FromResult(board.Find("pay")!.Status != SurfaceStatus.Operational),
            "pay is stale"
        );
        Assert.Empty(recovered.Current);
        Assert.False(IsMarked());
        Assert.True(driver.FreeScout.Find(shop.Id)!.IsOpen);

        bool IsMarked()
        {
            var tickets = driver.Console.Get<OpenTickets>();
            var row = TicketRow.Of(tickets.Current.Tickets.Single(ticket => ticket.Id == pay.Id), board, recovered);
            var tile = TileTicket.Of(tickets.Of("pay"), recovered.HasRecovered("pay"))!;
            Assert.Equal(row.IsRecovered, tile.IsRecovered);
            return row.IsRecovered;
        }
    }

    [Fact]
    public async Task The_ticket_that_recovered_first_is_listed_first()
    {
        await using var driver = await StartAsync();
        var recovered = driver.Console.Get<RecoveredTickets>();
        await driver.ClickAsync("pay");
        await driver.ClickAsync("shop");

        driver.Sandbox.Surface("shop").Answer(200);
        await Eventually.TrueAsync(() => recovered.Current.Count == 1, "shop has recovered");
        driver.Sandbox.Surface("pay").Answer(200);
        await Eventually.TrueAsync(() => recovered.Current.Count == 2, "pay has recovered");

        Assert.Equal(["shop", "pay"], recovered.Current.Select(one => one.SurfaceKey));
    }

    [Theory, BothDatabases]
    public async Task The_evidence_tells_how_long_it_was_down_how_often_before_and_who_resolved_the_last(Database kind)
    {
        await using var driver = await StartAsync(
            kind,
            new() { ["Ticketing:SyncInterval"] = "01:00:00", ["Ticketing:ReconcileInterval"] = "01:00:00" }
        );
        await using (var db = driver.Database.Open())
        {
            await Eventually.TrueAsync(
                async () => await db.Alerts.CountAsync(alert => alert.Surface != null) == 3,
                "the console's own alerts are stored"
            );
        }

        var (pay, _, _) = await RecoveredAsync(driver);
        var now = TimeProvider.System.GetUtcNow();
        await using (var db = driver.Database.Open())
        {
            // An alert that ends later would count as an outage.
            await Eventually.TrueAsync(
                async () => await db.Alerts.CountAsync(alert => alert.Surface != null && alert.Status == AlertStatus.Resolved) == 3,
                "the console's own alerts have ended"
            );
            await db.Alerts.ExecuteDeleteAsync();
            // The ticket's outage in two parts, two earlier outages, one of last month, and one of another alert.
            db.Alerts.AddRange(
                Outage("pay", now.AddMinutes(-14), now.AddMinutes(1)),
                Outage("pay", now.AddMinutes(2), now.AddMinutes(3)),
                Outage("pay", now.AddDays(-2), now.AddDays(-2).AddHours(1)),
                Outage("pay", now.AddDays(-6), now.AddDays(-6).AddHours(1)),
                Outage("pay", now.AddDays(-30), now.AddDays(-29)),
                Outage("pay", now.AddDays(-1), now.AddHours(-20)) with
                {
                    AlertId = AlertIdentity.Of("prometheus", "disk_full", "pay", []),
                    Name = "disk_full",
                    Source = "prometheus",
                }
            );
            db.Tickets.Add(
                (await db.Tickets.AsNoTracking().SingleAsync(row => row.ConversationId == pay)) with
                {
                    Id = 0,
                    ConversationId = 7,
                    State = TicketState.Closed,
                    ClosedAt = now.AddDays(-2),
                    ResolvedBy = "mara",
                }
            );
            db.Tickets.Add(
                (await db.Tickets.AsNoTracking().SingleAsync(row => row.ConversationId == pay)) with
                {
                    Id = 0,
                    ConversationId = 6,
                    State = TicketState.Closed,
                    ClosedAt = now.AddDays(-6),
                    ResolvedBy = "jo",
                }
            );
            await db.SaveChangesAsync();
        }

        var one = (await driver.Console.Get<RecoveredTickets>().ReadAsync(CancellationToken.None)).Single(one => one.Ticket.Id == pay);

        Assert.Equal((TimeSpan.FromMinutes(16), 2, "mara"), (one.DownFor, one.EarlierIncidents, one.LastResolver));
        Assert.EndsWith(
            " It was down for 16 min. 2 earlier incidents in the 7 days before.",
            ResolutionNote.EvidenceOf(one),
            StringComparison.Ordinal
        );
    }

    /// <summary>The database fails between the close in FreeScout and its audit entry.</summary>
    [Theory]
    [InlineData("PUT", "", true, "the audit log gets the entry later")]
    [InlineData("PUT", "", false, "may still be open")]
    [InlineData("POST", "/threads", false, "The note may have been written; the ticket stays open")]
    public async Task The_next_comparison_writes_the_audit_entry_that_an_outage_prevented(
        string method,
        string call,
        bool wasClosed,
        string expected
    )
    {
        await using var sandbox = await SandboxServer.StartAsync();
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var line = TcpProxy.To(database.Location);
        await using var console = await ConsoleHost.StartAsync(
            database,
            sandbox,
            new Dictionary<string, string?>
            {
                ["DATABASE_URL"] = line.Through(database.Location),
                ["Ticketing:ReconcileInterval"] = "00:00:01",
                // The console compares nothing while FreeScout fails. A short interval lets the next sync show that it works.
                ["Ticketing:SyncInterval"] = "00:00:01",
                ["FreeScout:CallTimeout"] = "00:01:00",
            }
        );
        var ticket = sandbox.FreeScout.CreateByHand("Pay is odd", ["auto:status", "surface:pay"]).Id;
        await console.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);
        await Eventually.TrueAsync(() => console.Get<OpenTickets>().Current.Tickets.Count == 1, "the ticket is listed");
        // FreeScout refuses the close, or delays it until the connection is cut.
        var match = new FaultMatch(method, $"{FreeScoutStandIn.ApiPath}/conversations/{ticket}{call}", Whole: true);
        var fault = sandbox.Faults.Add(
            wasClosed ? new Fault(FaultKind.Delay) { Match = match } : new Fault(FaultKind.Status) { Match = match, StatusCode = 500 }
        );
        var resolving = console.Http.PostAsJsonAsync("/api/tickets/resolve", new { ids = new[] { ticket }, note = "Fixed." });
        await Eventually.TrueAsync(() => fault.Hits > 0, "FreeScout has the request");
        line.Cut();
        fault.Dispose();
        using (var answer = await resolving)
        {
            Assert.Contains(expected, await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        Assert.Equal(!wasClosed, sandbox.FreeScout.Find(ticket)!.IsOpen);
        if (method == "POST")
        {
            // An agent closes the ticket. Without its note the console did not resolve it.
            sandbox.FreeScout.Close(ticket);
        }

        line.Restore();
        await using var db = database.Open();
        Assert.Equal([AuditActions.TicketResolving], await WordsAsync());
        // Age the entry by two minutes: after one minute a resolution counts as over.
        await db.AuditLog.ExecuteUpdateAsync(set => set.SetProperty(entry => entry.CreatedAt, entry => entry.CreatedAt.AddMinutes(-2)));

        await Eventually.TrueAsync(
            async () =>
                (await WordsAsync()).SequenceEqual([
                    AuditActions.TicketResolving,
                    wasClosed ? AuditActions.TicketResolved : AuditActions.TicketNotResolved,
                ]),
            "the outcome is written to the audit log"
        );
        Assert.Equal(["developer"], await Entries().Select(entry => entry.Actor).Distinct().ToListAsync());

        IQueryable<AuditEntry> Entries() =>
            db.AuditLog.Where(entry => entry.Action.StartsWith("console.tickets.") && entry.Action != AuditActions.TicketReconciled);
        Task<List<string>> WordsAsync() => Entries().OrderBy(entry => entry.Id).Select(entry => entry.Action).ToListAsync();
    }

    [Fact]
    public async Task Without_the_database_nothing_is_resolved()
    {
        await using var sandbox = await SandboxServer.StartAsync();
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var line = TcpProxy.To(database.Location);
        await using var console = await ConsoleHost.StartAsync(
            database,
            sandbox,
            new Dictionary<string, string?> { ["DATABASE_URL"] = line.Through(database.Location) }
        );
        var ticket = sandbox.FreeScout.CreateByHand("Pay is odd", ["auto:status", "surface:pay"]).Id;
        await console.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);
        await Eventually.TrueAsync(() => console.Get<OpenTickets>().Current.Tickets.Count == 1, "the ticket is listed");
        line.Cut();

        using var answer = await console.Http.PostAsJsonAsync("/api/tickets/resolve", new { ids = new[] { ticket }, note = "Fixed." });

        Assert.Contains(
            "Not resolved: the console's database can't be reached, so it could not be audited. Try again.",
            (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("results")[0].GetProperty("message").GetString(),
            StringComparison.Ordinal
        );
        Assert.True(sandbox.FreeScout.Find(ticket)!.IsOpen);
        Assert.Single(sandbox.FreeScout.Find(ticket)!.Threads);
    }

    [Theory, BothDatabases]
    public async Task A_busy_database_is_tried_again_before_a_ticket_fails(Database kind)
    {
        await using var driver = await StartAsync(kind);
        var (pay, _, _) = await RecoveredAsync(driver);
        // A busy machine may free the database too late, after the console has given up.
        await Eventually.TrueAsync(IsResolvedAsync, "the ticket is resolved once the database is free");
        Assert.Equal([pay], (await AuditedAsync(driver)).Select(entry => entry.Id));
        Assert.Single(driver.FreeScout.Find(pay)!.Threads, thread => thread.Type == "note");

        async Task<bool> IsResolvedAsync()
        {
            Task<HttpResponseMessage> resolving;
            await using (await BusyAsync(driver))
            {
                resolving = PostAsync(driver, [pay], "Fixed.");
                await Eventually.TrueAsync(
                    () =>
                        driver.Console.Log.Any(line =>
                            line.Contains($"waits for a busy database conversation={pay}", StringComparison.Ordinal)
                        ),
                    "the audit entry was refused once",
                    Eventually.Patience / 2
                );
                Assert.True(driver.FreeScout.Find(pay)!.IsOpen, "nothing is changed before it is audited");
            }

            using var answer = await resolving;
            return (await answer.Content.ReadAsStringAsync()).Contains("\"resolved\"", StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_ticket_fails_when_the_database_stays_busy()
    {
        await using var driver = await StartAsync(Database.Postgres);
        var (pay, _, _) = await RecoveredAsync(driver);
        await using var busy = await BusyAsync(driver);

        using var answer = await PostAsync(driver, [pay], "Fixed.");

        Assert.Contains(
            "Not resolved: the database was busy, so it could not be audited. Try again.",
            await answer.Content.ReadAsStringAsync(),
            StringComparison.Ordinal
        );
        Assert.True(driver.FreeScout.Find(pay)!.IsOpen);
        Assert.DoesNotContain(driver.FreeScout.Find(pay)!.Threads, thread => thread.Type == "note");
    }

    [Fact]
    public async Task When_it_is_stopped_the_tickets_that_have_begun_are_finished_and_the_rest_stays_open()
    {
        await using var driver = await StartAsync(
            settings: new() { ["Ticketing:SyncInterval"] = "01:00:00", ["FreeScout:CallTimeout"] = "00:01:00" }
        );
        var ids = Enumerable
            .Range(0, 10)
            .Select(number => driver.FreeScout.CreateByHand($"Ticket {number}", ["auto:status", "surface:pay"]).Id)
            .ToList();
        await driver.Console.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);
        await Eventually.TrueAsync(async () => (await driver.ListedAsync()).Count == 10, "the tickets are listed");
        var slow = driver.Sandbox.Faults.Add(
            new Fault(FaultKind.Delay) { Match = new FaultMatch("PUT", $"{FreeScoutStandIn.ApiPath}/conversations/*", Whole: true) }
        );
        using var stop = new CancellationTokenSource();

        var resolving = driver.Console.Get<TicketResolver>().ResolveAsync(new(ids, "Fixed."), "developer", stop: stop.Token);
        await Eventually.TrueAsync(() => slow.Hits == 4, "four at a time are being closed");
        await stop.CancelAsync();
        slow.Dispose();
        var outcomes = await resolving;

        Assert.Equal(4, outcomes.Count);
        Assert.All(outcomes, outcome => Assert.Equal(Resolution.Resolved, outcome.Result));
        Assert.All(ids, id => Assert.Equal(!outcomes.Any(outcome => outcome.Id == id), driver.FreeScout.Find(id)!.IsOpen));
    }

    [Theory, InlineData(true), InlineData(false)]
    public async Task A_surface_that_goes_down_during_a_long_attempt_keeps_its_tickets_open_unless_the_API_closes_them(bool onlyRecovered)
    {
        await using var driver = await StartAsync(
            settings: new() { ["Ticketing:SyncInterval"] = "01:00:00", ["FreeScout:CallTimeout"] = "00:01:00" }
        );
        var (recovered, board) = (driver.Console.Get<RecoveredTickets>(), driver.Console.Get<StatusBoard>());
        var ids = Enumerable
            .Range(0, 6)
            .Select(number => driver.FreeScout.CreateByHand($"Ticket {number}", ["auto:status", "surface:pay"]).Id)
            .ToList();
        await driver.Console.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);
        driver.Sandbox.Surface("pay").Answer(200);
        await Eventually.TrueAsync(() => recovered.Current.Count == 6, "pay has recovered");
        var slow = driver.Sandbox.Faults.Add(
            new Fault(FaultKind.Delay) { Match = new FaultMatch("PUT", $"{FreeScoutStandIn.ApiPath}/conversations/*", Whole: true) }
        );

        var resolving = driver
            .Console.Get<TicketResolver>()
            .ResolveAsync(new(ids, ResolutionNote.Evidence), "developer", onlyRecovered: onlyRecovered);
        await Eventually.TrueAsync(() => slow.Hits == 4, "four at a time are being closed");
        driver.Sandbox.Surface("pay").Answer(503);
        await Eventually.TrueAsync(() => board.Find("pay")!.Status == SurfaceStatus.Down, "pay is down again");
        slow.Dispose();
        var outcomes = await resolving;

        var late = outcomes.Where(outcome => !NoteOf(outcome.Id).Contains("has been operational since", StringComparison.Ordinal)).ToList();
        Assert.Equal(2, late.Count);
        Assert.All(outcomes.Except(late), outcome => Assert.Equal(Resolution.Resolved, outcome.Result));
        Assert.All(
            late,
            outcome =>
                Assert.Equal(
                    onlyRecovered
                        ? (Resolution.Failed, "Not tried: its surface failed again, or has no new reading.", "")
                        : (Resolution.Resolved, "Resolved.", "<p>Its surface is not known to have recovered.</p>"),
                    (outcome.Result, outcome.Message, NoteOf(outcome.Id).Replace("<p>Resolved in AutoTicket Console by developer.</p>", ""))
                )
        );

        string NoteOf(long id) => driver.FreeScout.Find(id)!.Threads.SingleOrDefault(thread => thread.Type == "note")?.Body ?? "";
    }

    /// <summary>Nobody can write to the audit log until the result is disposed, which ends the transaction.</summary>
    private static async Task<IAsyncDisposable> BusyAsync(InvestigateDriver driver)
    {
        var db = driver.Database.Open();
        // On SQLite a transaction takes the write lock when it begins.
        await db.BeginAsync(CancellationToken.None);
        if (driver.Database.Kind == Database.Postgres)
        {
            await db.Database.ExecuteSqlRawAsync("LOCK TABLE audit_log IN EXCLUSIVE MODE");
        }

        return db;
    }

    private static Alert Outage(string surface, DateTimeOffset from, DateTimeOffset to) =>
        new()
        {
            AlertId = AlertIdentity.OfSurface(surface),
            LogicalId = AlertIdentity.OfSurface(surface),
            Status = AlertStatus.Resolved,
            Source = Observation.Console,
            Name = Observation.SurfaceOutage,
            Surface = surface,
            Severity = Severity.P2,
            Summary = "down",
            StartedAt = from,
            OpenedAt = from,
            SeenAt = to,
            EndedAt = to,
        };

    private static Task<InvestigateDriver> StartAsync(Database kind = Database.Sqlite, Dictionary<string, string?>? settings = null)
    {
        settings ??= [];
        settings["Ticketing:RecoveredAfter"] = "00:00:00";
        // Short, so that the surfaces recover soon.
        settings["Status:PollInterval"] = "00:00:01";
        return InvestigateDriver.StartAsync(kind, settings, surfaces: Surfaces);
    }

    /// <summary>Files a ticket for each surface, and lets the surfaces recover.</summary>
    private static async Task<(long Pay, long Shop, long Mail)> RecoveredAsync(InvestigateDriver driver)
    {
        var ids = new List<long>();
        foreach (var surface in Surfaces)
        {
            await Eventually.TrueAsync(
                () => driver.Console.Get<StatusBoard>().Find(surface)!.Status == SurfaceStatus.Down,
                "the surface is down"
            );
            ids.Add((await driver.ClickAsync(surface)).Ticket!.Id);
        }

        foreach (var surface in Surfaces)
        {
            driver.Sandbox.Surface(surface).Answer(200);
        }

        await Eventually.TrueAsync(() => driver.Console.Get<RecoveredTickets>().Current.Count == 3, "all have recovered");
        await Eventually.TrueAsync(async () => (await driver.RowsAsync()).All(row => !row.TagsPending), "all tickets are tagged");
        return (ids[0], ids[1], ids[2]);
    }

    private static Task<HttpResponseMessage> PostAsync(InvestigateDriver driver, IReadOnlyList<long> ids, string note) =>
        driver.Console.Http.PostAsJsonAsync("/api/tickets/resolve", new { ids, note });

    private static async Task<IReadOnlyList<(long Id, string Result)>> ResolveAsync(
        InvestigateDriver driver,
        IReadOnlyList<long> ids,
        string note
    )
    {
        using var answer = await PostAsync(driver, ids, note);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return
        [
            .. (await answer.Content.ReadFromJsonAsync<JsonElement>())
                .GetProperty("results")
                .EnumerateArray()
                .Select(result => (result.GetProperty("id").GetInt64(), result.GetProperty("result").GetString()!)),
        ];
    }

    private static async Task<IReadOnlyList<(long Id, string Actor, string Surface)>> AuditedAsync(InvestigateDriver driver)
    {
        await using var db = driver.Database.Open();
        return
        [
            .. (await db.AuditLog.AsNoTracking().Where(entry => entry.Action == AuditActions.TicketResolved).ToListAsync())
                .Select(entry => (Payload: JsonSerializer.Deserialize<JsonElement>(entry.Payload), entry.Actor))
                .Select(entry =>
                    (
                        entry.Payload.GetProperty("conversation_id").GetInt64(),
                        entry.Actor,
                        entry.Payload.GetProperty("surface").GetString()!
                    )
                )
                .Order(),
        ];
    }
}
