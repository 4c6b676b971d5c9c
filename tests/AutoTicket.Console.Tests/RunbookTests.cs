using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Flags;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Alerts;
using AutoTicket.Tests.Diagnostics;
using AutoTicket.Tests.Processes;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace AutoTicket.Tests;

/// <summary>What the operators' runbook greps, queries and expects, against the real console's real output.</summary>
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

    /// <summary>Failure mode 1: a producer sends a new <c>alert_id</c> for the same alert with each of an hour's poll cycles.</summary>
    [Fact]
    [Trait("Pitfall", "T-1")]
    public async Task A_new_alert_id_with_every_cycle_files_one_ticket_and_names_the_producer()
    {
        await using var intake = await Alerts.Intake.StartAsync(Database.Postgres, new() { [FlagNames.AlertsAutoTicket] = "1" });
        var freeScout = intake.Console.Sandbox.FreeScout;
        for (var cycle = 0; cycle < 120; cycle++)
        {
            var (status, _) = await intake.PostAsync("/api/alerts", $$$"""{"alert_id":"disk-{{{cycle}}}","source":"watcher","name":"disk_full","severity":"P2","summary":"Disk of db1 is full","status":"firing","labels":{"host":"db1"}}""");
            Assert.Equal(HttpStatusCode.Accepted, status);
        }

        await Eventually.TrueAsync(() => intake.Console.Log.Any(line => line.Contains("auto_ticket alert_key=", StringComparison.Ordinal)), "its ticket is filed");
        Assert.Equal(1, freeScout.CreatedCount);
        // Verification: at most one entry, and subsequent cycles are silent.
        var (key, severity) = Assert.Single(await AuditQueryAsync(intake.Database));
        Assert.Equal("p2", severity);
        Assert.Single(intake.Console.Log, line => line.Contains($"auto_ticket alert_key={key} ", StringComparison.Ordinal));
        Assert.Single(intake.Console.Log, line => line.Contains($"ticket_filed alert_key={key} ", StringComparison.Ordinal));
        var unstable = Assert.Single((await intake.Console.Get<AlertLedger>().UnstableAsync(default))!);
        Assert.Equal(("watcher", "disk_full", key, 120), (unstable.Source, unstable.Name, unstable.AlertKey, unstable.Ids));
        Assert.Contains("disk-119", unstable.Samples);

        // The mitigation is in force at once, and the operator is told all the same.
        using var flip = await intake.Console.Http.PutAsJsonAsync($"/api/flags/{FlagNames.AlertsAutoTicket}", new { enabled = false, reason = "a flood" });
        flip.EnsureSuccessStatusCode();
        await intake.PostAsync("/api/alerts", """{"name":"other","severity":"P1","summary":"Another alert","status":"firing"}""");
        await Eventually.TrueAsync(() => intake.Console.Sandbox.Slack.Messages.Any(message => message.Text.Contains("Another alert", StringComparison.Ordinal)), "the operator is told");
        await Eventually.TrueAsync(async () => (await ReadAlertAsync(intake.Console, "other")).Verdict.Contains("flag off", StringComparison.Ordinal), "it is said why it has no ticket");
        Assert.Equal(1, freeScout.CreatedCount);
    }

    /// <summary>Failure modes 2 and 4 on the alert path: alerts, DMs and emits are there, tickets are not.</summary>
    [Theory]
    [InlineData(FaultKind.Unauthorized, "degraded: key_rejected")]
    [InlineData(FaultKind.Forbidden, "degraded: scope_missing")]
    [InlineData(FaultKind.Status, "")]
    [Trait("Pitfall", "T-34")]
    public async Task While_FreeScout_takes_no_ticket_the_DM_fires_and_the_alert_says_which_half_is_missing(FaultKind kind, string why)
    {
        await using var intake = await Alerts.Intake.StartAsync(Database.Postgres, new() { [FlagNames.AlertsAutoTicket] = "1" });
        var sandbox = intake.Console.Sandbox;
        var fault = sandbox.Faults.Add(new(kind) { Match = FaultMatch.FreeScout });
        await SendAsync("ends", "firing");
        await SendAsync("stays", "firing");

        await Eventually.TrueAsync(() => sandbox.Slack.Messages.Count == 2, "both DMs fire");
        await Eventually.TrueAsync(
            async () => (await ReadAlertAsync(intake.Console, "stays")).Verdict.StartsWith($"The DM went out, the ticket did not: {why}", StringComparison.Ordinal), "step 4 of the chain has its verdict");
        Assert.Equal(2, intake.Console.Log.Count(line => line.Contains("alert_aggregator emit alert_key=", StringComparison.Ordinal) && line.Contains("hook=slack", StringComparison.Ordinal)));
        var told = intake.Console.Log.Where(line => System.Text.RegularExpressions.Regex.IsMatch(line, Degraded, System.Text.RegularExpressions.RegexOptions.IgnoreCase)).ToList();
        Assert.NotEmpty(told);
        Assert.All(told.Where(line => !line.StartsWith("INFO", StringComparison.Ordinal)), line => Assert.StartsWith("WARNING", line, StringComparison.Ordinal));

        // It ended meanwhile: no ticket is filed after the fact. The other is active still.
        await SendAsync("ends", "resolved");
        fault.Dispose();
        await intake.Console.Get<TicketSync>().RefreshAsync(default);
        await Eventually.TrueAsync(async () => (await ReadAlertAsync(intake.Console, "stays")).Ticket is not null, "the active one has its ticket");
        Assert.Contains("stays", Assert.Single(sandbox.FreeScout.Conversations).Subject, StringComparison.Ordinal);
        Assert.StartsWith("The DM went out, the ticket did not", (await ReadAlertAsync(intake.Console, "ends")).Verdict, StringComparison.Ordinal);

        async Task SendAsync(string name, string status) => Assert.Equal(
            HttpStatusCode.Accepted, (await intake.PostAsync("/api/alerts", $$"""{"name":"{{name}}","severity":"P2","summary":"It fails","status":"{{status}}"}""")).Status);
    }

    [Fact]
    [Trait("Pitfall", "T-11")]
    public async Task Failure_mode_3_a_surface_recovers_and_an_operator_closes_the_loop_in_the_console()
    {
        await using var consoles = await Consoles.CreateAsync("pay");
        var console = await consoles.StartAsync(new Dictionary<string, string> { ["Ticketing__RecoveredAfter"] = "00:00:00", ["Ticketing__ReconcileInterval"] = "00:00:01" });
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

        Assert.Equal((draft.AlertKey, "p1"), Assert.Single(await AuditQueryAsync(database)));
    }

    private static async Task<AlertEpisode> ReadAlertAsync(ConsoleHost console, string name) =>
        Assert.Single((await console.Get<AlertLedger>().ReadAsync(new AlertQuery(Search: name), 10, default))!, alert => alert.Name == name);

    private static async Task<List<(string Key, string Severity)>> AuditQueryAsync(TestDatabase database)
    {
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
        var filings = new List<(string Key, string Severity)>();
        while (await rows.ReadAsync())
        {
            filings.Add((rows.GetString(1), rows.GetString(2)));
        }

        return filings;
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

    /// <summary>The runbook's list of when to escalate, each made to happen: the operator is told by DM, and the console can prove it.</summary>
    [Theory]
    [InlineData("flag_not_effective", 31)]
    [InlineData("key_invalid", 601)]
    [InlineData("freescout_down", 1801)]
    [InlineData("hook_missing", 0)]
    [InlineData("ghost_tickets", 0)]
    public async Task What_must_be_escalated_is_told_by_DM_and_proven(string condition, int seconds)
    {
        var clock = new StillClock();
        await using var console = await DiagnosedConsole.StartAsync(
            clock: clock, services: services =>
            {
                if (condition == "hook_missing")
                {
                    services.Remove(services.Single(service => service.ImplementationType == typeof(TicketAlertHook)));
                }
            });
        switch (condition)
        {
            case "flag_not_effective":
                await InjectedFaultTests.DisagreeAsync(console.Database, clock.GetUtcNow());
                break;
            case "key_invalid":
                console.Sandbox.FreeScout.ApiKey = "another";
                break;
            case "freescout_down":
                console.Sandbox.Faults.Add(new(FaultKind.Status) { Match = FaultMatch.FreeScout, StatusCode = 503 });
                break;
            case "ghost_tickets":
                await console.RaiseAsync(AlertDriver.Say());
                await Eventually.TrueAsync(async () => (await TicketsAsync(console)).Count == 1, "a ticket is filed and confirmed");
                console.Sandbox.FreeScout.DeleteForever(Assert.Single(console.Sandbox.FreeScout.Conversations).Id);
                break;
        }

        await console.Host.Get<TicketSync>().RefreshAsync(CancellationToken.None);
        if (condition == "ghost_tickets")
        {
            // The next comparison of the books with FreeScout comes.
            clock.Advance(TimeSpan.FromMinutes(5));
        }

        if (seconds > 0)
        {
            await Eventually.TrueAsync(async () => await StateAsync() == "running", "its clock runs");
            Assert.DoesNotContain(console.Sandbox.Slack.Messages, message => message.Text.Contains("escalation", StringComparison.Ordinal));
            clock.Advance(TimeSpan.FromSeconds(seconds));
        }

        await Eventually.TrueAsync(async () => await StateAsync() == "told", "the operator was told");
        var proof = await ClockAsync();
        var message = Assert.Single(console.Sandbox.Slack.Messages, message => message.Text.StartsWith("P1 FIRING · escalation", StringComparison.Ordinal));
        Assert.Contains(proof.GetProperty("title").GetString()!, message.Text, StringComparison.Ordinal);
        Assert.Contains(proof.GetProperty("alert_key").GetString()!, message.Text, StringComparison.Ordinal);
        Assert.NotEqual(default, proof.GetProperty("told_at").GetDateTimeOffset());

        async Task<string?> StateAsync() => (await ClockAsync()).GetProperty("state").GetString();

        async Task<JsonElement> ClockAsync() =>
            (await console.AskAsync()).GetProperty("escalations").EnumerateArray().Single(one => one.GetProperty("condition").GetString() == condition);
    }

    private static async Task<List<Ticket>> TicketsAsync(DiagnosedConsole console)
    {
        await using var db = console.Database.Open();
        return await db.Tickets.AsNoTracking().Where(ticket => ticket.ConfirmedAt != null).ToListAsync();
    }
}
