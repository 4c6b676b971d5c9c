using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Internal;

namespace AutoTicket.Tests.Kit;

/// <summary>Creates the console's schema in test databases and opens contexts on them.</summary>
internal static class Schema
{
    public static AutoTicketDbContext Open(this TestDatabase database) =>
        database.Kind == Database.Postgres
            ? OpenPostgres(database.Location, isPooled: true)
            : new SqliteDbContext(
                new DbContextOptionsBuilder<SqliteDbContext>()
                    .UseSqlite($"Data Source={database.Location};Pooling=False")
                    .UseSnakeCaseNamingConvention()
                    .Options
            );

    /// <summary>As after a failover to a standby: it answers, but takes no writes.</summary>
    public static AutoTicketDbContext OpenReadOnly(this TestDatabase database) =>
        database.Kind == Database.Postgres
            ? OpenPostgres(database.Location, isPooled: true, options: "-c default_transaction_read_only=on")
            : new SqliteDbContext(
                new DbContextOptionsBuilder<SqliteDbContext>()
                    .UseSqlite($"Data Source={database.Location};Mode=ReadOnly;Pooling=False")
                    .UseSnakeCaseNamingConvention()
                    .Options
            );

    /// <summary>The database with the console's own connection settings: pooled, with prepared statements.</summary>
    public static ServiceProvider AsTheConsole(this TestDatabase database) =>
        new ServiceCollection()
            .AddDatabase(
                new ConfigurationBuilder()
                    .AddInMemoryCollection(database.Settings.Select(setting => KeyValuePair.Create(setting.Key, (string?)setting.Value)))
                    .Build()
            )
            .BuildServiceProvider();

    /// <summary>Migrates an empty database to the current schema.</summary>
    public static async Task MigrateAsync(this TestDatabase database)
    {
        await using var db = database.Open();
        await Migrations.EnsureAsync(db, new HostingEnvironment { EnvironmentName = Environments.Development }, CancellationToken.None);
    }

    /// <summary>Migrates a PostgreSQL database of a cluster that the test started.</summary>
    public static async Task MigrateAsync(string url)
    {
        await using var db = OpenPostgres(url);
        await db.Database.MigrateAsync();
    }

    /// <summary>Cancels statements as PostgreSQL does when they take too long, and counts them in the sequence <c>canceled</c>.</summary>
    /// <param name="statement">UPDATE, INSERT or DELETE.</param>
    /// <param name="when">SQL; its table <c>changed</c> has the rows of the statement.</param>
    public static async Task CancelAsync(this TestDatabase database, string statement, string table, string when)
    {
        await using var db = database.Open();
        var sql = $"""
            CREATE SEQUENCE IF NOT EXISTS canceled;
            CREATE FUNCTION cancel_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
              IF {when} THEN
                PERFORM nextval('canceled');
                RAISE EXCEPTION 'canceling statement due to statement timeout' USING ERRCODE = 'query_canceled';
              END IF;
              RETURN NULL;
            END $$;
            CREATE TRIGGER cancel_{table} AFTER {statement} ON {table}
              REFERENCING {(statement == "DELETE" ? "OLD" : "NEW")} TABLE AS changed
              FOR EACH STATEMENT EXECUTE FUNCTION cancel_{table}();
            """;
        await db.Database.ExecuteSqlRawAsync(sql);
    }

    /// <summary>Ends what <see cref="CancelAsync"/> began.</summary>
    public static async Task CancelNoMoreAsync(this TestDatabase database, string table)
    {
        await using var db = database.Open();
        var sql = $"DROP TRIGGER cancel_{table} ON {table}";
        await db.Database.ExecuteSqlRawAsync(sql);
    }

    private static PostgresDbContext OpenPostgres(string url, bool isPooled = false, string options = "") =>
        new(
            new DbContextOptionsBuilder<PostgresDbContext>()
                .UseNpgsql($"{PostgresUrl.ToConnectionString(url, isPooled)};Options={options}")
                .UseSnakeCaseNamingConvention()
                .Options
        );
}
