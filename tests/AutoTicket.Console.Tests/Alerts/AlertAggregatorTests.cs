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

    private static Observation Long(int characters) => AlertDriver.Say() with { FullText = new string('x', characters) };
}
