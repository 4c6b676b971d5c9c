using System.Net.Http.Json;
using System.Text.Json;
using AutoTicket.FreeScout;
using AutoTicket.Mailbox;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;

namespace AutoTicket.Tests.Tickets;

public sealed class SharedHoldTests
{
    [Fact]
    [Trait("Pitfall", "T-33")]
    public async Task A_pause_that_FreeScout_demands_of_one_replica_applies_to_the_other()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var sandbox = await SandboxServer.StartAsync();
        sandbox.Surface("pay").Answer(503);
        var settings = ConsoleHost.SurfaceSettings(0, "pay", sandbox.Surface("pay").Url);
        settings["Ticketing:SyncInterval"] = "01:00:00";
        await using var one = await ConsoleHost.StartAsync(database, sandbox, settings);
        await using var other = await ConsoleHost.StartAsync(database, sandbox, settings);
        foreach (var console in new[] { one, other })
        {
            await Eventually.TrueAsync(() => console.Get<StatusBoard>().Find("pay")!.Status == SurfaceStatus.Down, "the surface is down");
            await Eventually.TrueAsync(() => console.Get<OpenTickets>().Current.SyncedAt is not null, "the first sync is over");
        }

        sandbox.Faults.Add(
            new Fault(FaultKind.RateLimited)
            {
                Match = FaultMatch.FreeScoutCreate,
                RetryAfter = 30,
                Times = 1,
            }
        );
        Assert.Equal("degraded", await ClickAsync(one));

        await Eventually.TrueAsync(
            () => other.Get<FreeScoutHealth>().HoldUntil > other.Get<TimeProvider>().GetUtcNow(),
            "the other console knows the pause"
        );
        var asked = sandbox.FreeScout.RequestCount;
        Assert.Equal("degraded", await ClickAsync(other));
        Assert.Equal(asked, sandbox.FreeScout.RequestCount);
    }

    private static async Task<string?> ClickAsync(ConsoleHost console)
    {
        var answer = await console.Http.PostAsync("/api/surfaces/pay/investigate", null);
        return (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("disposition").GetString();
    }
}
