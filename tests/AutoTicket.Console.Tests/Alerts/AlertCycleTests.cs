using System.Diagnostics.Metrics;
using AutoTicket.Tests.Journeys;
using AutoTicket.Tests.Kit;

namespace AutoTicket.Tests.Alerts;

/// <summary>Counts the statements on the test's own database, whose name identifies them.</summary>
public sealed class AlertCycleTests
{
    private static readonly Dictionary<string, string?> NoBudget = new()
    {
        ["Ticketing:FloodBudget"] = "100000",
        ["Ticketing:FloodBudgetPerSource"] = "100000",
    };

    /// <summary>Ten and two hundred active alerts must cost the same number of statements.</summary>
    [Fact]
    public async Task A_cycle_over_delivered_alerts_costs_the_same_for_any_number_of_them()
    {
        await using var driver = await AlertDriver.StartAsync(Database.Postgres, NoBudget);
        var most = 0L;
        long commands = 0;
        using var meter = new MeterListener();
        meter.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument is { Meter.Name: "Npgsql", Name: "db.client.operation.duration" or "db.client.commands.duration" })
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        var name = PostgresUrl.DatabaseOf(driver.Database.Location);
        meter.SetMeasurementEventCallback<double>(
            (_, _, tags, _) =>
            {
                foreach (var tag in tags)
                {
                    if (tag.Value is string value && value.Contains(name, StringComparison.Ordinal))
                    {
                        Interlocked.Increment(ref commands);
                        return;
                    }
                }
            }
        );
        meter.Start();
        foreach (var more in new[] { 10, 190 })
        {
            await driver.RaiseAsync([.. Enumerable.Range(0, more).Select(n => AlertDriver.Say($"alert{more}-{n}"))]);
            await Eventually.TrueAsync(
                async () => await driver.IsSettledAsync() && await driver.UntaggedAsync() == 0,
                "all are delivered",
                TimeSpan.FromSeconds(120)
            );
            if (more == 10)
            {
                most = Math.Max(await CountAsync(), await CountAsync());
            }
        }

        // On a busy machine a count may have the statements of a longer time.
        await Eventually.TrueAsync(
            async () => await CountAsync() is > 0 and var count && count <= (most * 1.5) + 10,
            "a cycle costs the same"
        );

        // Long enough for all periodic work: two cycles, and the signals' poll every five seconds.
        async Task<long> CountAsync()
        {
            var before = Interlocked.Read(ref commands);
            await Task.Delay(TimeSpan.FromSeconds(6));
            return Interlocked.Read(ref commands) - before;
        }
    }
}
