using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Intake;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Alerts;

/// <summary>Parked alerts are kept, listed, retried and discarded.</summary>
public sealed class ParkedAlertsTests
{
    [Theory, BothDatabases]
    [Trait("Pitfall", "T-39")]
    public async Task A_parked_alert_that_this_version_understands_is_accepted_on_retry(Database kind)
    {
        await using var intake = await IntakeHost.StartAsync(kind);
        await intake.PostAsync("/api/alerts", "{}");
        await intake.PostAsync("/api/alerts", AlertIntakeTests.Alert("big", summary: new string('x', 300_000)));
        // Rows that an older version parked.
        await Parked(intake)
            .AddAsync(
                [
                    Row("generic", AlertIntakeTests.Alert("known later", severity: "gold"), new(2026, 11, 1, 0, 0, 0, TimeSpan.Zero)),
                    Row("prometheus", """{"labels":{"alertname":"A","severity":"gold"}}""", new(2026, 11, 2, 0, 0, 0, TimeSpan.Zero)),
                ],
                default
            );
        var ids = (await Parked(intake).ListAsync(default))!.ToDictionary(
            parked => parked.Text[..Math.Min(12, parked.Text.Length)],
            parked => parked.Id
        );
        Assert.Equal(["{\"labels\":{\"", "{\"name\":\"big", "{\"name\":\"kno", "{}"], ids.Keys.Order(StringComparer.Ordinal));
        var (empty, big, generic, prometheus) = (ids["{}"], ids["{\"name\":\"big"], ids["{\"name\":\"kno"], ids["{\"labels\":{\""]);

        Assert.Contains("still can't be read", await Parked(intake).RetryAsync(empty, "ada", default), StringComparison.Ordinal);
        Assert.Contains("because it was truncated", await Parked(intake).RetryAsync(big, "ada", default), StringComparison.Ordinal);
        Assert.Contains("is open", await Parked(intake).RetryAsync(generic, "ada", default), StringComparison.Ordinal);
        Assert.Contains("is open", await Parked(intake).RetryAsync(prometheus, "ada", default), StringComparison.Ordinal);
        Assert.Contains("no longer parked", await Parked(intake).RetryAsync(generic, "ada", default), StringComparison.Ordinal);
        Assert.Equal("Discarded.", await Parked(intake).DiscardAsync(empty, "ada", default));
        Assert.Contains("no longer parked", await Parked(intake).DiscardAsync(empty, "ada", default), StringComparison.Ordinal);

        Assert.Equal([big], (await Parked(intake).ListAsync(default))!.Select(parked => parked.Id));
        await using var db = intake.Database.Open();
        // Without the console's own alert about alerts that stay parked for weeks.
        Assert.Equal(
            ["A", "known later"],
            (await db.Alerts.Where(alert => alert.Source != Observation.Console).ToListAsync()).Select(alert => alert.Name).Order()
        );
        // A retry that failed is not audited.
        var audit = await db.AuditLog.Where(entry => entry.Actor == "ada").OrderBy(entry => entry.Id).ToListAsync();
        Assert.Equal(
            [AuditActions.ParkedRetried, AuditActions.ParkedRetried, AuditActions.ParkedDiscarded],
            audit.Select(entry => entry.Action)
        );
        Assert.Contains("why", audit[0].Payload, StringComparison.Ordinal);
    }

    /// <summary>As after a downgrade.</summary>
    [Fact]
    public async Task A_format_that_this_version_does_not_know_is_told_apart_from_a_truncated_alert()
    {
        await using var intake = await IntakeHost.StartAsync();
        await Parked(intake).AddAsync([Row("zabbix", "{}", new(2026, 11, 1, 0, 0, 0, TimeSpan.Zero))], default);
        var id = (await Parked(intake).ListAsync(default))!.Single().Id;

        Assert.Equal(
            "The alert can't be retried, because this version does not know the format “zabbix”: discard it, or update the console.",
            await Parked(intake).RetryAsync(id, "ada", default)
        );
    }

    [Fact]
    public async Task A_retry_says_that_another_operator_removed_the_alert_at_the_same_time()
    {
        await using var intake = await IntakeHost.StartAsync(Database.Postgres);
        await Parked(intake).AddAsync([Row("generic", AlertIntakeTests.Alert("a"), new(2026, 11, 1, 0, 0, 0, TimeSpan.Zero))], default);
        var id = (await Parked(intake).ListAsync(default))!.Single().Id;
        await using var db = intake.Database.Open();
        await using var other = await db.BeginAsync(default);
        await db.ParkedAlerts.ExecuteDeleteAsync();

        var retry = Parked(intake).RetryAsync(id, "ada", default);
        await AlertRaceTests.EventuallyWaitsAsync(intake.Database, "it waits for the other operator");
        await other.CommitAsync();

        Assert.Matches("^Recorded: alert .* is open. Another operator .* at the same time.$", await retry);
        Assert.DoesNotContain(await db.AuditLog.ToListAsync(), entry => entry.Actor == "ada");
    }

    [Theory, BothDatabases]
    public async Task Repeated_rejected_alerts_are_one_row_with_a_count(Database kind)
    {
        await using var intake = await IntakeHost.StartAsync(kind);
        string Alert(string host, int minute) =>
            $$$"""{"labels":{"alertname":"A","host":"{{{host}}}"},"annotations":7,"endsAt":"2026-11-28T10:0{{{minute}}}:00Z"}""";

        await intake.PostAsync("/api/v2/alerts", $"[{Alert("1", 0)}]");
        await intake.PostAsync("/api/v2/alerts", $"[{Alert("1", 1)},{Alert("2", 1)},{Alert("1", 2)}]");
        await intake.PostAsync("/api/alerts", """[{"a":1},{"b":2},{"a":1}]""");

        var rows = (await Parked(intake).ListAsync(default))!.OrderBy(row => row.Text, StringComparer.Ordinal).ToList();
        Assert.Equal(
            [("{\"a\":1}", 2), ("{\"b\":2}", 1), (Alert("1", 2), 3), (Alert("2", 1), 1)],
            rows.Select(row => (row.Text, row.Count))
        );
        Assert.True(rows[2].FirstReceivedAt < rows[2].ReceivedAt);
        // The log mentions only new parked alerts.
        var logged = intake.Console.Log.Where(line => line.Contains("alert_intake parked", StringComparison.Ordinal));
        Assert.Equal(["1", "1", "2"], logged.Select(line => line.Split("count=")[1][..1]));
    }

    [Theory, BothDatabases]
    public async Task The_newest_parked_alerts_displace_the_oldest(Database kind)
    {
        await using var intake = await IntakeHost.StartAsync(kind);
        await Parked(intake).AddAsync([.. Enumerable.Range(0, 9_998).Select(Row)], default);
        await Parked(intake).AddAsync([.. Enumerable.Range(9_998, 5).Select(Row)], default);

        await using var db = intake.Database.Open();
        Assert.Equal(10_000, await db.ParkedAlerts.CountAsync());
        Assert.Equal("3", (await db.ParkedAlerts.OrderBy(parked => parked.ReceivedAt).FirstAsync()).Text);
        var list = (await Parked(intake).ListAsync(default))!;
        Assert.Equal((200, "10002"), (list.Count, list[0].Text));

        static ParkedAlert Row(int n) => ParkedAlertsTests.Row("generic", $"{n}", DateTimeOffset.UnixEpoch.AddSeconds(n));
    }

    [Fact]
    public async Task Without_the_database_a_retry_and_a_discard_fail_and_the_alert_stays_parked()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var line = TcpProxy.To(database.Location);
        await using var intake = await IntakeHost.StartAsync(
            database: database,
            settings: new() { ["DATABASE_URL"] = line.Through(database.Location) }
        );
        await intake.PostAsync("/api/alerts", "{}");
        var id = (await Parked(intake).ListAsync(default))!.Single().Id;
        line.Cut();

        Assert.Contains("the alert stays parked", await Parked(intake).DiscardAsync(id, "ada", default), StringComparison.Ordinal);
        Assert.Contains("the alert stays parked", await Parked(intake).RetryAsync(id, "ada", default), StringComparison.Ordinal);

        line.Restore();
        await Eventually.TrueAsync(
            async () => await Parked(intake).ListAsync(default) is [var kept] && kept.Id == id,
            "the alert is still parked"
        );
    }

    [Fact]
    public async Task A_parked_alert_that_was_recorded_and_could_not_be_removed_is_called_recorded()
    {
        await using var intake = await IntakeHost.StartAsync(Database.Postgres);
        await Parked(intake).AddAsync([Row("generic", AlertIntakeTests.Alert("a"), new(2026, 11, 1, 0, 0, 0, TimeSpan.Zero))], default);
        var id = (await Parked(intake).ListAsync(default))!.Single().Id;
        await intake.Database.CancelAsync("DELETE", "parked_alerts", "true");

        Assert.Matches(
            "^Recorded: alert .* is open. The console's database can't be reached: the alert may still be parked.$",
            await Parked(intake).RetryAsync(id, "ada", default)
        );
        Assert.Equal(
            "The console's database can't be reached: the alert may still be parked.",
            await Parked(intake).DiscardAsync(id, "ada", default)
        );

        await intake.Database.CancelNoMoreAsync("parked_alerts");
        Assert.Equal("Discarded.", await Parked(intake).DiscardAsync(id, "ada", default));
    }

    private static ParkedAlert Row(string intake, string text, DateTimeOffset receivedAt) =>
        new()
        {
            ReceivedAt = receivedAt,
            Intake = intake,
            Reason = "why",
            Text = text,
            IsWhole = true,
        };

    private static ParkedAlerts Parked(IntakeHost intake) => intake.Console.Get<ParkedAlerts>();
}
