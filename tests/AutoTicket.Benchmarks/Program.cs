using System.Diagnostics;
using System.Globalization;
using AutoTicket.Benchmarks;

// dotnet run -c Release --project tests/AutoTicket.Benchmarks [-- name…]
// Every figure is compared with a peer or a physical limit in the same run, because absolute values vary by a factor of two
// between runs and machines, but ratios don't. Benchmarks are not tests: a slow result does not fail.
var benchmarks = new Dictionary<string, Func<Task<IReadOnlyList<Figure>>>>
{
    ["rest"] = CostAtRest.RunAsync,
    ["sweep"] = FirstSweep.RunAsync,
    ["hanging"] = HangingSweep.RunAsync,
    ["claim"] = ClaimAndConfirm.RunAsync,
    ["investigate"] = InvestigateClick.RunAsync,
    ["flag"] = FlagFlip.RunAsync,
    ["intake"] = AlertIntakeRate.RunAsync,
    ["ticket"] = AlertToTicket.RunAsync,
    ["filing"] = FilingRate.RunAsync,
    ["dedupe"] = DedupeDecision.RunAsync,
    ["flood"] = P1InFlood.RunAsync,
    ["outage"] = AfterOutage.RunAsync,
    ["webhook"] = WebhookToList.RunAsync,
    ["board"] = BoardInBrowser.RunAsync,
    ["pages"] = PageTimes.RunAsync,
    ["open"] = OpenPages.RunAsync,
};
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
if (args.FirstOrDefault(name => !benchmarks.ContainsKey(name)) is { } unknown)
{
    Console.Error.WriteLine($"Unknown benchmark “{unknown}”. Known: {string.Join(", ", benchmarks.Keys)}.");
    return 1;
}

Console.WriteLine($"{"goal", -5} {"measure", -66} {"ours", 12} {"beside", 12}  {"ratio", 6} {"goal", 6}");
foreach (var (name, run) in benchmarks)
{
    if (args.Length == 0 || args.Contains(name))
    {
        var begun = Stopwatch.GetTimestamp();
        foreach (var figure in await run())
        {
            Console.WriteLine(figure);
        }

        Console.Error.WriteLine($"{name} took {Stopwatch.GetElapsedTime(begun).TotalSeconds:0} s");
    }
}

return 0;
