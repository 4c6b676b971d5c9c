using System.Net;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Flags;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Processes;
using AutoTicket.Tickets;
using Npgsql;

namespace AutoTicket.Tests;

/// <summary>What the operators' runbook greps, queries and expects, against the real console's real output.</summary>
[Collection(nameof(Processes))]
public sealed class RunbookTests
{
    private const string Normal = "freescout|auto_ticket|investigate|ticket_filed";
    private const string Degraded = "freescout.*degraded|freescout.*WARNING|ticket.*failed";
    private const string Errors = "freescout|ticket|HTTPError|ConnectionError";

    [Fact]
    [Trait("Pitfall", "T-31")]
    public async Task The_greps_find_what_the_runbook_says_and_nothing_when_there_is_nothing()
    {
        await using var consoles = await Consoles.CreateAsync("pay", "mail");
        var console = await consoles.StartAsync(new Dictionary<string, string> { ["Surfaces__1__Name"] = "mail\n2026-01-01T00:00:00.000Z ERROR forged ticket_filed Surface mail" });
        var atStart = LogLine.Grep(console.Output, Normal);
        await Eventually.TrueAsync(() => consoles.Sandbox.Surface("pay").RequestCount > 2, "some poll cycles have passed");

        // Silent when no tickets are being created. A start says which flags are on, and their names hold the words.
        Assert.All(atStart, line => Assert.Contains("flag in force", line, StringComparison.Ordinal));
        Assert.Equal(atStart, LogLine.Grep(console.Output, Normal));

        var ticket = (await console.InvestigateAsync("pay")).Ticket;
        var filed = LogLine.Parse(Assert.Single(LogLine.Grep(console.Output, "ticket_filed")))!;
        Assert.Equal("INFO", filed.Level);
        Assert.StartsWith($"ticket_filed alert_key={AlertIdentity.KeyOf(AlertIdentity.OfSurface("pay"))} severity=p2 conversation={ticket} ", filed.Message, StringComparison.Ordinal);
        Assert.Contains(LogLine.Grep(console.Output, Normal), line => LogLine.Parse(line) is { Level: "INFO", Message: var message } && message.StartsWith("investigate surface=pay ", StringComparison.Ordinal));
        Assert.Empty(LogLine.Grep(console.Output, Degraded));

        // FreeScout is down: failure mode 4.
        using (consoles.Sandbox.Faults.Add(new(FaultKind.Status) { Match = FaultMatch.FreeScout, StatusCode = 503 }))
        {
            var answer = await console.InvestigateAsync("mail");
            Assert.Equal(HttpStatusCode.OK, answer.Status);
            Assert.True(answer.Body.GetProperty("degraded").GetBoolean());
        }

        Assert.NotEmpty(LogLine.Grep(console.Output, Degraded));
        Assert.All(LogLine.Grep(console.Output, Degraded), line => Assert.Equal("WARNING", LogLine.Parse(line)!.Level));
        Assert.Contains(LogLine.Grep(console.Output, Errors), line => line.Contains("503", StringComparison.Ordinal));
        Assert.DoesNotContain(console.Output.ToList(), line => line.Contains(" ERROR forged", StringComparison.Ordinal) && LogLine.Parse(line)?.Level == "ERROR");

        // It recovers, and the degradation that still stands gets its one ticket.
        await consoles.AssertOneTicketAsync("mail", console);
        LogLine.AssertNoErrors(console.Output.ToList());
    }

    [Theory]
    [InlineData(FaultKind.Unauthorized, "401")]
    [InlineData(FaultKind.Forbidden, "403")]
    [InlineData(FaultKind.ModuleOff, "404")]
    [Trait("Pitfall", "T-34")]
    public async Task A_click_that_files_nothing_says_which_step_of_the_chain_failed(FaultKind fault, string status)
    {
        await using var sandbox = await SandboxServer.StartAsync();
        sandbox.Surface("pay").Answer(503);
        await using var console = await ConsoleHost.StartAsync(sandbox: sandbox, settings: ConsoleHost.SurfaceSettings(0, "pay", sandbox.Surface("pay").Url));
        using var failing = sandbox.Faults.Add(new(fault) { Match = FaultMatch.FreeScout });

        var answer = await console.Http.PostAsync("/api/surfaces/pay/investigate", null);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.Contains("\"degraded\":true", text, StringComparison.Ordinal);
        Assert.Contains(status, text, StringComparison.Ordinal);
        Assert.Contains(console.Log, line => line.StartsWith("WARNING", StringComparison.Ordinal) && line.Contains(status, StringComparison.Ordinal));
    }

    [Fact]
    [Trait("Pitfall", "T-11")]
    public async Task A_surface_that_recovered_keeps_its_ticket_until_a_person_resolves_it_and_then_gets_a_fresh_one()
    {
        await using var sandbox = await SandboxServer.StartAsync();
        sandbox.Surface("pay").Answer(503);
        var settings = ConsoleHost.SurfaceSettings(0, "pay", sandbox.Surface("pay").Url);
        settings["Status:PollInterval"] = "00:00:00.2";
        await using var console = await ConsoleHost.StartAsync(sandbox: sandbox, settings: settings);
        var board = console.Get<StatusBoard>();
        var investigator = console.Get<Investigator>();
        var first = (await investigator.InvestigateAsync("pay", "ops")).Ticket!;

        sandbox.Surface("pay").Answer(200);
        await Eventually.TrueAsync(() => board.Find("pay")!.Status == SurfaceStatus.Operational, "the surface is well again");
        Assert.True(sandbox.FreeScout.Find(first.Id)!.IsOpen);
        Assert.Equal(HttpStatusCode.Conflict, (await console.Http.PostAsync("/api/surfaces/pay/investigate", null)).StatusCode);

        sandbox.FreeScout.Close(first.Id);
        sandbox.Surface("pay").Answer(503);
        await Eventually.TrueAsync(() => board.Find("pay")!.Status == SurfaceStatus.Down, "the surface is down again");
        var second = await investigator.InvestigateAsync("pay", "ops");

        Assert.Equal(InvestigationDisposition.Filed, second.Disposition);
        Assert.NotEqual(first.Id, second.Ticket!.Id);
        Assert.False(sandbox.FreeScout.Find(first.Id)!.IsOpen);
    }

    [Fact]
    [Trait("Pitfall", "T-11")]
    public async Task Failure_mode_3_a_surface_recovers_and_an_operator_closes_the_loop_in_the_console()
    {
        await using var consoles = await Consoles.CreateAsync("pay");
        var console = await consoles.StartAsync(new Dictionary<string, string> { ["Ticketing__RecoveredAfter"] = "00:00:01", ["Ticketing__ReconcileInterval"] = "00:00:01" });
        var first = (await console.InvestigateAsync("pay")).Ticket!.Value;
        consoles.Sandbox.Surface("pay").Answer(200);

        // The dashboard marks it, and nothing closes by itself.
        await Eventually.TrueAsync(async () => (await console.GetAsync("/api/tickets?state=open&tag=auto:status")).Body.GetProperty("tickets")[0].GetProperty("recovered").GetBoolean(), "it is marked as recovered");
        Assert.True(consoles.Sandbox.FreeScout.Find(first)!.IsOpen);
        Assert.Empty(LogLine.Grep(console.Output, "ticket_resolved"));

        var answer = await console.AskAsync(HttpMethod.Post, "/api/tickets/resolve", System.Net.Http.Json.JsonContent.Create(new { ids = new[] { first } }));
        Assert.Equal("resolved", answer.Body.GetProperty("results")[0].GetProperty("result").GetString());
        Assert.Equal("closed", consoles.Sandbox.FreeScout.Find(first)!.Status);
        Assert.Contains("has been operational since", consoles.Sandbox.FreeScout.Find(first)!.Threads.Single(thread => thread.Type == "note").Body, StringComparison.Ordinal);
        Assert.Equal("INFO", LogLine.Parse(Assert.Single(LogLine.Grep(console.Output, $"ticket_resolved conversation={first} surface=pay by=")))!.Level);
        Assert.Contains(AuditActions.TicketResolved, (await console.GetAsync($"/api/audit.csv?action={AuditActions.TicketResolved}")).Text, StringComparison.Ordinal);

        // A resolved ticket does not count: the next degradation gets a fresh one, inside the window.
        consoles.Sandbox.Surface("pay").Answer(503);
        await Eventually.TrueAsync(async () => (await console.InvestigateAsync("pay")) is { Ticket: { } second } && second != first, "a click files a fresh ticket");
        Assert.False(consoles.Sandbox.FreeScout.Find(first)!.IsOpen);
        Assert.Equal(2, consoles.Sandbox.FreeScout.CreatedCount);
    }

    [Fact]
    public async Task The_audit_query_runs_to_the_letter_on_PostgreSQL()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var console = await ConsoleHost.StartAsync(database);
        var draft = new TicketDraft(AlertIdentity.OfSurface("pay"), "pay", Severity.P1, "auto:alert", AuditActions.AlertTicketFiled, "console:poller", "Payments fail", []);
        Assert.Equal(TicketDisposition.Filed, (await console.Get<TicketingService>().FileAsync(draft)).Disposition);

        await using var connection = new NpgsqlConnection(PostgresUrl.ToConnectionString(database.Location));
        await connection.OpenAsync();
        await using var query = new NpgsqlCommand("""
            SELECT created_at, payload->>'alert_key' AS alert_key, payload->>'severity' AS severity
            FROM audit_log
            WHERE action = 'console.alerts.ticket_filed'
            AND created_at > NOW() - INTERVAL '2 hours'
            ORDER BY created_at DESC
            LIMIT 20;
            """, connection);
        await using var rows = await query.ExecuteReaderAsync();
        Assert.True(await rows.ReadAsync());
        Assert.Equal((draft.AlertKey, "p1"), (rows.GetString(1), rows.GetString(2)));
        Assert.False(await rows.ReadAsync());
    }

    [Fact]
    public async Task The_break_glass_variable_switches_the_path_off_at_the_next_start_and_is_audited()
    {
        await using var consoles = await Consoles.CreateAsync("pay");
        var before = await consoles.StartAsync();
        Assert.True(await before.IsOnAsync(FlagNames.InvestigateFromStatus));
        await before.StopAsync();

        var after = await consoles.StartAsync(new Dictionary<string, string> { [FlagNames.InvestigateFromStatus] = "0" });

        Assert.Equal(HttpStatusCode.Forbidden, (await after.InvestigateAsync("pay")).Status);
        var pinned = await after.SetFlagAsync(FlagNames.InvestigateFromStatus, enabled: true);
        Assert.Equal(HttpStatusCode.Conflict, pinned.Status);
        Assert.Equal("environment", (await after.FlagAsync(FlagNames.InvestigateFromStatus)).GetProperty("decided_by").GetString());
        var audit = (await after.GetAsync($"/api/audit.csv?action={AuditActions.FlagChanged}&actor=environment")).Text;
        Assert.Contains("\"\"before\"\": true", audit, StringComparison.Ordinal);
        Assert.Contains("\"\"after\"\": false", audit, StringComparison.Ordinal);
    }
}
