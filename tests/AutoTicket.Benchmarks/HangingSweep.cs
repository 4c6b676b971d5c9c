namespace AutoTicket.Benchmarks;

/// <summary>Duration of a poll cycle in which a tenth of the surfaces hang, compared with their timeout.</summary>
internal static class HangingSweep
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(2);

    public static async Task<IReadOnlyList<Figure>> RunAsync()
    {
        await using var surfaces = await LoopbackSurfaces.StartAsync();
        var settings = surfaces.Settings(1000, hanging: 10, Timeout);
        var sweeps = new List<double>();
        for (var round = 0; round < Measure.Rounds; round++)
        {
            sweeps.Add((await SweptConsole.RunAsync(settings)).Span);
        }

        return
        [
            new(
                "G5c",
                "poll cycle of 1,000 surfaces, a tenth of which hang / their timeout",
                Measure.Median(sweeps),
                Timeout.TotalMilliseconds,
                1.3
            ),
        ];
    }
}
