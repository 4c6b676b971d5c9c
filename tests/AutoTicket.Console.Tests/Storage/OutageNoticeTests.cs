using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.FreeScout;
using AutoTicket.Intake;
using AutoTicket.Mailbox;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tests.Storage;

/// <summary>An outage is logged when it begins, not at each retry.</summary>
public sealed class OutageNoticeTests
{
    private readonly FakeLogCollector _log = new();

    private IEnumerable<string> Warnings =>
        _log.GetSnapshot()
            .Where(record => record.Level == LogLevel.Warning)
            .Select(record => record.Message)
            .Where(line => !line.StartsWith("alert_intake parked", StringComparison.Ordinal));

    [Fact]
    public async Task Each_outage_of_the_database_is_logged_once_however_often_calls_are_retried()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Sqlite);
        var contexts = new Line(database);
        var audit = new AuditQueries(contexts, LogOf<AuditQueries>());
        var decisions = new DecisionLog(contexts, LogOf<DecisionLog>());
        var parking = new ParkedAlerts(null!, contexts, Options.Create(new AlertsOptions()), TimeProvider.System, LogOf<ParkedAlerts>());
        var findings = new FindingStore(
            contexts,
            Options.Create(new TicketingOptions()),
            Options.Create(new FreeScoutOptions()),
            TimeProvider.System,
            LogOf<FindingStore>()
        );

        for (var outage = 1; outage <= 2; outage++)
        {
            await UseAsync();
            contexts.IsAway = true;
            await UseAsync();
            await UseAsync();
            contexts.IsAway = false;

            string[] messages =
            [
                "audit log can't be read",
                "decisions can't be recorded",
                "alert_intake can't park",
                "ticket findings can't be read",
            ];
            Assert.All(messages, words => Assert.Equal(outage, Warnings.Count(line => line.StartsWith(words, StringComparison.Ordinal))));
            Assert.Equal(messages.Length * outage, Warnings.Count());
        }

        async Task UseAsync()
        {
            await audit.ReadAsync(new AuditQuery(), 1, default);
            await decisions.RecordAsync(
                [
                    new Decision
                    {
                        AlertId = "a",
                        Path = "ticket",
                        Word = DecisionWord.Filed,
                        FirstAt = default,
                        LastAt = default,
                    },
                ],
                default
            );
            await parking.AddAsync(
                [
                    new ParkedAlert
                    {
                        ReceivedAt = default,
                        Intake = "generic",
                        Reason = "none",
                        Text = "{}",
                        IsWhole = true,
                    },
                ],
                default
            );
            await findings.ReadAsync(default);
        }
    }

    private FakeLogger<T> LogOf<T>() => new(_log);

    /// <summary>Creates contexts on a database that answers, or on one that can't be opened.</summary>
    private sealed class Line(TestDatabase database) : IDbContextFactory<AutoTicketDbContext>
    {
        public bool IsAway { get; set; }

        public AutoTicketDbContext CreateDbContext() =>
            IsAway
                ? new SqliteDbContext(new DbContextOptionsBuilder<SqliteDbContext>().UseSqlite("Data Source=/no/such/folder/a.db").Options)
                : database.Open();
    }
}
