using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using AutoTicket.Sandbox;
using Microsoft.Playwright;

namespace AutoTicket.Benchmarks;

/// <summary>The board in Chromium with 100 and 1,000 surfaces, beside its budgets: load, and, while twenty boards are open, clicks and
/// updates.</summary>
/// <remarks>One board is open in Chromium, the others are circuits alone: operators' browsers don't run on the console's
/// machine.</remarks>
internal static class BoardInBrowser
{
    private const int Loads = 5;
    private const int Clicks = 10;
    private const int Boards = 20;
    private const int Sick = 10;
    private const double Interval = 5;

    // In each page: clicks a filter until the click works, and notes when.
    private const string FirstClick = """
        const begin = setInterval(() => {
          const filter = [...document.querySelectorAll(".filters button")].find((one) => one.textContent.includes("Needs attention"));
          if (filter?.getAttribute("aria-pressed") === "true") {
            window.firstClick = performance.now();
            clearInterval(begin);
          } else filter?.click();
        }, 20);
        """;

    // Clicks a button and waits until the change it causes is painted.
    private const string Click = """
        async (text) => {
          const all = () => [...document.querySelectorAll(".filters button, .views button")];
          const button = () => all().find((one) => one.textContent.includes(text));
          const was = button().getAttribute("aria-pressed");
          const begun = performance.now();
          button().click();
          while (button().getAttribute("aria-pressed") === was) await new Promise(requestAnimationFrame);
          await new Promise((painted) => requestAnimationFrame(() => setTimeout(painted)));
          return performance.now() - begun;
        }
        """;

    // Opens the last checks of a tile, waits until they are painted, and closes them again.
    private const string Unfold = """
        async (key) => {
          const details = document.querySelector(`[data-tile][aria-labelledby="surface-${key}"] details`);
          const begun = performance.now();
          details.querySelector("summary").click();
          while (!details.querySelector("table")) await new Promise(requestAnimationFrame);
          await new Promise((painted) => requestAnimationFrame(() => setTimeout(painted)));
          const took = performance.now() - begun;
          details.querySelector("summary").click();
          while (details.querySelector("table")) await new Promise(requestAnimationFrame);
          return took;
        }
        """;

    // Clicks Investigate; returns when the button is busy and when the ticket's link is there.
    private const string Investigate = """
        async (key) => {
          const tile = () => document.querySelector(`[data-tile][aria-labelledby="surface-${key}"]`);
          const painted = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
          const begun = performance.now();
          tile().querySelector(".investigate").click();
          while (tile()?.querySelector(".investigate")?.getAttribute("aria-busy") !== "true") await new Promise(requestAnimationFrame);
          await painted();
          const busy = performance.now() - begun;
          while (!tile()?.querySelector(".outcome a, .ticket a")) await new Promise(requestAnimationFrame);
          await painted();
          return [busy, performance.now() - begun];
        }
        """;

    // Notes what moves on a page that nobody touches. A script's click does not count as a touch.
    private const string Shifts = """
        window.shifts = 0;
        new PerformanceObserver((list) => {
          for (const shift of list.getEntries()) if (!shift.hadRecentInput) window.shifts += shift.value;
        }).observe({ type: "layout-shift", buffered: true });
        """;

    private const string Painted = """
        (key) => new Promise((done) => {
          const look = () => {
            const tile = document.querySelector(`[data-tile][aria-labelledby="surface-${key}"]`);
            if (tile?.dataset.status === "down") requestAnimationFrame(() => done(Date.now()));
            else setTimeout(look, 5);
          };
          look();
        })
        """;

    public static async Task<IReadOnlyList<Figure>> RunAsync() => [.. await MeasureAsync(100), .. await MeasureAsync(1000)];

    private static async Task<IEnumerable<Figure>> MeasureAsync(int count)
    {
        await using var sandbox = await SandboxServer.StartAsync();
        sandbox.Faults.Add(new Fault(FaultKind.Delay) { Match = FaultMatch.FreeScout, Delay = TimeSpan.FromMilliseconds(500) });
        await using var surfaces = await LoopbackSurfaces.StartAsync();
        for (var n = 0; n < Sick; n++)
        {
            surfaces.Down[$"s{n}"] = true;
        }

        var settings = surfaces.Settings(count, hanging: 0, TimeSpan.FromSeconds(10));
        settings["FLAG_CONSOLE_INVESTIGATE_FROM_STATUS"] = "1";
        foreach (var (setting, value) in sandbox.ConsoleSettings(slack: false))
        {
            settings[setting.Replace(":", "__", StringComparison.Ordinal)] = value!;
        }

        settings["Status__PollInterval"] = string.Create(CultureInfo.InvariantCulture, $"{Interval}s");
        await using var console = await ConsoleProcess.StartAsync(Measure.AsInProduction.Concat(settings).ToDictionary());
        await Eventually.TrueAsync(async () => await DownAsync(console, "s9") is not null, "ten surfaces are down");
        var address = new Uri(console.Http.BaseAddress!, "/console/status");

        List<double> paints = [],
            clicks = [];
        for (var load = 0; load <= Loads; load++)
        {
            var (paint, click) = await LoadAsync(address);
            paints.Add(paint);
            clicks.Add(click);
        }

        var name = string.Create(CultureInfo.InvariantCulture, $"{count:#,0} surfaces");
        List<Figure> figures =
        [
            new("", $"{name}: board's page on the wire / 300 KiB", await ListsInBrowser.BytesAsync(address), 300 * 1024, 1, Unit.Bytes),
            new("", $"{name}: first paint / 800 ms", Measure.Median(paints.Skip(1)), 800, 1),
            count > 100
                ? new("", $"{name}: first click that works / 1.5 s", Measure.Median(clicks.Skip(1)), 1500, 1)
                : new("", $"{name}: first click that works / 1 s", Measure.Median(clicks.Skip(1)), 1000, 1),
        ];
        List<CircuitClient> boards = [];
        try
        {
            while (boards.Count < Boards - 1)
            {
                boards.Add(await CircuitClient.OpenAsync(console.Http, address, "surface-s9"));
            }

            figures.AddRange(await UseAsync(address, name, count));
            figures.Add(await UpdateAsync(address, boards, name, surfaces, console));
        }
        finally
        {
            foreach (var board in boards)
            {
                await board.DisposeAsync();
            }
        }

        return figures;
    }

    /// <returns>The first paint and the first click that works, in milliseconds since the navigation began.</returns>
    private static async Task<(double Paint, double Click)> LoadAsync(Uri address)
    {
        await using var browser = await Browser.NewPageAsync();
        await browser.Page.AddInitScriptAsync(FirstClick);
        await browser.Page.GotoAsync(address.AbsoluteUri);
        await browser.Page.WaitForFunctionAsync("() => window.firstClick");
        return (
            await browser.Page.EvaluateAsync<double>("() => performance.getEntriesByName('first-contentful-paint')[0].startTime"),
            await browser.Page.EvaluateAsync<double>("() => window.firstClick")
        );
    }

    /// <summary>Clicks on one more open board, and what its updates cost.</summary>
    private static async Task<IEnumerable<Figure>> UseAsync(Uri address, string name, int count)
    {
        await using var browser = await Browser.NewPageAsync();
        var bytes = 0L;
        browser.Page.WebSocket += (_, socket) => socket.FrameReceived += (_, frame) => bytes += frame.Binary?.Length ?? 0;
        await browser.Page.AddInitScriptAsync(FirstClick);
        await browser.Page.GotoAsync(address.AbsoluteUri);
        await browser.Page.WaitForFunctionAsync("() => window.firstClick");
        var budget = count > 100 ? 200 : 100;

        async Task<double> Slow(params string[] buttons)
        {
            List<double> times = [];
            for (var n = 0; n <= Clicks; n++)
            {
                foreach (var button in buttons)
                {
                    times.Add(await browser.Page.EvaluateAsync<double>(Click, button));
                }
            }

            return Measure.Quantile(times.Skip(buttons.Length), 0.95);
        }

        Figure[] figures =
        [
            new("", $"{name}: filter, p95 / {budget} ms", await Slow("All", "Needs attention"), budget, 1),
            new("", $"{name}: by group, p95 / {budget} ms", await Slow("By group"), budget, 1),
            new("", $"{name}: view, p95 / {budget} ms", await Slow("Dense", "Tiles"), budget, 1),
        ];
        await browser.Page.EvaluateAsync<double>(Click, "All");
        List<double> unfolds = [];
        for (var n = 0; n <= Clicks; n++)
        {
            unfolds.Add(await browser.Page.EvaluateAsync<double>(Unfold, "s0"));
        }

        List<double[]> investigations = [];
        for (var n = 0; n < Sick; n++)
        {
            investigations.Add(await browser.Page.EvaluateAsync<double[]>(Investigate, $"s{n}"));
        }

        await using var untouched = await Browser.NewPageAsync();
        await untouched.Page.AddInitScriptAsync(Shifts);
        await untouched.Page.GotoAsync(address.AbsoluteUri);
        var session = await browser.Page.Context.NewCDPSessionAsync(browser.Page);
        // The thread's own time, which other processes on this machine don't lengthen.
        await session.SendAsync("Performance.enable", new Dictionary<string, object> { ["timeDomain"] = "threadTicks" });
        var (busy, received, polls) = (await BusyAsync(session), bytes, 2);
        await Task.Delay(TimeSpan.FromSeconds(polls * Interval));
        busy = await BusyAsync(session) - busy;
        received = bytes - received;
        return
        [
            .. figures,
            new("", $"{name}: unfold the last checks, p95 / 300 ms", Measure.Quantile(unfolds.Skip(1), 0.95), 300, 1),
            new(
                "",
                $"{name}: Investigate is busy, p95 / 100 ms",
                Measure.Quantile(investigations.Skip(1).Select(one => one[0]), 0.95),
                100,
                1
            ),
            new(
                "",
                $"{name}: Investigate to ticket, p95 / 1.5 s",
                Measure.Quantile(investigations.Skip(1).Select(one => one[1]), 0.95),
                1500,
                1
            ),
            new(
                "",
                $"{name}: layout shift (CLS) / 0.1",
                await untouched.Page.EvaluateAsync<double>("() => window.shifts"),
                0.1,
                1,
                Unit.None
            ),
            new("", $"{name}: one reading on an open board / 2 KiB", (double)received / (polls * count), 2048, 1, Unit.Bytes),
            new("", $"{name}: main thread busy in each second / 100 ms", busy * 1000 / (polls * Interval), 100, 1),
        ];
    }

    private static async Task<double> BusyAsync(ICDPSession session)
    {
        var metrics = (await session.SendAsync("Performance.getMetrics"))!.Value.GetProperty("metrics");
        return metrics
            .EnumerateArray()
            .Single(metric => metric.GetProperty("name").GetString() == "TaskDuration")
            .GetProperty("value")
            .GetDouble();
    }

    /// <summary>How long after the check that found a surface down the last of many open boards has it, painted in Chromium.</summary>
    private static async Task<Figure> UpdateAsync(
        Uri address,
        List<CircuitClient> boards,
        string name,
        LoopbackSurfaces surfaces,
        ConsoleProcess console
    )
    {
        List<double> delays = [];
        await using var browser = await Browser.NewPageAsync();
        await browser.Page.AddInitScriptAsync(FirstClick);
        await browser.Page.GotoAsync(address.AbsoluteUri);
        await browser.Page.WaitForFunctionAsync("() => window.firstClick");
        for (var n = 50; n < 55; n++)
        {
            var key = $"s{n}";
            var arrivals = boards.ConvertAll(async board =>
            {
                await board.ArrivesAsync($"surface-{key}");
                return (double)TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
            });
            var painted = browser.Page.EvaluateAsync<double>(Painted, key);
            surfaces.Down[key] = true;
            var last = Math.Max(await painted, (await Task.WhenAll(arrivals)).Max());
            delays.Add(last - (await DownAsync(console, key))!.Value.ToUnixTimeMilliseconds());
        }

        return new("", $"{name}: check until {Boards} boards show it / 250 ms", Measure.Median(delays), 250, 1);
    }

    /// <returns>Since when the surface is down; null: it is not.</returns>
    private static async Task<DateTimeOffset?> DownAsync(ConsoleProcess console, string key)
    {
        using var answer = JsonDocument.Parse(await console.Http.GetStringAsync("/api/status"));
        var surface = answer.RootElement.GetProperty("surfaces").EnumerateArray().Single(one => one.GetProperty("key").GetString() == key);
        return surface.GetProperty("status").GetString() == "down" ? surface.GetProperty("since").GetDateTimeOffset() : null;
    }
}
