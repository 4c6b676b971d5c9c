using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Kit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tests.Alerts;

/// <summary>Two consoles on one database are fed the same.</summary>
public sealed class AlertRaceTests
{
    private static readonly Dictionary<string, string?> NoBudget = new()
    {
        ["Ticketing:FloodBudget"] = "100000",
        ["Ticketing:FloodBudgetPerSource"] = "100000",
    };

    [Theory, BothDatabases, Trait("Pitfall", "T-4")]
    public async Task Two_consoles_fed_the_same_two_hundred_times_have_one_ticket_each(Database kind)
    {
        await using var driver = await AlertDriver.StartAsync(kind, NoBudget, consoles: 2);
        for (var batch = 0; batch < 10; batch++)
        {
            // Each of them alone, at both consoles at once.
            await Task.WhenAll(
                Enumerable
                    .Range(batch * 20, 20)
                    .SelectMany(n => new[] { 0, 1 }.Select(console => driver.RaiseAsync(AlertDriver.Say($"alert{n}"), console)))
            );
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
        await using var driver = await AlertDriver.StartAsync(
            Database.Postgres,
            new Dictionary<string, string?>(NoBudget) { ["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "0" },
            consoles: 2
        );
        for (var round = 0; round < 15; round++)
        {
            var all = Enumerable
                .Range(0, 300)
                .Select(n => AlertDriver.Say($"alert{n}", round % 2 == 0 ? Severity.P3 : Severity.P4))
                .ToList();

            // Where one waited for the other's rows, RaiseAsync would throw: nothing was taken.
            await Task.WhenAll(driver.RaiseAsync(all, 0), driver.RaiseAsync([.. all.AsEnumerable().Reverse()], 1));
        }

        Assert.Equal(300, (await driver.AlertsAsync()).Count);
    }

    /// <summary>Who waits for the first holds no later one: in any other order two consoles would wait for each other.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Alerts_are_written_in_one_order_whatever_the_order_in_which_they_came(bool isNew)
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var services = database.AsTheConsole();
        var contexts = services.GetRequiredService<IDbContextFactory<AutoTicketDbContext>>();
        var table = new AlertStore(contexts, Options.Create(new AlertsOptions()), hooks: []);
        Alert[] alerts = [Stored("a"), Stored("b")];
        if (!isNew)
        {
            Assert.True(await table.WriteAsync(alerts, [], default));
            alerts = [.. (await table.ReadAsync(["a", "b"], DateTimeOffset.UnixEpoch, default)).OrderBy(alert => alert.Id)];
        }

        await using var before = database.Open();
        await using var beside = database.Open();
        var held = await before.BeginAsync(default);
        await TakeAsync(before, "a");
        IReadOnlyList<Alert> reversed = [.. alerts.Reverse()];
        var writing = isNew ? table.WriteAsync(reversed, [], default) : table.WriteAsync([], reversed, default);
        await Eventually.TrueAsync(
            () =>
                beside
                    .Database.SqlQuery<bool>(
                        $"""
                        SELECT count(*) > 0 AS "Value" FROM pg_stat_activity
                        WHERE datname = current_database() AND wait_event_type = 'Lock'
                        """
                    )
                    .SingleAsync(),
            "it waits for the first"
        );

        await using (await beside.BeginAsync(default))
        {
            await beside.Database.ExecuteSqlAsync($"SET LOCAL lock_timeout = '2s'");
            await TakeAsync(beside, "b");
        }

        await held.DisposeAsync();
        Assert.True(await writing);

        async Task TakeAsync(AutoTicketDbContext db, string name)
        {
            if (isNew)
            {
                db.Alerts.Add(Stored(name));
                await db.SaveChangesAsync();
                return;
            }

            await db.Alerts.Where(alert => alert.LogicalId == name).ExecuteUpdateAsync(set => set.SetProperty(alert => alert.Url, "x"));
        }
    }

    [Theory, BothDatabases]
    public async Task Ids_that_two_consoles_hear_of_at_once_are_folded_into_one_episode(Database kind)
    {
        await using var driver = await AlertDriver.StartAsync(kind, NoBudget, consoles: 2);
        for (var n = 0; n < 20; n++)
        {
            await Task.WhenAll(
                driver.RaiseAsync(AlertDriver.Say($"alert{n}", id: "a"), 0),
                driver.RaiseAsync(AlertDriver.Say($"alert{n}", id: "b"), 1)
            );
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
        await Eventually.TrueAsync(() => heir.Get<LeaderLease>().IsLeader, "the other takes over");
    }

    private static Alert Stored(string name) =>
        new()
        {
            AlertId = name,
            LogicalId = name,
            Status = AlertStatus.Firing,
            Source = "test",
            Name = name,
            Severity = Severity.P4,
            Summary = name,
            StartedAt = DateTimeOffset.UnixEpoch,
            OpenedAt = DateTimeOffset.UnixEpoch,
            SeenAt = DateTimeOffset.UnixEpoch,
        };
}
