using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Internal;

namespace AutoTicket.Tests.Kit;

/// <summary>The console's schema for the tests' databases, and a context on one of them.</summary>
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

    /// <summary>The database as the console reaches it: pooled, and with statements that are prepared.</summary>
    public static ServiceProvider AsTheConsole(this TestDatabase database) =>
        new ServiceCollection()
            .AddDatabase(
                new ConfigurationBuilder()
                    .AddInMemoryCollection(database.Settings.Select(setting => KeyValuePair.Create(setting.Key, (string?)setting.Value)))
                    .Build()
            )
            .BuildServiceProvider();

    /// <summary>Brings an empty database to the current schema.</summary>
    public static async Task MigrateAsync(this TestDatabase database)
    {
        await using var db = database.Open();
        await Migrations.EnsureAsync(db, new HostingEnvironment { EnvironmentName = Environments.Development }, CancellationToken.None);
    }

    /// <summary>The same for a PostgreSQL database of a cluster of the test's own.</summary>
    public static async Task MigrateAsync(string url)
    {
        await using var db = OpenPostgres(url);
        await db.Database.MigrateAsync();
    }

    private static PostgresDbContext OpenPostgres(string url, bool isPooled = false) =>
        new(
            new DbContextOptionsBuilder<PostgresDbContext>()
                .UseNpgsql(PostgresUrl.ToConnectionString(url, isPooled))
                .UseSnakeCaseNamingConvention()
                .Options
        );
}
