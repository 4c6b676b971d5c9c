using System.Globalization;
using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Kit;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tests.Alerts;

/// <summary>The outbox holds the alerts that a hook must still process. A change adds a row; recording the outcome removes it.</summary>
public sealed class OutboxTests
{
    private static readonly Hook Slack = new(DecisionSources.Slack, WantsEndedAlerts: true);
    private static readonly Hook Ticket = new(DecisionSources.Ticket, WantsEndedAlerts: false);

    [Theory, BothDatabases]
    public async Task Each_hook_gets_each_change_until_its_outcome_is_recorded(Database kind)
    {
        await using var outbox = await Outbox.CreateAsync(kind);
        await outbox.OpenAsync("disk_full");

        foreach (var hook in new[] { Slack, Ticket })
        {
            var notice = Assert.Single(await outbox.Log.DueAsync(hook, CancellationToken.None));
            Assert.Equal(NoticeKind.Firing, notice.Kind);
            Assert.Single(await outbox.Log.DueAsync(hook, CancellationToken.None));
            await outbox.RecordAsync(hook, notice);
            Assert.Empty(await outbox.Log.DueAsync(hook, CancellationToken.None));
        }

        Assert.Equal(0, await outbox.CountAsync());
    }

    /// <summary>The database's clock was an hour ahead when they were written.</summary>
    [Theory, BothDatabases]
    public async Task A_clock_that_is_set_back_holds_no_alert_back(Database kind)
    {
        await using var outbox = await Outbox.CreateAsync(kind);
        await outbox.OpenAsync("fires");
        await outbox.OpenAsync("flapped");
        await outbox.RecordAsync(Slack, (await outbox.Log.DueAsync(Slack, CancellationToken.None)).Last());
        await outbox.ChangeAsync(
            "flapped",
            alert => alert with { Status = AlertStatus.Resolved, EndedAt = outbox.Now, Reopened = 1, NotifyAt = outbox.Now.AddMinutes(15) }
        );
        var log = outbox.LogAt(outbox.Now.AddHours(-1));

        Assert.Equal(["fires", "flapped"], (await log.DueAsync(Slack, CancellationToken.None)).Select(notice => notice.Alert.Name));
    }

    /// <summary>Recording the older notice must not remove the row of the newer one.</summary>
    [Theory, BothDatabases]
    public async Task A_change_during_a_delivery_is_delivered_next(Database kind)
    {
        await using var outbox = await Outbox.CreateAsync(kind);
        var alert = await outbox.OpenAsync("disk_full");
        var notice = Assert.Single(await outbox.Log.DueAsync(Slack, CancellationToken.None));

        await outbox.ChangeAsync(alert with { Severity = Severity.P1, NotifyAt = outbox.Now });
        await outbox.RecordAsync(Slack, notice);

        var next = Assert.Single(await outbox.Log.DueAsync(Slack, CancellationToken.None));
        Assert.Equal((NoticeKind.SeverityChanged, Severity.P1), (next.Kind, next.Alert.Severity));
    }

    /// <summary>A leader that was frozen after it sent the DM records it after the next leader did.</summary>
    [Theory, BothDatabases]
    public async Task A_late_record_does_not_replace_that_of_the_next_leader(Database kind)
    {
        await using var outbox = await Outbox.CreateAsync(kind);
        var alert = await outbox.OpenAsync("disk_full");
        var late = Assert.Single(await outbox.Log.DueAsync(Slack, CancellationToken.None));
        await outbox.ChangeAsync(alert with { Severity = Severity.P1, NotifyAt = outbox.Now });
        await outbox.RecordAsync(Slack, Assert.Single(await outbox.Log.DueAsync(Slack, CancellationToken.None)));

        await outbox.RecordAsync(Slack, late);

        await using var db = await outbox.Contexts.CreateDbContextAsync();
        Assert.Equal(Severity.P1, (await db.AlertDeliveries.AsNoTracking().SingleAsync()).Severity);
    }

    [Theory, BothDatabases]
    public async Task A_newer_record_replaces_that_of_another_leader(Database kind)
    {
        await using var outbox = await Outbox.CreateAsync(kind);
        await outbox.OpenAsync("disk_full");
        var older = Assert.Single(await outbox.Log.DueAsync(Slack, CancellationToken.None));
        await outbox.ChangeAsync("disk_full", alert => alert with { Reopened = 1 });
        var newer = Assert.Single(await outbox.Log.DueAsync(Slack, CancellationToken.None));

        await outbox.RecordAsync(Slack, older);
        await outbox.RecordAsync(Slack, newer);

        await using var db = await outbox.Contexts.CreateDbContextAsync();
        Assert.Equal(1, (await db.AlertDeliveries.AsNoTracking().SingleAsync()).Reopened);
    }

    /// <summary>Below the threshold nothing is filed, however the severity changes.</summary>
    [Theory, BothDatabases]
    public async Task Only_a_severity_that_rises_above_the_threshold_may_need_another_ticket(Database kind)
    {
        await using var outbox = await Outbox.CreateAsync(kind);
        await outbox.OpenAsync("disk_full");
        await outbox.RecordAsync(Ticket, Assert.Single(await outbox.Log.DueAsync(Ticket, CancellationToken.None)));
        foreach (var (severity, isWorse) in new[] { (Severity.P4, false), (Severity.P3, false), (Severity.P2, true), (Severity.P1, true) })
        {
            await outbox.ChangeAsync("disk_full", alert => alert with { Severity = severity });
            var notice = Assert.Single(await outbox.Log.DueAsync(Ticket, CancellationToken.None));
            Assert.Equal((NoticeKind.SeverityChanged, isWorse), (notice.Kind, notice.IsWorse));
            await outbox.RecordAsync(Ticket, notice);
        }
    }

    [Theory, BothDatabases]
    public async Task A_change_that_needed_no_delivery_keeps_the_time_of_the_last_one(Database kind)
    {
        await using var outbox = await Outbox.CreateAsync(kind);
        var clock = new StillClock(outbox.Now.AddMinutes(1));
        await outbox.OpenAsync("disk_full");
        var sent = Assert.Single(await outbox.Log.DueAsync(Slack, CancellationToken.None));
        await outbox.RecordAsync(Slack, sent);
        var sentAt = (await ReadAsync()).At;
        await outbox.ChangeAsync("disk_full", alert => alert with { Severity = Severity.P4 });
        var first = outbox.LogWith(clock);
        var late = Assert.Single(await first.DueAsync(Slack, CancellationToken.None));

        await outbox.RecordAsync(Slack, late, log: first, deliveredAt: sentAt);
        Assert.Equal((sentAt, Severity.P4), ((await ReadAsync()).At, (await ReadAsync()).Severity));

        // The record of a leader that was frozen is older, although the time did not change.
        await outbox.RecordAsync(Slack, late with { Alert = late.Alert with { Severity = Severity.P3 } }, log: first, deliveredAt: sentAt);
        Assert.Equal(Severity.P4, (await ReadAsync()).Severity);

        async Task<AlertDelivery> ReadAsync()
        {
            await using var db = await outbox.Contexts.CreateDbContextAsync();
            return await db.AlertDeliveries.AsNoTracking().SingleAsync();
        }
    }

    /// <summary>A lost right, for example, or a trigger: other statements work, so it is no outage.</summary>
    [Theory, BothDatabases]
    public async Task A_delivery_whose_record_the_database_refuses_is_made_once_and_recorded_when_it_can_be(Database kind)
    {
        await using var outbox = await Outbox.CreateAsync(kind);
        var clock = new StillClock(outbox.Now.AddMinutes(1));
        var log = outbox.LogWith(clock);
        var refused = await outbox.OpenAsync("refused");
        await outbox.OpenAsync("recorded");
        await outbox.RefuseDeliveriesAsync(kind, refused.Id);
        var due = await log.DueAsync(Slack, CancellationToken.None);
        Assert.Equal(["refused", "recorded"], due.Select(notice => notice.Alert.Name));
        foreach (var notice in due)
        {
            var error = await Record.ExceptionAsync(() => outbox.RecordAsync(Slack, notice, log: log));
            Assert.Equal(notice.Alert.Name == "refused", error is not null);
        }

        for (var pass = 0; pass < 3; pass++)
        {
            Assert.Empty(await log.DueAsync(Slack, CancellationToken.None));
            clock.Advance(TimeSpan.FromMinutes(1));
        }

        Assert.Equal(["recorded"], await DeliveredAsync());
        await outbox.ChangeAsync("refused", alert => alert with { Severity = Severity.P1 });
        Assert.Equal("refused", Assert.Single(await log.DueAsync(Slack, CancellationToken.None)).Alert.Name);
        await outbox.AcceptDeliveriesAsync(kind);
        clock.Advance(TimeSpan.FromMinutes(1));
        var worse = Assert.Single(await log.DueAsync(Slack, CancellationToken.None));

        Assert.Equal((NoticeKind.SeverityChanged, Severity.P2), (worse.Kind, worse.LastDelivery?.Severity));
        Assert.Equal(["recorded", "refused"], await DeliveredAsync());

        async Task<List<string>> DeliveredAsync()
        {
            await using var db = await outbox.Contexts.CreateDbContextAsync();
            return await db
                .AlertDeliveries.Join(db.Alerts, delivery => delivery.AlertRow, alert => alert.Id, (_, alert) => alert.Name)
                .Order()
                .ToListAsync();
        }
    }

    [Theory, BothDatabases]
    public async Task An_alert_without_news_for_a_hook_leaves_the_outbox_and_a_waiting_one_stays(Database kind)
    {
        await using var outbox = await Outbox.CreateAsync(kind);
        var over = await outbox.OpenAsync("over");
        var flapping = await outbox.OpenAsync("flapping");
        foreach (var notice in await outbox.Log.DueAsync(Ticket, CancellationToken.None))
        {
            if (notice.Alert.Name == "flapping")
            {
                await outbox.RecordAsync(Ticket, notice);
            }
        }

        await outbox.ChangeAsync(over with { Status = AlertStatus.Resolved, EndedAt = outbox.Now, NotifyAt = outbox.Now });
        await outbox.ChangeAsync(
            flapping with
            {
                Status = AlertStatus.Resolved,
                EndedAt = outbox.Now,
                Reopened = 1,
                NotifyAt = outbox.Now,
            }
        );

        Assert.Empty(await outbox.Log.DueAsync(Ticket, CancellationToken.None));
        await using var db = await outbox.Contexts.CreateDbContextAsync();
        Assert.Equal(
            [flapping.Id],
            await db.AlertOutbox.Where(entry => entry.Hook == DecisionSources.Ticket).Select(entry => entry.AlertRow).ToListAsync()
        );
    }

    [Theory, BothDatabases]
    public async Task The_next_notice_follows_from_the_last_delivered_one(Database kind)
    {
        await using var outbox = await Outbox.CreateAsync(kind);
        await outbox.OpenAsync("disk_full");
        await ExpectNoticeAsync(NoticeKind.Firing);
        await ChangeAsync(alert => alert with { Status = AlertStatus.Resolved, EndedAt = outbox.Now });
        await ExpectNoticeAsync(NoticeKind.Ended);
        await ChangeAsync(alert => alert);
        await ExpectNoticeAsync(null);
        await ChangeAsync(alert => alert with { Status = AlertStatus.Firing, EndedAt = null, Reopened = 1 });
        await ExpectNoticeAsync(NoticeKind.FiringAgain);
        await ChangeAsync(alert => alert with { Status = AlertStatus.Resolved, EndedAt = outbox.Now - new AlertsOptions().QuietPeriod });
        await ExpectNoticeAsync(NoticeKind.Ended);

        Task ChangeAsync(Func<Alert, Alert> change) => outbox.ChangeAsync("disk_full", change);

        async Task ExpectNoticeAsync(NoticeKind? expected)
        {
            var due = await outbox.Log.DueAsync(Slack, CancellationToken.None);
            Assert.Equal(expected, due.SingleOrDefault()?.Kind);
            foreach (var notice in due)
            {
                await outbox.RecordAsync(Slack, notice);
            }
        }
    }

    [Theory, BothDatabases]
    public async Task An_undelivered_alert_is_sent_up_to_a_day_late_and_a_P3_never(Database kind)
    {
        await using var outbox = await Outbox.CreateAsync(kind);
        await outbox.OpenAsync([
            Outbox.Alert("slight") with
            {
                Severity = Severity.P3,
            },
            Outbox.Alert("late"),
            Outbox.Alert("old"),
            Outbox.Alert("worse") with
            {
                Severity = Severity.P1,
            },
        ]);
        await outbox.ChangeAsync("slight", alert => alert);
        await outbox.ChangeAsync("late", alert => alert with { Status = AlertStatus.Resolved, EndedAt = outbox.Now.AddHours(-23) });
        await outbox.ChangeAsync("old", alert => alert with { Status = AlertStatus.Resolved, EndedAt = outbox.Now.AddHours(-25) });

        var due = await outbox.Log.DueAsync(Slack, CancellationToken.None);
        Assert.Equal([("worse", NoticeKind.Firing), ("late", NoticeKind.Firing)], due.Select(notice => (notice.Alert.Name, notice.Kind)));

        // The recovery was sent too, so no second one follows.
        await outbox.RecordAsync(Slack, due[1]);
        await outbox.ChangeAsync("late", alert => alert);
        Assert.Equal(["worse"], (await outbox.Log.DueAsync(Slack, CancellationToken.None)).Select(notice => notice.Alert.Name));
    }

    [Theory, BothDatabases]
    public async Task An_alert_that_expired_in_a_long_mute_is_due_after_the_mute_and_one_that_recovered_in_it_is_not(Database kind)
    {
        await using var outbox = await Outbox.CreateAsync(kind);
        var alerts = new[] { "expired", "recovered", "unmuted" }.Select(name => Outbox.Alert(name)).ToList();
        await outbox.OpenAsync([.. alerts]);
        outbox.Mutes.Set(
            alerts
                .Take(2)
                .Select(alert => new AlertSnooze(
                    alert.AlertId,
                    outbox.Now.AddHours(-60),
                    outbox.Now.AddMinutes(-1),
                    "olga",
                    "a weekend of work",
                    Episode: null
                ))
        );
        foreach (var alert in alerts)
        {
            var status = alert.Name == "recovered" ? AlertStatus.Resolved : AlertStatus.Expired;
            await outbox.ChangeAsync(alert.Name, ended => ended with { Status = status, EndedAt = outbox.Now.AddHours(-50) });
        }

        Assert.Equal(["expired"], (await outbox.Log.DueAsync(Slack, CancellationToken.None)).Select(notice => notice.Alert.Name));
        Assert.Empty(await outbox.Log.DueAsync(Ticket, CancellationToken.None));
    }

    [Theory, BothDatabases]
    public async Task A_note_gets_the_recorded_ticket_and_keeps_the_record(Database kind)
    {
        var ticket = new AlertTicket(7, 8, "https://tickets.example/conversation/7");
        await using var outbox = await Outbox.CreateAsync(kind);
        await outbox.OpenAsync("disk_full");
        var filed = Assert.Single(await outbox.Log.DueAsync(Ticket, CancellationToken.None));
        await outbox.RecordAsync(Ticket, filed, ticket);
        await outbox.ChangeAsync("disk_full", alert => alert with { Severity = Severity.P1 });
        var note = Assert.Single(await outbox.Log.DueAsync(Ticket, CancellationToken.None));
        await outbox.RecordAsync(Ticket, note);

        Assert.Equal((NoticeKind.SeverityChanged, ticket), (note.Kind, note.Ticket));
        await using var db = await outbox.Contexts.CreateDbContextAsync();
        var recorded = await db.AlertDeliveries.SingleAsync();
        Assert.Equal(
            (Severity.P1, ticket),
            (recorded.Severity, new AlertTicket(recorded.TicketId!.Value, recorded.TicketNumber, recorded.TicketUrl!))
        );
    }

    /// <summary>One source has more alerts than a pass takes, and the hook processes none of them.</summary>
    [Theory, BothDatabases]
    public async Task During_a_flood_each_pass_includes_the_other_source_and_the_flood_takes_turns(Database kind)
    {
        const int Flood = 2300;
        await using var outbox = await Outbox.CreateAsync(kind);
        await outbox.OpenAsync([.. Enumerable.Range(0, Flood).Select(n => Outbox.Alert($"flood{n}"))]);
        await outbox.OpenAsync("other", "quiet");

        var seen = new HashSet<string>();
        for (var pass = 0; pass < 5; pass++)
        {
            var due = await outbox.Log.DueAsync(Ticket, CancellationToken.None);
            Assert.InRange(due.Count, 900, 1000);
            Assert.Contains(due, notice => notice.Alert.Source == "quiet");
            Assert.Equal(
                due.OrderBy(notice => notice.Alert.Severity).ThenBy(notice => notice.Alert.OpenedAt).ThenBy(notice => notice.Alert.Id),
                due
            );
            seen.UnionWith(due.Select(notice => notice.Alert.Name));
        }

        Assert.Equal(Flood + 1, seen.Count);
    }

    /// <summary>Each source has one alert, and the hook processes none of them.</summary>
    [Theory, BothDatabases]
    public async Task Of_more_sources_than_a_pass_takes_the_worst_goes_first_and_each_has_its_turn(Database kind)
    {
        const int Sources = 3000;
        await using var outbox = await Outbox.CreateAsync(kind);
        await outbox.OpenAsync([.. Enumerable.Range(0, Sources).Select(n => Outbox.Alert($"alert{n}", $"source{n:0000}"))]);
        await outbox.OpenAsync([Outbox.Alert("worst", "the last source") with { Severity = Severity.P1 }]);

        var seen = new HashSet<string>();
        for (var pass = 0; pass < 5; pass++)
        {
            var due = await outbox.Log.DueAsync(Ticket, CancellationToken.None);
            Assert.Equal("worst", due[0].Alert.Name);
            seen.UnionWith(due.Select(notice => notice.Alert.Name));
        }

        Assert.Equal(Sources + 1, seen.Count);
    }

    [Theory, BothDatabases]
    public async Task An_alert_that_starts_and_ends_while_another_batch_is_written_is_resolved(Database kind)
    {
        await using var driver = await AlertDriver.StartAsync(
            kind,
            new Dictionary<string, string?> { ["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "0" }
        );
        for (var round = 0; round < 5; round++)
        {
            var name = $"brief{round}";
            var before = driver.RaiseAsync([.. Enumerable.Range(0, 200).Select(n => AlertDriver.Say($"before{round}-{n}", Severity.P4))]);
            var begin = driver.RaiseAsync(AlertDriver.Say(name));
            var end = driver.RaiseAsync(AlertDriver.Say(name, firing: false));
            await before;

            Assert.Equal((ObservationResult.Opened, ObservationResult.Resolved), ((await begin).Result, (await end).Result));
            Assert.Equal(AlertStatus.Resolved, (await driver.AlertsAsync()).Single(alert => alert.Name == name).Status);
        }

        await Eventually.TrueAsync(
            async () => (await driver.DeliveriesAsync()).Count(delivery => delivery.Hook == DecisionSources.Slack) >= 10,
            "each alert and its recovery have their DMs"
        );
    }

    private sealed record Hook(string Name, bool WantsEndedAlerts) : IAlertHook
    {
        public IAsyncEnumerable<IReadOnlyList<HookOutcome>> DeliverAsync(
            IReadOnlyList<AlertNotice> notices,
            CancellationToken cancellationToken
        ) => throw new NotSupportedException();
    }

    /// <summary>An outbox with its writer and its reader, on its own database.</summary>
    private sealed class Outbox : IAsyncDisposable
    {
        private readonly TestDatabase _database;
        private readonly ServiceProvider _services;
        private readonly AlertStore _table;

        private Outbox(TestDatabase database)
        {
            (_database, _services) = (database, database.AsTheConsole());
            Contexts = _services.GetRequiredService<IDbContextFactory<AutoTicketDbContext>>();
            var options = Options.Create(new AlertsOptions());
            (_table, Log) = (new(Contexts, options, [Slack, Ticket]), LogWith(TimeProvider.System));
        }

        public AlertMutes Mutes { get; } = AlertMutesTests.None(TimeProvider.System);

        public DeliveryStore Log { get; }

        public IDbContextFactory<AutoTicketDbContext> Contexts { get; }

        /// <summary>The outbox of a console with another time.</summary>
        public DeliveryStore LogAt(DateTimeOffset time) => LogWith(new StillClock(time));

        public DeliveryStore LogWith(TimeProvider clock) =>
            new(Contexts, new(Contexts, Options.Create(new AlertsOptions()), Mutes, clock), clock);

        public DateTimeOffset Now => TimeProvider.System.GetUtcNow();

        public static async Task<Outbox> CreateAsync(Database kind) => new(await TestDatabase.CreateAsync(kind));

        public static Alert Alert(string name, string source = "test")
        {
            var now = TimeProvider.System.GetUtcNow();
            return new()
            {
                AlertId = name.PadRight(64, '-'),
                LogicalId = name,
                Status = AlertStatus.Firing,
                Source = source,
                Name = name,
                Severity = Severity.P2,
                Summary = name,
                StartedAt = now,
                OpenedAt = now,
                SeenAt = now,
            };
        }

        public async Task<Alert> OpenAsync(string name, string source = "test")
        {
            await OpenAsync([Alert(name, source)]);
            return Assert.Single(await _table.ReadAsync([name], Now, CancellationToken.None));
        }

        public async Task OpenAsync(IReadOnlyList<Alert> alerts) =>
            Assert.Equal(alerts.Count, await _table.WriteAsync(alerts, [], CancellationToken.None));

        public async Task ChangeAsync(string name, Func<Alert, Alert> change)
        {
            var alert = Assert.Single(await _table.ReadAsync([name], DateTimeOffset.UnixEpoch, CancellationToken.None));
            await ChangeAsync(change(alert) with { NotifyAt = Now });
        }

        public async Task ChangeAsync(Alert alert) => Assert.Equal(1, await _table.WriteAsync([], [alert], CancellationToken.None));

        public Task RecordAsync(
            IAlertHook hook,
            AlertNotice notice,
            AlertTicket? ticket = null,
            DeliveryStore? log = null,
            DateTimeOffset? deliveredAt = null
        ) =>
            (log ?? Log).RecordAsync(
                hook,
                [
                    (
                        new HookOutcome(notice, IsDone: true, DecisionWord.Sent, null, ticket) { DeliveredAt = deliveredAt },
                        new Decision
                        {
                            AlertId = notice.Alert.AlertId,
                            AlertRow = notice.Alert.Id,
                            Path = hook.Name,
                            Word = DecisionWord.Sent,
                            FirstAt = Now,
                            LastAt = Now,
                        }
                    ),
                ]
            );

        /// <summary>From now on the database refuses the deliveries of this alert.</summary>
        public async Task RefuseDeliveriesAsync(Database kind, long alert)
        {
            await using var db = await Contexts.CreateDbContextAsync();
            var when = string.Create(
                CultureInfo.InvariantCulture,
                $"BEFORE INSERT ON alert_deliveries FOR EACH ROW WHEN (NEW.alert_row = {alert})"
            );
            await db.Database.ExecuteSqlRawAsync(
                kind == Database.Sqlite
                    ? $"CREATE TRIGGER refused {when} BEGIN SELECT RAISE(ABORT, 'refused'); END"
                    : $"""
                    CREATE FUNCTION refused() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;
                    CREATE TRIGGER refused {when} EXECUTE FUNCTION refused()
                    """
            );
        }

        public async Task AcceptDeliveriesAsync(Database kind)
        {
            await using var db = await Contexts.CreateDbContextAsync();
            await db.Database.ExecuteSqlRawAsync(
                kind == Database.Sqlite ? "DROP TRIGGER refused" : "DROP TRIGGER refused ON alert_deliveries"
            );
        }

        public async Task<int> CountAsync()
        {
            await using var db = await Contexts.CreateDbContextAsync();
            return await db.AlertOutbox.CountAsync();
        }

        public async ValueTask DisposeAsync()
        {
            await _services.DisposeAsync();
            await _database.DisposeAsync();
        }
    }
}
