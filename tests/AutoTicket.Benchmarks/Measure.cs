using System.Diagnostics;

namespace AutoTicket.Benchmarks;

/// <summary>Interleaved rounds, so that whatever else the machine does meets both sides alike.</summary>
internal static class Measure
{
    public const int Rounds = 5;

    /// <summary>After one round to warm up: the medians of five, of each side.</summary>
    public static async Task<(double Ours, double Beside)> InterleavedAsync(Func<Task<double>> ours, Func<Task<double>> beside)
    {
        List<double> us = [], them = [];
        for (var round = 0; round <= Rounds; round++)
        {
            them.Add(await beside());
            us.Add(await ours());
        }

        return (Median(us.Skip(1)), Median(them.Skip(1)));
    }

    /// <summary>The median of so many, one after the other, in milliseconds.</summary>
    public static async Task<double> EachAsync(int count, Func<int, Task> act) => Median(await TimesAsync(count, act));

    public static async Task<List<double>> TimesAsync(int count, Func<int, Task> act)
    {
        var times = new List<double>(count);
        for (var n = 0; n < count; n++)
        {
            var begun = Stopwatch.GetTimestamp();
            await act(n);
            times.Add(Since(begun));
        }

        return times;
    }

    public static double Since(long begun) => Stopwatch.GetElapsedTime(begun).TotalMilliseconds;

    public static double Median(IEnumerable<double> values) => Quantile(values, 0.5);

    public static double Quantile(IEnumerable<double> values, double share)
    {
        var sorted = values.Order().ToList();
        return sorted[Math.Min(sorted.Count - 1, (int)(sorted.Count * share))];
    }
}
