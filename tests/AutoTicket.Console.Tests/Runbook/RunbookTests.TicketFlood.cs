using System.Net;
using System.Net.Http.Json;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Flags;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Processes;
using AutoTicket.Tickets;
using Npgsql;

namespace AutoTicket.Tests;

public static partial class RunbookTests
{
    /// <summary>Failure mode 1: FreeScout fills with duplicate tickets for one alert.</summary>
    public sealed class TicketFlood
    {
        /// <summary>A producer sends a new <c>alert_id</c> for the same alert with each of an hour's poll cycles.</summary>
        [Fact]
        [Trait("Pitfall", "T-1")]
        public async Task A_new_alert_id_with_every_cycle_files_one_ticket_and_names_the_producer()
        {
            await using var intake = await StartIntakeAsync();
            var freeScout = intake.Console.Sandbox.FreeScout;
            for (var cycle = 0; cycle < 120; cycle++)
            {
                var alert = $$"""
                    {"alert_id":"disk-{{cycle}}","source":"watcher","name":"disk_full","severity":"P2",
                     "summary":"Disk of db1 is full","status":"firing","labels":{"host":"db1"} }
                    """;
                Assert.Equal(HttpStatusCode.Accepted, (await intake.PostAsync("/api/alerts", alert)).Status);
            }

            await Eventually.TrueAsync(
                () => intake.Console.Log.Any(line => line.Contains("auto_ticket alert_key=", StringComparison.Ordinal)),
                "the alert's ticket is filed"
            );
            Assert.Equal(1, freeScout.CreatedCount);

            // Verification: at most one entry, and subsequent cycles are silent.
            var (key, severity) = Assert.Single(await AuditQueryAsync(intake.Database));
            Assert.Equal("p2", severity);
            Assert.Single(intake.Console.Log, line => line.Contains($"auto_ticket alert_key={key} ", StringComparison.Ordinal));
            Assert.Single(intake.Console.Log, line => line.Contains($"ticket_filed alert_key={key} ", StringComparison.Ordinal));

            // Diagnose: the producer whose alert_id is not stable.
            var unstable = Assert.Single((await intake.Console.Get<AlertQueries>().UnstableAsync(default))!);
            Assert.Equal(("watcher", "disk_full", key, 120), (unstable.Source, unstable.Name, unstable.AlertKey, unstable.Ids));
            Assert.Contains("disk-119", unstable.Samples);

            // Mitigation: switching the flag off stops tickets at once; DMs still go out.
            using var flip = await intake.Console.Http.PutAsJsonAsync(
                $"/api/flags/{FlagNames.AlertsAutoTicket}",
                new { enabled = false, reason = "a flood" }
            );
            flip.EnsureSuccessStatusCode();
            await intake.PostAsync("/api/alerts", """{"name":"other","severity":"P1","summary":"Another alert","status":"firing"}""");
            await Eventually.TrueAsync(
                () =>
                    intake.Console.Sandbox.Slack.Messages.Any(message => message.Text.Contains("Another alert", StringComparison.Ordinal)),
                "the DM is sent"
            );
            await Eventually.TrueAsync(
                async () => (await ReadAlertAsync(intake.Console, "other")).Verdict.Contains("flag off", StringComparison.Ordinal),
                "the verdict says why there is no ticket"
            );
            Assert.Equal(1, freeScout.CreatedCount);
        }

        [Fact]
        public async Task The_audit_query_runs_to_the_letter_on_PostgreSQL()
        {
            await using var database = await TestDatabase.CreateAsync(Database.Postgres);
            await using var console = await ConsoleHost.StartAsync(database);
            var draft = new TicketDraft(
                AlertIdentity.OfSurface("pay"),
                "pay",
                Severity.P1,
                "auto:alert",
                AuditActions.AlertTicketFiled,
                "console:poller",
                "Payments fail",
                []
            );
            Assert.Equal(TicketDisposition.Filed, (await console.Get<TicketingService>().FileAsync(draft)).Disposition);

            Assert.Equal((draft.AlertKey, "p1"), Assert.Single(await AuditQueryAsync(database)));
        }

        [Fact]
        public async Task The_break_glass_variable_switches_the_path_off_at_the_next_start_and_is_audited()
        {
            await using var consoles = await Consoles.CreateAsync("pay");
            var before = await consoles.StartHostAsync();
            Assert.True(await before.IsOnAsync(FlagNames.InvestigateFromStatus));
            await before.StopAsync();

            var after = await consoles.StartHostAsync(new Dictionary<string, string> { [FlagNames.InvestigateFromStatus] = "0" });

            Assert.Equal(HttpStatusCode.Forbidden, (await after.InvestigateAsync("pay")).Status);
            var pinned = await after.SetFlagAsync(FlagNames.InvestigateFromStatus, enabled: true);
            Assert.Equal(HttpStatusCode.Conflict, pinned.Status);
            var flag = await after.FlagAsync(FlagNames.InvestigateFromStatus);
            Assert.Equal("environment", flag.GetProperty("decided_by").GetString());
            var audit = (await after.GetAsync($"/api/audit.csv?action={AuditActions.FlagChanged}&actor=environment")).Text;
            Assert.Contains("\"\"before\"\": true", audit, StringComparison.Ordinal);
            Assert.Contains("\"\"after\"\": false", audit, StringComparison.Ordinal);
        }

        private static async Task<List<(string Key, string Severity)>> AuditQueryAsync(TestDatabase database)
        {
            await using var connection = new NpgsqlConnection(PostgresUrl.ToConnectionString(database.Location));
            await connection.OpenAsync();
            await using var query = new NpgsqlCommand(
                """
                SELECT created_at, payload->>'alert_key' AS alert_key, payload->>'severity' AS severity
                FROM audit_log
                WHERE action = 'console.alerts.ticket_filed'
                AND created_at > NOW() - INTERVAL '2 hours'
                ORDER BY created_at DESC
                LIMIT 20;
                """,
                connection
            );
            await using var rows = await query.ExecuteReaderAsync();
            var filings = new List<(string Key, string Severity)>();
            while (await rows.ReadAsync())
            {
                filings.Add((rows.GetString(1), rows.GetString(2)));
            }

            return filings;
        }
    }
}
