using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.FreeScout;
using AutoTicket.Intake;
using AutoTicket.Mailbox;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tests.Storage;

/// <summary>An outage is logged when it begins, not at each retry.</summary>
public sealed class OutageNoticeTests : ILoggerFactory
{
    private readonly List<string> _lines = [];

    [Fact]
    public async Task Each_outage_of_the_database_is_logged_once_however_often_calls_are_retried()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Sqlite);
        var contexts = new Line(database);
        var audit = new AuditQueries(contexts, this.CreateLogger<AuditQueries>());
        var decisions = new DecisionLog(contexts, this.CreateLogger<DecisionLog>());
        var parking = new ParkedAlerts(
            null!,
            contexts,
            Options.Create(new AlertsOptions()),
            TimeProvider.System,
            this.CreateLogger<ParkedAlerts>()
        );
        var findings = new FindingLog(
            contexts,
            Options.Create(new TicketingOptions()),
            Options.Create(new FreeScoutOptions()),
            TimeProvider.System,
            this.CreateLogger<FindingLog>()
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
            Assert.All(messages, words => Assert.Equal(outage, _lines.Count(line => line.StartsWith(words, StringComparison.Ordinal))));
            Assert.Equal(messages.Length * outage, _lines.Count);
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

    ILogger ILoggerFactory.CreateLogger(string categoryName) => new Logger(_lines);

    void ILoggerFactory.AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

    public void Dispose() { }

    /// <summary>Creates contexts on a database that answers, or on one that can't be opened.</summary>
    private sealed class Line(TestDatabase database) : IDbContextFactory<AutoTicketDbContext>
    {
        public bool IsAway { get; set; }

        public AutoTicketDbContext CreateDbContext() =>
            IsAway
                ? new SqliteDbContext(new DbContextOptionsBuilder<SqliteDbContext>().UseSqlite("Data Source=/no/such/folder/a.db").Options)
                : database.Open();
    }

    private sealed class Logger(List<string> lines) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        )
        {
            if (
                logLevel == LogLevel.Warning
                && formatter(state, exception) is var line
                && !line.StartsWith("alert_intake parked", StringComparison.Ordinal)
            )
            {
                lines.Add(line);
            }
        }
    }
}
