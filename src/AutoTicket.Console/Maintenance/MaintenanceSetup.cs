namespace AutoTicket.Maintenance;

internal static class MaintenanceSetup
{
    public static void AddMaintenance(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSingleton<MaintenanceStore>().AddSingleton(MaintenanceStore.Expiry);
        services.AddSingleton<SnoozeStore>().AddSingleton(SnoozeStore.Expiry);
        services.AddSingleton<MaintenancePlanner>();
        services.AddSingleton<Snoozer>();
        services.AddHosted<MaintenanceWatch>().AddHosted<PastMaintenance>();
    }
}
