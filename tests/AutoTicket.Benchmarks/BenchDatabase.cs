using AutoTicket.Data;
using Microsoft.AspNetCore.Builder;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace AutoTicket.Benchmarks;

/// <summary>A temporary PostgreSQL with durable commits and the console's schema.</summary>
internal sealed class BenchDatabase : IAsyncDisposable
{
    private readonly PostgresCluster _cluster;

    private BenchDatabase(PostgresCluster cluster, string url) =>
        (_cluster, Url, Bare) = (cluster, url, NpgsqlDataSource.Create(DatabaseUrl.ToConnectionString(url)));

    public string Url { get; }

    /// <summary>A plain Npgsql data source for the same database.</summary>
    public NpgsqlDataSource Bare { get; }

    public static async Task<BenchDatabase> StartAsync()
    {
        var cluster = await PostgresCluster.StartNewAsync(durable: true);
        var url = await cluster.CreateDatabaseAsync();
        await using var db = new PostgresDbContext(
            new DbContextOptionsBuilder<PostgresDbContext>()
                .UseNpgsql(DatabaseUrl.ToConnectionString(url))
                .UseSnakeCaseNamingConvention()
                .Options
        );
        await db.Database.MigrateAsync();
        return new BenchDatabase(cluster, url);
    }

    /// <summary>Adds 10,000 ended alerts and updates statistics, so that plans match a database in use.</summary>
    /// <remarks>Their tickets are too old for the comparison with FreeScout, which does not have them.</remarks>
    public async Task AgeAsync()
    {
        await using var age = Bare.CreateCommand(
            """
            INSERT INTO alerts (alert_id, logical_id, slot, status, source, name, severity, summary, labels, members, folded_ids,
                started_at, opened_at, seen_at, ended_at, reopened, version)
            SELECT id, id, '', 'resolved', 'prometheus', 'InstanceDown', 'p1', 'It was down', '{}', '[]', 0,
                at, at, at, at + interval '1 hour', 0, 1
            FROM (
                SELECT encode(sha256(n::text::bytea), 'hex') AS id, now() - interval '20 days' + n * interval '1 minute' AS at
                FROM generate_series(1, 10000) AS n
            ) AS past;
            INSERT INTO audit_log (created_at, action, actor, payload)
            SELECT opened_at, 'console.alerts.opened', source, '{}' FROM alerts;
            INSERT INTO tickets (marker, dedup_key, severity, state, attempt, lease_until, filed_by, audit_action, tag, subject,
                posted_at, tags_pending, empty_lookups, conversation_id, number)
            SELECT 'at-' || id, alert_id, severity, 'closed', 1, opened_at, 'alert:prometheus', 'console.alerts.ticket_filed',
                'auto:alert', summary, opened_at, false, 0, -id, -id
            FROM alerts;
            INSERT INTO alert_deliveries (alert_row, hook, kind, at, severity, reopened, ticket_id, ticket_number, ticket_url)
            SELECT id, 'ticket', 'firing', opened_at, severity, 0, -id, -id, '' FROM alerts
            UNION ALL
            SELECT id, 'slack', 'firing', opened_at, severity, 0, NULL, NULL, NULL FROM alerts;
            INSERT INTO decisions (alert_id, alert_row, path, word, count, first_at, last_at)
            SELECT alert_id, id, 'ticket', 'filed', 1, opened_at, opened_at FROM alerts;
            ANALYZE
            """
        );
        await age.ExecuteNonQueryAsync();
    }

    /// <summary>A console on this database, built but not started.</summary>
    public WebApplication BuildConsole(IReadOnlyDictionary<string, string?>? settings = null)
    {
        var builder = WebApplication.CreateBuilder(
            new WebApplicationOptions
            {
                EnvironmentName = "Development",
                ApplicationName = typeof(AutoTicketing).Assembly.GetName().Name,
                ContentRootPath = ContentRoot.Find(),
            }
        );
        builder.Configuration.AddInMemoryCollection(
            new Dictionary<string, string?>
            {
                ["DATABASE_URL"] = Url,
                ["Sandbox:Enabled"] = "false",
                ["urls"] = "http://127.0.0.1:0",
            }
        );
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
