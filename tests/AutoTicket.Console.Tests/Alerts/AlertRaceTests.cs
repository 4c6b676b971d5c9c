using System.Diagnostics.Metrics;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Tests.Kit;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Alerts;

/// <summary>Two consoles on one database are fed the same.</summary>
public sealed class AlertRaceTests
{
    private static readonly Dictionary<string, string?> NoBudget = new() { ["Ticketing:FloodBudget"] = "100000", ["Ticketing:FloodBudgetPerSource"] = "100000" };

    [Theory, BothDatabases, Trait("Pitfall", "T-4")]
    public async Task Two_consoles_fed_the_same_two_hundred_times_have_one_ticket_each(Database kind)
    {
        await using var driver = await AlertDriver.StartAsync(kind, NoBudget, consoles: 2);
        for (var batch = 0; batch < 10; batch++)
        {
            // Each of them alone, at both consoles at once.
            await Task.WhenAll(Enumerable.Range(batch * 20, 20).SelectMany(n => new[] { 0, 1 }.Select(console => driver.RaiseAsync(AlertDriver.Say($"alert{n}"), console))));
        }

        await driver.EventuallyTicketsAsync(200);
        Assert.Equal(200, (await driver.AlertsAsync()).Count);
        Assert.Equal(200, driver.FreeScout.CreatedCount);
        Assert.Equal(200, driver.FreeScout.Conversations.Select(c => c.Subject.Split(" [at-")[0]).Distinct().Count());
        await using var db = driver.Database.Open();
        Assert.Equal(200, await db.AuditLog.CountAsync(entry => entry.Action == AuditActions.AlertOpened));
    }

    [Theory, BothDatabases]
    public async Task Ids_that_two_consoles_hear_of_at_once_are_folded_into_one_episode(Database kind)
    {
        await using var driver = await AlertDriver.StartAsync(kind, NoBudget, consoles: 2);
        for (var n = 0; n < 20; n++)
        {
            await Task.WhenAll(driver.RaiseAsync(AlertDriver.Say($"alert{n}", id: "a"), 0), driver.RaiseAsync(AlertDriver.Say($"alert{n}", id: "b"), 1));
        }

        Assert.Equal(20, (await driver.AlertsAsync()).Count);
    }

    [Fact]
    public async Task Exactly_one_of_two_consoles_leads_and_the_other_takes_over_when_it_ends()
    {
        await using var driver = await AlertDriver.StartAsync(Database.Postgres, consoles: 2);
        await Eventually.TrueAsync(() => driver.Consoles.Count(console => console.Get<LeaderLease>().IsLeader) == 1, "one leads");
        var heir = driver.Consoles.First(console => !console.Get<LeaderLease>().IsLeader);
        await driver.StopAsync(driver.Consoles.First(console => console != heir));
        await Eventually.TrueAsync(() => heir.Get<LeaderLease>().IsLeader, "the other takes over", TimeSpan.FromSeconds(6));
    }

    /// <summary>The same number of statements whether ten or two hundred are active.</summary>
    [Fact]
    public async Task A_cycle_over_delivered_alerts_costs_the_same_however_many_there_are()
    {
        await using var driver = await AlertDriver.StartAsync(Database.Postgres, NoBudget);
        var counts = new List<long>();
        long commands = 0;
        using var meter = new MeterListener();
        meter.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument is { Meter.Name: "Npgsql", Name: "db.client.operation.duration" or "db.client.commands.duration" })
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        meter.SetMeasurementEventCallback<double>((_, _, _, _) => Interlocked.Increment(ref commands));
        meter.Start();
        foreach (var more in new[] { 10, 190 })
        {
            await driver.RaiseAsync([.. Enumerable.Range(0, more).Select(n => AlertDriver.Say($"alert{more}-{n}"))]);
            await Eventually.TrueAsync(async () => (await driver.AlertsAsync()).TrueForAll(alert => !alert.IsPending) && await driver.UntaggedAsync() == 0, "all are delivered", TimeSpan.FromSeconds(120));
            // A whole round of all that comes back: two cycles and the five seconds of the signals' re-read.
            var before = commands;
            await Task.Delay(TimeSpan.FromSeconds(6));
            counts.Add(commands - before);
        }

        Assert.InRange(counts[1], 1, (counts[0] * 1.5) + 10);
    }
}
