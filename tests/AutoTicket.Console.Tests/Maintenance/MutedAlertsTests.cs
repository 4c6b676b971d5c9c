using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Alerts;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Maintenance;

/// <summary>What maintenance and snoozes hold back, and what is filed and sent afterwards.</summary>
public sealed class MutedAlertsTests
{
    [Theory, BothDatabases]
    [Trait("Pitfall", "T-55"), Trait("Pitfall", "T-15")]
    public async Task Maintenance_holds_all_alerts_of_its_surface_and_what_still_fires_is_told_once_afterwards(Database kind)
    {
        await using var muted = await Muted.StartAsync(kind);
        await muted.FireAsync("early", "worse");
        await muted.ToldAsync(tickets: 2, messages: 2);

        await muted.PostAsync("/api/surfaces/pay/maintenance", new { @for = "1h", reason = "database upgrade" });
        muted.Pay.Answer(503);
        await muted.FireAsync("late", "brief");
        await muted.EndAsync("brief", "early");
        await muted.FireAsync(Severity.P1, "worse");
        await muted.FireElsewhereAsync("other");
        await muted.HeldAsync("late", "surface_outage", "early", "worse");
        await muted.ToldAsync(tickets: 3, messages: 3);
        await muted.DecidedAsync("brief", "slack", "dropped: ended meanwhile");
        await muted.ShowsAsync(SurfaceStatus.Maintenance, observed: SurfaceStatus.Down);

        await muted.DeleteAsync("/api/surfaces/pay/maintenance");

        // Tickets for “late” and the outage. DMs for these, for the end of “early” and for the severity of “worse”.
        await muted.ToldAsync(tickets: 5, messages: 7);
        Assert.DoesNotContain(muted.Messages, text => text.Contains("brief", StringComparison.Ordinal));
        var brief = Assert.Single((await muted.AlertsAsync()).EnumerateArray(), alert => NameOf(alert) == "brief");
        Assert.Equal(JsonValueKind.Null, brief.GetProperty("dm_sent_at").ValueKind);
        await muted.SettledAsync();
        Assert.Equal((5, 7), (muted.Tickets, muted.Messages.Count));
    }

    [Fact]
    [Trait("Pitfall", "T-55")]
    public async Task An_alert_whose_sender_went_silent_during_maintenance_is_told_afterwards_because_nobody_reported_a_recovery()
    {
        var clock = new StillClock(TimeProvider.System.GetUtcNow());
        await using var muted = await Muted.StartAsync(Database.Sqlite, clock);
        await muted.PostAsync("/api/surfaces/pay/maintenance", new { @for = "1h", reason = "database upgrade" });
        await muted.FireUntilAsync("silent", clock.GetUtcNow().AddSeconds(1));
        await clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(5),
            async () => (await muted.AlertAsync("silent")).GetProperty("status").GetString() == "expired",
            "the alert expires",
            TimeSpan.FromMilliseconds(100)
        );

        await muted.DeleteAsync("/api/surfaces/pay/maintenance");
        using var running = clock.Run();

        await muted.ToldAsync(tickets: 0, messages: 1);
        Assert.Contains("EXPIRED", muted.Messages[0], StringComparison.Ordinal);
        await muted.SettledAsync();
    }

    [Theory, BothDatabases]
    [Trait("Pitfall", "T-55")]
    public async Task A_snooze_holds_one_alert_until_its_end_or_until_the_alert_recovers(Database kind)
    {
        await using var muted = await Muted.StartAsync(kind);
        await muted.FireAsync("noisy", "passing");
        await muted.ToldAsync(tickets: 2, messages: 2);
        var noisy = await muted.KeyAsync("noisy");
        var passing = await muted.KeyAsync("passing");

        await muted.PostAsync($"/api/alerts/{noisy}/snooze", new { @for = "2h", reason = "known, waiting for a part" });
        await muted.PostAsync(
            $"/api/alerts/{passing}/snooze",
            new
            {
                @for = "2h",
                until_recovery = true,
                reason = "being repaired",
            }
        );
        var mute = (await muted.AlertAsync("passing")).GetProperty("mute");
        Assert.Equal(
            (true, "developer", "being repaired", true),
            (
                mute.GetProperty("is_snooze").GetBoolean(),
                mute.GetProperty("actor").GetString(),
                mute.GetProperty("reason").GetString(),
                mute.GetProperty("until_recovery").GetBoolean()
            )
        );
        await muted.FireAsync(Severity.P1, "noisy", "passing");
        await muted.HeldAsync("noisy", "passing");

        // Its recovery ends the snooze and is told at once. That it fires again is told, too.
        await muted.EndAsync("passing");
        await muted.ToldAsync(tickets: 2, messages: 3);
        await muted.FireAsync(Severity.P1, "passing");
        await muted.ToldAsync(tickets: 2, messages: 4);
        Assert.Equal(JsonValueKind.Null, (await muted.AlertAsync("passing")).GetProperty("mute").ValueKind);

        await muted.DeleteAsync($"/api/alerts/{noisy}/snooze");

        await muted.ToldAsync(tickets: 2, messages: 5);
        Assert.Equal(
            [
                (AuditActions.AlertSnoozed, noisy, "known, waiting for a part"),
                (AuditActions.AlertSnoozed, passing, "being repaired"),
                (AuditActions.AlertUnsnoozed, noisy, "known, waiting for a part"),
            ],
            await muted.SnoozesAuditedAsync()
        );
    }

    [Fact]
    public async Task A_request_that_is_refused_says_why()
    {
        await using var muted = await Muted.StartAsync(Database.Sqlite);
        await muted.FireAsync("noisy");
        var snooze = $"/api/alerts/{await muted.KeyAsync("noisy")}/snooze";
        const string maintenance = "/api/surfaces/pay/maintenance";

        Assert.Equal(
            (HttpStatusCode.NotFound, "There is no surface with this key."),
            await muted.RefusalAsync("/api/surfaces/x/maintenance")
        );
        Assert.Equal((HttpStatusCode.NotFound, "There is no alert with this key."), await muted.RefusalAsync("/api/alerts/x/snooze"));
        Assert.Equal(
            (HttpStatusCode.BadRequest, "Enter a reason (3–500 characters)."),
            await muted.RefusalAsync(maintenance, new { @for = "1h" })
        );
        Assert.Equal(
            (HttpStatusCode.BadRequest, "Enter a reason (3–500 characters)."),
            await muted.RefusalAsync(snooze, new { @for = "1h" })
        );
        Assert.Equal((HttpStatusCode.Conflict, "The surface is not in maintenance."), await muted.RefusedDeleteAsync(maintenance));
        Assert.Equal((HttpStatusCode.Conflict, "The alert is not snoozed."), await muted.RefusedDeleteAsync(snooze));
        Assert.Equal(
            (HttpStatusCode.NotFound, "The surface has no open maintenance window with this id."),
            await muted.RefusedDeleteAsync(maintenance + "/17")
        );
    }

    [Theory, BothDatabases]
    public async Task Windows_are_listed_audited_and_canceled(Database kind)
    {
        await using var muted = await Muted.StartAsync(kind);
        const string path = "/api/surfaces/pay/maintenance";
        var planned = await muted.PostAsync(
            path,
            new
            {
                @for = "2h",
                starts_at = TimeProvider.System.GetUtcNow().AddDays(3),
                reason = "planned work",
            }
        );
        var weekly = await muted.PostAsync(
            path,
            new
            {
                @for = "2h",
                weekly = new
                {
                    days = new[] { "sat" },
                    at = "22:00",
                    time_zone = "Europe/Berlin",
                },
                reason = "weekly backup",
            }
        );
        await muted.ShowsAsync(SurfaceStatus.Operational);
        await muted.PostAsync(path, new { @for = "2h", reason = "right now" });

        var windows = (await muted.GetAsync(path)).GetProperty("windows").EnumerateArray().ToList();
        Assert.Equal(["right now", "weekly backup", "planned work"], windows.Select(window => window.GetProperty("reason").GetString()));
        Assert.Equal([true, false, false], windows.Select(window => window.GetProperty("active").GetBoolean()));
        Assert.Equal("Europe/Berlin", weekly.GetProperty("weekly").GetProperty("time_zone").GetString());
        Assert.NotEqual(JsonValueKind.Null, weekly.GetProperty("next_from").ValueKind);
        var status = (await muted.GetAsync("/api/status")).GetProperty("surfaces")[0];
        Assert.Equal(
            ("maintenance", "developer", "right now"),
            (
                status.GetProperty("status").GetString(),
                status.GetProperty("maintenance").GetProperty("actor").GetString(),
                status.GetProperty("maintenance").GetProperty("reason").GetString()
            )
        );

        foreach (var window in new[] { planned, weekly, windows[0] })
        {
            await muted.DeleteAsync($"{path}/{window.GetProperty("id").GetInt64()}");
        }

        await muted.ShowsAsync(SurfaceStatus.Operational);
        Assert.Equal(
            [
                (AuditActions.MaintenanceScheduled, "planned work"),
                (AuditActions.MaintenanceScheduled, "weekly backup"),
                (AuditActions.MaintenanceStarted, "right now"),
                (AuditActions.MaintenanceCanceled, "planned work"),
                (AuditActions.MaintenanceCanceled, "weekly backup"),
                (AuditActions.MaintenanceEnded, "right now"),
            ],
            await muted.MaintenanceAuditedAsync()
        );
    }

    [Fact]
    public async Task Maintenance_for_the_past_is_audited_and_takes_the_readings_that_exist_out_of_the_availability()
    {
        await using var muted = await Muted.StartAsync(Database.Sqlite);
        await Eventually.TrueAsync(async () => await muted.ReadingsAsync(inMaintenance: false) >= 2, "readings are stored");

        await muted.PostAsync(
            "/api/surfaces/pay/maintenance",
            new
            {
                starts_at = TimeProvider.System.GetUtcNow().AddHours(-2),
                until = TimeProvider.System.GetUtcNow(),
                reason = "it was forgotten",
            }
        );

        Assert.Equal([(AuditActions.MaintenanceRecorded, "it was forgotten")], await muted.MaintenanceAuditedAsync());
        await muted.ShowsAsync(SurfaceStatus.Operational);
        await Eventually.TrueAsync(async () => await muted.ReadingsAsync(inMaintenance: true) >= 2, "the past readings are marked");
        await Eventually.TrueAsync(async () => await muted.ReadingsAsync(inMaintenance: false) >= 2, "later readings count");
    }

    private static string? NameOf(JsonElement alert) => alert.GetProperty("name").GetString();

    /// <summary>A console with one surface, whose alerts are told at once.</summary>
    private sealed class Muted : IAsyncDisposable
    {
        private readonly TestDatabase _database;
        private readonly SandboxServer _sandbox;
        private readonly ConsoleHost _console;

        private Muted(TestDatabase database, SandboxServer sandbox, ConsoleHost console) =>
            (_database, _sandbox, _console) = (database, sandbox, console);

        public SandboxSurface Pay => _sandbox.Surface("pay");

        public int Tickets => _sandbox.FreeScout.Conversations.Count;

        public IReadOnlyList<string> Messages => [.. _sandbox.Slack.Messages.Select(message => message.Text)];

        public static async Task<Muted> StartAsync(Database kind, StillClock? clock = null)
        {
            var sandbox = await SandboxServer.StartAsync();
            sandbox.Surface("pay").Answer();
            var database = await TestDatabase.CreateAsync(kind);
            var settings = ConsoleHost.SurfaceSettings(0, "pay", sandbox.Surface("pay").Url);
            settings["Status:PollInterval"] = "00:00:00.5";
            settings["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "1";
            settings["Slack:SinglesPerMinute"] = "50";
            var muted = new Muted(database, sandbox, await ConsoleHost.StartAsync(database, sandbox, settings, clock));
            await muted.ShowsAsync(SurfaceStatus.Operational);
            return muted;
        }

        /// <summary>Waits, because the surface is stale when a busy machine misses two checks.</summary>
        public Task ShowsAsync(SurfaceStatus status, SurfaceStatus? observed = null) =>
            Eventually.TrueAsync(
                () => _console.Get<StatusBoard>().Find("pay") is { } pay && (pay.Status, pay.Observed) == (status, observed ?? status),
                $"the surface is {status}, its checks say {observed ?? status}"
            );

        public Task FireAsync(params IEnumerable<string> names) => FireAsync(Severity.P2, names);

        public Task FireAsync(Severity severity, params IEnumerable<string> names) =>
            ObserveAsync(names.Select(name => AlertDriver.Say(name, severity, surface: "pay")));

        public Task FireUntilAsync(string name, DateTimeOffset expires) =>
            ObserveAsync([AlertDriver.Say(name, surface: "pay", expires: expires)]);

        public Task FireElsewhereAsync(string name) => ObserveAsync([AlertDriver.Say(name)]);

        public Task EndAsync(params IEnumerable<string> names) =>
            ObserveAsync(names.Select(name => AlertDriver.Say(name, firing: false, surface: "pay")));

        /// <summary>Waits for exactly so many tickets and DMs.</summary>
        public Task ToldAsync(int tickets, int messages) =>
            Eventually.TrueAsync(
                () => (Tickets, Messages.Count) == (tickets, messages),
                $"{tickets} tickets and {messages} DMs, now {Tickets} and: {string.Join(" | ", Messages)}"
            );

        public async Task HeldAsync(params IEnumerable<string> names)
        {
            foreach (var name in names)
            {
                await Eventually.TrueAsync(
                    async () =>
                        (await AlertAsync(name))
                            .GetProperty("decisions")
                            .EnumerateArray()
                            .Select(decision => (decision.GetProperty("path").GetString(), decision.GetProperty("word").GetString()))
                            .Where(decision => decision.Item2!.StartsWith("held: ", StringComparison.Ordinal))
                            .Select(decision => decision.Item1)
                            .Order()
                            .SequenceEqual(["slack", "ticket"]),
                    $"both hooks hold {name}"
                );
            }
        }

        public Task DecidedAsync(string name, string path, string word) =>
            Eventually.TrueAsync(
                async () =>
                    (await AlertAsync(name))
                        .GetProperty("decisions")
                        .EnumerateArray()
                        .Any(decision =>
                            decision.GetProperty("path").GetString() == path && decision.GetProperty("word").GetString() == word
                        ),
                $"“{word}” is decided about {name}"
            );

        public async Task<int> ReadingsAsync(bool inMaintenance)
        {
            await using var db = _database.Open();
            return await db.SurfaceReadings.CountAsync(reading => reading.InMaintenance == inMaintenance);
        }

        /// <summary>Waits until no hook has work left.</summary>
        public Task SettledAsync() =>
            Eventually.TrueAsync(
                async () =>
                {
                    await using var db = _database.Open();
                    return !await db.AlertOutbox.AnyAsync();
                },
                "all alerts are settled"
            );

        public async Task<JsonElement> AlertsAsync() => (await GetAsync("/api/alerts")).GetProperty("alerts");

        public async Task<JsonElement> AlertAsync(string name) =>
            (await AlertsAsync()).EnumerateArray().Single(alert => NameOf(alert) == name);

        public async Task<string> KeyAsync(string name) => (await AlertAsync(name)).GetProperty("alert_key").GetString()!;

        public Task<JsonElement> GetAsync(string path) => _console.Http.GetFromJsonAsync<JsonElement>(new Uri(path, UriKind.Relative));

        public async Task<JsonElement> PostAsync(string path, object body)
        {
            using var answer = await _console.Http.PostAsJsonAsync(new Uri(path, UriKind.Relative), body);
            var text = await answer.Content.ReadAsStringAsync();
            Assert.True(answer.IsSuccessStatusCode, text);
            return text.Length == 0 ? default : JsonSerializer.Deserialize<JsonElement>(text);
        }

        public async Task DeleteAsync(string path)
        {
            using var answer = await _console.Http.DeleteAsync(new Uri(path, UriKind.Relative));
            Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        }

        public async Task<(HttpStatusCode, string?)> RefusalAsync(string path, object? body = null)
        {
            using var answer = await _console.Http.PostAsJsonAsync(
                new Uri(path, UriKind.Relative),
                body ?? new { @for = "1h", reason = "a test" }
            );
            return (answer.StatusCode, await TitleOfAsync(answer));
        }

        public async Task<(HttpStatusCode, string?)> RefusedDeleteAsync(string path)
        {
            using var answer = await _console.Http.DeleteAsync(new Uri(path, UriKind.Relative));
            return (answer.StatusCode, await TitleOfAsync(answer));
        }

        public async Task<List<(string Action, string? Reason)>> MaintenanceAuditedAsync() =>
            (await AuditedAsync("console.maintenance.")).ConvertAll(entry => (entry.Action, Text(entry.Payload, "reason")));

        public async Task<List<(string Action, string? Key, string? Reason)>> SnoozesAuditedAsync() =>
            (await AuditedAsync("console.alerts."))
                .FindAll(entry => entry.Action is AuditActions.AlertSnoozed or AuditActions.AlertUnsnoozed)
                .ConvertAll(entry => (entry.Action, Text(entry.Payload, "alert_key"), Text(entry.Payload, "reason")));

        private async Task<List<(string Action, JsonElement Payload)>> AuditedAsync(string prefix)
        {
            await using var db = _database.Open();
            var entries = await db.AuditLog.AsNoTracking().OrderBy(entry => entry.Id).ToListAsync();
            return
            [
                .. entries
                    .Where(entry => entry.Action.StartsWith(prefix, StringComparison.Ordinal))
                    .Select(entry => (entry.Action, JsonSerializer.Deserialize<JsonElement>(entry.Payload))),
            ];
        }

        private static string? Text(JsonElement payload, string name) => payload.GetProperty(name).GetString();

        private static async Task<string?> TitleOfAsync(HttpResponseMessage answer) =>
            (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("title").GetString();

        private Task ObserveAsync(IEnumerable<Observation> observations)
        {
            List<Observation> all = [.. observations];
            return Eventually.TrueAsync(
                async () => await _console.Get<AlertAggregator>().ObserveAsync(all, CancellationToken.None) is not null,
                "the console records the alerts"
            );
        }

        public async ValueTask DisposeAsync()
        {
            await _console.DisposeAsync();
            await _sandbox.DisposeAsync();
            await _database.DisposeAsync();
        }
    }
}
