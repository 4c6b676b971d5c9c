using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Hosting;

namespace AutoTicket.Tests;

/// <summary>Rules for all background loops.</summary>
public sealed class LoopTests
{
    // Flows into the loops of this test's console only.
    private static readonly AsyncLocal<bool> IsOurs = new();

    [Fact]
    public async Task A_bug_in_any_loop_is_an_ERROR_and_the_loop_goes_on()
    {
        var turns = new ConcurrentDictionary<string, int>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name == "autoticket.loop.turns")
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>(
            (_, _, tags, _) =>
            {
                var loop = (string)tags[0].Value!;
                if (IsOurs.Value && turns.AddOrUpdate(loop, 1, (_, before) => before + 1) == 1)
                {
                    throw new InvalidOperationException($"a bug in {loop}");
                }
            }
        );
        listener.Start();

        IsOurs.Value = true;
        await using var console = await ConsoleHost.StartAsync();
        console.ExpectsErrors = true;

        var loops = console.Get<IEnumerable<IHostedService>>().OfType<Loop>().Select(loop => loop.GetType().Name).ToList();
        Assert.InRange(loops.Count, 20, 40);
        foreach (var loop in loops)
        {
            await Eventually.TrueAsync(() => turns.GetValueOrDefault(loop) > 1, $"{loop} goes on");
            Assert.Single(
                console.Log,
                line =>
                    line.StartsWith("ERROR", StringComparison.Ordinal)
                    && line.Contains($"{loop} failed, it goes on", StringComparison.Ordinal)
            );
        }
    }
}
