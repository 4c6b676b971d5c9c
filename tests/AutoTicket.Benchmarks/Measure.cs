using System.Diagnostics;

namespace AutoTicket.Benchmarks;

/// <summary>Measures both sides in alternating rounds, so that other load affects both.</summary>
internal static class Measure
{
    public const int Rounds = 5;

    /// <summary>Runs a console as in production: without what the tests' consoles set because they live for seconds.</summary>
    public static readonly IReadOnlyDictionary<string, string> AsInProduction = new Dictionary<string, string>
    {
        ["DOTNET_TC_CallCounting"] = null!,
        ["DOTNET_JITMinOpts"] = null!,
        ["DOTNET_gcConcurrent"] = null!,
        ["DOTNET_GCgen0size"] = null!,
        ["DOTNET_GCConserveMemory"] = null!,
        ["DOTNET_EnableWriteXorExecute"] = null!,
        ["DOTNET_EnableDiagnostics"] = null!,
    };

    /// <summary>The medians of five rounds for each side, after one warm-up round.</summary>
    public static async Task<(double Ours, double Beside)> InterleavedAsync(Func<Task<double>> ours, Func<Task<double>> beside)
    {
        var (us, them) = await RoundsAsync(ours, beside);
        return (Median(us), Median(them));
    }

    /// <summary>The results of five rounds for each side, after one warm-up round.</summary>
    public static async Task<(List<T> Ours, List<T> Beside)> RoundsAsync<T>(Func<Task<T>> ours, Func<Task<T>> beside)
    {
        List<T> us = [],
            them = [];
        for (var round = 0; round <= Rounds; round++)
        {
            them.Add(await beside());
            us.Add(await ours());
        }

        return (us[1..], them[1..]);
    }

    /// <summary>For short operations: alternates both sides within a round and takes each round's median.</summary>
    /// <remarks>Two warm-up rounds, because tiered JIT compiles short operations twice.</remarks>
    /// <param name="ours">Runs once and returns the duration in milliseconds.</param>
    public static async Task<(double Ours, double Beside, List<double> AllOurs, List<double> AllBeside)> AlternatingAsync(
        int count,
        Func<Task<double>> ours,
        Func<Task<double>> beside
    )
    {
        List<double> us = [],
            them = [],
            allOurs = [],
            allBeside = [];
        for (var round = -1; round <= Rounds; round++)
        {
            List<double> ourRound = [],
                theirRound = [];
            for (var n = 0; n < count; n++)
            {
                theirRound.Add(await beside());
                ourRound.Add(await ours());
            }

            if (round > 0)
            {
                us.Add(Median(ourRound));
                them.Add(Median(theirRound));
                allOurs.AddRange(ourRound);
                allBeside.AddRange(theirRound);
            }
        }

        return (Median(us), Median(them), allOurs, allBeside);
    }

    /// <summary>The duration in milliseconds.</summary>
    public static async Task<double> TimeAsync(Func<Task> act)
    {
        var begun = Stopwatch.GetTimestamp();
        await act();
        return Since(begun);
    }

    public static double Since(long begun) => Stopwatch.GetElapsedTime(begun).TotalMilliseconds;

    public static double Median(IEnumerable<double> values) => Quantile(values, 0.5);

    public static double Quantile(IEnumerable<double> values, double share)
    {
        var sorted = values.Order().ToList();
        return sorted[Math.Min(sorted.Count - 1, (int)(sorted.Count * share))];
    }
}
