using System.Text.Json;
using System.Text.Json.Serialization;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Components;
using AutoTicket.Components.Layout;
using AutoTicket.Data;
using AutoTicket.Diagnostics;
using AutoTicket.Flags;
using AutoTicket.FreeScout;
using AutoTicket.Intake;
using AutoTicket.Mailbox;
using AutoTicket.Security;
using AutoTicket.Slack;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Components.Server.Circuits;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Http.Resilience;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;
using Microsoft.FeatureManagement;
using MudBlazor.Services;
using Polly;

namespace AutoTicket;

/// <summary>All wiring of the console, a short block a folder. A host needs these two calls and nothing else.</summary>
public static class AutoTicketing
{
    /// <exception cref="ConfigurationException">A setting can't be used.</exception>
    public static WebApplicationBuilder AddAutoTicketing(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        builder.AddSandbox();
        builder.Listen();
        // Whatever the log level: the path of a webhook is its secret.
        services.ConfigureHttpClientDefaults(http =>
            http.RemoveAllLoggers().UseSocketsHttpHandler((handler, _) => handler.ConnectCallback = HappyEyeballs.ConnectAsync)
        );
        builder.AddRequestGuards();
        builder.AddLogs();
        builder.AddData();
        builder.AddSurfaces();
        builder.AddAlerts();
        builder.AddFlags();
        builder.AddFreeScout();

        services.AddSettings<AuditOptions>("Audit");
        services.AddHosted<Retention>();
        services.AddSettings<TicketingOptions>("Ticketing");
        services.AddSingleton<ConsoleAddress>();
        services.AddSingleton<TicketBook>();
        services.AddSingleton<TicketingService>();
        services.AddSingleton<Investigator>();
        services.AddSingleton<InvestigationForecasts>();
        services.AddSingleton<FloodBudget>();
        services.AddHosted<FloodBreaker>();
        services.AddSingleton<TicketNotes>();
        services.AddSingleton<IAlertHook, TicketAlertHook>();
        services.AddSingleton<FindingLog>();
        services.AddSingleton<RecoveredTickets>();
        services.AddSingleton<ResolutionLog>();
        services.AddSingleton<TicketResolver>();
        services.AddHosted<OpenTickets>().AddHosted<MailboxWatch>().AddHosted<UnfinishedFilings>().AddHosted<Reconciler>();

        services.AddSlack();
        builder.AddDiagnostics();
        services.AddHosted<RecoveredReminder>();

        services.AddSingleton<AuditLog>();
        builder.AddSignIn();

        services.AddMudServices();
        services
            .AddRazorComponents()
            .AddInteractiveServerComponents()
            .AddHubOptions(CircuitLiveness.Configure)
            .AddHubOptions(RequestGuardsSetup.ConfigureHub);
        services.AddScoped<Microsoft.AspNetCore.Components.Web.IErrorBoundaryLogger, OutageAwareErrorLogger>();
        services.AddCascadingAuthenticationState();
        services.AddCascadingValue("SandboxUrl", provider => provider.GetRequiredService<SandboxNotice>().Url?.AbsoluteUri);
        services.AddCascadingValue("SandboxStandIns", provider => provider.GetRequiredService<SandboxNotice>().StandIns);
        services.AddProblemDetails();
        services.AddExceptionHandler<DatabaseOutageHandler>();
        services.AddExceptionHandler<BadRequestHandler>();
        services.Configure<RouteHandlerOptions>(routes => routes.ThrowOnBadRequest = true);
        services.AddOpenApi();
        services.ConfigureHttpJsonOptions(json =>
        {
            json.SerializerOptions.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower;
            json.SerializerOptions.Converters.Add(new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false));
        });
        return builder;
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

    public static WebApplication MapAutoTicketing(this WebApplication app)
    {
        MisspelledSettings.Tell(app.Configuration, app.Logger);
        app.UseRequestGuards();
        app.UseExceptionHandler();
        // A person gets a page, a program a problem.
        app.UseWhen(
            context => context.Request.Path.StartsWithSegments("/api", StringComparison.OrdinalIgnoreCase),
            api => api.UseStatusCodePages()
        );
        app.UseWhen(
            context => !context.Request.Path.StartsWithSegments("/api", StringComparison.OrdinalIgnoreCase),
            pages => pages.UseStatusCodePagesWithReExecute("/not-found")
        );
        // Said here, because otherwise routing comes before all of this, and a page that is not found is not routed to the page that says so.
        app.UseRouting();
        app.UseDatabaseGate();
        app.UseIntakePaths();
        app.UseAuthentication();
        app.UseAuthorization();
        app.Use((context, next) => app.Services.GetRequiredService<RequestLimits>().InvokeAsync(context, next));
        app.UseAntiforgery();
        // Otherwise reading the form throws: an ERROR for each POST that any stranger sends.
        app.Use(
            (context, next) =>
                context.Features.Get<IAntiforgeryValidationFeature>() is { IsValid: false }
                    ? Results
                        .Problem(title: "The form is out of date.", detail: "Load its page again.", statusCode: 400)
                        .ExecuteAsync(context)
                    : next(context)
        );

        app.MapStaticAssets().AllowAnonymous();
        app.MapRazorComponents<App>().AddInteractiveServerRenderMode();
        app.MapGet("/", () => Results.LocalRedirect("/console/status")).ExcludeFromDescription();
        app.MapGet("/console", () => Results.LocalRedirect("/console/status")).ExcludeFromDescription();
        app.MapLogin();
        app.MapStatus();
        app.MapAlerts();
        app.MapAlertIntake();
        app.MapTickets();
        app.MapFreeScoutWebhook();
        app.MapFlood();
        app.MapFlags();
        app.MapAudit().RequireAuthorization(Rights.Operate).WithMetadata(new RequestLimits.AtOnce("export", 2));
        app.MapOpenApi();
        app.MapDiagnostics();
        app.MapConsoleHealth();
        app.MapMetrics();
        app.WireSandbox(FreeScoutWebhook.Path);
        return app;
    }

    private static void AddLogs(this WebApplicationBuilder builder)
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
        // What Logging__Console__FormatterName says wins over the line.
        builder.Logging.AddConsole();
        builder.Services.PostConfigure<ConsoleLoggerOptions>(console => console.FormatterName ??= LineFormatter.FormatterName);
        builder.Services.PostConfigure<JsonConsoleFormatterOptions>(json =>
            (json.TimestampFormat, json.UseUtcTimestamp) = (json.TimestampFormat ?? LineFormatter.Timestamp, true)
        );
        builder.Logging.AddConsoleFormatter<LineFormatter, ConsoleFormatterOptions>();
        // What these tell of an outage, our own lines tell better; their ERROR would call somebody for it.
        builder.Logging.AddFilter("Microsoft.EntityFrameworkCore", LogLevel.Warning);
        builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
        // That the keys lie in our own database unencrypted is a decision, not news at every first start; that they can't be read
        // while it is away, our own lines tell.
        builder.Logging.AddFilter("Microsoft.AspNetCore.DataProtection", LogLevel.Critical);
        // An ERROR for each forged cookie, form or provider's answer, that any stranger can send: our own lines tell what counts.
        builder.Logging.AddFilter("Microsoft.AspNetCore.Antiforgery", LogLevel.None);
        builder.Logging.AddFilter("Microsoft.AspNetCore.Authentication", LogLevel.None);
        // A line for each request that lacks a token, or brings another endpoint's.
        builder.Logging.AddFilter(typeof(TokenHandler).FullName, LogLevel.Warning);
        builder.Logging.AddFilter("Polly", LogLevel.None);
        builder.Logging.AddFilter("Microsoft.FeatureManagement", LogLevel.Warning);
        builder.Logging.AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.None);
    }

    private static void AddData(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSingleton(new DatabaseClock(TimeProvider.System));
        services.TryAddSingleton<TimeProvider>(provider => provider.GetRequiredService<DatabaseClock>());
        services.AddSingleton<OncePerMinute>();
        services.AddDatabase(builder.Configuration);
        services.AddSettings<LeaderOptions>("Leader");
        services.AddHosted<EffectsUnderWay>().AddHosted<DatabaseGate>().AddHosted<LeaderLease>().AddHosted<Readiness>();
        services.AddHostedService(provider => provider.GetRequiredService<DatabaseSignals>());
    }

    private static void AddSurfaces(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSettings<StatusOptions>("Status");
        services.AddSingleton(provider =>
            SurfaceList.Read(builder.Configuration, provider.GetRequiredService<IOptions<StatusOptions>>().Value)
        );
        services.AddSingleton<SurfaceProbe>();
        services.AddSingleton<StatusBoard>();
        services.AddSingleton<SurfaceHistory>();
        services.AddSingleton<SurfaceAvailability>();
        services.AddHosted<ReadingRelay>().AddHosted<StatusPoller>().AddHosted<SurfaceObserver>();
    }

    private static void AddAlerts(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSettings<AlertsOptions>("Alerts");
        services.AddSingleton<AlertStore>();
        services.AddSingleton<DecisionLog>();
        services.AddSingleton<DeliveryLog>();
        services.AddSingleton<AlertQueries>();
        services.AddSingleton<InMemoryAlerts>();
        services.AddSingleton<ParkedAlerts>();
        services.AddHosted<AlertAggregator>().AddHosted<AlertEmitter>();
    }

    private static void AddFlags(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSingleton(provider =>
            FlagEnvironment.Read(builder.Configuration, defaultOn: provider.GetRequiredService<SandboxNotice>().Url is not null)
        );
        services.AddSingleton<FlagTable>();
        services.AddHosted<FlagStore>();
        // Before AddFeatureManagement, which would otherwise read flags from the configuration.
        services.AddSingleton<IFeatureDefinitionProvider>(provider => provider.GetRequiredService<FlagStore>());
        services.AddFeatureManagement();
    }

    private static void AddFreeScout(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSettings<FreeScoutOptions>("FreeScout");
        services.AddSingleton<FreeScoutHealth>();
        services.AddSingleton<FreeScoutClient>();
        services.AddTransient<AnswerReader>();
        services
            .AddHttpClient(FreeScoutClient.HttpName, client => client.Timeout = Timeout.InfiniteTimeSpan)
            .UseSocketsHttpHandler(
                (handler, _) =>
                {
                    handler.AllowAutoRedirect = false;
                    handler.UseCookies = false;
                    handler.PooledConnectionLifetime = TimeSpan.FromMinutes(2);
                    handler.ConnectTimeout = TimeSpan.FromSeconds(3);
                    handler.MaxConnectionsPerServer = FreeScoutClient.MostAtOnce;
                }
            )
            .SetHandlerLifetime(Timeout.InfiniteTimeSpan)
            .AddResilienceHandler(
                FreeScoutClient.HttpName,
                (pipeline, context) =>
                    FreeScoutResilience.Configure(
                        pipeline,
                        context.ServiceProvider.GetRequiredService<IOptions<FreeScoutOptions>>().Value,
                        context.ServiceProvider.GetRequiredService<FreeScoutHealth>(),
                        context.ServiceProvider.GetRequiredService<TimeProvider>()
                    )
            );
        services.AddHttpClient(FreeScoutClient.HttpName).AddHttpMessageHandler<AnswerReader>();
        services.AddSingleton<FreeScoutProbe>();
        services
            .AddHttpClient(FreeScoutProbe.HttpName, client => client.Timeout = Timeout.InfiniteTimeSpan)
            .UseSocketsHttpHandler(
                (handler, _) =>
                    (handler.AllowAutoRedirect, handler.UseCookies, handler.PooledConnectionLifetime) = (
                        false,
                        false,
                        TimeSpan.FromMinutes(2)
                    )
            )
            .SetHandlerLifetime(Timeout.InfiniteTimeSpan)
            .AddHttpMessageHandler<AnswerReader>();
    }

    private static void AddDiagnostics(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSettings<DiagnosticsOptions>("Diagnostics");
        services
            .AddHttpClient(FallbackWebhook.HttpName, client => client.Timeout = TimeSpan.FromSeconds(5))
            .UseSocketsHttpHandler(
                (handler, _) =>
                    (handler.AllowAutoRedirect, handler.UseCookies, handler.PooledConnectionLifetime) = (
                        false,
                        false,
                        TimeSpan.FromMinutes(2)
                    )
            )
            .SetHandlerLifetime(Timeout.InfiniteTimeSpan);
        services
            .AddHosted<RequiredHooks>()
            .AddHosted<Canary>()
            .AddHosted<EscalationWatch>()
            .AddHosted<DeliveryWatch>()
            .AddHosted<FallbackWebhook>();
        services.AddSingleton<FreeScoutChecks>();
        services.AddSingleton<LineChecks>();
        services.AddSingleton<ConsoleChecks>();
        services.AddSingleton<PipelineDiagnostics>();
        services.AddSingleton<FlagAgreement>();
        services.AddSingleton<EscalationConditions>();
        services.AddSingleton<CircuitCount>();
        services.AddSingleton<CircuitHandler>(provider => provider.GetRequiredService<CircuitCount>());
        services.AddSingleton<Gauges>();
        services.AddConsoleHealth();
        builder.AddMetrics();
    }

    internal static void AddSlack(this IServiceCollection services)
    {
        services.AddSettings<SlackOptions>("Slack");
        services.AddSingleton<SlackHealth>();
        services.AddSingleton<SlackClient>();
        services.AddSingleton<IAlertHook, SlackAlertHook>();
        services
            .AddHttpClient(
                SlackClient.HttpName,
                client => (client.Timeout, client.MaxResponseContentBufferSize) = (Timeout.InfiniteTimeSpan, SlackClient.LongestAnswer)
            )
            .UseSocketsHttpHandler(
                (handler, _) =>
                {
                    handler.AllowAutoRedirect = false;
                    handler.UseCookies = false;
                    handler.PooledConnectionLifetime = TimeSpan.FromMinutes(2);
                }
            )
            .SetHandlerLifetime(Timeout.InfiniteTimeSpan);
    }

    /// <summary>Until the database has first answered there is nothing to show and nobody to recognise.</summary>
    private static void UseDatabaseGate(this WebApplication app) =>
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
                    .Problem(title: "The console's database can't be reached yet. The console keeps trying; so may you.", statusCode: 503)
                    .ExecuteAsync(context);
            }
        );

    /// <summary>A service that runs, and that others ask.</summary>
    private static IServiceCollection AddHosted<TService>(this IServiceCollection services)
        where TService : class, IHostedService =>
        services.AddSingleton<TService>().AddHostedService(provider => provider.GetRequiredService<TService>());
}
