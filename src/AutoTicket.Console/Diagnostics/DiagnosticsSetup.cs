using Microsoft.AspNetCore.Components.Server.Circuits;

namespace AutoTicket.Diagnostics;

internal static class DiagnosticsSetup
{
    /// <exception cref="ConfigurationException">A setting can't be used.</exception>
    public static void AddDiagnostics(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSettings<DiagnosticsOptions>("Diagnostics");
        services.AddOutgoingHttpClient(FallbackWebhook.HttpName).ConfigureHttpClient(client => client.Timeout = TimeSpan.FromSeconds(5));
        services
            .AddHosted<RequiredHooks>()
            .AddHosted<Canary>()
            .AddHosted<EscalationWatch>()
            .AddHosted<DeliveryWatch>()
            .AddHosted<AttentionWatch>()
            .AddHosted<FallbackWebhook>();
        services.AddSingleton<FreeScoutChecks>();
        services.AddSingleton<LineChecks>();
        services.AddSingleton<ConsoleChecks>();
        services.AddSingleton<PipelineDiagnostics>();
        services.AddSingleton<DeliveryTest>();
        services.AddSingleton<FlagAgreement>();
        services.AddSingleton<EscalationConditions>();
        services.AddSingleton<CircuitCount>();
        services.AddSingleton<CircuitHandler>(provider => provider.GetRequiredService<CircuitCount>());
        services.AddSingleton<Gauges>();
        services.AddConsoleHealth();
        builder.AddMetrics();
    }

    public static void MapDiagnostics(this WebApplication app)
    {
        app.MapDiagnosticsReport();
        app.MapConsoleHealth();
        app.MapMetrics();
    }
}
