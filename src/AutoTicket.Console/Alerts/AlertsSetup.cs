namespace AutoTicket.Alerts;

internal static class AlertsSetup
{
    public static void AddAlerts(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSettings<AlertsOptions>("Alerts");
        services.AddSingleton<AlertStore>();
        services.AddSingleton<DecisionLog>();
        services.AddSingleton<OutboxReader>().AddSingleton<DeliveryStore>().AddSingleton<OutcomeRecorder>();
        services.AddSingleton<AlertMutes>();
        services.AddSingleton<AlertQueries>();
        services.AddSingleton<InMemoryAlerts>();
        services.AddHosted<SurfaceObserver>().AddHosted<AlertAggregator>().AddHosted<AlertEmitter>();
    }
}
