namespace AutoTicket.Mailbox;

internal static class MailboxSetup
{
    public static void AddMailbox(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSingleton<InvestigationForecasts>();
        services.AddSingleton<FindingStore>();
        services.AddSingleton<RecoveredTickets>();
        services.AddSingleton<ResolutionLog>();
        services.AddSingleton<TicketResolver>();
        services.AddSingleton<TicketTaker>();
        services.AddSettings<UnclaimedOptions>("Escalation");
        services.AddSingleton<UnclaimedTickets>();
        services.AddHosted<OpenTickets>().AddHosted<MailboxWatch>().AddHosted<Reconciler>();
    }

    public static void MapMailbox(this WebApplication app)
    {
        app.MapStatus();
        app.MapAlerts();
        app.MapTickets();
        app.MapFreeScoutWebhook();
        app.WireSandbox(FreeScoutWebhook.Path);
    }
}
