using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace AutoTicket.Data;

/// <summary>Migrates the schema, or says that it is behind.</summary>
internal static partial class Migrations
{
    /// <summary>PostgreSQL's advisory lock that lets one process at a time migrate.</summary>
    public const string Lock = "hashtext('AutoTicket.Migrations')";

    /// <summary>At start: migrates SQLite always and PostgreSQL in Development. In Production only the release step migrates.</summary>
    /// <exception cref="ConfigurationException">The schema is behind, or the database refuses the console.</exception>
    public static async Task EnsureAsync(AutoTicketDbContext db, IHostEnvironment environment, CancellationToken cancellationToken)
    {
        try
        {
            var migrates = db is SqliteDbContext || environment.IsDevelopment();
            if (migrates)
            {
                await ApplyAsync(db, cancellationToken);
            }

            // For a database that does not exist, EF would only say that its schema is behind.
            await db.Database.OpenConnectionAsync(cancellationToken);
            if (!migrates && await PendingAsync(db, cancellationToken) is { Count: > 0 } pending)
            {
                throw new ConfigurationException(
                    $"The database's schema is behind by {pending.Count} migration(s), from {pending[0]} on. "
                        + "Run the verb `migrate` (Heroku's release step does) and start again."
                );
            }

            if (
                db.Database.GetDbConnection() is NpgsqlConnection connection
                && new NpgsqlConnectionStringBuilder(connection.ConnectionString).MaxAutoPrepare > 0
                && await PostgresSignals.IsPooledAsync(connection, cancellationToken)
            )
            {
                throw new ConfigurationException(
                    "DATABASE_URL leads to a connection pooler, which mixes up prepared statements. "
                        + "Use the database's direct address, or add pgbouncer=true to its parameters: the console then prepares none."
                );
            }
        }
        catch (PostgresException refusal)
            when (refusal.SqlState
                    is PostgresErrorCodes.InvalidPassword
                        or PostgresErrorCodes.InvalidAuthorizationSpecification
                        or PostgresErrorCodes.InvalidCatalogName
                        or PostgresErrorCodes.InsufficientPrivilege
            )
        {
            throw new ConfigurationException(
                $"DATABASE_URL names a database that refuses the console: {refusal.MessageText}. Check user, password and database name."
            );
        }
        catch (PostgresException refusal) when (!Outages.IsOutage(refusal))
        {
            throw new ConfigurationException(
                $"DATABASE_URL names a database whose schema can't be brought up to date: {refusal.MessageText}. "
                    + "Name an empty database, or one that the console made."
            );
        }
        catch (NpgsqlException refusal) when (refusal is not PostgresException && !refusal.IsTransient)
        {
            throw new ConfigurationException(
                $"DATABASE_URL names a server that the console can't connect to: {refusal.GetBaseException().Message} "
                    + "Beyond this machine the connection is encrypted unless the address ends in ?sslmode=disable."
            );
        }
        catch (SqliteException refusal) when (refusal.SqliteErrorCode is not (5 or 6)) // busy, locked: another process migrates it
        {
            throw new ConfigurationException(
                "AUTOTICKET_SQLITE_PATH names a file that can't be used as the database: "
                    + $"{db.Database.GetDbConnection().DataSource} ({refusal.Message}). "
                    + "Name a file in a folder that the console may write to, or move this one away."
            );
        }
    }

    /// <summary>The verb <c>migrate</c>.</summary>
    /// <returns>The process's exit code. On Heroku it is 0 even if the database can't be reached: the release step runs at every
    /// <c>config:set</c>, and a failure would hold back the break-glass <c>FLAG_…=0</c>.</returns>
    public static async Task<int> RunAsync(IDbContextFactory<AutoTicketDbContext> contexts, bool isOnHeroku, ILogger logger)
    {
        await using var db = await contexts.CreateDbContextAsync();
        try
        {
            Log.Migrated(logger, await ApplyAsync(db, CancellationToken.None));
            return 0;
        }
        catch (Exception exception) when (Outages.IsOutage(exception) && !Outages.IsRefusal(exception) && db is PostgresDbContext)
        {
            Log.Unreachable(logger, exception.GetBaseException().Message);
            return isOnHeroku ? 0 : 1;
        }
        catch (Exception exception) when (exception is NpgsqlException or SqliteException)
        {
            Log.Refused(logger, exception.Message);
            return 1;
        }
    }

    /// <summary>Applies the pending migrations and returns their number. With none pending, no lock is taken.</summary>
    /// <remarks>Not EF's MigrateAsync: on SQLite a killed process leaves its lock row behind, and the next start waits for it forever.
    /// Here one transaction holds the lock and the migrations.</remarks>
    private static async Task<int> ApplyAsync(AutoTicketDbContext db, CancellationToken cancellationToken)
    {
        var creator = db.GetService<IRelationalDatabaseCreator>();
        if (!await creator.ExistsAsync(cancellationToken))
        {
            await creator.CreateAsync(cancellationToken);
        }

        if ((await PendingAsync(db, cancellationToken)).Count == 0)
        {
            return 0;
        }

        await db.Database.OpenConnectionAsync(cancellationToken);
        if (db is SqliteDbContext)
        {
            // EF sets it when it creates the file, unless that start was killed in between.
            await ExecuteAsync("PRAGMA journal_mode = 'wal'");
        }

        await using var transaction = await db.BeginAsync(cancellationToken);
        if (db is PostgresDbContext)
        {
            // On SQLite the transaction itself is the lock, and waits for 5 s too.
            await ExecuteAsync($"SET LOCAL lock_timeout = '5s'; SELECT pg_advisory_xact_lock({Lock})");
        }

        // Reading a table that does not exist would abort PostgreSQL's transaction.
        await ExecuteAsync(db.GetService<IHistoryRepository>().GetCreateIfNotExistsScript());
        var pending = await PendingAsync(db, cancellationToken);
        if (pending.Count > 0)
        {
            var last = (await db.Database.GetAppliedMigrationsAsync(cancellationToken)).LastOrDefault();
            await ExecuteAsync(db.GetService<IMigrator>().GenerateScript(last, options: MigrationsSqlGenerationOptions.NoTransactions));
        }

        await transaction.CommitAsync(cancellationToken);
        return pending.Count;

        async Task ExecuteAsync(string sql)
        {
            await using var command = db.Database.GetDbConnection().CreateCommand();
            command.Transaction = db.Database.CurrentTransaction?.GetDbTransaction();
            command.CommandText = sql;
            command.CommandTimeout = 600;
            await command.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    /// <exception cref="ConfigurationException">The database has a migration that this version does not know.</exception>
    private static async Task<IReadOnlyList<string>> PendingAsync(AutoTicketDbContext db, CancellationToken cancellationToken)
    {
        var known = db.Database.GetMigrations().ToList();
        var applied = (await db.Database.GetAppliedMigrationsAsync(cancellationToken)).ToList();
        if (applied.Except(known).FirstOrDefault() is { } unknown)
        {
            var advice =
                db is SqliteDbContext
                    ? $"Move {db.Database.GetDbConnection().DataSource} away, or name another file in AUTOTICKET_SQLITE_PATH"
                    : "Name an empty database in DATABASE_URL";
            throw new ConfigurationException(
                $"Another version of AutoTicket Console made this database (migration {unknown}), "
                    + $"and databases from before 1.0 can't be upgraded. {advice}, or start the version that made it."
            );
        }

        return [.. known.Except(applied)];
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "migrate: {Count} migration(s) applied, the schema is up to date")]
        public static partial void Migrated(ILogger logger, int count);

        [LoggerMessage(LogLevel.Warning, "migrate: the database can't be reached, nothing was migrated: {Problem}")]
        public static partial void Unreachable(ILogger logger, string problem);

        [LoggerMessage(LogLevel.Error, "migrate: the database refused: {Problem}")]
        public static partial void Refused(ILogger logger, string problem);
    }
}
