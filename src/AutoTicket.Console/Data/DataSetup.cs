using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace AutoTicket.Data;

internal static class DataSetup
{
    /// <exception cref="ConfigurationException">The settings name no usable database.</exception>
    public static void AddData(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSingleton(new DatabaseClock(TimeProvider.System));
        services.TryAddSingleton<TimeProvider>(provider => provider.GetRequiredService<DatabaseClock>());
        services.AddDatabase(builder.Configuration);
        services.AddSettings<LeaderOptions>("Leader");
        services.AddHosted<DatabaseGate>().AddHosted<LeaderLease>();
        services.AddHostedService(provider => provider.GetRequiredService<DatabaseSignals>());
        services.AddExceptionHandler<DatabaseOutageHandler>();
    }

    /// <summary>The verb <c>migrate</c>: brings the schema up to date and ends.</summary>
    /// <returns>The process's exit code.</returns>
    public static async Task<int> MigrateAsync(this WebApplicationBuilder builder)
    {
        builder.AddLogs();
        builder.AddData();
        await using var app = builder.Build();
        return await Migrations.RunAsync(
            app.Services.GetRequiredService<IDbContextFactory<AutoTicketDbContext>>(),
            app.Configuration["DYNO"] is { Length: > 0 },
            app.Logger
        );
    }

    /// <summary>Answers 503 until the database has answered for the first time: no page has data, and nobody can be recognized.</summary>
    public static void UseDatabaseGate(this WebApplication app) =>
        app.Use(
            async (context, next) =>
            {
                if (
                    app.Services.GetRequiredService<DatabaseGate>().IsOpen
                    || context.Request.Path.StartsWithSegments("/healthz", StringComparison.OrdinalIgnoreCase)
                    || context.Request.Path.StartsWithSegments("/metrics", StringComparison.OrdinalIgnoreCase)
                )
                {
                    await next(context);
                    return;
                }

                context.Response.Headers.RetryAfter = "5";
                await Results
                    .Problem(
                        title: "The console's database can't be reached yet. The console keeps trying. Try again in a moment.",
                        statusCode: 503
                    )
                    .ExecuteAsync(context);
            }
        );

    /// <summary>Registers PostgreSQL if <c>DATABASE_URL</c> is set, otherwise an embedded SQLite file.</summary>
    /// <exception cref="ConfigurationException">The settings name no usable database.</exception>
    public static IServiceCollection AddDatabase(this IServiceCollection services, IConfiguration configuration)
    {
        // No pooled contexts. A pooled context keeps its connection object, which keeps a command. If the connection broke while a
        // statement was being prepared, that command fails forever (Npgsql 10).
        if (configuration["DATABASE_URL"] is { } url && !string.IsNullOrWhiteSpace(url))
        {
            var connection = DatabaseUrl.ToConnectionString(url.Trim());
            services.AddDbContextFactory<PostgresDbContext>(db => Common(db.UseNpgsql(connection)));
            services.AddSingleton<IDbContextFactory<AutoTicketDbContext>, DbContextFactory<PostgresDbContext>>();
            services.AddSingleton<DatabaseSignals>(provider => new PostgresSignals(
                connection,
                provider.GetRequiredService<TimeProvider>(),
                provider.GetRequiredService<ILogger<DatabaseSignals>>()
            ));
        }
        else if (configuration["DYNO"] is { Length: > 0 })
        {
            throw new ConfigurationException(
                "DATABASE_URL is not set, and on a dyno the embedded database would be wiped at every restart. "
                    + "Attach Heroku Postgres, which sets it."
            );
        }
        else
        {
            var path = Path.GetFullPath(configuration["AUTOTICKET_SQLITE_PATH"] is { Length: > 0 } file ? file : "autoticket.db");
            CreateForOwnerOnly(path);
            var connection = SqliteConnectionString(path);
            services.AddDbContextFactory<SqliteDbContext>(db => Common(db.UseSqlite(connection)));
            services.AddSingleton<IDbContextFactory<AutoTicketDbContext>, DbContextFactory<SqliteDbContext>>();
            services.AddSingleton<DatabaseSignals>(provider => new SqliteSignals(
                connection,
                provider.GetRequiredService<TimeProvider>(),
                provider.GetRequiredService<ILogger<DatabaseSignals>>()
            ));
        }

        services.AddScoped(provider => provider.GetRequiredService<IDbContextFactory<AutoTicketDbContext>>().CreateDbContext());
        services.AddDataProtection().SetApplicationName("AutoTicket.Console").PersistKeysToDbContext<AutoTicketDbContext>();
        if (configuration[KeyEncryption.Variable] is { Length: > 0 } key)
        {
            var encryption = new KeyEncryption(key);
            services.AddSingleton(encryption).Configure<KeyManagementOptions>(keys => keys.XmlEncryptor = encryption);
        }

        return services;
    }

    internal static string SqliteConnectionString(string path) =>
        new SqliteConnectionStringBuilder { DataSource = path, DefaultTimeout = 5 }.ConnectionString;

    /// <summary>Creates the file with a mode for its owner only. SQLite would create it readable for all users, and gives its -wal and
    /// -shm files the same mode.</summary>
    private static void CreateForOwnerOnly(string path)
    {
        // Don't open an existing file: closing it would drop the locks that SQLite holds in this process.
        if (File.Exists(path) || OperatingSystem.IsWindows())
        {
            return;
        }

        try
        {
            const UnixFileMode owner = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            new FileStream(
                path,
                new FileStreamOptions
                {
                    Mode = FileMode.CreateNew,
                    Access = FileAccess.Write,
                    UnixCreateMode = owner,
                }
            ).Dispose();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Opening it with SQLite will fail with a better message.
        }
    }

    private static void Common(DbContextOptionsBuilder db) =>
        db.UseSnakeCaseNamingConvention()
            .ConfigureWarnings(warnings =>
                warnings.Log(
                    (RelationalEventId.CommandError, LogLevel.Debug),
                    (RelationalEventId.ConnectionError, LogLevel.Debug),
                    (RelationalEventId.TransactionError, LogLevel.Debug),
                    (CoreEventId.SaveChangesFailed, LogLevel.Debug),
                    (CoreEventId.QueryIterationFailed, LogLevel.Debug)
                )
            );
}

/// <summary>Creates the configured database's context by its common type, because EF's interface is not covariant.</summary>
internal sealed class DbContextFactory<TContext>(IDbContextFactory<TContext> factory) : IDbContextFactory<AutoTicketDbContext>
    where TContext : AutoTicketDbContext
{
    public AutoTicketDbContext CreateDbContext() => factory.CreateDbContext();
}
