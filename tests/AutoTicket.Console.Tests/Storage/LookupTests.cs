using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Diagnostics;
using AutoTicket.FreeScout;
using AutoTicket.Incidents;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Npgsql;

namespace AutoTicket.Tests.Storage;

/// <summary>Queries for one alert or one ticket don't read the others, even when PostgreSQL's statistics are older than a flood, or its
/// plans were made while the table was empty.</summary>
public sealed class LookupTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_alert_is_read_by_its_identity_without_reading_others(bool isNew)
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await AssertReadsFewAsync(
            database,
            "alerts",
            isNew ? null : Alerts("over", "resolved", "now() - interval '20 days'"),
            Alerts("flood", "firing", "NULL"),
            contexts =>
            {
                var table = new AlertStore(contexts, Options.Create(new AlertsOptions()), hooks: []);
                return () => table.ReadAsync(["flood7", "over7"], TimeProvider.System.GetUtcNow().AddDays(-1), CancellationToken.None);
            }
        );
    }

    /// <summary>A night of lost answers leaves one row for each alert, all without a conversation.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_ticket_is_claimed_and_confirmed_without_reading_unfiled_ones(bool isNew)
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        var number = 0;
        await AssertReadsFewAsync(
            database,
            "tickets",
            isNew ? null : Tickets("over", "closed", conversation: "-n"),
            Tickets("refused", "unconfirmed", conversation: "NULL"),
            contexts =>
            {
                var claims = new TicketStore(contexts, Options.Create(new TicketingOptions()), TimeProvider.System);
                return async () =>
                {
                    var draft = new TicketDraft(
                        $"{++number:x64}",
                        "pay",
                        Severity.P2,
                        TicketTags.Status,
                        AuditActions.InvestigateFiled,
                        "somebody",
                        "[P2] Pay is down",
                        []
                    );
                    var (claim, blocking, _) = await claims.ClaimAsync(draft);
                    Assert.Empty(blocking);
                    Assert.True(
                        await claims.ConfirmAsync(
                            claim!,
                            new TicketLink(number, number, "https://tickets.example/conversation/1", default),
                            isOpen: true,
                            adopted: false
                        )
                    );
                };
            }
        );
    }

    [Fact]
    public async Task The_newest_tickets_of_a_surface_are_read_without_reading_those_of_others()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await AssertReadsFewAsync(
            database,
            "tickets",
            Tickets("over", "closed", conversation: "-n", surface: "'s' || n % 100"),
            Tickets("flood", "closed", conversation: "n", surface: "'flood'"),
            contexts =>
            {
                var queries = new IncidentQueries(contexts, null!, null!, Options.Create(new FreeScoutOptions()), TimeProvider.System);
                return async () => Assert.Equal(10, (await queries.TicketsAsync("s7", 10, CancellationToken.None))!.Count);
            }
        );
    }

    [Fact]
    public async Task The_audit_entries_of_a_person_are_read_without_reading_those_of_others()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await AssertReadsFewAsync(
            database,
            "audit_log",
            AuditEntries("'person' || n % 100"),
            AuditEntries("'console:poller'"),
            contexts =>
            {
                var queries = new AuditQueries(contexts, NullLogger<AuditQueries>.Instance);
                return async () => Assert.Equal(5, (await queries.ReadAsync(new(Actor: "person7"), 5, CancellationToken.None))!.Count);
            }
        );
    }

    [Fact]
    public async Task The_availability_of_a_month_is_counted_without_reading_the_hours_of_a_year()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using (var db = database.Open())
        {
            var lastHour = TimeProvider.System.GetUtcNow().AddHours(-1).Floor(TimeSpan.FromHours(1));
            db.SurfaceHours.Add(SurfaceHour.Of("pay", new(lastHour, 3_600_000, 3_600_000, 0, 0, null, null)));
            await db.SaveChangesAsync();
        }

        await AssertReadsFewAsync(
            database,
            "surface_hours",
            Hours("shop"),
            Hours("mail"),
            contexts =>
            {
                var availability = new SurfaceAvailability(contexts, Options.Create(new StatusOptions()), TimeProvider.System);
                return async () =>
                    Assert.Equal(
                        ["pay"],
                        (await availability.CountAsync(TimeProvider.System.GetUtcNow(), tidy: true, CancellationToken.None)).Keys
                    );
            }
        );
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_diagnostics_read_the_decisions_about_open_alerts_without_reading_those_of_months(bool ofEscalations)
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await AssertReadsFewAsync(
            database,
            "decisions",
            Decisions("over"),
            Decisions("flood"),
            contexts =>
            {
                var hooks = new RequiredHooks([new Pager()], NullLogger<RequiredHooks>.Instance);
                var checks = new LineChecks(
                    hooks,
                    null!,
                    null!,
                    null!,
                    contexts,
                    Options.Create(new AlertsOptions()),
                    null!,
                    Options.Create(new DiagnosticsOptions()),
                    TimeProvider.System
                );
                var conditions = new EscalationConditions(null!, null!, null!, null!, null!);
                var clock = TimeProvider.System;
                var watch = new EscalationWatch(
                    conditions,
                    null!,
                    null!,
                    null!,
                    null!,
                    contexts,
                    clock,
                    NullLogger<EscalationWatch>.Instance
                );
                return async () =>
                {
                    if (ofEscalations)
                    {
                        Assert.All(await watch.ReadInTimeAsync(default), one => Assert.Equal(EscalationState.Idle, one.State));
                    }
                    else
                    {
                        Assert.Equal(DiagnosticState.Failed, (await checks.LastEmitAsync(default)).State);
                    }
                };
            },
            others: Alerts("open", "firing", "NULL", started: "now() - interval '1 hour'", count: 5)
                + "; INSERT INTO alert_outbox (hook, alert_row, source, severity, due_at)"
                + " SELECT 'slack', id, source, severity, now() FROM alerts;"
                + (ofEscalations ? Escalation() : "")
        );
    }

    /// <summary>Makes one of the alerts that of an escalation, which has one decision.</summary>
    private static string Escalation()
    {
        var condition = new Dictionary<string, string> { ["condition"] = "key_invalid" };
        var id = new Observation(Observation.Console, Observation.Escalation, null, Severity.P1, "", true, condition).AlertId;
        return $"""
            UPDATE alerts SET alert_id = '{id}' WHERE id = (SELECT min(id) FROM alerts);
            INSERT INTO decisions (alert_id, alert_row, path, word, count, first_at, last_at)
            SELECT '{id}', min(id), 'slack', 'sent', 1, now(), now() FROM alerts
            """;
    }

    private sealed class Pager : IAlertHook
    {
        public string Name => DecisionSources.Slack;

        public IAsyncEnumerable<IReadOnlyList<HookOutcome>> DeliverAsync(
            IReadOnlyList<AlertNotice> notices,
            CancellationToken cancellationToken
        ) => throw new NotSupportedException();
    }

    /// <param name="past">Inserts the rows that the statistics know; null: the table is empty and never analyzed.</param>
    /// <param name="flood">Inserts 5,000 rows after the plans were made.</param>
    /// <param name="others">Inserts rows of other tables.</param>
    private static async Task AssertReadsFewAsync(
        TestDatabase database,
        string table,
        string? past,
        string flood,
        Func<IDbContextFactory<AutoTicketDbContext>, Func<Task>> use,
        string? others = null
    )
    {
        await using var bare = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(PostgresUrl.ToConnectionString(database.Location)) { Pooling = false }.ConnectionString
        );
        if (others is not null)
        {
            await ExecuteAsync(bare, others);
        }

        if (past is not null)
        {
            await ExecuteAsync(bare, past);
            await ExecuteAsync(bare, $"ANALYZE {table}");
        }

        long before;
        await using (var services = database.AsTheConsole())
        {
            var act = use(services.GetRequiredService<IDbContextFactory<AutoTicketDbContext>>());
            await EightTimesAsync(act);
            await ExecuteAsync(bare, flood);
            before = await RowsReadAsync(bare, table);
            await EightTimesAsync(act);
            // A session reports the rows that it read at its end, at the latest.
            await using var connection = new NpgsqlConnection(DatabaseUrl.ToConnectionString(database.Location));
            NpgsqlConnection.ClearPool(connection);
        }

        await Eventually.TrueAsync(async () => await RowsReadAsync(bare, table) > before, "the session has ended");
        Assert.InRange(await RowsReadAsync(bare, table) - before, 1, 1000);
    }

    private static async Task EightTimesAsync(Func<Task> act)
    {
        for (var time = 0; time < 8; time++)
        {
            await act();
        }
    }

    private static string Decisions(string name) =>
        $"""
            INSERT INTO decisions (alert_id, alert_row, path, word, count, first_at, last_at)
            SELECT '{name}' || n, -n, 'slack', 'sent', 1, now() - interval '1 day', now() - interval '1 day'
            FROM generate_series(1, 5000) AS n
            """;

    private static string Alerts(string name, string status, string endedAt, string started = "now()", int count = 5000) =>
        $"""
            INSERT INTO alerts (alert_id, logical_id, slot, status, source, name, severity, summary, labels, members,
              folded_ids, started_at, opened_at, seen_at, expires_at, ended_at, reopened, version)
            SELECT '{name}' || n, '{name}' || n, '', '{status}', 'prometheus', 'InstanceDown', 'p1', 'It is down', '{"{}"}', '[]',
              0, {started}, {started}, now(), now() + interval '1 hour', {endedAt}, 0, 0
            FROM generate_series(1, {count}) AS n
            """;

    private static string AuditEntries(string actor) =>
        $"""
            INSERT INTO audit_log (created_at, action, actor, payload)
            SELECT now(), 'console.tickets.resolved', {actor}, '{"{}"}' FROM generate_series(1, 5000) AS n
            """;

    private static string Hours(string surface) =>
        $"""
            INSERT INTO surface_hours (surface_key, hour, known_ms, up_ms, degraded_ms, maintained_ms)
            SELECT '{surface}', now() - interval '40 days' - n * interval '1 hour', 3600000, 3600000, 0, 0
            FROM generate_series(1, 5000) AS n
            """;

    private static string Tickets(string name, string state, string conversation, string surface = "NULL") =>
        $"""
            INSERT INTO tickets (marker, dedup_key, severity, state, attempt, lease_until, filed_by, audit_action,
              tag, subject, posted_at, tags_pending, empty_lookups, conversation_id, number, surface_key)
            SELECT '{name}' || n, '{name}' || n, 'p1', '{state}', 1, now(), 'alert:prometheus', 'console.alerts.ticket_filed',
              'auto:alert', 'It is down', now(), false, 0, {conversation}, {conversation}, {surface}
            FROM generate_series(1, 5000) AS n
            """;

    private static async Task ExecuteAsync(NpgsqlDataSource bare, string sql)
    {
        await using var command = bare.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>How many rows of the table were read, by scans and by indexes.</summary>
    private static async Task<long> RowsReadAsync(NpgsqlDataSource bare, string table)
    {
        await using var command = bare.CreateCommand(
            $"""
            SELECT pg_stat_clear_snapshot(), seq_tup_read + coalesce(idx_tup_fetch, 0)
              + (SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes i WHERE i.relname = '{table}')
            FROM pg_stat_user_tables WHERE relname = '{table}'
            """
        );
        await using var reader = await command.ExecuteReaderAsync();
        await reader.ReadAsync();
        return reader.GetInt64(1);
    }
}
