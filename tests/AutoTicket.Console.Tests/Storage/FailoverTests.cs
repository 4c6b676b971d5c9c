using AutoTicket.Flags;
using AutoTicket.Tests.Kit;
using Npgsql;

namespace AutoTicket.Tests.Storage;

/// <summary>The database cuts all connections, as in a failover. The console reconnects and reads the changes that it missed.</summary>
public sealed class FailoverTests
{
    [Fact]
    public async Task A_failover_during_clicks_loses_no_ticket_and_no_flip()
    {
        await using var driver = await InvestigateDriver.StartAsync(
            Database.Postgres,
            new Dictionary<string, string?>
            {
                ["Ticketing:ClickBudget"] = "00:00:04",
                ["Ticketing:Lease"] = "00:00:06",
                ["Ticketing:Grace"] = "00:00:05",
                ["FreeScout:CallTimeout"] = "00:00:03.5",
            }
        );
        var flags = driver.Console.Get<FlagWatch>();
        for (var cut = 0; cut < 5; cut++)
        {
            var click = driver.ClickAsync();
            await CutAsync(driver.Database);
            await click;
        }

        await driver.ClickUntilThereIsATicketAsync();
        await driver.AssertOneTicketAsync();

        // Another process flips the flag while this one is not listening.
        await CutAsync(driver.Database);
        await using (var db = driver.Database.Open())
        {
            await db.ExecuteAsync(
                $"UPDATE feature_flags SET enabled = {false}, version = version + 1 WHERE name = {FlagNames.InvestigateFromStatus}",
                default
            );
            await db.ExecuteAsync(
                $"""
                INSERT INTO feature_flags (name, enabled, version) VALUES ({FlagNames.InvestigateFromStatus}, {false}, 1)
                ON CONFLICT (name) DO NOTHING
                """,
                default
            );
        }

        await Eventually.TrueAsync(
            () => !flags.Current.Flags.Single(flag => flag.Name == FlagNames.InvestigateFromStatus).Enabled,
            "the flip is in force"
        );
    }

    private static async Task CutAsync(TestDatabase database)
    {
        await using var connection = new NpgsqlConnection(PostgresUrl.ToConnectionString(database.Location));
        await connection.OpenAsync();
        await using var cut = new NpgsqlCommand(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
            connection
        );
        await cut.ExecuteNonQueryAsync();
        PostgresUrl.ClearPool(database.Location);
    }
}
