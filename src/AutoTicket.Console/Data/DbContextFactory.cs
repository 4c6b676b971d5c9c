using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Data;

/// <summary>Hands out the configured database's context by its common name; the interface of EF is not covariant.</summary>
internal sealed class DbContextFactory<TContext>(IDbContextFactory<TContext> factory) : IDbContextFactory<AutoTicketDbContext>
    where TContext : AutoTicketDbContext
{
    public AutoTicketDbContext CreateDbContext() => factory.CreateDbContext();
}
