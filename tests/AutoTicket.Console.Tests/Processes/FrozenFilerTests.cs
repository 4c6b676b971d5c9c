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
    public async Task A_filer_that_wakes_after_its_lease_files_nothing_more_and_goes_on()
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
            "the woken process has the flag that was switched while it slept"
        );
        var asked = consoles.Sandbox.Surface(surface).RequestCount;
        await Eventually.TrueAsync(() => consoles.Sandbox.Surface(surface).RequestCount >= asked + 3, "both go on probing");
    }

    /// <summary>Its limit on the click and its claim both keep it from it; it goes wrong without both. The claim's alone is broken in
    /// <see cref="Tickets.LostAnswerTests"/>, where no timer tells of the time that passed.</summary>
    [Fact]
    public async Task A_filer_that_wakes_before_its_post_and_after_its_lease_does_not_post()
    {
        // On a slow line to the database some round trips lie between its claim and its post: time to freeze it there.
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

        // Its commands to the database may have run out of time while it slept: it says so, and posts no more for that.
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
