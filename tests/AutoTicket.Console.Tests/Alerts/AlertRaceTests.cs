using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Surfaces;
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

    [Fact]
    public async Task The_same_changes_at_two_consoles_in_opposite_order_are_both_taken()
    {
        await using var driver = await AlertDriver.StartAsync(Database.Postgres, new Dictionary<string, string?>(NoBudget) { ["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "0" }, consoles: 2);
        for (var round = 0; round < 15; round++)
        {
            var all = Enumerable.Range(0, 300).Select(n => AlertDriver.Say($"alert{n}", round % 2 == 0 ? Severity.P3 : Severity.P4)).ToList();

            // Where one waited for the other's rows, RaiseAsync would throw: nothing was taken.
            await Task.WhenAll(driver.RaiseAsync(all, 0), driver.RaiseAsync([.. all.AsEnumerable().Reverse()], 1));
        }

        Assert.Equal(300, (await driver.AlertsAsync()).Count);
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
}
