using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Data;

/// <summary>Tells an outage of the database from a bug, where no context is at hand.</summary>
internal static class Outages
{
    public static bool IsOutage(this IDbContextFactory<AutoTicketDbContext> contexts, Exception exception)
    {
        using var db = contexts.CreateDbContext();
        return db.IsOutage(exception);
    }
}
