using AutoTicket.Alerts;
using AutoTicket.Tests.Kit;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Alerts;

public sealed class AlertAggregatorTests
{
    /// <summary>Twenty thousand alerts of 256 kB that wait for a slow database would be ten gigabytes.</summary>
    [Theory]
    [InlineData(0, 1)]
    [InlineData(4_000, 1)]
    [InlineData(256_000, 63)]
    public void A_long_alert_weighs_as_much_as_many_short_ones(int characters, int expected) =>
        Assert.Equal(3 * expected, AlertAggregator.WeightOf([.. Enumerable.Repeat(Long(characters), 3)]));

    [Fact]
    public async Task Old_rows_that_cannot_be_deleted_in_time_are_logged_once_and_tried_again()
    {
        var clock = new StillClock();
        await using var driver = await AlertDriver.StartAsync(Database.Postgres, clock: clock);
        await using var db = driver.Database.Open();
        await driver.Database.CancelAsync("DELETE", "decisions", "EXISTS (SELECT FROM changed)");
        var at = clock.GetUtcNow().AddDays(-91);
        db.Decisions.Add(
            new()
            {
                AlertId = "old",
                Path = DecisionSources.Intake,
                Word = DecisionWord.Folded,
                FirstAt = at,
                LastAt = at,
            }
        );
        await db.SaveChangesAsync();
        clock.Advance(TimeSpan.FromHours(1));
        await clock.AdvanceUntilAsync(TimeSpan.FromSeconds(5), () => Task.FromResult(Warnings() > 0), "the failure is logged");

        var before = await CanceledAsync();
        await clock.AdvanceUntilAsync(TimeSpan.FromSeconds(5), async () => await CanceledAsync() > before, "it is tried again");

        Assert.Equal(1, Warnings());

        int Warnings() =>
            driver.Console.Log.Count(line =>
                line.StartsWith("WARNING", StringComparison.Ordinal)
                && line.Contains("old alerts and decisions are not deleted yet", StringComparison.Ordinal)
            );

        Task<int> CanceledAsync() =>
            db
                .Database.SqlQuery<int>($"SELECT CASE WHEN is_called THEN last_value::int ELSE 0 END AS \"Value\" FROM canceled")
                .SingleAsync();
    }

    /// <summary>Otherwise the observer of the surfaces would take a flood for an outage of the database.</summary>
    [Fact]
    public async Task With_as_many_alerts_waiting_as_may_wait_the_console_still_accepts_its_own()
    {
        await using var driver = await AlertDriver.StartAsync(Database.Postgres);
        var aggregator = driver.Console.Get<AlertAggregator>();
        await using var other = driver.Database.Open();
        var held = await other.BeginAsync(default);
        await other.Database.ExecuteSqlAsync($"LOCK TABLE alerts IN ACCESS EXCLUSIVE MODE");
        var first = aggregator.ObserveAsync([AlertDriver.Say()], default);
        var waiting = aggregator.ObserveAsync([.. Enumerable.Repeat(AlertDriver.Say(firing: false), 19_000)], default);
        Assert.Null(await aggregator.ObserveAsync([.. Enumerable.Repeat(AlertDriver.Say(firing: false), 1_000)], default));

        var own = aggregator.ObserveAsync([.. Enumerable.Repeat(AlertDriver.Say(source: "console", firing: false), 1_000)], default);
        var rehearsal = aggregator.RehearseAsync(AlertDriver.Say(name: "test", source: "console"), default);
        await held.DisposeAsync();

        Assert.NotNull(await first);
        Assert.NotNull(await waiting);
        Assert.NotNull(await own);
        Assert.NotNull(await rehearsal);
    }

    /// <summary>The alerts of Prometheus expire after four minutes, also while no console accepts their repeats.</summary>
    [Theory, BothDatabases, Trait("Pitfall", "T-25")]
    public async Task No_alert_expires_until_a_console_has_listened_for_five_minutes(Database kind)
    {
        var clock = new StillClock();
        await using var driver = await AlertDriver.StartAsync(kind, clock: clock);
        var grace = TimeSpan.FromMinutes(5);
        var start = clock.GetUtcNow();
        // The surface is not configured: nobody will repeat it.
        await driver.RaiseAsync(AlertDriver.Say(Observation.SurfaceOutage, source: Observation.Console, surface: "removed"));
        Assert.InRange(await EndOfAsync(Observation.SurfaceOutage, perStep: 0.4) - start, TimeSpan.Zero, grace / 2);
        await driver.RaiseAsync(AlertDriver.Say("before the start", expires: start.AddMinutes(-1)));
        Assert.InRange(await EndOfAsync("before the start") - start, grace, 2 * grace);

        await driver.RaiseAsync(AlertDriver.Say("before the outage", expires: clock.GetUtcNow().AddMinutes(4)));
        clock.Advance(2 * grace);
        var back = clock.GetUtcNow();
        Assert.InRange(await EndOfAsync("before the outage") - back, grace, 2 * grace);

        var expiry = clock.GetUtcNow().AddSeconds(20);
        await driver.RaiseAsync(AlertDriver.Say("silent", expires: expiry));
        Assert.InRange(await EndOfAsync("silent", perStep: 1) - expiry, TimeSpan.Zero, TimeSpan.FromMinutes(1));

        // The shorter the time in which it must expire, the longer each step, or a busy machine would expire it late.
        async Task<DateTimeOffset> EndOfAsync(string name, double perStep = 0.1)
        {
            Alert? alert = null;
            await clock.AdvanceUntilAsync(
                TimeSpan.FromSeconds(5),
                async () => (alert = (await driver.AlertsAsync()).Single(one => one.Name == name)).Status == AlertStatus.Expired,
                $"“{name}” expires",
                TimeSpan.FromSeconds(perStep)
            );
            return alert!.EndedAt!.Value;
        }
    }

    private static Observation Long(int characters) => AlertDriver.Say() with { FullText = new string('x', characters) };
}
