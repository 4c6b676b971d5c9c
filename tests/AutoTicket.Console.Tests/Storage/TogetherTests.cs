using System.Globalization;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace AutoTicket.Tests.Storage;

/// <summary>Statements of one batch all take effect or none does, also after Npgsql has prepared them.</summary>
public sealed class TogetherTests
{
    /// <summary>Npgsql prepares a statement at its fifth use.</summary>
    private const int Uses = 8;

    [Theory]
    [BothDatabases]
    public async Task A_batch_is_written_completely_or_not_at_all(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await using var console = database.AsTheConsole();
        await using var db = await console.GetRequiredService<IDbContextFactory<AutoTicketDbContext>>().CreateDbContextAsync();
        for (var use = 0; use < Uses; use++)
        {
            await db.ExecuteTogetherAsync([Take(use, "first"), Take(use, "second")], CancellationToken.None);
            await Assert.ThrowsAnyAsync<Exception>(() =>
                db.ExecuteTogetherAsync([Take(use, "third"), Take(use, "first")], CancellationToken.None)
            );
        }

        Assert.Equal(2 * Uses, await db.Leases.CountAsync());
        Assert.Equal(0, await db.Leases.CountAsync(lease => lease.Name.StartsWith("third")));
    }

    private static FormattableString Take(int use, string name)
    {
        var row = name + use.ToString(CultureInfo.InvariantCulture);
        return $"INSERT INTO leases (name, owner, until, fence) VALUES ({row}, {"me"}, {DateTimeOffset.UnixEpoch}, {1L})";
    }
}
