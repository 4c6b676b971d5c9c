using System.Diagnostics;

namespace AutoTicket.Benchmarks;

/// <summary>Time from the start until a console has checked 1,000 surfaces, compared with a bare HttpClient.</summary>
internal static class FirstSweep
{
    private const int Count = 1000;
    private const int Parallelism = 256;

    public static async Task<IReadOnlyList<Figure>> RunAsync()
    {
        await using var surfaces = await LoopbackSurfaces.StartAsync();
        var settings = surfaces.Settings(Count, hanging: 0, TimeSpan.FromSeconds(10));
        var sweeps = new List<SweptConsole.Sweep>();
        var (swept, bare) = await Measure.InterleavedAsync(
            async () =>
            {
                sweeps.Add(await SweptConsole.RunAsync(settings));
                return sweeps[^1].Swept;
            },
            () => FetchAsync(surfaces.Address)
        );
        return
        [
            new("G5b", "1,000 surfaces checked after the console listens / 2 s", swept, 2000, 1),
            new("G5b", "the same / bare HttpClient, warm, fresh connections", swept, bare),
            new("G5b", "first check to last / bare HttpClient", Measure.Median(sweeps.Skip(1).Select(sweep => sweep.Span)), bare),
            new("", "(process start until it listens / 2 s)", Measure.Median(sweeps.Skip(1).Select(sweep => sweep.Listening)), 2000),
        ];
    }

    private static async Task<double> FetchAsync(Uri address)
    {
        using var http = new HttpClient(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.Zero, UseProxy = false });
        var begun = Stopwatch.GetTimestamp();
        await Parallel.ForAsync(
            0,
            Count,
            new ParallelOptions { MaxDegreeOfParallelism = Parallelism },
            async (n, cancellationToken) => await http.GetStringAsync(new Uri(address, $"s{n}"), cancellationToken)
        );
        return Measure.Since(begun);
    }
}
