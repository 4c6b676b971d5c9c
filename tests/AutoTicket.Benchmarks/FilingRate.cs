using System.Diagnostics;

namespace AutoTicket.Benchmarks;

/// <summary>Tickets claimed, filed and audited per second after 1,000 alerts at once, compared with a bare HttpClient.</summary>
internal static class FilingRate
{
    private const int Count = 1000;

    /// <summary>Number of tickets filed in parallel.</summary>
    private const int Parallelism = 8;

    public static async Task<IReadOnlyList<Figure>> RunAsync()
    {
        await using var console = await AlertConsole.StartWarmAsync();
        using var freeScout = new BareFreeScoutClient(console.Sandbox.FreeScout);
        using var sender = new AlertSender(console.Address, 1);
        var round = 0;
        var (filed, posted) = await Measure.InterleavedAsync(
            () =>
                RateAsync(async () =>
                {
                    var wanted = console.Sandbox.FreeScout.CreatedCount + Count;
                    await sender.SendAsync(AlertSender.Requests(round++ * Count, Count, Count), Count);
                    await console.FiledAsync(wanted);
                }),
            () =>
                RateAsync(() =>
                    Parallel.ForAsync(
                        0,
                        Count,
                        new ParallelOptions { MaxDegreeOfParallelism = Parallelism },
                        async (_, _) => await freeScout.CreateAsync()
                    )
                )
        );
        return [new("G3", "tickets claimed, filed and audited / bare HttpClient, eight at a time", filed, posted, 0.5, Unit.PerSecond)];
    }

    private static async Task<double> RateAsync(Func<Task> act)
    {
        var begun = Stopwatch.GetTimestamp();
        await act();
        return Count / Stopwatch.GetElapsedTime(begun).TotalSeconds;
    }
}
