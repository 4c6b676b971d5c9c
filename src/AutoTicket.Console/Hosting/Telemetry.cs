using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace AutoTicket.Hosting;

/// <summary>The console's meter and its source of activities. Each instrument stands beside the code that records with it.</summary>
internal static class Telemetry
{
    public const string Name = "AutoTicket";

    public static readonly Meter Meter = new(Name);
    public static readonly ActivitySource Activities = new(Name);

    private static readonly InstrumentAdvice<double> Buckets = new()
    {
        HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    };

    /// <summary>A histogram of durations, in seconds.</summary>
    public static Histogram<double> Seconds(string name, string description) =>
        Meter.CreateHistogram(name, "s", description, null, Buckets);
}
