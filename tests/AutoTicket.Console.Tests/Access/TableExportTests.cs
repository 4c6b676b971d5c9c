using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Intake;
using AutoTicket.Mailbox;
using AutoTicket.Sandbox;
using AutoTicket.Security;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Kit;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Access;

/// <summary>The exports of the pages' tables.</summary>
public sealed class TableExportTests
{
    [Theory, BothDatabases]
    public async Task Every_page_of_the_alerts_and_incidents_that_the_filter_shows_is_exported(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await using var console = await ConsoleHost.StartAsync(database);
        var now = TimeProvider.System.GetUtcNow();
        await using (var db = database.Open())
        {
            // More than two pages of active ones; half of the ended ones are P1.
            db.Alerts.AddRange(Enumerable.Range(0, 1_100).Select(number => Alert($"active {number}", now.AddSeconds(-number))));
            db.Alerts.AddRange(
                Enumerable
                    .Range(0, 20)
                    .Select(number =>
                        Alert($"=ended {number}", now.AddHours(-1), now, number % 2 == 0 ? Severity.P1 : Severity.P2, "pay,\"1\"")
                    )
            );
            await db.SaveChangesAsync();
        }

        var active = await CsvAsync(console, "/api/alerts.csv");
        Assert.Equal("alert_key,severity,title,status,since,ended_at", active[0][..46]);
        Assert.Equal(1_100, active.Skip(1).Distinct().Count());
        Assert.All(active.Skip(1), line => Assert.Contains(",\"p2\",\"active ", line, StringComparison.Ordinal));

        var json = await JsonAsync(console, "/api/alerts.json?show=ended&severity=p1&q=ENDED");
        Assert.Equal(10, json.GetArrayLength());
        Assert.All(json.EnumerateArray(), alert => Assert.Equal("p1", alert.GetProperty("severity").GetString()));
        Assert.StartsWith("=ended ", json[0].GetProperty("name").GetString(), StringComparison.Ordinal);

        var incidents = await JsonAsync(console, "/api/incidents.json");
        Assert.Equal(
            Enumerable.Range(0, 1_100).Select(number => $"active {number}"),
            incidents.EnumerateArray().Select(incident => incident.GetProperty("title").GetString())
        );
        var ended = await CsvAsync(console, "/api/incidents.csv?state=ended&severity=p2");
        Assert.Equal(11, ended.Count);
        Assert.All(
            ended.Skip(1),
            line =>
            {
                Assert.Contains(",\"'=ended ", line, StringComparison.Ordinal);
                Assert.Contains("\"pay,\"\"1\"\"\"", line, StringComparison.Ordinal);
            }
        );
        Assert.Single(await CsvAsync(console, "/api/incidents.csv?surface=nobody"));
        Assert.Equal(0, (await JsonAsync(console, "/api/alerts.json?q=nobody")).GetArrayLength());
    }

    [Fact]
    public async Task Tickets_are_exported_as_the_page_filters_them()
    {
        await using var driver = await InvestigateDriver.StartAsync(
            settings: new Dictionary<string, string?> { ["Ticketing:SyncInterval"] = "01:00:00" }
        );
        var ids = new[] { "=HYPERLINK(\"https://evil.example\")", "Disk is full", "Disk is slow" }
            .Select(subject => driver.FreeScout.CreateByHand(subject, ["auto:alert"]).Id)
            .ToList();
        driver.FreeScout.CreateByHand("Disk of pay", ["auto:status", "surface:pay"]);
        driver.FreeScout.Assign(ids[1], 3);
        await driver.Console.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);
        await Eventually.TrueAsync(() => driver.Console.Get<OpenTickets>().Current.Tickets.Count == 4, "the tickets are listed");

        var all = await CsvAsync(driver.Console, "/api/tickets.csv");
        Assert.Equal(5, all.Count);
        Assert.Contains(all, line => line.Contains("\"'=HYPERLINK(\"\"https://evil.example\"\")\"", StringComparison.Ordinal));
        Assert.Contains(all, line => line.Contains("\"auto:status surface:pay\"", StringComparison.Ordinal));

        var alerts = await JsonAsync(driver.Console, "/api/tickets.json?kind=alert&q=disk&assignee=nobody");
        Assert.Equal("Disk is slow", Assert.Single(alerts.EnumerateArray()).GetProperty("subject").GetString());
        Assert.Equal(ids[2], alerts[0].GetProperty("id").GetInt64());
    }

    [Fact]
    public async Task A_ticket_export_says_how_old_its_list_is_and_is_refused_before_the_first()
    {
        await using var sandbox = await SandboxServer.StartAsync();
        sandbox.FreeScout.CreateByHand("Disk is full", ["auto:alert"]);
        var away = sandbox.Faults.Add(new Fault(FaultKind.Unauthorized) { Match = FaultMatch.FreeScout });
        await using var console = await ConsoleHost.StartAsync(
            sandbox: sandbox,
            settings: new Dictionary<string, string?> { ["Ticketing:SyncInterval"] = "01:00:00" }
        );
        var (mailbox, open) = (console.Get<MailboxWatch>(), console.Get<OpenTickets>());
        await Eventually.TrueAsync(() => away.Hits > 0, "FreeScout has refused the list");
        foreach (var path in new[] { "/api/tickets.csv", "/api/tickets.json" })
        {
            using var refused = await console.Http.GetAsync(new Uri(path, UriKind.Relative));
            Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        }

        away.Dispose();
        await mailbox.RefreshAsync(CancellationToken.None);
        await Eventually.TrueAsync(() => open.Current is { IsStale: false, Tickets.Count: 1 }, "the list is read");
        var syncedAt = open.Current.SyncedAt!.Value;
        var fresh = Assert.Single((await JsonAsync(console, "/api/tickets.json")).EnumerateArray());
        Assert.False(fresh.GetProperty("stale").GetBoolean());
        // The answer of FreeScout wakes the sync, which may have read the list once more.
        Assert.InRange(fresh.GetProperty("synced_at").GetDateTimeOffset(), syncedAt, open.Current.SyncedAt!.Value);
        Assert.Equal("Disk is full", fresh.GetProperty("subject").GetString());

        using var again = sandbox.Faults.Add(new Fault(FaultKind.Unauthorized) { Match = FaultMatch.FreeScout });
        await mailbox.RefreshAsync(CancellationToken.None);
        await Eventually.TrueAsync(() => open.Current.IsStale, "FreeScout refuses the list");
        syncedAt = open.Current.SyncedAt!.Value;
        var stale = Assert.Single((await JsonAsync(console, "/api/tickets.json")).EnumerateArray());
        Assert.Equal((syncedAt, true), (stale.GetProperty("synced_at").GetDateTimeOffset(), stale.GetProperty("stale").GetBoolean()));
        var csv = await CsvAsync(console, "/api/tickets.csv");
        Assert.EndsWith(",url,synced_at,stale", csv[0], StringComparison.Ordinal);
        Assert.EndsWith($",{syncedAt.UtcDateTime:O},true", csv[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tickets_ready_to_close_and_differences_are_exported_with_their_age()
    {
        await using var sandbox = await SandboxServer.StartAsync();
        sandbox.Surface("pay").Answer();
        var settings = ConsoleHost.SurfaceSettings(0, "pay", sandbox.Surface("pay").Url);
        // One check, and no surface turns stale.
        settings["Status:PollInterval"] = settings["Ticketing:SyncInterval"] = "01:00:00";
        settings["Surfaces:0:Timeout"] = "00:01:00";
        settings["Ticketing:RecoveredAfter"] = "00:00:00";
        var ticket = sandbox.FreeScout.CreateByHand("=Pay is down", ["auto:status", "surface:pay"]).Id;
        await using var console = await ConsoleHost.StartAsync(sandbox: sandbox, settings: settings);
        await Eventually.TrueAsync(() => console.Get<RecoveredTickets>().Current.Count == 1, "the surface has recovered");
        console.Get<Reconciler>().CompareSoon();
        var findings = console.Get<FindingStore>();
        await Eventually.TrueAsync(
            async () => (await findings.ReadAsync(CancellationToken.None)) is { Problem: null, Findings.Count: 1 },
            "the console does not know the ticket"
        );

        var ready = await CsvAsync(console, "/api/tickets/recovered.csv");
        Assert.StartsWith("id,number,subject,surface,surface_name,recovered_at,", ready[0], StringComparison.Ordinal);
        Assert.Equal(2, ready.Count);
        Assert.Contains(",\"'=Pay is down\",\"pay\",\"Surface pay\",", ready[1], StringComparison.Ordinal);
        var recovered = Assert.Single((await JsonAsync(console, "/api/tickets/recovered.json")).EnumerateArray());
        Assert.Equal((ticket, "Surface pay"), (recovered.GetProperty("id").GetInt64(), recovered.GetProperty("surface_name").GetString()));
        Assert.Equal(console.Get<StatusBoard>().Find("pay")!.Since, recovered.GetProperty("recovered_at").GetDateTimeOffset());
        Assert.False(recovered.GetProperty("stale").GetBoolean());

        var differences = await CsvAsync(console, "/api/tickets/findings.csv");
        Assert.EndsWith(",url,reconciled_at,stale", differences[0], StringComparison.Ordinal);
        Assert.StartsWith($"\"orphan\",\"orphan\",{ticket},", Assert.Single(differences.Skip(1)), StringComparison.Ordinal);
        Assert.EndsWith(",false", differences[1], StringComparison.Ordinal);
        var finding = Assert.Single((await JsonAsync(console, "/api/tickets/findings.json")).EnumerateArray());
        Assert.Equal("=Pay is down", finding.GetProperty("subject").GetString());
        Assert.NotEqual(JsonValueKind.Null, finding.GetProperty("reconciled_at").ValueKind);
    }

    [Theory, BothDatabases]
    public async Task Every_page_of_the_parked_alerts_is_exported(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await using var console = await ConsoleHost.StartAsync(database);
        var now = TimeProvider.System.GetUtcNow();
        await using (var db = database.Open())
        {
            // The page lists the newest 200.
            db.ParkedAlerts.AddRange(
                Enumerable
                    .Range(0, 401)
                    .Select(number => new ParkedAlert
                    {
                        Fingerprint = $"{number}",
                        FirstReceivedAt = now,
                        ReceivedAt = now,
                        Intake = "generic",
                        Reason = "“name” is missing.",
                        Text = $$"""={"number":{{number}}}""",
                        IsWhole = number > 0,
                    })
            );
            await db.SaveChangesAsync();
        }

        var csv = await CsvAsync(console, "/api/alerts/parked.csv");
        Assert.Equal("id,received_at,first_received_at,count,intake,reason,whole,text", csv[0]);
        Assert.Equal(401, csv.Skip(1).Distinct().Count());
        Assert.EndsWith(",1,\"generic\",\"“name” is missing.\",true,\"'={\"\"number\"\":400}\"", csv[1], StringComparison.Ordinal);
        Assert.Contains(",false,", csv[^1], StringComparison.Ordinal);
        var json = await JsonAsync(console, "/api/alerts/parked.json");
        Assert.Equal(
            Enumerable.Range(0, 401).Reverse().Select(number => $$"""={"number":{{number}}}"""),
            json.EnumerateArray().Select(alert => alert.GetProperty("text").GetString())
        );
    }

    [Fact]
    public async Task The_audit_log_is_exported_as_JSON_with_its_payloads()
    {
        await using var console = await ConsoleHost.StartAsync();
        await using (var db = await console.Get<IDbContextFactory<AutoTicketDbContext>>().CreateDbContextAsync())
        {
            db.AuditLog.Add(
                new AuditEntry
                {
                    CreatedAt = TimeProvider.System.GetUtcNow(),
                    Action = "a.test",
                    Actor = "nobody",
                    Payload = """{"Some":{"nested":[1]}}""",
                }
            );
            await db.SaveChangesAsync();
        }

        var entry = Assert.Single((await JsonAsync(console, "/api/audit.json?action=a.test")).EnumerateArray());

        Assert.Equal("nobody", entry.GetProperty("actor").GetString());
        Assert.Equal(1, entry.GetProperty("payload").GetProperty("Some").GetProperty("nested")[0].GetInt32());
    }

    [Fact]
    public async Task A_viewer_may_not_export_and_without_the_database_an_export_is_refused()
    {
        const string viewer = "canary-viewer-0123456789abcdef012345";
        const string operators = "canary-operator-0123456789abcdef0123";
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var console = await ConsoleHost.StartAsync(
            database,
            settings: new Dictionary<string, string?>
            {
                ["CONSOLE_OPERATOR_PASSWORD_HASH"] = Login.Hash("a test's password"),
                ["CONSOLE_API_TOKENS"] = $"grafana:viewer:{viewer}, olga:operator:{operators}",
            },
            environment: "Production"
        );
        await Eventually.TrueAsync(() => console.Get<OpenTickets>().Current.SyncedAt is not null, "the tickets are read");
        await Eventually.TrueAsync(
            async () => (await console.Get<FindingStore>().ReadAsync(CancellationToken.None)).ReconciledAt is not null,
            "the console and FreeScout are compared"
        );
        var paths =
            from table in new[] { "tickets", "tickets/recovered", "tickets/findings", "alerts", "alerts/parked", "incidents", "audit" }
            from format in new[] { "csv", "json" }
            select $"/api/{table}.{format}";
        foreach (var path in paths)
        {
            Assert.Equal(HttpStatusCode.Forbidden, await AskAsync(viewer, path));
            Assert.Equal(HttpStatusCode.OK, await AskAsync(operators, path));
        }

        await using var db = database.Open();
        await db.Database.ExecuteSqlRawAsync("ALTER TABLE alerts RENAME TO alerts_away");
        await db.Database.ExecuteSqlRawAsync("ALTER TABLE parked_alerts RENAME TO parked_away");
        await db.Database.ExecuteSqlRawAsync("ALTER TABLE ticket_findings RENAME TO findings_away");
        foreach (
            var path in new[]
            {
                "/api/alerts.csv",
                "/api/alerts.json",
                "/api/incidents.csv",
                "/api/incidents.json",
                "/api/alerts/parked.csv",
                "/api/tickets/findings.json",
            }
        )
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, await AskAsync(operators, path));
        }

        await db.Database.ExecuteSqlRawAsync("ALTER TABLE alerts_away RENAME TO alerts");
        await db.Database.ExecuteSqlRawAsync("ALTER TABLE parked_away RENAME TO parked_alerts");
        await db.Database.ExecuteSqlRawAsync("ALTER TABLE findings_away RENAME TO ticket_findings");

        async Task<HttpStatusCode> AskAsync(string token, string path)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(path, UriKind.Relative));
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            request.Headers.Add("X-Forwarded-Proto", "https");
            using var answer = await console.Http.SendAsync(request);
            return answer.StatusCode;
        }
    }

    private static Alert Alert(
        string name,
        DateTimeOffset opened,
        DateTimeOffset? ended = null,
        Severity severity = Severity.P2,
        string? surface = null
    ) =>
        new()
        {
            AlertId = AlertIdentity.Of("test", name, surface, []),
            LogicalId = AlertIdentity.Of("test", name, surface, []),
            Status = ended is null ? AlertStatus.Firing : AlertStatus.Resolved,
            Source = "test",
            Name = name,
            Surface = surface,
            Severity = severity,
            Summary = "of a test",
            StartedAt = opened,
            OpenedAt = opened,
            SeenAt = opened,
            EndedAt = ended,
        };

    private static async Task<IReadOnlyList<string>> CsvAsync(ConsoleHost console, string path)
    {
        using var answer = await console.Http.GetAsync(new Uri(path, UriKind.Relative));
        Assert.Equal("text/csv", answer.Content.Headers.ContentType!.MediaType);
        Assert.EndsWith(".csv", answer.Content.Headers.ContentDisposition!.FileName, StringComparison.Ordinal);
        return (await answer.Content.ReadAsStringAsync()).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
    }

    private static async Task<JsonElement> JsonAsync(ConsoleHost console, string path)
    {
        using var answer = await console.Http.GetAsync(new Uri(path, UriKind.Relative));
        Assert.Equal("application/json", answer.Content.Headers.ContentType!.MediaType);
        Assert.EndsWith(".json", answer.Content.Headers.ContentDisposition!.FileName, StringComparison.Ordinal);
        return JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement;
    }
}
