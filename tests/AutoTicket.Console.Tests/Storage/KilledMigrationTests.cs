using AutoTicket.Data;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Internal;
using Npgsql;

namespace AutoTicket.Tests.Storage;

/// <summary>A start may be killed at any instruction, and another process may hold the database. The next start still works.</summary>
public sealed class KilledMigrationTests
{
    [Fact]
    public async Task A_lock_row_of_a_killed_start_blocks_no_later_start()
    {
        await using var database = await TestDatabase.CreateEmptyAsync(Database.Sqlite);
        await using (var db = database.Open())
        {
            await db.Database.ExecuteSqlAsync(
                $"""
                CREATE TABLE "__EFMigrationsLock" (
                    "Id" INTEGER NOT NULL CONSTRAINT "PK___EFMigrationsLock" PRIMARY KEY, "Timestamp" TEXT NOT NULL);
                INSERT INTO "__EFMigrationsLock" VALUES (1, '2026-11-28 11:17:08+00:00');
                """
            );
        }

        await StartAsync(database);

        Assert.Empty(await PendingAsync(database));
    }

    [Theory]
    [InlineData("autoticket.db", NotifyFilters.FileName)]
    [InlineData("autoticket.db-wal", NotifyFilters.FileName)]
    [InlineData("autoticket.db-wal", NotifyFilters.Size)]
    public async Task A_first_start_that_is_killed_on_sqlite_is_finished_by_the_next_one(string file, NotifyFilters when)
    {
        await using var database = await TestDatabase.CreateEmptyAsync(Database.Sqlite);
        using var begun = new SemaphoreSlim(0);
        using var watcher = new FileSystemWatcher(Path.GetDirectoryName(database.Location)!, file) { NotifyFilter = when };
        watcher.Created += (_, _) => begun.Release();
        watcher.Changed += (_, _) => begun.Release();
        watcher.EnableRaisingEvents = true;
        await using (var killed = ConsoleProcess.Launch(["migrate"], database.Settings))
        {
            Assert.True(await begun.WaitAsync(Eventually.Patience));
            await killed.KillAsync();
        }

        await StartAsync(database);

        Assert.Empty(await PendingAsync(database));
        await using var db = database.Open();
        Assert.Equal(["wal"], await db.QueryAsync($"PRAGMA journal_mode", row => row.GetString(0), CancellationToken.None));
    }

    [Fact]
    public async Task A_migration_that_is_killed_halfway_on_postgres_leaves_nothing_behind()
    {
        await using var database = await TestDatabase.CreateEmptyAsync(Database.Postgres);
        await using (var other = new NpgsqlConnection(PostgresUrl.ToConnectionString(database.Location)))
        {
            // The migration waits at its own CREATE TABLE until this transaction ends.
            await other.OpenAsync();
            await using var transaction = await other.BeginTransactionAsync();
            await ExecuteAsync(other, "CREATE TABLE tickets (id bigint)");
            await using var killed = ConsoleProcess.Launch(["migrate"], database.Settings);
            await using var db = database.Open();
            await Eventually.TrueAsync(
                async () =>
                    (
                        await db.QueryAsync(
                            $"SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
                            row => row.GetInt32(0),
                            CancellationToken.None
                        )
                    ).Count == 1,
                "the migration waits"
            );
            await killed.KillAsync();
        }

        await StartAsync(database);

        Assert.Empty(await PendingAsync(database));
    }

    [Theory, BothDatabases]
    public async Task A_start_waits_for_another_migration_only_so_long_and_then_tries_again(Database kind)
    {
        await using var database = await TestDatabase.CreateEmptyAsync(kind);
        await using (await HoldAsync(database))
        {
            await using var db = database.Open();
            var late = await Assert.ThrowsAnyAsync<Exception>(() => StartAsync(database));
            Assert.True(Outages.IsOutage(late), late.ToString());
        }

        await StartAsync(database);

        Assert.Empty(await PendingAsync(database));
    }

    [Theory, BothDatabases]
    public async Task A_start_with_nothing_to_migrate_takes_no_lock(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await using var held = await HoldAsync(database);

        await StartAsync(database);
    }

    private static async Task StartAsync(TestDatabase database)
    {
        using var patience = new CancellationTokenSource(Eventually.Patience);
        await using var console = database.AsTheConsole();
        await using var db = await console.GetRequiredService<IDbContextFactory<AutoTicketDbContext>>().CreateDbContextAsync();
        await Migrations.EnsureAsync(db, new HostingEnvironment { EnvironmentName = Environments.Development }, patience.Token);
    }

    private static async Task<IEnumerable<string>> PendingAsync(TestDatabase database)
    {
        await using var db = database.Open();
        return await db.Database.GetPendingMigrationsAsync();
    }

    /// <summary>Another process holds the migration lock.</summary>
    private static async Task<IAsyncDisposable> HoldAsync(TestDatabase database)
    {
        if (database.Kind == Database.Sqlite)
        {
            var file = new SqliteConnection($"Data Source={database.Location};Pooling=False");
            await file.OpenAsync();
            await using var begin = file.CreateCommand();
            begin.CommandText = "PRAGMA journal_mode = 'wal'; BEGIN IMMEDIATE";
            await begin.ExecuteNonQueryAsync();
            return file;
        }

        var connection = new NpgsqlConnection(PostgresUrl.ToConnectionString(database.Location));
        await connection.OpenAsync();
        await ExecuteAsync(connection, $"SELECT pg_advisory_lock({Migrations.Lock})");
        return connection;
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }
}
