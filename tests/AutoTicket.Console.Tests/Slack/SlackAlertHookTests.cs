using AutoTicket.Alerts;
using AutoTicket.Sandbox;
using AutoTicket.Slack;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;

namespace AutoTicket.Tests.Slack;

/// <summary>How many DMs the operator gets: one for each alert, but a digest in a storm, and few while an alert flaps.</summary>
public sealed class SlackAlertHookTests
{
    private static readonly TimeSpan Pass = TimeSpan.FromSeconds(2);

    [Fact]
    [Trait("Pitfall", "T-55")]
    public async Task A_mute_that_begins_between_two_messages_holds_the_second()
    {
        await using var slack = await SlackDriver.StartAsync();
        var notices = new[] { "first", "second" }
            .Select(name => new AlertNotice(slack.Alert(name), NoticeKind.Firing, null, null))
            .ToList();
        var decisions = new List<string>();
        await foreach (var outcomes in slack.Hook.DeliverAsync(notices, CancellationToken.None))
        {
            decisions.AddRange(outcomes.Select(outcome => outcome.Decision.Text));
            var now = slack.Clock.GetUtcNow();
            slack.Mutes.Set(
                notices.Select(one => new AlertSnooze(one.Alert.AlertId, now, now.AddHours(1), "olga", "a new disk", Episode: null))
            );
        }

        Assert.Equal(["sent", "held: snoozed"], decisions);
        Assert.Single(slack.Messages);
    }

    [Fact]
    [Trait("Pitfall", "T-24")]
    public async Task An_alert_that_fires_again_is_sent_at_once_and_then_once_a_quiet_period()
    {
        await using var slack = await SlackDriver.StartAsync();
        var alert = slack.Alert(reopened: 1);
        Assert.Equal((true, "sent", null), await slack.DeliverOneAsync(new(alert, NoticeKind.FiringAgain, slack.Delivery(alert), null)));
        Assert.StartsWith(
            "P2 FIRING AGAIN · Checkout fails\nHTTP 503\n"
                + "Flapping: re-fired 1×. Further changes are held until it has been quiet for 15 min.\nSince ",
            slack.Messages[0],
            StringComparison.Ordinal
        );

        var again = new AlertNotice(alert with { Reopened = 2 }, NoticeKind.FiringAgain, slack.Delivery(alert), null);
        slack.Clock.Advance(SlackDriver.QuietPeriod - TimeSpan.FromSeconds(1));
        Assert.Equal((false, "held: flapping"), (await slack.DeliverOneAsync(again)) is var held ? (held.IsDone, held.Decision) : default);
        Assert.Single(slack.Messages);

        slack.Clock.Advance(TimeSpan.FromSeconds(1));
        Assert.True((await slack.DeliverOneAsync(again with { Alert = alert with { Reopened = 31 } })).IsDone);
        Assert.Contains("re-fired 31×", slack.Messages[1], StringComparison.Ordinal);
    }

    [Theory]
    [Trait("Pitfall", "T-24")]
    [Trait("Pitfall", "T-26")]
    [InlineData(AlertStatus.Resolved, "RECOVERED")]
    [InlineData(AlertStatus.Expired, "EXPIRED")]
    public async Task The_end_of_a_flapping_alert_is_sent_after_the_quiet_period(AlertStatus status, string word)
    {
        await using var slack = await SlackDriver.StartAsync();
        var alert = slack.Alert(status: status, reopened: 3);
        var ended = new AlertNotice(alert, NoticeKind.Ended, slack.Delivery(alert), null);

        slack.Clock.Advance(SlackDriver.QuietPeriod - TimeSpan.FromSeconds(1));
        Assert.Equal("held: flapping", (await slack.DeliverOneAsync(ended)).Decision);
        slack.Clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal("sent", (await slack.DeliverOneAsync(ended)).Decision);

        Assert.StartsWith($"P2 {word}", Assert.Single(slack.Messages), StringComparison.Ordinal);
        Assert.Contains("\nFlapped: re-fired 3× before it ended.\n", slack.Messages[0], StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Pitfall", "T-24")]
    public async Task An_hour_of_flapping_is_three_messages_and_then_one_a_quiet_period()
    {
        await using var slack = await SlackDriver.StartAsync();
        var (alert, told, toldEnd) = (slack.Alert(), (AlertDelivery?)null, -1);
        for (var second = 0; second < 3600; second += 30)
        {
            var fires = second % 60 == 0;
            alert = fires
                ? alert with
                {
                    Status = AlertStatus.Firing,
                    EndedAt = null,
                    Reopened = second / 60,
                }
                : alert with
                {
                    Status = AlertStatus.Resolved,
                    EndedAt = slack.Clock.GetUtcNow(),
                };
            if (fires ? told?.Reopened != alert.Reopened : toldEnd != alert.Reopened)
            {
                var kind =
                    !fires ? NoticeKind.Ended
                    : told is null ? NoticeKind.Firing
                    : NoticeKind.FiringAgain;
                if ((await slack.DeliverOneAsync(new(alert, kind, told, null))).IsDone)
                {
                    (told, toldEnd) = fires ? (slack.Delivery(alert), toldEnd) : (told, alert.Reopened);
                }
            }

            slack.Clock.Advance(TimeSpan.FromSeconds(30));
        }

        Assert.Equal(
            ["FIRING", "RECOVERED", "FIRING AGAIN", "FIRING AGAIN", "FIRING AGAIN", "FIRING AGAIN"],
            slack.Messages.Select(message => message.Split('\n')[0]["P2 ".Length..^" · Checkout fails".Length])
        );
    }

    /// <summary>A warning keeps firing, and its critical rule begins and ends every other minute.</summary>
    [Fact]
    [Trait("Pitfall", "T-24")]
    public async Task An_hour_of_a_severity_that_rises_and_falls_is_one_message_at_once_and_then_one_a_quiet_period()
    {
        await using var slack = await SlackDriver.StartAsync();
        var alert = slack.Alert();
        Assert.True((await slack.DeliverOneAsync(new(alert, NoticeKind.Firing, null, null))).IsDone);
        var told = slack.Delivery(alert);
        var sentAt = new List<int>();
        for (var minute = 1; minute < 60; minute++)
        {
            slack.Clock.Advance(TimeSpan.FromMinutes(1));
            alert = alert with { Severity = minute % 2 == 1 ? Severity.P1 : Severity.P3 };
            if (alert.Severity == told.Severity)
            {
                continue;
            }

            var before = slack.Messages.Count;
            var outcome = Assert.Single(await slack.DeliverAsync(new AlertNotice(alert, NoticeKind.SeverityChanged, told, null)));
            Assert.Equal(slack.Messages.Count == before ? told.At : null, outcome.DeliveredAt);
            if (outcome.IsDone)
            {
                told = told with { Severity = alert.Severity, At = outcome.DeliveredAt ?? slack.Clock.GetUtcNow() };
            }

            if (slack.Messages.Count > before)
            {
                sentAt.Add(minute);
            }
        }

        Assert.Equal([1, 17, 33, 49], sentAt);
        Assert.StartsWith("P1 WORSE (was P2)", slack.Messages[1], StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Pitfall", "T-24")]
    public async Task A_flapping_alert_that_fires_again_worse_than_it_was_reported_is_sent_at_once()
    {
        await using var slack = await SlackDriver.StartAsync();
        var alert = slack.Alert(severity: Severity.P1, reopened: 4);
        var last = slack.Delivery(alert, Severity.P2) with { Reopened = 2 };

        Assert.Equal("sent", (await slack.DeliverOneAsync(new(alert, NoticeKind.FiringAgain, last, null))).Decision);
        var next = new AlertNotice(alert with { Reopened = 5 }, NoticeKind.FiringAgain, slack.Delivery(alert), null);
        Assert.Equal("held: flapping", (await slack.DeliverOneAsync(next)).Decision);
    }

    [Fact]
    [Trait("Pitfall", "T-26")]
    public async Task A_recovery_that_failed_is_sent_when_Slack_works_again()
    {
        await using var slack = await SlackDriver.StartAsync();
        var alert = slack.Alert(status: AlertStatus.Resolved);
        var notice = new AlertNotice(alert, NoticeKind.Ended, slack.Delivery(alert), null);
        using (slack.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.Slack }))
        {
            for (var pass = 0; pass < 30; pass++)
            {
                Assert.False((await slack.DeliverOneAsync(notice)).IsDone);
                slack.Clock.Advance(Pass);
            }
        }

        slack.Clock.Advance(TimeSpan.FromSeconds(30));
        Assert.True((await slack.DeliverOneAsync(notice)).IsDone);
        Assert.StartsWith("P2 RECOVERED", Assert.Single(slack.Messages), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ten_alerts_a_minute_are_sent_singly_and_the_next_in_a_digest()
    {
        await using var slack = await SlackDriver.StartAsync();

        Assert.All(
            await slack.DeliverAsync(slack.Many(10)),
            outcome => Assert.Equal((true, "sent"), (outcome.IsDone, outcome.Decision.Text))
        );
        slack.Clock.Advance(TimeSpan.FromSeconds(59));
        Assert.Equal((true, "in digest", null), await slack.DeliverOneAsync(slack.Firing()));
        Assert.StartsWith("1 alert at once (P2: 1)\n", slack.Messages[10], StringComparison.Ordinal);

        slack.Clock.Advance(TimeSpan.FromSeconds(1));
        Assert.All(await slack.DeliverAsync(slack.Many(10)), outcome => Assert.Equal("sent", outcome.Decision.Text));
        Assert.Equal(21, slack.Messages.Count);
    }

    [Fact]
    public async Task A_hundred_alerts_at_once_are_one_digest_with_the_worst_first()
    {
        await using var slack = await SlackDriver.StartAsync();
        var alerts = slack.Many(98).Append(slack.Firing("The worst", Severity.P1, "<!channel> & all")).ToList();
        var over = slack.Alert("Over", Severity.P1, status: AlertStatus.Resolved);
        alerts.Insert(0, new(over, NoticeKind.Ended, slack.Delivery(over), null));
        alerts[5] = alerts[5] with { Ticket = new AlertTicket(7, 1001, "https://tickets.example.org/conversation/7") };

        Assert.All(
            await slack.DeliverAsync([.. alerts]),
            outcome => Assert.Equal((true, "in digest"), (outcome.IsDone, outcome.Decision.Text))
        );

        var message = Assert.Single(slack.Messages);
        var lines = message.Split('\n');
        Assert.InRange(message.Length, 1, SlackText.Longest);
        Assert.Equal("100 alerts at once (P1: 1, P2: 98, ended: 1)", lines[0]);
        // The worst ones link to their incidents. The room for links ends before that for lines.
        Assert.Equal($"P1 FIRING · The worst · &lt;!channel&gt; &amp; all {LinkOf(alerts[^1])}", lines[1]);
        Assert.Equal($"P2 FIRING · Alert 001 · HTTP 503 {LinkOf(alerts[1])}", lines[2]);
        Assert.Equal($"P2 FIRING · Alert 005 · #1001 · HTTP 503 {LinkOf(alerts[5])}", lines[6]);
        Assert.InRange(lines.Count(line => line.Contains("/console/incidents/", StringComparison.Ordinal)), 20, 39);
        Assert.Equal(
            ["P2 FIRING · Alert 039 · HTTP 503", "and 60 more", $"Console: <{SlackDriver.ConsoleUrl}/console/alerts>"],
            lines[40..]
        );

        static string LinkOf(AlertNotice notice) => $"<{SlackDriver.ConsoleUrl}{notice.Alert.IncidentKey.Path}>";
    }

    [Theory]
    [InlineData("https://console.example.org", 40)]
    [InlineData("https://example.org/a-long-way-to-the-console", 10)]
    public async Task A_digest_of_long_texts_stays_short_and_says_how_many_it_leaves_out(string console, int fewest)
    {
        var way = fewest == 40 ? console : console + string.Concat(Enumerable.Repeat("/and-on", 250));
        await using var slack = await SlackDriver.StartAsync(new Dictionary<string, string?> { ["CONSOLE_PUBLIC_URL"] = way });
        var text = string.Concat(Enumerable.Repeat("👩‍👩‍👧‍👦<&>", 500));

        await slack.DeliverAsync([.. Enumerable.Range(0, 100).Select(_ => slack.Firing(text, summary: text))]);

        var lines = Assert.Single(slack.Messages).Split('\n');
        Assert.InRange(slack.Messages[0].Length, 1, SlackText.Longest);
        Assert.Equal($"and {100 - (lines.Length - 3)} more", lines[^2]);
        Assert.Equal($"Console: <{way}/console/alerts>", lines[^1]);
        Assert.InRange(lines.Length - 3, fewest, 40);
    }

    [Fact]
    public async Task A_storm_is_a_digest_every_fifteen_seconds_and_loses_no_alert()
    {
        await using var slack = await SlackDriver.StartAsync();
        var (waiting, done) = (new List<AlertNotice>(), new HashSet<long>());
        for (var pass = 0; pass < 60; pass++)
        {
            if (pass < 30)
            {
                waiting.AddRange(slack.Many(20));
            }

            foreach (var outcome in await slack.DeliverAsync([.. waiting]))
            {
                Assert.Equal(outcome.IsDone ? "in digest" : "waiting for the next digest", outcome.Decision.Text);
                Assert.True(!outcome.IsDone || done.Add(outcome.Notice.Alert.Id));
                // A waiting alert must not be retried at once.
                Assert.True(outcome.IsDone || outcome.RetryAfter >= TimeSpan.FromSeconds(1));
                Assert.InRange(outcome.RetryAfter, TimeSpan.Zero, TimeSpan.FromSeconds(15));
            }

            waiting.RemoveAll(notice => done.Contains(notice.Alert.Id));
            slack.Clock.Advance(Pass);
        }

        Assert.Equal((600, 0), (done.Count, waiting.Count));
        // 20 new alerts every two seconds for a minute. Messages at 0, 16, 32, 48 and 64 s.
        Assert.Equal([20, 160, 160, 160, 100], slack.Messages.Select(message => int.Parse(message.Split(' ')[0], null)));
        var single = Assert.Single(await slack.DeliverAsync(slack.Firing()));
        Assert.Equal(("sent", TimeSpan.Zero), (single.Decision.Text, single.RetryAfter));
    }

    [Theory]
    [Trait("Pitfall", "T-38")]
    [InlineData(FaultKind.Status)]
    [InlineData(FaultKind.RateLimited)]
    [InlineData(FaultKind.ResetBefore)]
    public async Task A_failed_digest_loses_no_alert(FaultKind kind)
    {
        await using var slack = await SlackDriver.StartAsync();
        var notices = slack.Many(100);
        using (slack.Sandbox.Faults.Add(new Fault(kind) { Match = FaultMatch.SlackPost }))
        {
            for (var pass = 0; pass < 20; pass++)
            {
                Assert.All(await slack.DeliverAsync(notices), outcome => Assert.False(outcome.IsDone));
                Assert.All(
                    await slack.DeliverAsync(notices),
                    outcome => Assert.StartsWith("degraded: ", outcome.Decision.Text, StringComparison.Ordinal)
                );
                slack.Clock.Advance(Pass);
            }
        }

        slack.Clock.Advance(TimeSpan.FromSeconds(60));
        Assert.All(await slack.DeliverAsync(notices), outcome => Assert.True(outcome.IsDone));
        Assert.StartsWith("100 alerts at once", Assert.Single(slack.Messages), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_alert_sent_from_memory_is_not_sent_again_when_its_episode_is_stored()
    {
        await using var slack = await SlackDriver.StartAsync();
        var began = slack.Clock.GetUtcNow();
        var known = slack.Firing();
        known = known with { Alert = known.Alert with { Id = 5, StartedAt = began } };
        await slack.DeliverOneAsync(known with { Alert = known.Alert with { Id = 0 } });
        slack.Clock.Advance(TimeSpan.FromMinutes(1));

        Assert.True((await slack.DeliverOneAsync(known)).IsDone);
        Assert.Single(slack.Messages);

        // It ended before its episode was delivered: the end is sent.
        await slack.DeliverOneAsync(
            known with
            {
                Alert = known.Alert with { Status = AlertStatus.Resolved, EndedAt = slack.Clock.GetUtcNow() },
            }
        );
        Assert.StartsWith("P2 FIRED AND RECOVERED", slack.Messages[1], StringComparison.Ordinal);

        // A later episode is sent.
        await slack.DeliverOneAsync(known with { Alert = known.Alert with { Id = 6, StartedAt = slack.Clock.GetUtcNow() } });
        Assert.Equal(3, slack.Messages.Count);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task After_the_clock_is_set_back_an_alert_sent_from_memory_hides_no_later_one(bool isStoredFirst)
    {
        await using var slack = await SlackDriver.StartAsync();
        var began = slack.Clock.GetUtcNow();
        var known = slack.Firing();
        await slack.DeliverOneAsync(known with { Alert = known.Alert with { Id = 0 } });
        if (isStoredFirst)
        {
            Assert.Equal("It was sent while the database couldn't be reached.", (await slack.DeliverOneAsync(known)).Detail);
            // The clock is set back and passes the time of the message again.
            slack.Clock.Advance(TimeSpan.FromMinutes(1));
        }
        else
        {
            slack.Clock.SetBack(TimeSpan.FromHours(1));
        }

        var later = known with { Alert = known.Alert with { Id = 9, StartedAt = began - TimeSpan.FromHours(1) } };

        Assert.Equal((true, "sent", null), await slack.DeliverOneAsync(later));
        Assert.Equal(2, slack.Messages.Count);
    }

    [Fact]
    public async Task Each_outcome_is_returned_as_soon_as_it_is_known()
    {
        await using var slack = await SlackDriver.StartAsync();
        await using var outcomes = slack.Hook.DeliverAsync(slack.Many(3), default).GetAsyncEnumerator();

        Assert.True(await outcomes.MoveNextAsync());

        Assert.Equal((1, true), (slack.Messages.Count, Assert.Single(outcomes.Current).IsDone));
    }

    [Fact]
    public async Task A_P1_in_a_flood_does_not_wait_for_the_next_digest()
    {
        await using var slack = await SlackDriver.StartAsync();
        // The flood is in a digest already, and the next digest is not due.
        Assert.All(await slack.DeliverAsync(slack.Many(100)), outcome => Assert.Equal("in digest", outcome.Decision.Text));
        var (flood, urgent) = (slack.Many(100), slack.Firing("Payments fail", Severity.P1));

        var outcomes = await slack.DeliverAsync([.. flood, urgent]);

        Assert.Equal("sent", outcomes.Single(outcome => outcome.Notice == urgent).Decision.Text);
        Assert.All(outcomes.Where(outcome => outcome.Notice != urgent), outcome => Assert.False(outcome.IsDone));
        Assert.StartsWith("P1", slack.Messages[^1], StringComparison.Ordinal);

        // Ten a minute: with more they are a flood of their own.
        Assert.All(await slack.DeliverAsync([.. slack.Many(100), .. slack.Many(10, Severity.P1)]), outcome => Assert.False(outcome.IsDone));
    }

    [Fact]
    public async Task The_number_of_single_messages_is_a_setting()
    {
        await using var slack = await SlackDriver.StartAsync(new Dictionary<string, string?> { ["Slack:SinglesPerMinute"] = "2" });

        Assert.All(await slack.DeliverAsync(slack.Many(3)), outcome => Assert.Equal("in digest", outcome.Decision.Text));
        Assert.All(await slack.DeliverAsync(slack.Many(2)), outcome => Assert.Equal("sent", outcome.Decision.Text));
    }
}
