using AutoTicket.Maintenance;
using AutoTicket.Surfaces;
using Microsoft.EntityFrameworkCore;
using static AutoTicket.Tests.Surfaces.Readings;

namespace AutoTicket.Tests.Maintenance;

/// <summary>Maintenance that was set for the past, in the leader's loop.</summary>
public sealed class PastMaintenanceTests
{
    [Fact]
    public async Task A_window_that_times_out_is_logged_does_not_block_the_next_and_is_marked_later()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await database.CancelAsync("UPDATE", "surface_readings", "EXISTS (SELECT FROM changed WHERE surface_key = 'pay')");
        await using var db = database.Open();
        var now = TimeProvider.System.GetUtcNow();
        foreach (var key in new[] { "pay", "shop" })
        {
            db.SurfaceReadings.Add(Reading(ReadingOutcome.Failed, now.AddHours(-1), key) with { Status = SurfaceStatus.Down });
            db.MaintenanceWindows.Add(
                new()
                {
                    SurfaceKey = key,
                    StartsAt = now.AddHours(-2),
                    EndsAt = now.AddHours(1),
                    Reason = "forgotten",
                    Actor = "olga",
                    CreatedAt = now,
                    IsPastPending = true,
                }
            );
            await db.SaveChangesAsync();
        }

        await using var console = await ConsoleHost.StartAsync(database);
        await Eventually.TrueAsync(async () => !await PendingAsync("shop"), "the second window is marked");
        await Eventually.TrueAsync(() => console.Log.Any(IsWarning), "the log says that the first one is not");
        Assert.True(await PendingAsync("pay"));
        Assert.Equal(["shop"], await db.SurfaceReadings.Where(reading => reading.InMaintenance).Select(r => r.SurfaceKey).ToListAsync());

        await database.CancelNoMoreAsync("surface_readings");
        await Eventually.TrueAsync(async () => !await PendingAsync("pay"), "the first window is marked");
        Assert.Equal(2, await db.SurfaceReadings.CountAsync(reading => reading.InMaintenance));
        Assert.Single(console.Log, IsWarning);

        Task<bool> PendingAsync(string key) => db.MaintenanceWindows.AnyAsync(window => window.SurfaceKey == key && window.IsPastPending);

        static bool IsWarning(string line) =>
            line.StartsWith("WARNING", StringComparison.Ordinal)
            && line.Contains("maintenance 1 of surface=pay is not taken out of its availability yet", StringComparison.Ordinal);
    }
}
