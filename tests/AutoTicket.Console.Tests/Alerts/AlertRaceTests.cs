using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Slack;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Kit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tests.Alerts;

/// <summary>Two consoles on one database receive the same alerts.</summary>
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
            // One request per alert, to both consoles at once.
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
    public async Task Two_consoles_can_write_the_same_alerts_in_opposite_order()
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

            // After a deadlock RaiseAsync would throw, because nothing was recorded.
            await Task.WhenAll(driver.RaiseAsync(all, 0), driver.RaiseAsync([.. all.AsEnumerable().Reverse()], 1));
        }

        Assert.Equal(300, (await driver.AlertsAsync()).Count);
    }

    /// <summary>A writer that waits for the first row holds no later one. In another order two consoles could deadlock.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Alerts_are_written_in_key_order_whatever_their_order_of_arrival(bool isNew)
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var services = database.AsTheConsole();
        var contexts = services.GetRequiredService<IDbContextFactory<AutoTicketDbContext>>();
        var table = new AlertStore(contexts, Options.Create(new AlertsOptions()), hooks: []);
        Alert[] alerts = [Stored("a"), Stored("b")];
        if (!isNew)
        {
            Assert.Equal(2, await table.WriteAsync(alerts, [], default));
            alerts = [.. (await table.ReadAsync(["a", "b"], DateTimeOffset.UnixEpoch, default)).OrderBy(alert => alert.Id)];
        }

        await using var before = database.Open();
        await using var beside = database.Open();
        var held = await before.BeginAsync(default);
        await TakeAsync(before, "a");
        IReadOnlyList<Alert> reversed = [.. alerts.Reverse()];
        var writing = isNew ? table.WriteAsync(reversed, [], default) : table.WriteAsync([], reversed, default);
        await EventuallyWaitsAsync(database, "the write waits for the first row");

        await using (await beside.BeginAsync(default))
        {
            await beside.Database.ExecuteSqlAsync($"SET LOCAL lock_timeout = '2s'");
            await TakeAsync(beside, "b");
        }

        await held.DisposeAsync();
        Assert.Equal(2, await writing);

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

    /// <summary>The retry finds all alerts of the request firing, and has nothing left to write.</summary>
    [Fact]
    public async Task What_was_written_before_a_conflict_is_explained_and_sent_to_the_hooks()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var services = database.AsTheConsole();
        var contexts = services.GetRequiredService<IDbContextFactory<AutoTicketDbContext>>();
        var options = Options.Create(new AlertsOptions());
        using var lease = new LeaderLease(
            contexts,
            null!,
            Options.Create(new LeaderOptions()),
            TimeProvider.System,
            NullLogger<LeaderLease>.Instance
        );
        using var aggregator = new AlertAggregator(
            new AlertStore(contexts, options, hooks: []),
            new DecisionLog(contexts, NullLogger<DecisionLog>.Instance),
            new SurfaceList([]),
            lease,
            options,
            TimeProvider.System,
            NullLogger<AlertAggregator>.Instance
        );
        var changes = 0;
        aggregator.Changed += _ => Interlocked.Increment(ref changes);
        var (taken, free) = (AlertDriver.Say("taken", Severity.P3), AlertDriver.Say("free", Severity.P3));

        await using var other = database.Open();
        var held = await other.BeginAsync(default);
        var now = TimeProvider.System.GetUtcNow();
        other.Alerts.Add(
            Stored(taken.LogicalId) with
            {
                Severity = Severity.P3,
                SeenAt = now,
                Members = [new(taken.MemberKey, now, now, true, Severity.P3, null)],
            }
        );
        await other.SaveChangesAsync();
        var observing = aggregator.ObserveAsync([free, taken], default);
        await EventuallyWaitsAsync(database, "it waits for the other console's alert");
        await held.CommitAsync();

        Assert.Equal(ObservationResult.Opened, (await observing)![0].Result);
        Assert.Equal(1, changes);
        Assert.Contains(
            await other.Decisions.ToListAsync(),
            decision => (decision.AlertId, decision.Word) == (free.AlertId, DecisionWord.BelowSeverity)
        );
    }

    /// <summary>For one console the quiet period was just not over, and for the other it was.</summary>
    [Theory, BothDatabases]
    public async Task An_episode_that_another_console_replaced_is_not_reopened(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await using var services = database.AsTheConsole();
        var table = new AlertStore(
            services.GetRequiredService<IDbContextFactory<AutoTicketDbContext>>(),
            Options.Create(new AlertsOptions()),
            hooks: []
        );
        await table.WriteAsync([Stored("a") with { Status = AlertStatus.Resolved, EndedAt = DateTimeOffset.UnixEpoch }], [], default);
        var ended = Assert.Single(await table.ReadAsync(["a"], DateTimeOffset.MinValue, default));
        Assert.Equal(1, await table.WriteAsync([Stored("a")], [], default));

        Assert.Equal(0, await table.WriteAsync([], [ended with { Status = AlertStatus.Firing, EndedAt = null }], default));
    }

    /// <summary>The second console never saw the alert, but must not take it for a new one.</summary>
    [Theory, BothDatabases]
    public async Task An_alert_that_ended_at_one_console_fires_again_at_the_other_as_the_same_episode(Database kind)
    {
        await using var driver = await AlertDriver.StartAsync(kind, NoBudget, consoles: 2);
        await driver.RaiseAsync(AlertDriver.Say("flapping"), 0);
        await driver.RaiseAsync(AlertDriver.Say("flapping", firing: false), 0);

        await driver.RaiseAsync([AlertDriver.Say("flapping"), AlertDriver.Say("new")], 1);

        Assert.Equal(
            [("flapping", 1), ("new", 0)],
            (await driver.AlertsAsync()).Select(alert => (alert.Name, alert.Reopened)).OrderBy(alert => alert.Name)
        );
    }

    [Fact]
    public async Task Only_alerts_that_were_written_as_expired_are_logged_as_expired()
    {
        var clock = new StillClock();
        await using var driver = await AlertDriver.StartAsync(Database.Postgres, clock: clock);
        await using var db = driver.Database.Open();
        // As if another process observed it again between the read and the write of each sweep.
        await db.ExecuteTogetherAsync(
            [
                $"""
                CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN RETURN NULL; END $f$
                """,
                $"""
                CREATE TRIGGER keep BEFORE UPDATE ON alerts FOR EACH ROW WHEN (NEW.name = 'kept') EXECUTE FUNCTION keep()
                """,
            ],
            default
        );
        var past = clock.GetUtcNow().AddMinutes(-1);
        await driver.RaiseAsync([AlertDriver.Say("kept", expires: past), AlertDriver.Say("silent", expires: past)]);

        await clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(5),
            () => Task.FromResult(driver.Console.Log.Any(line => line.Contains("alert_aggregator expired", StringComparison.Ordinal))),
            "the silent one expires",
            TimeSpan.FromMilliseconds(100)
        );
        var line = driver.Console.Log.First(line => line.Contains("alert_aggregator expired", StringComparison.Ordinal));
        Assert.Contains("expired count=1:", line, StringComparison.Ordinal);
    }

    [Theory, BothDatabases]
    public async Task Ids_that_arrive_at_two_consoles_at_once_are_folded_into_one_episode(Database kind)
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
    public async Task Exactly_one_of_two_consoles_leads_and_the_other_takes_over_when_the_leader_stops()
    {
        await using var driver = await AlertDriver.StartAsync(Database.Postgres, consoles: 2);
        await Eventually.TrueAsync(() => driver.Consoles.Count(console => console.Get<LeaderLease>().IsLeader) == 1, "one leads");
        var heir = driver.Consoles.First(console => !console.Get<LeaderLease>().IsLeader);
        await driver.StopAsync(driver.Consoles.First(console => console != heir));
        await Eventually.TrueAsync(() => heir.Get<LeaderLease>().IsLeader, "the other takes over");
    }

    /// <summary>A statement waits for the lock of another.</summary>
    internal static async Task EventuallyWaitsAsync(TestDatabase database, string what)
    {
        await using var db = database.Open();
        await Eventually.TrueAsync(
            () =>
                db
                    .Database.SqlQuery<bool>(
                        $"""
                        SELECT count(*) > 0 AS "Value" FROM pg_stat_activity
                        WHERE datname = current_database() AND wait_event_type = 'Lock'
                        """
                    )
                    .SingleAsync(),
            what
        );
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

    /// <summary>A console that led when Slack failed does not call it again, and would stay degraded.</summary>
    [Fact]
    public async Task Only_the_leaders_last_word_from_Slack_counts_for_its_health()
    {
        await using var driver = await AlertDriver.StartAsync(Database.Postgres, consoles: 2);
        foreach (var console in driver.Consoles)
        {
            console.Get<SlackHealth>().Failed(new SlackFailure(SlackFailureKind.BadAnswer, "Slack answers with a login page."));
        }

        foreach (var (console, word) in new[] { (0, "Degraded"), (1, "Healthy") })
        {
            await Eventually.TrueAsync(
                async () => await driver.Consoles[console].Http.GetStringAsync("/healthz/ready") == word,
                $"console {console} is {word}"
            );
        }
    }
}
