using AutoTicket.Alerts;
using AutoTicket.Audit;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Alerts;

/// <summary>What was parked: kept, listed, tried again, discarded.</summary>
public sealed class ParkedAlertsTests
{
    [Theory, BothDatabases]
    [Trait("Pitfall", "T-39")]
    public async Task What_todays_settings_understand_is_taken_when_it_is_tried_again(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await using (var before = await Intake.StartAsync(database: database))
        {
            await before.PostAsync("/api/alerts", AlertIntakeTests.Alert("known later", severity: "sev1"));
            await before.PostAsync("/api/v2/alerts", """[{"labels":{"alertname":"A","severity":"sev1"}}]""");
            await before.PostAsync("/api/alerts", "{}");
            await before.PostAsync("/api/alerts", AlertIntakeTests.Alert("big", summary: new string('x', 300_000)));
            var list = (await Parked(before).ListAsync(default))!;
            Assert.Equal(["generic", "generic", "prometheus", "generic"], list.Select(parked => parked.Intake));
            Assert.Contains("still can't be taken", await Parked(before).RetryAsync(list[3].Id, "ada", default), StringComparison.Ordinal);
            Assert.Contains("not all of it was kept", await Parked(before).RetryAsync(list[0].Id, "ada", default), StringComparison.Ordinal);
        }

        await using var after = await Intake.StartAsync(database: database, settings: new() { ["Alerts:SeverityMap"] = "sev1=P2" });
        var ids = (await Parked(after).ListAsync(default))!.Select(parked => parked.Id).ToList();
        Assert.Contains("is open now", await Parked(after).RetryAsync(ids[3], "ada", default), StringComparison.Ordinal);
        Assert.Contains("is open now", await Parked(after).RetryAsync(ids[2], "ada", default), StringComparison.Ordinal);
        Assert.Contains("parked no more", await Parked(after).RetryAsync(ids[3], "ada", default), StringComparison.Ordinal);
        Assert.Equal("Discarded.", await Parked(after).DiscardAsync(ids[1], "ada", default));
        Assert.Contains("parked no more", await Parked(after).DiscardAsync(ids[1], "ada", default), StringComparison.Ordinal);

        Assert.Equal([ids[0]], (await Parked(after).ListAsync(default))!.Select(parked => parked.Id));
        await using var db = database.Open();
        Assert.Equal(["A", "known later"], (await db.Alerts.ToListAsync()).Select(alert => alert.Name).Order());
        // What could not be taken is no decision of anybody's.
        var audit = await db.AuditLog.Where(entry => entry.Actor == "ada").OrderBy(entry => entry.Id).ToListAsync();
        Assert.Equal([AuditActions.ParkedRetried, AuditActions.ParkedRetried, AuditActions.ParkedDiscarded], audit.Select(entry => entry.Action));
        Assert.Contains("sev1", audit[0].Payload, StringComparison.Ordinal);
    }

    [Theory, BothDatabases]
    public async Task The_oldest_go_for_the_newest(Database kind)
    {
        await using var intake = await Intake.StartAsync(kind);
        await Parked(intake).AddAsync([.. Enumerable.Range(0, 9_998).Select(Row)], default);
        await Parked(intake).AddAsync([.. Enumerable.Range(9_998, 5).Select(Row)], default);

        await using var db = intake.Database.Open();
        Assert.Equal(10_000, await db.ParkedAlerts.CountAsync());
        Assert.Equal("3", (await db.ParkedAlerts.OrderBy(parked => parked.Id).FirstAsync()).Text);
        var list = (await Parked(intake).ListAsync(default))!;
        Assert.Equal((200, "10002"), (list.Count, list[0].Text));

        static ParkedAlert Row(int n) => new() { ReceivedAt = DateTimeOffset.UnixEpoch, Intake = "generic", Reason = "why", Text = $"{n}", IsWhole = true };
    }

    [Fact]
    public async Task While_the_database_is_away_a_retry_and_a_discard_say_so_and_it_stays_parked()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var line = TcpProxy.To(database.Location);
        await using var intake = await Intake.StartAsync(database: database, settings: new() { ["DATABASE_URL"] = line.Through(database.Location) });
        await intake.PostAsync("/api/alerts", "{}");
        var id = (await Parked(intake).ListAsync(default))!.Single().Id;
        line.Cut();

        Assert.Contains("it stays parked", await Parked(intake).DiscardAsync(id, "ada", default), StringComparison.Ordinal);
        Assert.Contains("it stays parked", await Parked(intake).RetryAsync(id, "ada", default), StringComparison.Ordinal);

        line.Restore();
        await Eventually.TrueAsync(async () => await Parked(intake).ListAsync(default) is [var kept] && kept.Id == id, "it is parked still");
    }

    private static ParkedAlerts Parked(Intake intake) => intake.Console.Get<ParkedAlerts>();
}
