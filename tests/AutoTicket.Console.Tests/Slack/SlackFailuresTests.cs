using System.Text;
using AutoTicket.Alerts;
using AutoTicket.Sandbox;
using AutoTicket.Slack;

namespace AutoTicket.Tests.Slack;

/// <summary>Failures of Slack and the network: each has its own cause, no alert is lost, and retries have a backoff.</summary>
public sealed class SlackFailuresTests
{
    [Theory]
    [Trait("Pitfall", "T-37")]
    [InlineData("ratelimited", "rate_limited", "pause", 2)]
    [InlineData("invalid_auth", "token_rejected", "SLACK_BOT_TOKEN", 60)]
    [InlineData("token_revoked", "token_rejected", "token_revoked", 60)]
    [InlineData("token_expired", "token_rejected", "token_expired", 60)]
    [InlineData("account_inactive", "token_rejected", "account_inactive", 60)]
    [InlineData("not_authed", "token_rejected", "not_authed", 60)]
    [InlineData("missing_scope", "scope_missing", "chat:write", 60)]
    [InlineData("channel_not_found", "channel_gone", "SLACK_OPERATOR_USER_ID", 60)]
    [InlineData("is_archived", "channel_gone", "is_archived", 60)]
    [InlineData("user_not_found", "channel_gone", "user_not_found", 60)]
    [InlineData("cannot_dm_bot", "channel_gone", "cannot_dm_bot", 60)]
    [InlineData("internal_error", "server_error", "internal_error", 2)]
    [InlineData("org_login_required", "refused", "org_login_required", 2)]
    public async Task Each_refusal_has_its_own_cause_and_pause(string error, string decision, string named, int pause)
    {
        await using var slack = await SlackDriver.StartAsync();
        using var fault = slack.Sandbox.Faults.Add(Fault.SlackError(error) with { Match = FaultMatch.SlackPost });

        var (isDone, told, detail) = await slack.DeliverOneAsync(slack.Firing());

        Assert.Equal((false, $"degraded: {decision}"), (isDone, told));
        Assert.Contains(named, detail, StringComparison.Ordinal);
        Assert.Equal(
            (detail, slack.Clock.GetUtcNow(), slack.Clock.GetUtcNow() + TimeSpan.FromSeconds(pause)),
            (slack.Health.Failure!.Message, slack.Health.FailingSince, slack.Health.HoldUntil)
        );
        Assert.StartsWith(
            $"slack degraded cause={slack.Health.Failure.Kind} call=chat.postMessage: ",
            Assert.Single(slack.Warnings),
            StringComparison.Ordinal
        );
        Assert.Null(slack.Health.LastSentAt);
    }

    [Theory]
    [Trait("Pitfall", "T-37")]
    [InlineData(FaultKind.HtmlLogin, null, null, "bad_answer", "SLACK_BASE_URL")]
    [InlineData(FaultKind.Redirect, null, null, "bad_answer", "redirects (302)")]
    [InlineData(FaultKind.WrongJson, null, null, "bad_answer", "SLACK_BASE_URL")]
    [InlineData(FaultKind.WrongJson, null, """{"ok":"true"}""", "bad_answer", "SLACK_BASE_URL")]
    [InlineData(FaultKind.WrongJson, null, """{"ok":true,"ts":""", "bad_answer", "SLACK_BASE_URL")]
    [InlineData(FaultKind.BlankOk, null, null, "bad_answer", "SLACK_BASE_URL")]
    [InlineData(FaultKind.HugeBody, null, null, "bad_answer", "1 MB")]
    [InlineData(FaultKind.Status, 404, "Not here", "bad_answer", "404")]
    [InlineData(FaultKind.Status, 403, """{"ok":true}""", "bad_answer", "403")]
    [InlineData(FaultKind.Status, 503, null, "server_error", "503")]
    [InlineData(FaultKind.Status, 500, """{"ok":true}""", "server_error", "500")]
    [InlineData(FaultKind.StatusAfter, 502, null, "server_error", "502")]
    [InlineData(FaultKind.TornJson, null, null, "unreachable", "SLACK_BASE_URL")]
    [InlineData(FaultKind.ResetBefore, null, null, "unreachable", "SLACK_BASE_URL")]
    [InlineData(FaultKind.CloseAfter, null, null, "unreachable", "SLACK_BASE_URL")]
    public async Task A_foreign_response_is_a_failure_that_the_client_does_not_retry(
        FaultKind kind,
        int? status,
        string? body,
        string decision,
        string named
    )
    {
        await using var slack = await SlackDriver.StartAsync();
        var notice = slack.Firing();
        using (
            slack.Sandbox.Faults.Add(
                new Fault(kind)
                {
                    Match = FaultMatch.SlackPost,
                    StatusCode = status,
                    Body = body,
                }
            )
        )
        {
            var (isDone, told, detail) = await slack.DeliverOneAsync(notice);

            Assert.Equal((false, $"degraded: {decision}"), (isDone, told));
            Assert.Contains(named, detail, StringComparison.Ordinal);
            Assert.DoesNotContain(detail!, char.IsControl);
            Assert.InRange(detail!.Length, 1, 300);
            Assert.Single(slack.Posts);
            Assert.Single(slack.Warnings);
        }

        // Delivery is at least once: a later pass sends the alert again, although the lost answer may have been a success.
        slack.Clock.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal((true, "sent", null), await slack.DeliverOneAsync(notice));
        Assert.Equal((null, null), (slack.Health.Failure, slack.Health.FailingSince));
    }

    [Theory]
    [Trait("Pitfall", "T-37")]
    [InlineData(30, 30)]
    [InlineData(600, 60)]
    [InlineData(null, 2)]
    [InlineData(0, 1)]
    public async Task The_Retry_After_of_a_429_is_obeyed_for_at_most_a_minute(int? asked, int held)
    {
        await using var slack = await SlackDriver.StartAsync();
        slack.Sandbox.Faults.Add(
            new Fault(FaultKind.RateLimited)
            {
                Match = FaultMatch.Slack,
                RetryAfter = asked,
                Times = 1,
            }
        );
        var notice = slack.Firing();
        Assert.Equal("degraded: rate_limited", (await slack.DeliverOneAsync(notice)).Decision);

        slack.Clock.Advance(TimeSpan.FromSeconds(held) - TimeSpan.FromMilliseconds(1));
        Assert.Equal("degraded: rate_limited", (await slack.DeliverOneAsync(notice)).Decision);
        Assert.Equal(1, slack.Sandbox.Slack.RequestCount);

        slack.Clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal("sent", (await slack.DeliverOneAsync(notice)).Decision);
        Assert.Equal(slack.Clock.GetUtcNow(), slack.Health.LastSentAt);
    }

    [Fact]
    public async Task The_backoff_grows_during_an_outage_and_one_failure_ends_the_pass()
    {
        await using var slack = await SlackDriver.StartAsync();
        slack.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.SlackPost, StatusCode = 503 });
        var notices = slack.Many(3);
        var started = slack.Clock.GetUtcNow();
        var tries = new List<int>();
        for (var second = 0; second <= 120; second++)
        {
            var before = slack.Posts.Count;
            Assert.All(
                await slack.DeliverAsync(notices),
                outcome => Assert.Equal((false, "degraded: server_error"), (outcome.IsDone, outcome.Decision.Text))
            );
            if (slack.Posts.Count > before)
            {
                Assert.Equal(before + 1, slack.Posts.Count);
                tries.Add(second);
            }

            slack.Clock.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Equal([0, 2, 6, 14, 30, 60, 90, 120], tries);
        Assert.Equal(started, slack.Health.FailingSince);
        Assert.Equal(tries.Count, slack.Warnings.Count);
    }

    [Fact]
    public async Task The_backoff_restarts_after_a_success()
    {
        await using var slack = await SlackDriver.StartAsync();
        var changes = 0;
        slack.Health.Changed += () => changes++;
        for (var round = 0; round < 2; round++)
        {
            slack.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.SlackPost, Times = 1 });
            var failed = Assert.Single(await slack.DeliverAsync(slack.Firing()));
            Assert.Equal(slack.Clock.GetUtcNow() + TimeSpan.FromSeconds(2), slack.Health.HoldUntil);
            Assert.Equal(TimeSpan.FromSeconds(2), failed.RetryAfter);
            slack.Clock.Advance(TimeSpan.FromSeconds(2));
            Assert.True((await slack.DeliverOneAsync(slack.Firing())).IsDone);
        }

        Assert.Equal(4, changes);
    }

    [Theory]
    [InlineData(FaultKind.HangBefore)]
    [InlineData(FaultKind.HangAfter)]
    public async Task A_Slack_that_hangs_is_left_after_three_seconds(FaultKind kind)
    {
        await using var slack = await SlackDriver.StartAsync();
        slack.Sandbox.Faults.Add(new Fault(kind) { Match = FaultMatch.SlackPost });
        var started = slack.Clock.GetUtcNow();

        var pass = slack.DeliverAsync(slack.Many(5));
        await Eventually.TrueAsync(() => slack.Posts.Count == 1, "the message is in progress");
        slack.Clock.Advance(TimeSpan.FromSeconds(2.9));
        Assert.False(pass.IsCompleted);
        await slack.Clock.AdvanceUntilAsync(TimeSpan.FromSeconds(0.1), () => Task.FromResult(pass.IsCompleted), "it gives up");

        Assert.All(await pass, outcome => Assert.Equal((false, "degraded: timed_out"), (outcome.IsDone, outcome.Decision.Text)));
        Assert.InRange(slack.Clock.GetUtcNow() - started, TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(4));
        Assert.Single(slack.Posts);
    }

    [Fact]
    public async Task While_Slack_answers_too_late_every_alert_is_sent_in_turn()
    {
        await using var slack = await SlackDriver.StartAsync();
        var late = slack.Sandbox.Faults.Add(new Fault(FaultKind.HangAfter) { Match = FaultMatch.SlackPost });
        var notices = slack.Many(3);

        for (var sent = 1; sent <= 4; sent++)
        {
            var pass = slack.DeliverAsync(notices);
            await Eventually.TrueAsync(() => slack.Messages.Count == sent, "Slack has the message");
            await slack.Clock.AdvanceUntilAsync(TimeSpan.FromSeconds(1.5), () => Task.FromResult(pass.IsCompleted), "it gives up");
            Assert.All(await pass, outcome => Assert.Equal("degraded: timed_out", outcome.Decision.Text));
            Assert.Equal(sent, slack.Messages.Count);
            slack.Clock.Advance(SlackHealth.LongestHold);
        }

        // The first one comes again: if Slack only hangs, the message is not lost.
        Assert.Equal(
            notices.Append(notices[0]).Select(notice => notice.Alert.Name),
            slack.Messages.Select(message => message.Split('\n')[0]["P2 FIRING · ".Length..])
        );

        late.Dispose();
        Assert.All(await slack.DeliverAsync(notices), outcome => Assert.True(outcome.IsDone));
    }

    [Fact]
    public async Task A_stop_waits_for_the_message_in_progress_and_starts_no_other()
    {
        await using var slack = await SlackDriver.StartAsync();
        var slow = slack.Sandbox.Faults.Add(new Fault(FaultKind.Delay) { Match = FaultMatch.SlackPost });
        using var stopping = new CancellationTokenSource();
        var outcomes = new List<HookOutcome>();
        var pass = Task.Run(async () =>
        {
            await foreach (var together in slack.Hook.DeliverAsync(slack.Many(2), stopping.Token))
            {
                outcomes.AddRange(together);
            }
        });
        await Eventually.TrueAsync(() => slow.Hits == 1, "the message is in progress");

        await stopping.CancelAsync();
        slow.Dispose();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => pass);
        Assert.Equal((true, "sent"), (Assert.Single(outcomes).IsDone, outcomes[0].Decision.Text));
        Assert.Single(slack.Posts);
        Assert.Null(slack.Health.Failure);
    }

    [Fact]
    public async Task An_address_without_a_server_is_unreachable()
    {
        await using var slack = await SlackDriver.StartAsync(
            new Dictionary<string, string?> { ["SLACK_BASE_URL"] = $"http://127.0.0.1:{LoopbackPort.Next()}/" }
        );

        Assert.Equal("degraded: unreachable", (await slack.DeliverOneAsync(slack.Firing())).Decision);
    }

    [Theory]
    [InlineData("302 Found")]
    [InlineData("307 Temporary")]
    [InlineData("308 Permanent")]
    public async Task No_redirect_is_followed_with_the_token(string status)
    {
        await using var other = new RawServer("HTTP/1.1 200 OK\nContent-Length: 11\nContent-Type: application/json\n\n{\"ok\":true}");
        await using var server = new RawServer($"HTTP/1.1 {status}\nLocation: {other.Url}\nContent-Length: 0\nConnection: close\n\n");
        await using var slack = await SlackDriver.StartAsync(
            new Dictionary<string, string?> { ["SLACK_BASE_URL"] = server.Url.AbsoluteUri }
        );

        Assert.Equal("degraded: bad_answer", (await slack.DeliverOneAsync(slack.Firing())).Decision);
        Assert.Equal((1, 0), (server.Requests, other.Requests));
    }

    [Fact]
    public async Task An_endless_body_is_read_up_to_a_limit()
    {
        await using var server = new RawServer(
            "HTTP/1.1 200 OK\nContent-Type: application/json\n\n{\"ok\":true,\"x\":\"",
            Encoding.ASCII.GetBytes(new string('x', 64 * 1024))
        );
        await using var slack = await SlackDriver.StartAsync(
            new Dictionary<string, string?> { ["SLACK_BASE_URL"] = server.Url.AbsoluteUri }
        );

        Assert.Equal("degraded: bad_answer", (await slack.DeliverOneAsync(slack.Firing())).Decision);
        await Eventually.TrueAsync(() => server.IsIdle, "the client leaves");
        // The bytes read plus the kernel's buffers when the client disconnected.
        Assert.InRange(server.Sent, 0, SlackClient.LongestAnswer + (14 * 1024 * 1024));
    }

    [Theory]
    [InlineData("""{"ok":false,"error":"xoxb-canary-5e1f09"}""")]
    [InlineData("""{"ok":false,"error":"missing_scope","needed":"XOXB-CANARY-5E1F09"}""")]
    [InlineData("""{"ok":false,"error":"a\r\nERROR forged"}""")]
    [InlineData("""{"ok":false,"error":"<!channel>"}""")]
    [InlineData("""{"ok":false,"error":["x"]}""")]
    [InlineData("""{"ok":false}""")]
    public async Task Slacks_error_is_repeated_only_if_it_is_a_word(string body)
    {
        await using var slack = await SlackDriver.StartAsync();
        slack.Sandbox.Faults.Add(
            new Fault(FaultKind.Status)
            {
                Match = FaultMatch.SlackPost,
                StatusCode = 200,
                Body = body,
            }
        );

        var detail = (await slack.DeliverOneAsync(slack.Firing())).Detail!;

        Assert.Contains("for a reason that can't be read", detail, StringComparison.Ordinal);
        Assert.DoesNotContain("canary", detail, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task The_token_is_only_in_the_Authorization_header()
    {
        await using var slack = await SlackDriver.StartAsync();
        await slack.DeliverOneAsync(slack.Firing());
        foreach (
            var kind in new[] { FaultKind.Unauthorized, FaultKind.HtmlLogin, FaultKind.ResetBefore, FaultKind.Redirect, FaultKind.HugeBody }
        )
        {
            using var fault = slack.Sandbox.Faults.Add(new Fault(kind) { Match = FaultMatch.Slack });
            await slack.DeliverOneAsync(slack.Firing());
            slack.Clock.Advance(SlackHealth.LongestHold);
        }

        slack.Sandbox.Slack.BotToken = "another";
        Assert.Equal("degraded: token_rejected", (await slack.DeliverOneAsync(slack.Firing())).Decision);

        Assert.Equal(8, slack.Sandbox.Slack.RequestCount);
        Assert.All(
            slack.Sandbox.Slack.RecordedRequests,
            request =>
            {
                Assert.Equal($"Bearer {SlackDriver.Canary}", request.Header("Authorization"));
                Assert.DoesNotContain(SlackDriver.Canary, request.PathAndQuery + request.Body, StringComparison.Ordinal);
            }
        );
        Assert.DoesNotContain(SlackDriver.Canary, slack.Health.Failure!.Message, StringComparison.Ordinal);
        Assert.NotEmpty(slack.Log); // on dispose the driver searches it for the canary, from TRACE on
    }

    [Fact]
    public async Task The_channel_is_opened_once_and_again_if_it_is_deleted()
    {
        await using var slack = await SlackDriver.StartAsync();
        await slack.DeliverAsync(slack.Many(3));
        Assert.Single(slack.Requests("conversations.open"));

        slack.Sandbox.Faults.Add(Fault.SlackError("is_archived") with { Match = FaultMatch.SlackPost, Times = 1 });
        await slack.DeliverOneAsync(slack.Firing());
        slack.Clock.Advance(SlackHealth.LongestHold);
        Assert.True((await slack.DeliverOneAsync(slack.Firing())).IsDone);
        Assert.Equal(2, slack.Requests("conversations.open").Count);

        slack.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.SlackPost, Times = 1 });
        await slack.DeliverOneAsync(slack.Firing());
        slack.Clock.Advance(SlackHealth.LongestHold);
        Assert.True((await slack.DeliverOneAsync(slack.Firing())).IsDone);
        Assert.Equal(2, slack.Requests("conversations.open").Count);
    }

    [Theory]
    [InlineData("""{"ok":true}""")]
    [InlineData("""{"ok":true,"channel":"D1"}""")]
    [InlineData("""{"ok":true,"channel":{"id":7}}""")]
    public async Task A_channel_without_an_id_is_a_failure(string body)
    {
        await using var slack = await SlackDriver.StartAsync();
        slack.Sandbox.Faults.Add(new Fault(FaultKind.WrongJson) { Match = FaultMatch.SlackOpen, Body = body });

        Assert.Equal("degraded: bad_answer", (await slack.DeliverOneAsync(slack.Firing())).Decision);
        Assert.Empty(slack.Posts);
    }

    [Fact]
    public async Task A_message_that_Slack_refuses_does_not_block_the_others()
    {
        await using var slack = await SlackDriver.StartAsync();
        slack.Sandbox.Faults.Add(Fault.SlackError("msg_too_long") with { Match = FaultMatch.SlackPost, Times = 1 });
        var (refused, other) = (slack.Firing("Refused"), slack.Firing("Other"));

        Assert.All(await slack.DeliverAsync(refused, other), outcome => Assert.Equal("degraded: refused", outcome.Decision.Text));
        slack.Clock.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(
            [(refused, false), (other, true)],
            (await slack.DeliverAsync(refused, other)).Select(outcome => (outcome.Notice, outcome.IsDone))
        );

        slack.Clock.Advance(TimeSpan.FromSeconds(58));
        Assert.True((await slack.DeliverOneAsync(refused)).IsDone);
        Assert.Equal(2, slack.Messages.Count);
    }

    [Fact]
    public async Task Without_its_variables_Slack_is_off_logs_it_once_and_makes_no_call()
    {
        await using var slack = await SlackDriver.StartAsync(
            new Dictionary<string, string?> { ["SLACK_BOT_TOKEN"] = "", ["SLACK_OPERATOR_USER_ID"] = null }
        );
        Assert.Equal(SlackFailureKind.NotConfigured, slack.Health.Failure!.Kind);

        foreach (var _ in Enumerable.Range(0, 3))
        {
            Assert.All(
                await slack.DeliverAsync(slack.Many(20)),
                outcome =>
                {
                    Assert.Equal((false, "not set up"), (outcome.IsDone, outcome.Decision.Text));
                    Assert.Contains("SLACK_BOT_TOKEN and SLACK_OPERATOR_USER_ID", outcome.Detail, StringComparison.Ordinal);
                }
            );
        }

        Assert.Contains("cause=NotConfigured", Assert.Single(slack.Warnings), StringComparison.Ordinal);
        Assert.Empty(slack.Sandbox.Slack.RecordedRequests);
    }

    [Fact]
    public async Task A_clock_set_back_delays_no_message_for_an_hour()
    {
        await using var slack = await SlackDriver.StartAsync();
        slack.Sandbox.Faults.Add(Fault.SlackError("token_revoked") with { Times = 1 });
        await slack.DeliverOneAsync(slack.Firing());
        slack.Clock.AdjustTime(slack.Clock.GetUtcNow() - TimeSpan.FromHours(1));

        Assert.True((await slack.DeliverOneAsync(slack.Firing())).IsDone);
    }
}
