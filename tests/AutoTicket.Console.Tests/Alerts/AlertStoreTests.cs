using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Kit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tests.Alerts;

public sealed class AlertStoreTests
{
    /// <summary>As three months after a flood. A statement that runs into its time limit deletes nothing, also at the next try.</summary>
    [Fact]
    public async Task What_a_flood_left_is_deleted_in_statements_that_are_short()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var services = database.AsTheConsole();
        var contexts = services.GetRequiredService<IDbContextFactory<AutoTicketDbContext>>();
        await using var db = await contexts.CreateDbContextAsync();
        await db.ExecuteTogetherAsync(
            [
                $"""
                INSERT INTO alerts (alert_id, logical_id, slot, status, source, name, severity, summary, labels, members, folded_ids,
                  started_at, opened_at, seen_at, ended_at, reopened, version)
                SELECT n, n, '', 'resolved', 'test', n, 'p4', n, '', '[]', 0, now(), now(), now(), now(), 0, 0
                FROM generate_series(1, 5001) AS n
                """,
                $"""
                CREATE FUNCTION take_long() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN
                  IF (SELECT count(*) FROM gone) > 5000 THEN PERFORM pg_sleep(5); END IF;
                  RETURN NULL;
                END $f$
                """,
                $"""
                CREATE TRIGGER take_long AFTER DELETE ON alerts REFERENCING OLD TABLE AS gone
                FOR EACH STATEMENT EXECUTE FUNCTION take_long()
                """,
            ],
            default
        );

        await new AlertStore(contexts, Options.Create(new AlertsOptions()), hooks: []).DeleteAsync(DateTimeOffset.MaxValue, default);

        Assert.False(await db.Alerts.AnyAsync());
    }

    /// <summary>The answer to the first try was lost.</summary>
    [Theory, BothDatabases]
    public async Task A_delivered_episode_that_is_written_again_is_stored_once(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await using var services = database.AsTheConsole();
        var contexts = services.GetRequiredService<IDbContextFactory<AutoTicketDbContext>>();
        var table = new AlertStore(contexts, Options.Create(new AlertsOptions()), hooks: []);
        var now = TimeProvider.System.GetUtcNow();
        var ended = new Alert
        {
            AlertId = "a",
            LogicalId = "a",
            Status = AlertStatus.Resolved,
            Source = "test",
            Name = "a",
            Severity = Severity.P2,
            Summary = "a",
            StartedAt = now,
            OpenedAt = now,
            SeenAt = now,
            EndedAt = now.AddMinutes(1),
        };

        await table.WriteDeliveredAsync(ended, [DecisionSources.Slack], default);
        await table.WriteDeliveredAsync(ended with { EndedAt = now.AddMinutes(2) }, [DecisionSources.Slack], default);

        await using var db = await contexts.CreateDbContextAsync();
        var row = (await db.Alerts.SingleAsync()).Id;
        Assert.Equal(
            [(row, DeliveryKind.Ended), (row, DeliveryKind.Firing)],
            (await db.AlertDeliveries.ToListAsync()).Select(d => (d.AlertRow, d.Kind)).OrderBy(d => $"{d.Kind}")
        );
    }

    [Theory, BothDatabases]
    public async Task Alerts_are_opened_unread_only_if_all_are_unknown(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await using var services = database.AsTheConsole();
        var table = new AlertStore(
            services.GetRequiredService<IDbContextFactory<AutoTicketDbContext>>(),
            Options.Create(new AlertsOptions()),
            hooks: []
        );
        var now = TimeProvider.System.GetUtcNow();
        Assert.Equal(2, await table.WriteAsync([Named("old"), Named("ended")], [], default));
        var ended = (await table.ReadAsync(["ended"], now, default))[0] with { Status = AlertStatus.Resolved, EndedAt = now };
        Assert.Equal(1, await table.WriteAsync([], [ended], default));

        Assert.Equal(0, await OpenAsync(now.AddHours(-1), "new", "old"));
        Assert.Equal(0, await OpenAsync(now.AddHours(-1), "new", "ended"));
        Assert.Equal(2, await OpenAsync(now.AddHours(1), "new", "ended"));
        Assert.Equal(0, await OpenAsync(now.AddHours(1), "new"));

        Task<int> OpenAsync(DateTimeOffset endedSince, params string[] names) =>
            table.OpenUnknownAsync([.. names.Select(Named)], names, endedSince, default);

        Alert Named(string name) =>
            new()
            {
                AlertId = name,
                LogicalId = name,
                Status = AlertStatus.Firing,
                Source = "test",
                Name = name,
                Severity = Severity.P2,
                Summary = name,
                StartedAt = now,
                OpenedAt = now,
                SeenAt = now,
            };
    }

    [Theory, BothDatabases]
    public async Task An_alert_that_fires_when_the_threshold_is_lowered_is_delivered(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await using var sandbox = await SandboxServer.StartAsync();
        await using (var before = await ConsoleHost.StartAsync(database, sandbox))
        {
            await before.Get<AlertAggregator>().ObserveAsync([AlertDriver.Say("slight", Severity.P3)], default);
        }

        var settings = new Dictionary<string, string?> { ["Alerts:NotifySeverity"] = "P3" };
        await using var after = await ConsoleHost.StartAsync(database, sandbox, settings);

        await Eventually.TrueAsync(() => sandbox.Slack.Messages.Count == 1, "the operator is notified");
        Assert.Contains("slight", sandbox.Slack.Messages[0].Text, StringComparison.Ordinal);
    }
}
