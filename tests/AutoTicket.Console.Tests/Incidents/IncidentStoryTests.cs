using System.Net.Http.Json;
using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Flags;
using AutoTicket.Mailbox;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Kit;

namespace AutoTicket.Tests.Incidents;

/// <summary>A surface goes down and recovers, in the real console with the sandbox.</summary>
public sealed class IncidentStoryTests
{
    private const int Ada = 1;

    private readonly StillClock _clock = new();

    [Fact]
    public async Task Each_step_of_an_outage_is_in_its_timeline_once_and_in_order()
    {
        await using var sandbox = await SandboxServer.StartAsync(new SandboxSettings { Clock = _clock });
        var settings = ConsoleHost.SurfaceSettings(0, "pay", sandbox.Surface("pay").Url);
        settings["Surfaces:0:DownAfter"] = "2";
        settings["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "1";
        settings["FreeScout:CallTimeout"] = "00:00:20";
        settings["Ticketing:ClickBudget"] = "00:00:25";
        settings["Ticketing:Lease"] = "00:00:30";
        await using var console = await ConsoleHost.StartAsync(sandbox: sandbox, settings: settings, clock: _clock);
        await console.WaitForFlagsAsync();
        await UntilAsync(console, SurfaceStatus.Operational);

        sandbox.Surface("pay").Answer(503);
        await UntilAsync(console, SurfaceStatus.Down);
        var key = AlertIdentity.KeyOf(AlertIdentity.OfSurface("pay"));
        await HasAsync(console, key, "ticket_filed", 1);
        await HasAsync(console, key, "dm_sent", 1);
        var ticket = Assert.Single(sandbox.FreeScout.Conversations).Id;
        var link = Assert
            .Single(sandbox.Slack.Messages)
            .Text.Split('\n')
            .Single(line => line.StartsWith("Console:", StringComparison.Ordinal));
        var permanent = link.Split('/')[^1].TrimEnd('>');
        Assert.Equal(key, permanent[..16]);

        // People work in FreeScout.
        _clock.Advance(TimeSpan.FromSeconds(20));
        sandbox.FreeScout.Assign(ticket, Ada, by: Ada);
        _clock.Advance(TimeSpan.FromSeconds(20));
        sandbox.FreeScout.ReplyByAgent(ticket, "<p>SECRET-OF-A-CUSTOMER</p>", Ada);

        sandbox.Surface("pay").Answer(200);
        await UntilAsync(console, SurfaceStatus.Operational);
        await HasAsync(console, key, "note", 1);
        await HasAsync(console, key, "dm_sent", 2);

        await console.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);
        using var resolved = await console.Http.PostAsJsonAsync(
            new Uri("/api/tickets/resolve", UriKind.Relative),
            new { ids = new[] { ticket } }
        );
        resolved.EnsureSuccessStatusCode();
        await HasAsync(console, permanent, "ticket_resolved", 1);

        var incident = await FindAsync(console, permanent);
        var timeline = incident.GetProperty("timeline").EnumerateArray().ToList();
        // If few of the last checks were good, it is degraded before it is operational.
        List<string> steps = [.. timeline.Where(entry => Kind(entry) != "decision" && !IsOnTheWayUp(entry)).Select(Kind)];
        // A ticket and its DM are sent side by side, so either may be first. Only a slow machine has decisions against one of them.
        Assert.Equal(
            [
                "first_bad_reading",
                "confirmed",
                "opened",
                "flags",
                "dm_sent",
                "ticket_claimed",
                "ticket_filed",
                "assigned",
                "replied",
                "recovered",
                "dm_sent",
                "note",
                "ticket_resolved",
            ],
            InAnyOrder(InAnyOrder(steps, 4, 7), 10, 12)
        );
        Assert.Equal(timeline.Select(At).Order(), timeline.Select(At));
        Assert.Equal("Ada Admin", Entry("assigned").GetProperty("by").GetString());
        Assert.True(Entry("assigned").GetProperty("acknowledgment").GetBoolean());
        Assert.Equal("developer", Entry("ticket_resolved").GetProperty("by").GetString());
        Assert.Contains($"{FlagNames.AlertsAutoTicket} on", Entry("flags").GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.DoesNotContain("SECRET", incident.GetRawText(), StringComparison.Ordinal);

        var beganAt = incident.GetProperty("began_at").GetDateTimeOffset();
        Assert.Equal(At(Entry("first_bad_reading")), beganAt);
        Assert.Equal(
            [
                ("detect_seconds", At(Entry("opened"))),
                ("notify_seconds", At(Entry("dm_sent"))),
                ("ticket_seconds", At(Entry("ticket_filed"))),
                ("person_seconds", At(Entry("assigned"))),
                ("recover_seconds", At(Entry("recovered"))),
                ("resolve_seconds", At(Entry("ticket_resolved"))),
            ],
            incident.GetProperty("figures").EnumerateObject().Select(figure => (figure.Name, beganAt.AddSeconds(figure.Value.GetDouble())))
        );
        // The second bad reading confirms: one poll interval later, with its jitter.
        Assert.InRange(incident.GetProperty("figures").GetProperty("detect_seconds").GetDouble(), 20, 200);

        bool IsOnTheWayUp(JsonElement entry) => Kind(entry) == "confirmed" && At(entry) > At(Entry("replied"));
        JsonElement Entry(string kind) => timeline.First(entry => Kind(entry) == kind);
    }

    [Theory, BothDatabases]
    public async Task Maintenance_before_and_during_an_incident_is_in_its_timeline_and_acknowledges_nothing_before(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await using var sandbox = await SandboxServer.StartAsync(new SandboxSettings { Clock = _clock });
        var settings = ConsoleHost.SurfaceSettings(0, "pay", sandbox.Surface("pay").Url);
        await using var console = await ConsoleHost.StartAsync(database, sandbox, settings, _clock);
        await UntilAsync(console, SurfaceStatus.Operational);
        var now = _clock.GetUtcNow();
        // A script that often sets maintenance must not hide the incident's own entries.
        await using (var db = database.Open())
        {
            db.AuditLog.AddRange(
                Enumerable
                    .Range(1, 150)
                    .Select(i => new AuditEntry
                    {
                        CreatedAt = now.AddHours(-i),
                        Action = AuditActions.MaintenanceRecorded,
                        Actor = "token:script",
                        Payload = $$"""{"surface":"pay","ends_at":"{{now.AddHours(-i):O}}","reason":"over"}""",
                    })
            );
            db.AuditLog.Add(
                new AuditEntry
                {
                    CreatedAt = now.AddDays(-200),
                    Action = AuditActions.MaintenanceScheduled,
                    Actor = "olga",
                    Payload = """{"surface":"pay","weekly_days":"mon","weekly_at":"21:00","time_zone":"UTC","reason":"For long"}""",
                }
            );
            await db.SaveChangesAsync();
        }

        await PostAsync(
            "surfaces/pay/maintenance",
            new
            {
                starts_at = now.AddHours(2),
                until = now.AddHours(3),
                reason = "New disks",
            }
        );
        _clock.Advance(TimeSpan.FromSeconds(1));
        await PostAsync(
            "surfaces/pay/maintenance",
            new
            {
                weekly = new
                {
                    days = new[] { "sun" },
                    at = "22:00",
                    time_zone = "UTC",
                },
                @for = "1h",
                reason = "Every week",
            }
        );
        _clock.Advance(TimeSpan.FromSeconds(20));
        sandbox.Surface("pay").Answer(503);
        await UntilAsync(console, SurfaceStatus.Down);
        var key = AlertIdentity.KeyOf(AlertIdentity.OfSurface("pay"));
        await Eventually.TrueAsync(async () => (await FindAsync(console, key)).ValueKind == JsonValueKind.Object, "the incident is there");
        _clock.Advance(TimeSpan.FromSeconds(20));
        await PostAsync("surfaces/pay/maintenance", new { @for = "1h", reason = "They are on it" });

        var timeline = (await FindAsync(console, key)).GetProperty("timeline").EnumerateArray().ToList();
        Assert.Contains(timeline, entry => Kind(entry) == "opened");
        var maintenance = timeline.FindAll(entry => Kind(entry) == "maintenance");
        Assert.Equal(
            [
                ("Maintenance scheduled, weekly: mon 21:00 UTC", "For long", false),
                ($"Maintenance scheduled from {UtcTime.Stamp(now.AddHours(2))} until {UtcTime.Stamp(now.AddHours(3))}", "New disks", false),
                ("Maintenance scheduled, weekly: sun 22:00 UTC", "Every week", false),
                ($"Maintenance started until {UtcTime.Stamp(_clock.GetUtcNow().AddHours(1))}", "They are on it", true),
            ],
            maintenance.Select(entry =>
                (
                    entry.GetProperty("text").GetString(),
                    entry.GetProperty("detail").GetString(),
                    entry.GetProperty("acknowledgment").GetBoolean()
                )
            )
        );

        async Task PostAsync(string path, object request)
        {
            using var answer = await console.Http.PostAsJsonAsync(new Uri($"/api/{path}", UriKind.Relative), request);
            Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        }
    }

    [Theory, BothDatabases]
    public async Task The_figures_are_right_when_maintenance_holds_the_ticket_back_and_its_answer_is_lost(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await using var sandbox = await SandboxServer.StartAsync(new SandboxSettings { Clock = _clock });
        var settings = ConsoleHost.SurfaceSettings(0, "pay", sandbox.Surface("pay").Url);
        settings["Surfaces:0:DownAfter"] = "2";
        settings["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "1";
        await using var console = await ConsoleHost.StartAsync(database, sandbox, settings, _clock);
        await console.WaitForFlagsAsync();
        await UntilAsync(console, SurfaceStatus.Operational);
        using (
            var planned = await console.Http.PostAsJsonAsync(
                new Uri("/api/surfaces/pay/maintenance", UriKind.Relative),
                new { @for = "20m", reason = "New disks" }
            )
        )
        {
            planned.EnsureSuccessStatusCode();
        }

        var maintainedUntil = _clock.GetUtcNow().AddMinutes(20);
        _clock.Advance(TimeSpan.FromSeconds(1));
        sandbox.Surface("pay").Answer(503);
        var key = AlertIdentity.KeyOf(AlertIdentity.OfSurface("pay"));
        await _clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(35),
            async () => (await FindAsync(console, key)) is { ValueKind: JsonValueKind.Object },
            "the alert is open, and muted"
        );
        using var lost = sandbox.Faults.Add(
            new Fault(FaultKind.CloseAfter)
            {
                Match = new FaultMatch("POST", $"{FreeScoutStandIn.ApiPath}/conversations", Whole: true),
                Times = 1,
            }
        );
        await _clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(20),
            async () => Kinds(await FindAsync(console, key)).Contains("ticket_adopted"),
            "the ticket is adopted"
        );
        await HasAsync(console, key, "dm_sent", 1);

        Assert.Equal(1, lost.Hits);
        Assert.Equal(1, sandbox.FreeScout.CreatedCount);
        var incident = await FindAsync(console, key);
        var beganAt = incident.GetProperty("began_at").GetDateTimeOffset();
        Assert.InRange(beganAt, maintainedUntil.AddMinutes(-20), maintainedUntil);
        Assert.InRange(At(Entry("ticket_claimed")), maintainedUntil, At(Entry("ticket_adopted")));
        Assert.InRange(At(Entry("dm_sent")), maintainedUntil, DateTimeOffset.MaxValue);
        Assert.Equal(
            [
                ("detect_seconds", At(Entry("opened"))),
                ("notify_seconds", At(Entry("dm_sent"))),
                // When people could see it in FreeScout.
                ("ticket_seconds", At(Entry("ticket_claimed"))),
                // Who set the maintenance did so before the outage.
                ("person_seconds", null),
                ("recover_seconds", null),
                ("resolve_seconds", null),
            ],
            incident
                .GetProperty("figures")
                .EnumerateObject()
                .Select(figure =>
                    (
                        figure.Name,
                        figure.Value.ValueKind is JsonValueKind.Null ? (DateTimeOffset?)null : beganAt.AddSeconds(figure.Value.GetDouble())
                    )
                )
        );

        JsonElement Entry(string kind) => incident.GetProperty("timeline").EnumerateArray().First(entry => Kind(entry) == kind);

        static IEnumerable<string> Kinds(JsonElement incident) => incident.GetProperty("timeline").EnumerateArray().Select(Kind);
    }

    private static string Kind(JsonElement entry) => entry.GetProperty("kind").GetString()!;

    private static DateTimeOffset At(JsonElement entry) => entry.GetProperty("at").GetDateTimeOffset();

    /// <summary>The words with those of a range sorted.</summary>
    private static List<string> InAnyOrder(List<string> words, int from, int to)
    {
        if (words.Count >= to)
        {
            words.Sort(from, to - from, StringComparer.Ordinal);
        }

        return words;
    }

    private static Task<JsonElement> FindAsync(ConsoleHost console, string key) =>
        console.Http.GetFromJsonAsync<JsonElement>(new Uri($"/api/incidents/{key}", UriKind.Relative));

    private async Task HasAsync(ConsoleHost console, string key, string kind, int count) =>
        // FreeScout's answers are kept for a while, by the clock.
        await _clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(1),
            async () =>
                (await FindAsync(console, key)).GetProperty("timeline").EnumerateArray().Count(entry => Kind(entry) == kind) == count,
            $"the incident has {count} {kind}"
        );

    private Task UntilAsync(ConsoleHost console, SurfaceStatus status) =>
        _clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(35),
            () => Task.FromResult(console.Get<StatusBoard>().Find("pay")!.Status == status),
            $"the surface is {status}"
        );
}
