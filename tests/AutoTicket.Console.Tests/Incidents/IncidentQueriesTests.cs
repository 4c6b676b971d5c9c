using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.Incidents;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Kit;
using AutoTicket.Tickets;

namespace AutoTicket.Tests.Incidents;

/// <summary>The list and single incidents, from the database and over the API.</summary>
public sealed class IncidentQueriesTests
{
    private static readonly DateTimeOffset Start = new(2026, 3, 1, 2, 0, 0, TimeSpan.Zero);

    [Theory, BothDatabases]
    public async Task Incidents_are_listed_newest_first_with_filters_and_found_by_both_keys(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await using var sandbox = await SandboxServer.StartAsync();
        await using var console = await StartAsync(database, sandbox);
        // Rows 2 and 3 were opened at the same time.
        var (disk, shop) = (Id("disk_full"), Id("shop_slow"));
        await AddAsync(
            database,
            Alert(disk, "disk_full", 0, ended: 10, severity: Severity.P3),
            Alert(shop, "shop_slow", 5, ended: 20, surface: "shop", severity: Severity.P1),
            Alert(disk, "disk_full", 5, ended: 6, severity: Severity.P4),
            Alert(Id("mail_slow"), "mail_slow", 7, ended: 30, surface: "mail", severity: Severity.P3, status: AlertStatus.Expired),
            Alert(disk, "disk_full", 40, severity: Severity.P3),
            Alert(Id("elsewhere"), "elsewhere", 50, surface: "unknown-surface", severity: Severity.P4)
        );
        await using (var db = database.Open())
        {
            db.Tickets.AddRange(
                Ticket(shop, 1, posted: 6, closed: 25, resolvedBy: "mara"),
                // Resolved before the incident began: not its ticket.
                Ticket(shop, 2, posted: 1, closed: 4),
                Ticket(disk, 3, posted: 5.5)
            );
            await db.SaveChangesAsync();
        }

        Assert.Equal(["elsewhere", "disk_full"], await NamesAsync(console, ""));
        Assert.Equal(["mail_slow", "disk_full", "shop_slow", "disk_full"], await NamesAsync(console, "?state=ended"));
        Assert.Equal(["shop_slow"], await NamesAsync(console, "?state=ended&surface=shop"));
        Assert.Equal(["mail_slow"], await NamesAsync(console, "?state=ended&group=Back+office"));
        Assert.Equal(["elsewhere"], await NamesAsync(console, "?severity=P4"));
        Assert.Equal(["mail_slow", "disk_full", "shop_slow"], await NamesAsync(console, "?state=ended&since=2026-03-01T03:05:00%2B01:00"));
        Assert.Equal(["disk_full", "shop_slow", "disk_full"], await NamesAsync(console, "?state=ended&until=2026-03-01T02:05:00Z"));
        Assert.Empty(await NamesAsync(console, "?surface=none"));
        foreach (var query in new[] { "?state=both", "?severity=5", "?severity=worst", "?before=0123456789abcdef", "?since=yesterday" })
        {
            using var refused = await GetAsync(console, query);
            Assert.Equal((query, HttpStatusCode.BadRequest), (query, refused.StatusCode));
            Assert.Equal("application/problem+json", refused.Content.Headers.ContentType?.MediaType);
        }

        // By keyset: none is repeated or left out, although two were opened at the same time.
        var queries = console.Get<IncidentQueries>();
        var (seen, before, pages) = (new List<long>(), (long?)null, 0);
        for (var more = true; more; pages++)
        {
            var page = (await queries.ListAsync(new IncidentQuery(IsOpen: false, Before: before), 1, CancellationToken.None))!;
            seen.AddRange(page.Incidents.Select(incident => incident.Row));
            (before, more) = (seen[^1], page.HasOlder);
        }

        Assert.Equal((4, 4), (pages, seen.Distinct().Count()));
        Assert.Equal(seen.OrderByDescending(row => row), seen);

        // The key of the alert names its newest episode, the key with a row each of them.
        var newest = await FindAsync(console, AlertIdentity.KeyOf(disk));
        Assert.Equal($"{AlertIdentity.KeyOf(disk)}-{seen.Max() + 1}", Text(newest, "incident", "key"));
        Assert.Equal("open", Text(newest, "incident", "state"));
        var earlier = newest.GetProperty("earlier").EnumerateArray().Select(one => one.GetProperty("key").GetString()!).ToList();
        Assert.Equal(2, earlier.Count);
        var third = await FindAsync(console, earlier[0]);
        Assert.Equal(
            (earlier[0], "ended", "p4"),
            (Text(third, "incident", "key"), Text(third, "incident", "state"), Text(third, "incident", "severity"))
        );
        Assert.Equal(3, third.GetProperty("tickets")[0].GetProperty("id").GetInt64());
        // The ticket that the second one left open serves the newest, too.
        Assert.Equal(3, newest.GetProperty("tickets")[0].GetProperty("id").GetInt64());

        var shopAnswer = await FindAsync(console, AlertIdentity.KeyOf(shop));
        var ticket = Assert.Single(shopAnswer.GetProperty("tickets").EnumerateArray());
        Assert.Equal(
            (1L, false, "mara"),
            (ticket.GetProperty("id").GetInt64(), ticket.GetProperty("open").GetBoolean(), ticket.GetProperty("resolved_by").GetString())
        );
        var figures = shopAnswer.GetProperty("figures");
        Assert.Equal(
            (900d, 1200d, JsonValueKind.Null),
            (
                figures.GetProperty("recover_seconds").GetDouble(),
                figures.GetProperty("resolve_seconds").GetDouble(),
                figures.GetProperty("notify_seconds").ValueKind
            )
        );

        using var file = await GetAsync(console, $"/{AlertIdentity.KeyOf(shop)}/markdown");
        Assert.Equal("text/markdown", file.Content.Headers.ContentType?.MediaType);
        Assert.Equal($"incident-{Text(shopAnswer, "incident", "key")}.md", file.Content.Headers.ContentDisposition?.FileName?.Trim('"'));
        Assert.StartsWith("# P1 shop\\_slow\n", await file.Content.ReadAsStringAsync(), StringComparison.Ordinal);

        foreach (
            var key in new[]
            {
                "0123456789abcdef",
                $"{AlertIdentity.KeyOf(disk)}-999999",
                // A row of another alert.
                $"{AlertIdentity.KeyOf(shop)}-{seen.Max() + 1}",
                "nonsense",
            }
        )
        {
            foreach (var path in new[] { $"/api/incidents/{key}", $"/api/incidents/{key}/markdown", $"/console/incidents/{key}" })
            {
                using var missing = await console.Http.GetAsync(new Uri(path, UriKind.Relative));
                Assert.Equal((path, HttpStatusCode.NotFound), (path, missing.StatusCode));
            }
        }
    }

    [Theory, BothDatabases]
    public async Task The_newest_alerts_and_tickets_of_a_surface_are_marked_on_its_chart(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await using var sandbox = await SandboxServer.StartAsync();
        await using var console = await StartAsync(database, sandbox);
        await AddAsync(
            database,
            Alert(Id("old"), "old", -1, ended: 2, surface: "shop"),
            Alert(Id("slow"), "slow", 1, ended: 20, surface: "shop", severity: Severity.P1),
            Alert(Id("full"), "full", 2, ended: 20, surface: "shop"),
            Alert(Id("mail_slow"), "mail_slow", 3, ended: 20, surface: "mail")
        );
        await using (var db = database.Open())
        {
            db.Tickets.AddRange(
                Ticket(Id("slow"), 7, posted: 4, closed: 20) with
                {
                    SurfaceKey = "shop",
                },
                // FreeScout's answer is still missing.
                Ticket(Id("full"), 8, posted: 5, closed: 20) with
                {
                    SurfaceKey = "shop",
                    ConfirmedAt = null,
                },
                Ticket(Id("mail_slow"), 9, posted: 6, closed: 20) with
                {
                    SurfaceKey = "mail",
                }
            );
            await db.SaveChangesAsync();
        }

        var queries = console.Get<IncidentQueries>();
        Assert.Equal(
            [
                (2, SurfaceEventKind.Alert, "P3 alert opened: full"),
                (1, SurfaceEventKind.Alert, "P1 alert opened: slow"),
                (4, SurfaceEventKind.Ticket, "Ticket #7 filed"),
            ],
            (await queries.EventsAsync("shop", Start, 10, default))!.Select(one => ((int)(one.At - Start).TotalMinutes, one.Kind, one.Text))
        );
        Assert.Equal(2, (await queries.EventsAsync("shop", Start, 1, default))!.Count);
    }

    [Fact]
    public async Task An_old_page_keeps_its_tickets_however_many_later_incidents_there_are()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Sqlite);
        await using var sandbox = await SandboxServer.StartAsync();
        await using var console = await StartAsync(database, sandbox);
        var alert = Id("disk_full");
        for (var number = 0; number < 12; number++)
        {
            await AddAsync(database, Alert(alert, "disk_full", 5 * number, ended: (5 * number) + 3));
            await using var db = database.Open();
            db.Tickets.Add(Ticket(alert, 100 + number, posted: (5 * number) + 1, closed: (5 * number) + 2));
            await db.SaveChangesAsync();
        }

        var page = await console.Get<IncidentQueries>().ListAsync(new IncidentQuery(IsOpen: false, Before: 2), 1, default);

        Assert.Equal(100, Assert.Single(page!.Incidents).Ticket?.Id);
    }

    [Fact]
    public async Task While_FreeScout_is_down_an_incident_shows_all_else_and_says_so()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Sqlite);
        await using var sandbox = await SandboxServer.StartAsync();
        await using var console = await StartAsync(database, sandbox);
        var alert = Id("disk_full");
        await AddAsync(database, Alert(alert, "disk_full", 0, ended: 10, severity: Severity.P3));
        await using (var db = database.Open())
        {
            db.Tickets.Add(Ticket(alert, 5, posted: 1));
            await db.SaveChangesAsync();
        }

        using var fault = console.Sandbox.Faults.Add(new(FaultKind.Status) { Match = FaultMatch.FreeScout });
        var answer = await FindAsync(console, AlertIdentity.KeyOf(alert));

        Assert.StartsWith(
            "FreeScout could not be asked who was assigned and who replied: FreeScout ",
            answer.GetProperty("freescout_problem").GetString(),
            StringComparison.Ordinal
        );
        Assert.Equal(
            ["opened", "ticket_claimed", "ticket_filed", "recovered"],
            answer
                .GetProperty("timeline")
                .EnumerateArray()
                .Select(entry => entry.GetProperty("kind").GetString())
                .Where(word => word != "flags")
        );
        // Pages that open at the same time share the answer.
        var asked = Asked();
        await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => FindAsync(console, AlertIdentity.KeyOf(alert))));
        Assert.Equal(asked, Asked());

        int Asked() =>
            console.Sandbox.FreeScout.RecordedRequests.Count(request =>
                request.Path.EndsWith("/conversations/5", StringComparison.Ordinal)
            );
    }

    private static async Task<ConsoleHost> StartAsync(TestDatabase database, SandboxServer sandbox)
    {
        var settings = new Dictionary<string, string?> { ["Status:PollInterval"] = "01:00:00", ["FreeScout:RetryDelay"] = "00:00:00.02" };
        foreach (var (key, index) in new[] { "shop", "mail" }.Select((key, index) => (key, index)))
        {
            foreach (var (name, value) in ConsoleHost.SurfaceSettings(index, key, sandbox.Surface(key).Url))
            {
                settings[name] = value;
            }
        }

        settings["Surfaces:1:Group"] = "Back office";
        // By the real clock the alerts would be older than their retention.
        return await ConsoleHost.StartAsync(database, sandbox, settings, new StillClock(Start.AddHours(2)));
    }

    private static string Id(string name) => AlertIdentity.Of("test", name, null, []);

    private static Alert Alert(
        string id,
        string name,
        double opened,
        double? ended = null,
        string? surface = null,
        Severity severity = Severity.P3,
        AlertStatus status = AlertStatus.Resolved
    ) =>
        new()
        {
            AlertId = id,
            LogicalId = id,
            Status = ended is null ? AlertStatus.Firing : status,
            Source = "test",
            Name = name,
            Surface = surface,
            Severity = severity,
            Summary = $"{name} on db1",
            StartedAt = Start.AddMinutes(opened),
            OpenedAt = Start.AddMinutes(opened),
            SeenAt = Start.AddMinutes(opened),
            EndedAt = ended is { } at ? Start.AddMinutes(at) : null,
        };

    private static Ticket Ticket(string id, long conversation, double posted, double? closed = null, string? resolvedBy = null) =>
        new()
        {
            Marker = $"at-{conversation:D10}",
            DedupKey = id,
            Severity = Severity.P1,
            State = closed is null ? TicketState.Open : TicketState.Closed,
            FiledBy = "alert:test",
            Subject = "[P1] test",
            AuditAction = AutoTicket.Audit.AuditActions.AlertTicketFiled,
            Tag = TicketTags.Alert,
            PostedAt = Start.AddMinutes(posted),
            ConversationId = conversation,
            Number = conversation,
            ConfirmedAt = Start.AddMinutes(posted).AddSeconds(1),
            ClosedAt = closed is { } at ? Start.AddMinutes(at) : null,
            ResolvedBy = resolvedBy,
        };

    private static async Task AddAsync(TestDatabase database, params IReadOnlyList<Alert> alerts)
    {
        await using var db = database.Open();
        foreach (var alert in alerts)
        {
            // One at a time, so that the ids have this order.
            db.Alerts.Add(alert);
            await db.SaveChangesAsync();
        }
    }

    private static Task<HttpResponseMessage> GetAsync(ConsoleHost console, string rest) =>
        console.Http.GetAsync(new Uri($"/api/incidents{rest}", UriKind.Relative));

    private static async Task<IReadOnlyList<string>> NamesAsync(ConsoleHost console, string query)
    {
        var answer = await console.Http.GetFromJsonAsync<JsonElement>(new Uri($"/api/incidents{query}", UriKind.Relative));
        return [.. answer.GetProperty("incidents").EnumerateArray().Select(one => one.GetProperty("name").GetString()!)];
    }

    private static Task<JsonElement> FindAsync(ConsoleHost console, string key) =>
        console.Http.GetFromJsonAsync<JsonElement>(new Uri($"/api/incidents/{key}", UriKind.Relative));

    private static string? Text(JsonElement answer, string of, string name) => answer.GetProperty(of).GetProperty(name).GetString();
}
