using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Logging.Console;

namespace AutoTicket.Hosting;

internal static class HostingSetup
{
    /// <exception cref="ConfigurationException">A setting can't be used.</exception>
    public static void AddHosting(this WebApplicationBuilder builder)
    {
        foreach (var variable in MisspelledSettings.Variables)
        {
            Settings.RefuseQuotes(variable, builder.Configuration[variable]);
        }

        // Before the others, because it adds to the configuration.
        builder.AddSandbox();
        builder.Listen();
        builder.AddLogs();
        builder.AddSystemd();
        var services = builder.Services;
        // No loggers at any level: the path of a webhook is its secret.
        services.ConfigureHttpClientDefaults(http =>
            http.RemoveAllLoggers().UseSocketsHttpHandler((handler, _) => handler.ConnectCallback = HappyEyeballs.ConnectAsync)
        );
        services.AddSingleton<ConsoleAddress>();
        services.AddSingleton<OncePerMinute>();
        services.AddHosted<EffectsUnderWay>().AddHosted<Readiness>();
        services.AddProblemDetails();
        services.ConfigureHttpJsonOptions(json =>
        {
            json.SerializerOptions.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower;
            json.SerializerOptions.Converters.Add(new UtcTimeConverter());
            json.SerializerOptions.Converters.Add(new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false));
        });
    }

    /// <exception cref="ConfigurationException">A level or the format is not one that .NET knows.</exception>
    public static void AddLogs(this WebApplicationBuilder builder)
    {
        foreach (var level in builder.Configuration.GetSection("Logging:LogLevel").GetChildren())
        {
            Settings.Read(builder.Configuration, level.Path, LogLevel.Information);
        }

        string[] formats =
        [
            LineFormatter.FormatterName,
            ConsoleFormatterNames.Json,
            ConsoleFormatterNames.Simple,
            ConsoleFormatterNames.Systemd,
        ];
        if (
            builder.Configuration["Logging:Console:FormatterName"] is { Length: > 0 } format
            && !formats.Contains(format, StringComparer.OrdinalIgnoreCase)
        )
        {
            throw new ConfigurationException(
                $"Logging__Console__FormatterName must be one of {string.Join(", ", formats)}, but is “{format}”."
            );
        }

        builder.Logging.ClearProviders();
        builder.Logging.AddConsole();
        builder.Services.PostConfigure<ConsoleLoggerOptions>(console => console.FormatterName ??= LineFormatter.FormatterName);
        builder.Services.PostConfigure<JsonConsoleFormatterOptions>(json =>
            (json.TimestampFormat, json.UseUtcTimestamp) = (json.TimestampFormat ?? LineFormatter.Timestamp, true)
        );
        builder.Logging.AddConsoleFormatter<LineFormatter, ConsoleFormatterOptions>();
        // These libraries log an outage as an ERROR, which is for bugs alone. The console logs it as a WARNING itself.
        builder.Logging.AddFilter("Microsoft.EntityFrameworkCore", LogLevel.Warning);
        builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
        builder.Logging.AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.None);
        builder.Logging.AddFilter("Polly", LogLevel.None);
        // It warns at every first start that the keys are stored unencrypted. That is a decision: see KeyEncryption.
        builder.Logging.AddFilter("Microsoft.AspNetCore.DataProtection", LogLevel.Critical);
        builder.Logging.AddFilter("Microsoft.FeatureManagement", LogLevel.Warning);
    }

    /// <summary>An HTTP client that follows no redirect, keeps no cookies and resolves names again every two minutes. It has no timeout of
    /// its own.</summary>
    public static IHttpClientBuilder AddOutgoingHttpClient(this IServiceCollection services, string name) =>
        services
            .AddHttpClient(name, client => client.Timeout = Timeout.InfiniteTimeSpan)
            .UseSocketsHttpHandler(
                (handler, _) =>
                {
                    handler.AllowAutoRedirect = false;
                    handler.UseCookies = false;
                    handler.PooledConnectionLifetime = TimeSpan.FromMinutes(2);
                }
            )
            .SetHandlerLifetime(Timeout.InfiniteTimeSpan);

    /// <summary>Registers a background service that other services can also ask for.</summary>
    public static IServiceCollection AddHosted<TService>(this IServiceCollection services)
        where TService : class, IHostedService =>
        services.AddSingleton<TService>().AddHostedService(provider => provider.GetRequiredService<TService>());

    /// <summary>A browser gets an error page, a program problem details.</summary>
    public static void UseErrorAnswers(this WebApplication app)
    {
        app.UseExceptionHandler();
        app.UseWhen(IsForApi, api => api.UseStatusCodePages());
        app.UseWhen(context => !IsForApi(context), pages => pages.UseStatusCodePagesWithReExecute("/not-found"));
        // Called here, because routing would otherwise run first, and the re-executed request would not reach the page.
        app.UseRouting();
    }

    public static void MapHosting(this WebApplication app)
    {
        MisspelledSettings.Warn(app.Configuration, app.Logger);
        app.MapOpenApi();
    }

    private static bool IsForApi(HttpContext context) =>
        context.Request.Path.StartsWithSegments("/api", StringComparison.OrdinalIgnoreCase);
}
