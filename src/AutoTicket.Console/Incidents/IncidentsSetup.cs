namespace AutoTicket.Incidents;

internal static class IncidentsSetup
{
    public static void AddIncidents(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<IncidentQueries>();
        builder.Services.AddSingleton<TicketActivityReader>();
    }
}
