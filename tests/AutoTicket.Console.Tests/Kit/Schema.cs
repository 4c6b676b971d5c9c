using System.Runtime.CompilerServices;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Kit;

/// <summary>The console's schema for the tests' databases, and a context on one of them.</summary>
internal static class Schema
{
    public static AutoTicketDbContext Open(this TestDatabase database) => database.Kind == Database.Postgres
        ? new PostgresDbContext(new DbContextOptionsBuilder<PostgresDbContext>().UseNpgsql(PostgresUrl.ToConnectionString(database.Location)).UseSnakeCaseNamingConvention().Options)
        : new SqliteDbContext(new DbContextOptionsBuilder<SqliteDbContext>().UseSqlite($"Data Source={database.Location};Pooling=False").UseSnakeCaseNamingConvention().Options);

    [ModuleInitializer]
    internal static void Use() => TestDatabase.Migrate = async database =>
    {
        await using var db = database.Open();
        await db.Database.MigrateAsync();
    };
}
