using AutoTicket.Data;
using Microsoft.AspNetCore.Builder;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace AutoTicket.Benchmarks;

/// <summary>A throwaway PostgreSQL whose commits reach the disk, with the console's schema.</summary>
internal sealed class BenchDatabase : IAsyncDisposable
{
    private readonly PostgresCluster _cluster;

    private BenchDatabase(PostgresCluster cluster, string url) => (_cluster, Url, Bare) = (cluster, url, NpgsqlDataSource.Create(DatabaseUrl.ToConnectionString(url)));

    public string Url { get; }

    /// <summary>The same stack without anything of ours.</summary>
    public NpgsqlDataSource Bare { get; }

    public static async Task<BenchDatabase> StartAsync()
    {
        var cluster = await PostgresCluster.StartNewAsync(durable: true);
        var url = await cluster.CreateDatabaseAsync();
        await using var db = new PostgresDbContext(new DbContextOptionsBuilder<PostgresDbContext>().UseNpgsql(DatabaseUrl.ToConnectionString(url)).UseSnakeCaseNamingConvention().Options);
        await db.Database.MigrateAsync();
        return new BenchDatabase(cluster, url);
    }

    /// <summary>The console over this database, built but not started.</summary>
    public WebApplication BuildConsole(IReadOnlyDictionary<string, string?>? settings = null)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions
        {
            EnvironmentName = "Development",
            ApplicationName = typeof(AutoTicketing).Assembly.GetName().Name,
            ContentRootPath = ContentRoot.Find(),
        });
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["DATABASE_URL"] = Url,
            ["Sandbox:Enabled"] = "false",
            ["urls"] = "http://127.0.0.1:0",
        });
        builder.Configuration.AddInMemoryCollection(settings ?? new Dictionary<string, string?>());
        builder.AddAutoTicketing();
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.MapAutoTicketing();
        return app;
    }

    public async ValueTask DisposeAsync()
    {
        await Bare.DisposeAsync();
        await _cluster.DisposeAsync();
    }
}
