using System.Globalization;
using System.Text.Json;

namespace AutoTicket.Benchmarks;

/// <summary>How long the server takes for each page, and its bytes, with 100 and 1,000 surfaces, 5,000 alerts and 5,000 tickets, compared
/// with a prerendered page of the bare Blazor app that shows as many things.</summary>
internal static class PageTimes
{
    private const int Count = 5000;
    private const int Loads = 3;
    private const int Sick = 10;

    public static async Task<IReadOnlyList<Figure>> RunAsync()
    {
        await using var surfaces = await LoopbackSurfaces.StartAsync();
        for (var n = 0; n < Sick; n++)
        {
            surfaces.Down[$"s{n}"] = true;
        }

        await using var bare = await ConsoleProcess.StartBareBlazorAsync(
            Measure.AsInProduction.Append(new("ASPNETCORE_ENVIRONMENT", "Development")).ToDictionary()
        );
        var few = surfaces.Settings(100, hanging: 0, TimeSpan.FromSeconds(10));
        await using var console = await AlertConsole.StartAsync(few);
        await console.FillAsync(Count);
        List<Figure> figures = [.. await MeasureAsync(console, bare, 100), .. await ListsInBrowser.RunAsync(console)];
        await console.RestartAsync(surfaces.Settings(1000, hanging: 0, TimeSpan.FromSeconds(10)));
        await Eventually.TrueAsync(async () => await console.TicketsAsync() >= Count, "the open tickets are read again");
        return [.. figures, .. await MeasureAsync(console, bare, 1000)];
    }

    private static async Task<IEnumerable<Figure>> MeasureAsync(AlertConsole console, ConsoleProcess bare, int surfaces)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = console.Address };
        using var alerts = JsonDocument.Parse(await http.GetStringAsync("/api/alerts?active=true"));
        var key = alerts.RootElement.GetProperty("alerts")[0].GetProperty("alert_key").GetString();
        List<Figure> figures = [];
        foreach (
            var (page, shown) in new[]
            {
                ("status", Sick),
                ("status?view=dense", surfaces),
                ("status/s0", 1),
                ("alerts", 50),
                ($"alerts/{key}", 1),
                ("incidents", 50),
                ($"incidents/{key}", 1),
                ("tickets", 50),
                ("flags", 2),
                ("audit", 50),
                ("diagnostics", 20),
            }
        )
        {
            async Task<int> GetAsync(HttpClient client, string path) => (await client.GetByteArrayAsync(path)).Length;

            var path = $"/console/{page}";
            var bytes = await GetAsync(http, path);
            var time = await Measure.AlternatingAsync(
                Loads,
                () => Measure.TimeAsync(() => GetAsync(http, path)),
                () => Measure.TimeAsync(() => GetAsync(bare.Http, string.Create(CultureInfo.InvariantCulture, $"/?tiles={shown}")))
            );
            var name = string.Create(
                CultureInfo.InvariantCulture,
                $"{surfaces:#,0} surfaces: {page.Replace(key!, "…", StringComparison.Ordinal)}"
            );
            figures.Add(
                new(
                    page is "tickets" ? "G12" : "",
                    $"{name} / bare page with {shown} items",
                    time.Ours,
                    time.Beside,
                    page is "tickets" ? 2 : null
                )
            );
            figures.Add(new("R4", $"{name}, bytes / 300 KiB", bytes, 300 * 1024, 1, Unit.Bytes));
        }

        return figures;
    }
}
