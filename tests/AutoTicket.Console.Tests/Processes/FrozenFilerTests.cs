using System.Net;
using AutoTicket.Flags;
using AutoTicket.Sandbox;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Processes;

public sealed class FrozenFilerTests(TwoConsoles consoles) : IClassFixture<TwoConsoles>
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
        // A slow connection to the database delays the round trips between claim and post, so the test can freeze the process there.
        await using var line = TcpProxy.To(consoles.All.Database.Location);
        var sleeper = await consoles.All.StartAsync(
            new Dictionary<string, string> { ["DATABASE_URL"] = line.Through(consoles.All.Database.Location) }
        );
        var surface = consoles.NextSurface();
        line.Latency = TimeSpan.FromMilliseconds(80);
        var click = sleeper.InvestigateAsync(surface);
        await Eventually.TrueAsync(() => IsClaimedAsync(surface), "the claim is taken");

        sleeper.Freeze();
        Assert.Equal(0, consoles.All.PostsFor(surface));
        await consoles.All.AssertOneTicketAsync(surface, consoles.A, consoles.B);
        line.Latency = TimeSpan.Zero;
        sleeper.Thaw();

        // A database command may have timed out during the freeze: then the click answers 503.
        Assert.Contains((await click).Status, new[] { HttpStatusCode.OK, HttpStatusCode.ServiceUnavailable });
        await consoles.All.AssertOneTicketAsync(surface, sleeper, consoles.A, consoles.B);
        Assert.Equal(1, consoles.All.PostsFor(surface));
    }

    private async Task<bool> IsClaimedAsync(string surface)
    {
        await using var db = consoles.All.Database.Open();
        return await db.Tickets.AnyAsync(ticket => ticket.SurfaceKey == surface);
    }
}
