using System.Globalization;
using AutoTicket.Benchmarks;

// dotnet run -c Release --project tests/AutoTicket.Benchmarks [-- name…]
// Every figure stands beside its peer or its physical limit from the same run: single figures move by a factor of two between
// runs and machines, the ratios hold. Nothing here is a test: nothing fails for being slow.
var benchmarks = new Dictionary<string, Func<Task<IReadOnlyList<Figure>>>>
{
    ["sweep"] = FirstSweep.RunAsync,
    ["hanging"] = HangingSweep.RunAsync,
    ["claim"] = ClaimAndConfirm.RunAsync,
    ["investigate"] = InvestigateClick.RunAsync,
    ["flag"] = FlagFlip.RunAsync,
    ["intake"] = AlertIntakeRate.RunAsync,
    ["ticket"] = AlertToTicket.RunAsync,
    ["filing"] = FilingRate.RunAsync,
    ["dedupe"] = DedupeDecision.RunAsync,
    ["memory"] = AlertMemory.RunAsync,
    ["webhook"] = WebhookToList.RunAsync,
};
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
if (args.FirstOrDefault(name => !benchmarks.ContainsKey(name)) is { } unknown)
{
    Console.Error.WriteLine($"There is no benchmark “{unknown}”; there are {string.Join(", ", benchmarks.Keys)}.");
    return 1;
}

Console.WriteLine($"{"goal", -5} {"measure", -66} {"ours", 12} {"beside", 12}  {"ratio", 6} {"goal", 6}");
foreach (var (name, run) in benchmarks)
{
    if (args.Length == 0 || args.Contains(name))
    {
        foreach (var figure in await run())
        {
            Console.WriteLine(figure);
        }
    }
}

return 0;
