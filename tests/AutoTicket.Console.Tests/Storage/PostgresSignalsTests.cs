using AutoTicket.Data;
using Microsoft.Extensions.Logging.Testing;

namespace AutoTicket.Tests.Storage;

public sealed class PostgresSignalsTests
{
    /// <summary>The clock stands still, so nothing is raised by time.</summary>
    [Fact]
    public async Task Each_loss_of_the_connection_is_logged_once()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var line = TcpProxy.To(database.Location);
        var log = new FakeLogger<DatabaseSignals>();
        using var signals = new PostgresSignals(DatabaseUrl.ToConnectionString(line.Through(database.Location)), new StillClock(), log);
        var (flags, tickets) = (0, 0);
        signals.Subscribe(DatabaseSignals.Flags, () => Interlocked.Increment(ref flags));
        signals.Subscribe(DatabaseSignals.Tickets, () => Interlocked.Increment(ref tickets));
        await signals.StartAsync(default);

        for (var loss = 1; loss <= 2; loss++)
        {
            await ListensAsync();
            line.Cut();
            await Eventually.TrueAsync(() => log.Collector.Count == loss, $"loss {loss} is logged");
            line.Restore();
        }

        await ListensAsync();
        Assert.All(
            log.Collector.GetSnapshot(),
            record => Assert.StartsWith("database signals lost, connecting again: ", record.Message, StringComparison.Ordinal)
        );
        Assert.Equal(2, log.Collector.Count);
        await signals.StopAsync(default);

        // A new connection raises every channel, the flags before the tickets; a notification raises its own.
        async Task ListensAsync()
        {
            var ahead = Ahead();
            await Eventually.TrueAsync(
                async () =>
                {
                    await using var db = database.Open();
                    await db.ExecuteAsync($"NOTIFY autoticket_tickets", default);
                    return Ahead() > ahead;
                },
                "the connection listens"
            );
        }

        int Ahead() => Volatile.Read(ref tickets) - Volatile.Read(ref flags);
    }
}
