using AutoTicket.Alerts;

namespace AutoTicket.Tickets;

internal static class TicketsSetup
{
    public static void AddTickets(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSettings<TicketingOptions>("Ticketing");
        services.AddSingleton<TicketStore>();
        services.AddSingleton(TicketStore.Expiry);
        services.AddSingleton<TicketingService>();
        services.AddSingleton<Investigator>();
        services.AddSingleton<TicketNotes>();
        services.AddSingleton<IAlertHook, TicketAlertHook>();
        services.AddSingleton<FloodBudget>().AddSingleton<FloodTrip>();
        services.AddSingleton(FloodBreaker.Expiry);
        services.AddHosted<FloodBreaker>().AddHosted<UnfinishedFilings>();
    }
}
