using AutoTicket.Surfaces;
using Microsoft.Playwright;

namespace AutoTicket.Tests.Journeys;

public sealed class FirstSecondsTests
{
    [Fact, Trait("Pitfall", "T-45"), Trait("Pitfall", "T-46")]
    public async Task A_surface_is_unknown_and_raises_no_alarm_before_its_first_answer()
    {
        await using var sandbox = await AutoTicket.Sandbox.SandboxServer.StartAsync();
        sandbox.Surface("slow").Hang();
        var settings = ConsoleHost.SurfaceSettings(0, "slow", sandbox.Surface("slow").Url);
        settings["Surfaces:0:Timeout"] = "00:05:00";
        await using var console = await ConsoleHost.StartAsync(sandbox: sandbox, settings: settings);
        await using var board = await ConsolePage.OpenAsync(console, "/console/status");

        await Assertions.Expect(board.Heading).ToHaveTextAsync("First check of 1 surface…");
        await Assertions.Expect(board.Tile("Surface slow")).ToHaveAttributeAsync("data-status", "unknown");
        await Assertions.Expect(board.Tile("Surface slow")).ToContainTextAsync("first check…");
        await Assertions.Expect(board.Page).ToHaveTitleAsync("Status · AutoTicket Console");
        Assert.Equal(SurfaceStatus.Unknown, console.Get<StatusBoard>().Find("slow")!.Status);
    }
}
