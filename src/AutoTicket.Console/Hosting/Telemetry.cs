using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace AutoTicket.Hosting;

/// <summary>What the console measures and traces by: one meter and one source of activities. An instrument stands beside the code that
/// records with it; what is a state rather than an event is read by <see cref="Diagnostics.Gauges"/>.</summary>
internal static class Telemetry
{
    public const string Name = "AutoTicket";

    public static readonly Meter Meter = new(Name);
    public static readonly ActivitySource Activities = new(Name);

    private static readonly InstrumentAdvice<double> Buckets = new()
    {
        HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    };

    /// <summary>A length of time, which is recorded in seconds.</summary>
    public static Histogram<double> Seconds(string name, string description) =>
        Meter.CreateHistogram(name, "s", description, null, Buckets);
}
