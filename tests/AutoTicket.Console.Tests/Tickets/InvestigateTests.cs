using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Kit;

namespace AutoTicket.Tests.Tickets;

public sealed class InvestigateTests
{
    [Theory, BothDatabases]
    public async Task A_click_files_a_ticket_and_the_next_one_returns_it(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await using var sandbox = await AutoTicket.Sandbox.SandboxServer.StartAsync();
        sandbox.Surface("pay").Answer(503);
        await using var console = await ConsoleHost.StartAsync(
            database,
            sandbox,
            ConsoleHost.SurfaceSettings(0, "pay", sandbox.Surface("pay").Url)
        );
        await Eventually.TrueAsync(() => console.Get<StatusBoard>().Find("pay")!.Status == SurfaceStatus.Down, "the surface is down");

        var first = await InvestigateAsync(console, "pay");
        var second = await InvestigateAsync(console, "pay");

        Assert.Equal("filed", first.GetProperty("disposition").GetString());
        Assert.Equal("already_open", second.GetProperty("disposition").GetString());
        Assert.Equal(first.GetProperty("ticket").GetProperty("id").GetInt64(), second.GetProperty("ticket").GetProperty("id").GetInt64());
        Assert.Equal(1, sandbox.FreeScout.CreatedCount);
        await Eventually.TrueAsync(() => sandbox.FreeScout.Conversations.Single().Tags.Contains("surface:pay"), "the tags are set");
        Assert.Equal(["auto:status", "sev:p2", "surface:pay"], sandbox.FreeScout.Conversations.Single().Tags.Order());
        Assert.Contains("<b>Last checks</b>", sandbox.FreeScout.Conversations.Single().Threads[^1].Body, StringComparison.Ordinal);
    }

    private static async Task<JsonElement> InvestigateAsync(ConsoleHost console, string surface)
    {
        var answer = await console.Http.PostAsync($"/api/surfaces/{surface}/investigate", null);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return await answer.Content.ReadFromJsonAsync<JsonElement>();
    }
}
