using System.Net.Http.Json;
using System.Text.Json;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using Microsoft.Extensions.DependencyInjection;

namespace AutoTicket.Benchmarks;

/// <summary>Time from a click to the ticket with a FreeScout 100 ms away.</summary>
/// <remarks>Compared with the minimum: one request to the console and one to FreeScout.</remarks>
internal static class InvestigateClick
{
    private const int Times = 5;

    public static async Task<IReadOnlyList<Figure>> RunAsync()
    {
        await using var sandbox = await SandboxServer.StartAsync();
        sandbox.Surface("pay").Answer(503);
        sandbox.Faults.Add(new Fault(FaultKind.Delay) { Match = FaultMatch.FreeScout, Delay = TimeSpan.FromMilliseconds(100) });
        var settings = sandbox.ConsoleSettings().ToDictionary();
        settings["FLAG_CONSOLE_INVESTIGATE_FROM_STATUS"] = "1";
        for (var n = 0; n < Times * (Measure.Rounds + 2); n++)
        {
            settings[$"Surfaces:{n}:Key"] = $"s{n}";
            settings[$"Surfaces:{n}:Url"] = sandbox.Surface("pay").Url.AbsoluteUri;
            settings[$"Surfaces:{n}:DownAfter"] = "1";
        }

        await using var database = await BenchDatabase.StartAsync();
        await using var console = database.BuildConsole(settings);
        await console.StartAsync();
        var board = console.Services.GetRequiredService<StatusBoard>();
        await Eventually.TrueAsync(() => board.All().All(surface => surface.Status == SurfaceStatus.Down), "all surfaces are down");
        using var http = new HttpClient { BaseAddress = new Uri(console.Urls.Single()) };
        using var freeScout = new BareFreeScoutClient(sandbox.FreeScout);
        var surface = 0;
        var click = await Measure.AlternatingAsync(
            Times,
            () =>
                Measure.TimeAsync(async () =>
                {
                    var answer = await http.PostAsync($"/api/surfaces/s{surface++}/investigate", null);
                    if ((await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("disposition").GetString() != "filed")
                    {
                        throw new InvalidOperationException("A click filed no ticket.");
                    }
                }),
            () =>
                Measure.TimeAsync(async () =>
                {
                    (await http.GetAsync("/healthz/live")).EnsureSuccessStatusCode();
                    await freeScout.CreateAsync();
                })
        );
        await console.StopAsync();
        return [new("G8b", "click to ticket / bare request + FreeScout 100 ms away", click.Ours, click.Beside, 1.2)];
    }
}
