using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tests.Alerts;

/// <summary>What a hook is still to look at: written with each change, taken out with the record of what came of it.</summary>
public sealed class OutboxTests
{
    private static readonly Hook Slack = new(DecisionSources.Slack, WantsWhatEnded: true);
    private static readonly Hook Ticket = new(DecisionSources.Ticket, WantsWhatEnded: false);

    [Theory, BothDatabases]
    public async Task Each_change_is_looked_at_by_each_hook_until_what_came_of_it_is_recorded(Database kind)
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
            alert => alert with { Status = AlertStatus.Resolved, EndedAt = outbox.Now, Reopened = 1, NewsAt = outbox.Now.AddMinutes(15) }
        );
        var log = outbox.LogAt(outbox.Now.AddHours(-1));

        Assert.Equal(["fires", "flapped"], (await log.DueAsync(Slack, CancellationToken.None)).Select(notice => notice.Alert.Name));
    }

    /// <summary>The record of the older news must not take the newer off.</summary>
    [Theory, BothDatabases]
    public async Task A_change_that_comes_while_a_hook_is_at_work_is_looked_at_next(Database kind)
    {
        await using var outbox = await Outbox.CreateAsync(kind);
        var alert = await outbox.OpenAsync("disk_full");
        var notice = Assert.Single(await outbox.Log.DueAsync(Slack, CancellationToken.None));

        await outbox.ChangeAsync(alert with { Severity = Severity.P1, NewsAt = outbox.Now });
        await outbox.RecordAsync(Slack, notice);

        var next = Assert.Single(await outbox.Log.DueAsync(Slack, CancellationToken.None));
        Assert.Equal((NoticeKind.SeverityChanged, Severity.P1), (next.Kind, next.Alert.Severity));
    }

    /// <summary>As when a leader was frozen after it had told: its record comes after the next leader's.</summary>
    [Theory, BothDatabases]
    public async Task What_another_leader_recorded_since_the_notice_was_read_stays(Database kind)
    {
        await using var outbox = await Outbox.CreateAsync(kind);
        var alert = await outbox.OpenAsync("disk_full");
        var late = Assert.Single(await outbox.Log.DueAsync(Slack, CancellationToken.None));
        await outbox.ChangeAsync(alert with { Severity = Severity.P1, NewsAt = outbox.Now });
        await outbox.RecordAsync(Slack, Assert.Single(await outbox.Log.DueAsync(Slack, CancellationToken.None)));

        await outbox.RecordAsync(Slack, late);

        await using var db = await outbox.Contexts.CreateDbContextAsync();
        Assert.Equal(Severity.P1, (await db.AlertDeliveries.AsNoTracking().SingleAsync()).Severity);
    }

    [Theory, BothDatabases]
    public async Task What_is_newer_than_what_another_leader_recorded_is_recorded(Database kind)
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

    [Theory, BothDatabases]
    public async Task What_a_hook_has_nothing_to_say_of_is_taken_out_and_what_is_to_wait_stays(Database kind)
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

        await outbox.ChangeAsync(over with { Status = AlertStatus.Resolved, EndedAt = outbox.Now, NewsAt = outbox.Now });
        await outbox.ChangeAsync(flapping with { Status = AlertStatus.Resolved, EndedAt = outbox.Now, Reopened = 1, NewsAt = outbox.Now });

        Assert.Empty(await outbox.Log.DueAsync(Ticket, CancellationToken.None));
        await using var db = await outbox.Contexts.CreateDbContextAsync();
        Assert.Equal(
            [flapping.Id],
            await db.AlertOutbox.Where(entry => entry.Hook == DecisionSources.Ticket).Select(entry => entry.AlertRow).ToListAsync()
        );
    }

    [Theory, BothDatabases]
    public async Task What_is_said_of_an_alert_follows_from_what_was_told_of_it(Database kind)
    {
        await using var outbox = await Outbox.CreateAsync(kind);
        await outbox.OpenAsync("disk_full");
        await SaidAsync(NoticeKind.Firing);
        await ChangeAsync(alert => alert with { Status = AlertStatus.Resolved, EndedAt = outbox.Now });
        await SaidAsync(NoticeKind.Ended);
        await ChangeAsync(alert => alert);
        await SaidAsync(null);
        await ChangeAsync(alert => alert with { Status = AlertStatus.Firing, EndedAt = null, Reopened = 1 });
        await SaidAsync(NoticeKind.FiringAgain);
        await ChangeAsync(alert => alert with { Status = AlertStatus.Resolved, EndedAt = outbox.Now - new AlertsOptions().QuietPeriod });
        await SaidAsync(NoticeKind.Ended);

        Task ChangeAsync(Func<Alert, Alert> change) => outbox.ChangeAsync("disk_full", change);

        async Task SaidAsync(NoticeKind? expected)
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
    public async Task What_was_never_told_is_told_late_but_not_after_a_day_and_nothing_is_told_that_is_slight(Database kind)
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

        // The end was told: it is not told a second time.
        await outbox.RecordAsync(Slack, due[1]);
        await outbox.ChangeAsync("late", alert => alert);
        Assert.Equal(["worse"], (await outbox.Log.DueAsync(Slack, CancellationToken.None)).Select(notice => notice.Alert.Name));
    }

    [Theory, BothDatabases]
    public async Task A_note_knows_the_ticket_and_leaves_it_recorded_as_it_is(Database kind)
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
        var told = await db.AlertDeliveries.SingleAsync();
        Assert.Equal((Severity.P1, ticket), (told.Severity, new AlertTicket(told.TicketId!.Value, told.TicketNumber, told.TicketUrl!)));
    }

    /// <summary>More than one pass takes, of which the hook takes nothing.</summary>
    [Theory, BothDatabases]
    public async Task In_a_flood_another_sources_alert_comes_with_each_pass_and_each_of_the_flood_with_one(Database kind)
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

    [Theory, BothDatabases]
    public async Task An_alert_that_begins_and_ends_while_another_batch_is_written_is_over(Database kind)
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
            "the operator was told of each, and that it is over"
        );
    }

    private sealed record Hook(string Name, bool WantsWhatEnded) : IAlertHook
    {
        public IAsyncEnumerable<IReadOnlyList<HookOutcome>> DeliverAsync(
            IReadOnlyList<AlertNotice> notices,
            CancellationToken cancellationToken
        ) => throw new NotSupportedException();
    }

    /// <summary>The outbox and its two ends, on a database of their own.</summary>
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
            (_table, Log) = (new(Contexts, options, [Slack, Ticket]), new(Contexts, options, TimeProvider.System));
        }

        public DeliveryLog Log { get; }

        public IDbContextFactory<AutoTicketDbContext> Contexts { get; }

        /// <summary>The outbox of a console with another time.</summary>
        public DeliveryLog LogAt(DateTimeOffset time) => new(Contexts, Options.Create(new AlertsOptions()), new StillClock(time));

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
            await ChangeAsync(change(alert) with { NewsAt = Now });
        }

        public async Task ChangeAsync(Alert alert) => Assert.Equal(1, await _table.WriteAsync([], [alert], CancellationToken.None));

        public Task RecordAsync(IAlertHook hook, AlertNotice notice, AlertTicket? ticket = null) =>
            Log.RecordAsync(
                hook,
                [
                    (
                        new HookOutcome(notice, IsDone: true, DecisionWord.Sent, null, ticket),
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
