using System.Diagnostics;
using System.Net.Http.Json;
using AutoTicket.Maintenance;

namespace AutoTicket.Benchmarks;

/// <summary>Hundreds of open boards, compared with as many open pages of the bare Blazor app: how soon the last one shows a change, what a
/// change weighs, and memory.</summary>
internal static class OpenPages
{
    private const int Surfaces = 100;
    private const int Sick = 10;
    private const int Boards = 100;
    private const int Changes = 6;
    private const int Warm = 20;
    private const int Most = 300;

    private static readonly IEnumerable<KeyValuePair<string, string>> Environment = Measure.AsInProduction.Append(
        new("ASPNETCORE_ENVIRONMENT", "Development")
    );

    public static async Task<IReadOnlyList<Figure>> RunAsync()
    {
        await using var surfaces = await LoopbackSurfaces.StartAsync();
        for (var n = 0; n < Sick; n++)
        {
            surfaces.Down[$"s{n}"] = true;
        }

        var settings = surfaces.Settings(Surfaces, hanging: 0, TimeSpan.FromSeconds(10));
        settings["Circuits__PerSession"] = settings["Circuits__InAll"] = "1000";
        await using var bare = await ConsoleProcess.StartBareBlazorAsync(Environment.ToDictionary());
        await using var console = await ConsoleProcess.StartAsync(
            settings.Concat(Environment).DistinctBy(setting => setting.Key).ToDictionary()
        );
        await Eventually.TrueAsync(
            async () =>
                (await console.Http.GetStringAsync("/console/status")).Contains($"{Sick} of {Surfaces} need", StringComparison.Ordinal),
            "all surfaces are checked"
        );
        var board = new Side(console, "/console/status", "surface-s0");
        var tiles = new Side(bare, $"/?tiles={Surfaces}", "unchanged");
        await using (var warm = new Pages())
        {
            await warm.OpenAsync(board, Warm);
            await warm.OpenAsync(tiles, Warm);
        }

        var (ourEmpty, theirEmpty) = (await AlertMemory.SettledAsync(console.Id), await AlertMemory.SettledAsync(bare.Id));
        await using var ours = new Pages();
        await using var theirs = new Pages();
        await theirs.OpenAsync(tiles, Boards);
        await ours.OpenAsync(board, Boards);
        var begun = 0;
        var isInMaintenance = false;
        var changes = await Measure.AlternatingAsync(
            Changes,
            () =>
            {
                isInMaintenance = !isInMaintenance;
                // Each time another surface, because a repeated message is compressed to nothing.
                begun += isInMaintenance ? 1 : 0;
                var maintenance = $"/api/surfaces/s{begun % Sick}/maintenance";
                return isInMaintenance
                    ? ours.ShowAsync(
                        () => console.Http.PostAsJsonAsync(maintenance, new MaintenanceRequest($"Reason {begun}", "1h")),
                        "Checks: "
                    )
                    : ours.ShowAsync(() => console.Http.DeleteAsync(maintenance), "no ticket");
            },
            () => theirs.ShowAsync(() => bare.Http.PostAsync("/push", null), "push-")
        );
        await theirs.OpenAsync(tiles, Most - Boards);
        await ours.OpenAsync(board, Most - Boards);
        return
        [
            new("G7b", $"a tile's change until {Boards} boards show it / bare push", changes.Ours, changes.Beside, 2),
            new("", "one tile's change on the wire, compressed / 2 KiB", ours.ReceivedPerChange, 2048, 1, Unit.Bytes),
            new(
                "G8",
                $"memory of an open board, {Most} open / bare",
                (await AlertMemory.SettledAsync(console.Id) - ourEmpty) / Most,
                (await AlertMemory.SettledAsync(bare.Id) - theirEmpty) / Most,
                1.3,
                Unit.Bytes
            ),
        ];
    }

    /// <param name="Text">The page shows it once it is rendered.</param>
    private sealed record Side(ConsoleProcess Process, string Path, string Text);

    private sealed class Pages : IAsyncDisposable
    {
        private readonly List<CircuitClient> _open = [];
        private int _changes;
        private long _before;

        /// <summary>Bytes that a page has received for each change, with what followed it until the next one.</summary>
        public double ReceivedPerChange => (double)(_open.Sum(page => page.Received) - _before) / _open.Count / _changes;

        public async Task OpenAsync(Side side, int count)
        {
            for (var n = 0; n < count; n++)
            {
                _open.Add(await CircuitClient.OpenAsync(side.Process.Http, new Uri(side.Process.Address, side.Path), side.Text));
            }
        }

        /// <returns>Milliseconds from the request until the last page has the text.</returns>
        public async Task<double> ShowAsync(Func<Task<HttpResponseMessage>> change, string text)
        {
            if (_changes++ == 0)
            {
                _before = _open.Sum(page => page.Received);
            }

            var arrivals = _open.ConvertAll(page => page.ArrivesAsync(text));
            var begun = Stopwatch.GetTimestamp();
            (await change()).EnsureSuccessStatusCode();
            var last = (await Task.WhenAll(arrivals)).Max();
            return Stopwatch.GetElapsedTime(begun, last).TotalMilliseconds;
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var page in _open)
            {
                await page.DisposeAsync();
            }
        }
    }
}
