using System.Diagnostics;
using System.Text.Json;

namespace AutoTicket.Benchmarks;

/// <summary>Starts a cold console process and measures its first poll cycle.</summary>
internal static class SweptConsole
{
    /// <param name="Listening">Time from process start until it listens.</param>
    /// <param name="Swept">Time from then until every surface has been checked.</param>
    /// <param name="Span">Time from the first check to the last.</param>
    public sealed record Sweep(double Listening, double Swept, double Span);

    public static async Task<Sweep> RunAsync(IReadOnlyDictionary<string, string> settings)
    {
        var launched = Stopwatch.GetTimestamp();
        await using var console = await ConsoleProcess.StartAsync(Measure.AsInProduction.Concat(settings).ToDictionary());
        var listening = Measure.Since(launched);
        while (true)
        {
            using var answer = JsonDocument.Parse(await console.Http.GetStringAsync("/api/status"));
            var checks = answer
                .RootElement.GetProperty("surfaces")
                .EnumerateArray()
                .Select(surface => surface.GetProperty("checked_at"))
                .ToList();
            if (checks.TrueForAll(check => check.ValueKind == JsonValueKind.String))
            {
                var times = checks.ConvertAll(check => check.GetDateTimeOffset());
                return new Sweep(listening, Measure.Since(launched) - listening, (times.Max() - times.Min()).TotalMilliseconds);
            }

            await Task.Delay(20);
        }
    }
}
