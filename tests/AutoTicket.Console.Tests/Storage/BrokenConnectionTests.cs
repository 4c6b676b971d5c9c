using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace AutoTicket.Tests.Storage;

/// <summary>Npgsql reuses a connection's command. A connection that breaks during a prepare leaves the command in a wrong state, so no
/// later caller may get that command.</summary>
public sealed class BrokenConnectionTests
{
    /// <summary>Npgsql prepares a statement at its fifth use.</summary>
    private const int PreparedAt = 5;

    [Fact]
    public async Task A_connection_that_breaks_during_a_prepare_does_not_affect_later_callers()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var line = TcpProxy.To(database.Location);
        var settings = new ConfigurationBuilder().AddInMemoryCollection([new("DATABASE_URL", line.Through(database.Location))]).Build();
        await using var services = new ServiceCollection().AddDatabase(settings).BuildServiceProvider();
        var contexts = services.GetRequiredService<IDbContextFactory<AutoTicketDbContext>>();
        for (var use = 1; use < PreparedAt; use++)
        {
            Assert.Equal([1], await AskAsync(contexts));
        }

        line.Cut();
        line.Restore();
        Assert.True(Outages.IsOutage(await Assert.ThrowsAnyAsync<Exception>(() => AskAsync(contexts))));

        for (var use = 0; use < 2 * PreparedAt; use++)
        {
            Assert.Equal([1], await AskAsync(contexts));
        }
    }

    private static async Task<List<int>> AskAsync(IDbContextFactory<AutoTicketDbContext> contexts)
    {
        await using var db = await contexts.CreateDbContextAsync();
        return await db.QueryAsync($"SELECT 1", row => row.GetInt32(0), CancellationToken.None);
    }
}
