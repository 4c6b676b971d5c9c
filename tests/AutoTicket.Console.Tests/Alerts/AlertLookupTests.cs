using AutoTicket.Alerts;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Npgsql;

namespace AutoTicket.Tests.Alerts;

/// <summary>What is known of an alert is found by its identity, and by nothing else.</summary>
public sealed class AlertLookupTests
{
    /// <summary>A flood comes faster than PostgreSQL counts: its statistics still say that nothing fires, and to look through all that fires
    /// would seem to cost nothing. In a database that is new a plan may even have been made, and kept, when there was nothing at all.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task In_a_flood_an_alert_is_looked_up_without_reading_all_the_others(bool isNew)
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var bare = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(PostgresUrl.ToConnectionString(database.Location)) { Pooling = false }.ConnectionString);
        if (!isNew)
        {
            await AddAsync(bare, "over", "resolved", "now() - interval '20 days'");
            await ExecuteAsync(bare, "ANALYZE alerts");
        }

        long before;
        await using (var services = database.AsTheConsole())
        {
            var table = new AlertTable(services.GetRequiredService<IDbContextFactory<AutoTicketDbContext>>(), Options.Create(new AlertsOptions()));
            for (var use = 0; use < 8; use++)
            {
                await table.ReadAsync(["flood7", "over7"], TimeProvider.System.GetUtcNow().AddDays(-1), CancellationToken.None);
            }

            await AddAsync(bare, "flood", "firing", "NULL");
            before = await ReadAsync(bare);
            for (var use = 0; use < 8; use++)
            {
                Assert.Equal("flood7", Assert.Single(await table.ReadAsync(["flood7", "over7"], TimeProvider.System.GetUtcNow().AddDays(-1), CancellationToken.None)).LogicalId);
            }

            // A session reports what it read when it ends, at the latest.
            await using var connection = new NpgsqlConnection(DatabaseUrl.ToConnectionString(database.Location));
            NpgsqlConnection.ClearPool(connection);
        }

        await Eventually.TrueAsync(async () => await ReadAsync(bare) > before, "the session has ended");
        Assert.InRange(await ReadAsync(bare) - before, 1, 200);
    }

    private static Task AddAsync(NpgsqlDataSource bare, string name, string status, string endedAt) => ExecuteAsync(bare, $"""
        INSERT INTO alerts (alert_id, logical_id, slot, status, source, name, severity, summary, labels, members, folded_ids, started_at, opened_at, seen_at, expires_at, ended_at, reopened, version)
        SELECT '{name}' || n, '{name}' || n, '', '{status}', 'prometheus', 'InstanceDown', 'p1', 'It is down', '{"{}"}', '[]', 0, now(), now(), now(), now() + interval '1 hour', {endedAt}, 0, 0
        FROM generate_series(1, 5000) AS n
        """);

    private static async Task ExecuteAsync(NpgsqlDataSource bare, string sql)
    {
        await using var command = bare.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>How many rows of alerts were read, by whichever way.</summary>
    private static async Task<long> ReadAsync(NpgsqlDataSource bare)
    {
        await using var command = bare.CreateCommand("SELECT pg_stat_clear_snapshot(), seq_tup_read + coalesce(idx_tup_fetch, 0) + (SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes i WHERE i.relname = 'alerts') FROM pg_stat_user_tables WHERE relname = 'alerts'");
        await using var reader = await command.ExecuteReaderAsync();
        await reader.ReadAsync();
        return reader.GetInt64(1);
    }
}
