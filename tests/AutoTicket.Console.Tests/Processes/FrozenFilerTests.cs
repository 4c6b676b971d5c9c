using System.Net;
using AutoTicket.Flags;
using AutoTicket.Sandbox;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Processes;

public sealed class FrozenFilerTests(TwoHastyConsoles consoles) : IClassFixture<TwoHastyConsoles>
{
    [Fact]
    [Trait("Pitfall", "T-12")]
    public async Task A_filer_frozen_past_its_lease_files_nothing_more_and_keeps_working()
    {
        var surface = consoles.NextSurface();
        var slow = consoles.Sandbox.Faults.Add(new(FaultKind.Delay) { Match = FaultMatch.FreeScoutCreate });
        var click = consoles.A.InvestigateAsync(surface);
        await Eventually.TrueAsync(() => consoles.Sandbox.FreeScout.CreatesInFlight == 1, "FreeScout has the request");

        consoles.A.Freeze();
        slow.Dispose();
        await consoles.All.AssertOneTicketAsync(surface, consoles.B);
        Assert.Equal(HttpStatusCode.OK, (await consoles.B.SetFlagAsync(FlagNames.AlertsAutoTicket, true)).Status);
        consoles.A.Thaw();

        Assert.Equal(HttpStatusCode.OK, (await click).Status);
        await consoles.All.AssertOneTicketAsync(surface, consoles.A, consoles.B);
        Assert.Equal(1, consoles.All.PostsFor(surface));
        await Eventually.TrueAsync(
            () => consoles.A.IsOnAsync(FlagNames.AlertsAutoTicket),
            "the resumed process reads the flag that was switched meanwhile"
        );
        var asked = consoles.Sandbox.Surface(surface).RequestCount;
        await Eventually.TrueAsync(() => consoles.Sandbox.Surface(surface).RequestCount >= asked + 3, "the probes continue");
    }

    /// <summary>Two checks prevent the post, the click's budget and the claim's lease. The test fails only if both are missing.
    /// <see cref="Tickets.LostAnswerTests"/> tests the lease alone.</summary>
    [Fact]
    public async Task A_filer_frozen_before_its_post_past_its_lease_does_not_post()
    {
        await using var line = TcpProxy.To(consoles.All.Database.Location);
        var sleeper = await consoles.All.StartAsync(
            new Dictionary<string, string>(Consoles.Hasty) { ["DATABASE_URL"] = line.Through(consoles.All.Database.Location) }
        );
        var surface = "";
        Task<Answer> click = null!;
        // The database takes the claim, and the process does not learn it. On a busy machine the claim may time out: then another surface.
        await Eventually.TrueAsync(
            async () =>
            {
                line.Restore();
                surface = consoles.NextSurface();
                await using (var db = consoles.All.Database.Open())
                {
                    await using var transaction = await db.BeginAsync(default);
                    await db.ExecuteAsync($"LOCK TABLE tickets IN EXCLUSIVE MODE", default);
                    click = sleeper.InvestigateAsync(surface);
                    await Eventually.TrueAsync(() => IsClaimingAsync(), "the claim waits for the lock", TimeSpan.FromSeconds(10));
                    line.Stall();
                }

                await Eventually.TrueAsync(() => IsClaimedAsync(surface), "the claim is taken", TimeSpan.FromSeconds(10));
                return true;
            },
            "the claim is taken",
            2 * Eventually.Patience
        );

        sleeper.Freeze();
        Assert.Equal(0, consoles.All.PostsFor(surface));
        await consoles.All.AssertOneTicketAsync(surface, consoles.A, consoles.B);
        line.Restore();
        sleeper.Thaw();

        // A database command may have timed out during the freeze: then the click answers 503.
        Assert.Contains((await click).Status, new[] { HttpStatusCode.OK, HttpStatusCode.ServiceUnavailable });
        await consoles.All.AssertOneTicketAsync(surface, sleeper, consoles.A, consoles.B);
        Assert.Equal(1, consoles.All.PostsFor(surface));
    }

    private async Task<bool> IsClaimingAsync()
    {
        await using var db = consoles.All.Database.Open();
        return await db
            .Database.SqlQuery<bool>(
                $"""
                SELECT count(*) > 0 AS "Value" FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock' AND query ILIKE '%INSERT INTO tickets%'
                """
            )
            .SingleAsync();
    }

    private async Task<bool> IsClaimedAsync(string surface)
    {
        await using var db = consoles.All.Database.Open();
        return await db.Tickets.AnyAsync(ticket => ticket.SurfaceKey == surface);
    }
}
