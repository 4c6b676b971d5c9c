using System.Diagnostics;

namespace AutoTicket.Benchmarks;

/// <summary>Interleaved rounds, so that whatever else the machine does meets both sides alike.</summary>
internal static class Measure
{
    public const int Rounds = 5;

    /// <summary>Settings of a console whose code is compiled as in production: the tests' consoles don't optimize theirs.</summary>
    public static readonly IReadOnlyDictionary<string, string> Optimized = new Dictionary<string, string>
    {
        ["DOTNET_JITMinOpts"] = "0",
        ["DOTNET_TC_CallCounting"] = "1",
    };

    /// <summary>After one round to warm up: the medians of five, of each side.</summary>
    public static async Task<(double Ours, double Beside)> InterleavedAsync(Func<Task<double>> ours, Func<Task<double>> beside)
    {
        var (us, them) = await RoundsAsync(ours, beside);
        return (Median(us), Median(them));
    }

    /// <summary>After one round to warm up: what five rounds gave, of each side.</summary>
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

    /// <summary>The same for what is short: one of ours and one of theirs in turn, so many a round, so that a neighbour's second of
    /// load meets both. Each round counts with its median, after two to warm up: what is this short is compiled twice.</summary>
    /// <param name="ours">Does it and returns how long it took, in milliseconds.</param>
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

    /// <summary>How long it takes, in milliseconds.</summary>
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
