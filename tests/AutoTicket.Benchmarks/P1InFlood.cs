using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace AutoTicket.Benchmarks;

/// <summary>P1 alerts, each of a source of its own, while 100,000 alerts arrive as fast as the console takes them: until each has its
/// ticket and its DM, and a click on the list of alerts meanwhile. The flood breaker is as in production.</summary>
internal static class P1InFlood
{
    private const int Flood = 100_000;
    private const int Batch = 1000;
    private const int Urgent = 5;

    // Clicks the filter for P1 and returns when the browser has painted that it is pressed, or released.
    private const string Click = """
        async () => {
          const button = () => [...document.querySelectorAll("[aria-pressed]")].find((one) => one.textContent.trim().startsWith("P1"));
          const was = button().getAttribute("aria-pressed");
          const begun = performance.now();
          button().click();
          while (button()?.getAttribute("aria-pressed") === was) await new Promise(requestAnimationFrame);
          return performance.now() - begun;
        }
        """;

    public static async Task<IReadOnlyList<Figure>> RunAsync()
    {
        await using var console = await AlertConsole.StartAsync(
            new Dictionary<string, string>
            {
                ["Ticketing__FloodBudget"] = "20",
                ["Ticketing__FloodBudgetPerSource"] = "5",
                ["Ticketing__FloodWindow"] = "00:10:00",
            }
        );
        using var flood = new AlertSender(console.Address, 4, "/api/alerts");
        using var pager = new AlertSender(console.Address, 1, "/api/alerts");
        await using var browser = await Browser.NewPageAsync();
        await browser.Page.GotoAsync(new Uri(console.Address, "/console/alerts").AbsoluteUri);
        await pager.SendAsync([Alert("pager", "warm", "P1")], 1);
        await Task.Delay(TimeSpan.FromSeconds(5));

        var flooding = flood.SendAsync(
            [
                .. Enumerable
                    .Range(0, Flood)
                    .Chunk(Batch)
                    .Select(numbers =>
                        Encoding.UTF8.GetBytes($"[{string.Join(',', numbers.Select(n => Json("flood", $"alert {n}", "P2")))}]")
                    ),
            ],
            Batch
        );
        List<double> filed = [],
            told = [],
            clicks = [];
        for (var n = 0; n < Urgent; n++)
        {
            await Task.Delay(TimeSpan.FromSeconds(1));
            clicks.Add(await browser.Page.EvaluateAsync<double>(Click));
            var name = string.Create(CultureInfo.InvariantCulture, $"urgent {n}");
            var begun = Stopwatch.GetTimestamp();
            await pager.SendAsync([Alert($"pager {n}", name, "P1")], 1);
            var telling = UntilAsync(
                begun,
                () => console.Sandbox.Slack.Messages.Any(message => message.Text.Contains(name, StringComparison.Ordinal))
            );
            filed.Add(
                await UntilAsync(
                    begun,
                    () => console.Sandbox.FreeScout.Conversations.Any(one => one.Subject.Contains(name, StringComparison.Ordinal))
                )
            );
            told.Add(await telling);
        }

        var rate = (await flooding).PerSecond;
        var text = $"P1 while {Flood:#,0} alerts arrive ({rate:#,0}/s)";
        return
        [
            new("G13", $"{text}: ticket, slowest of {Urgent} / 2 s", filed.Max(), 2000, 1),
            new("G13", $"{text}: DM, slowest of {Urgent} / 2 s", told.Max(), 2000, 1),
            new("G13", "a click on the list of alerts meanwhile, slowest / 300 ms", clicks.Max(), 300, 1),
        ];
    }

    private static async Task<double> UntilAsync(long begun, Func<bool> isDone)
    {
        await Eventually.TrueAsync(isDone, "the operator knows of the P1", TimeSpan.FromMinutes(2));
        return Measure.Since(begun);
    }

    private static byte[] Alert(string source, string name, string severity) => Encoding.UTF8.GetBytes(Json(source, name, severity));

    private static string Json(string source, string name, string severity) =>
        $$"""{"source":"{{source}}","name":"{{name}}","severity":"{{severity}}","status":"firing","summary":"{{name}} is down"}""";
}
