using System.Globalization;
using System.Text.Json.Nodes;
using AutoTicket.Alerts;
using AutoTicket.Slack;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;

namespace AutoTicket.Tests.Slack;

/// <summary>The text that the operator reads; text from outside can't add markup, links or lines.</summary>
public sealed class SlackMessagesTests : IAsyncLifetime
{
    private SlackDriver _slack = null!;

    public async Task InitializeAsync() => _slack = await SlackDriver.StartAsync();

    public async Task DisposeAsync() => await _slack.DisposeAsync();

    [Fact]
    public async Task A_message_names_the_alert_its_start_and_its_links()
    {
        var alert = _slack.Alert(Observation.SurfaceOutage, Severity.P1, "HTTP 503 after 12 s", surface: "shop");
        var outcome = await _slack.DeliverOneAsync(
            new(alert, NoticeKind.Firing, null, new AlertTicket(7, 1001, "https://tickets.example.org/conversation/7"))
        );

        Assert.Equal((true, "sent", null), outcome);
        Assert.Equal(
            $"""
            P1 FIRING · shop
            HTTP 503 after 12 s
            Since 2026-11-23 12:00:00 UTC
            Ticket #1001: <https://tickets.example.org/conversation/7>
            Console: {Incident(alert)}
            Alert key: {alert.AlertKey}
            """,
            Assert.Single(_slack.Messages)
        );
    }

    [Fact]
    public async Task An_alert_that_is_not_stored_yet_links_to_its_newest_incident()
    {
        var alert = _slack.Firing().Alert with { Id = 0 };

        await _slack.DeliverOneAsync(new(alert, NoticeKind.Firing, null, null));

        Assert.Contains(
            $"Console: <{SlackDriver.ConsoleUrl}/console/incidents/{alert.AlertKey}>\n",
            Assert.Single(_slack.Messages),
            StringComparison.Ordinal
        );
    }

    private static string Incident(Alert alert) => $"<{SlackDriver.ConsoleUrl}/console/incidents/{alert.AlertKey}-{alert.Id}>";

    [Fact]
    public async Task A_message_is_plain_text_without_mentions_and_unfurled_links()
    {
        await _slack.DeliverOneAsync(_slack.Firing());

        var post = Assert.Single(_slack.Posts);
        var settings = JsonNode
            .Parse("""{"channel":"D0SANDBOX1","mrkdwn":false,"link_names":false,"unfurl_links":false,"unfurl_media":false}""")!
            .AsObject();
        settings["text"] = post["text"]!.GetValue<string>();
        Assert.True(JsonNode.DeepEquals(settings, post), post.ToJsonString());
        Assert.Equal("application/json; charset=utf-8", _slack.Requests("chat.postMessage")[0].Header("Content-Type"));
    }

    [Theory]
    [Trait("Pitfall", "T-27")]
    [InlineData(AlertStatus.Resolved, "P3 RECOVERED · Checkout fails on shop\n")]
    [InlineData(AlertStatus.Expired, "P3 EXPIRED: sender went silent (not a recovery) · Checkout fails on shop\n")]
    public async Task An_end_is_sent_for_any_severity_and_an_expiry_is_no_recovery(AlertStatus status, string head)
    {
        var alert = _slack.Alert(severity: Severity.P3, status: status, surface: "shop") with
        {
            EndedAt = _slack.Clock.GetUtcNow().AddMinutes(5),
        };

        Assert.True((await _slack.DeliverOneAsync(new(alert, NoticeKind.Ended, _slack.Delivery(alert, Severity.P2), null))).IsDone);

        Assert.StartsWith(head, Assert.Single(_slack.Messages), StringComparison.Ordinal);
        Assert.Contains("\nSince 2026-11-23 12:00:00 UTC, ended 2026-11-23 12:05:00 UTC\n", _slack.Messages[0], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Severity.P2, Severity.P1, "P1 WORSE (was P2) · Checkout fails")]
    [InlineData(Severity.P1, Severity.P2, null)]
    [InlineData(Severity.P2, Severity.P2, null)]
    public async Task A_severity_change_is_sent_only_if_it_is_worse(Severity told, Severity now, string? head)
    {
        var alert = _slack.Alert(severity: now);
        var last = _slack.Delivery(alert, told) with { At = _slack.Clock.GetUtcNow() - SlackDriver.QuietPeriod };

        Assert.True((await _slack.DeliverOneAsync(new(alert, NoticeKind.SeverityChanged, last, null))).IsDone);

        Assert.Equal(head, _slack.Messages.SingleOrDefault()?.Split('\n')[0]);
        Assert.Equal(head is null ? 0 : 2, _slack.Sandbox.Slack.RequestCount);
    }

    [Theory]
    [Trait("Pitfall", "T-56")]
    [InlineData(
        "<!channel> <@U0OPERATOR> <https://evil.example|all is well>",
        "&lt;!channel&gt; &lt;@U0OPERATOR&gt; &lt;https://evil.example|all is well&gt;"
    )]
    [InlineData("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;")]
    [InlineData("R&D &amp; more", "R&amp;D &amp;amp; more")]
    [InlineData("down\r\nRECOVERED\u2028all\u0000we\u0085ll", "down  RECOVERED all we ll")]
    [InlineData("abc\u202Efdp\u2066", "abcfdp")]
    [InlineData("a\u061C\u200E\u200F\u202A\u202E\u2066\u2069b", "ab")]
    public async Task Text_from_outside_is_one_line_of_text(string text, string shown)
    {
        var alert = _slack.Alert(text, summary: text, surface: text);
        await _slack.DeliverOneAsync(new(alert, NoticeKind.Firing, null, null));

        var lines = Assert.Single(_slack.Messages).Split('\n');
        Assert.Equal(
            [$"P2 FIRING · {shown} on {shown}", shown, "Since 2026-11-23 12:00:00 UTC", $"Console: {Incident(alert)}"],
            lines[..4]
        );
        Assert.Equal(5, lines.Length);
    }

    [Fact]
    [Trait("Pitfall", "T-39b")]
    public async Task Half_a_surrogate_pair_is_replaced()
    {
        await _slack.DeliverOneAsync(_slack.Firing(summary: "half \uD83D a pair"));

        Assert.Equal("half \uFFFD a pair", Assert.Single(_slack.Messages).Split('\n')[1]);
    }

    [Theory]
    [InlineData("javascript:alert(1)", "javascript:alert(1)")]
    [InlineData("https://tickets.example.org/?a=1&b=<|>", "<https://tickets.example.org/?a=1&amp;b=%3C%7C%3E>")]
    public async Task Only_a_web_address_becomes_a_link_and_stays_inside_it(string url, string shown)
    {
        await _slack.DeliverOneAsync(_slack.Firing() with { Ticket = new AlertTicket(7, 1001, url) });

        Assert.Contains($"\nTicket #1001: {shown}\n", Assert.Single(_slack.Messages), StringComparison.Ordinal);
    }

    [Theory]
    [Trait("Pitfall", "T-39b")]
    [InlineData("x")]
    [InlineData("&")]
    [InlineData("👩‍👩‍👧‍👦")]
    [InlineData("é")]
    [InlineData("🇩🇪")]
    public async Task A_long_text_is_cut_between_characters_and_keeps_the_links(string character)
    {
        // Shifts the text by one character at a time, so that the cut falls at every position within a character.
        var whole = character == "&" ? "&amp;" : character;
        for (var shift = 0; shift < whole.Length; shift++)
        {
            var text = new string('.', shift) + string.Concat(Enumerable.Repeat(character, 100_000 / character.Length));
            var alert = _slack.Alert(text, summary: text, surface: text);
            Assert.True(
                (
                    await _slack.DeliverOneAsync(
                        new(alert, NoticeKind.Firing, null, new AlertTicket(7, 1001, "https://tickets.example.org/conversation/7"))
                    )
                ).IsDone
            );

            var message = _slack.Messages[^1];
            Assert.InRange(message.Length, SlackText.Longest - 20, SlackText.Longest);
            Assert.EndsWith(
                $"\nTicket #1001: <https://tickets.example.org/conversation/7>\nConsole: {Incident(alert)}\nAlert key: {alert.AlertKey}",
                message,
                StringComparison.Ordinal
            );
            Assert.Equal("…", message.Split('\n')[1][shift..].Replace(whole, "", StringComparison.Ordinal));
            Assert.DoesNotContain('\uFFFD', message);
            _slack.Clock.Advance(TimeSpan.FromMinutes(1));
        }
    }

    [Fact]
    [Trait("Pitfall", "T-39b")]
    public async Task A_character_longer_than_the_message_is_left_out()
    {
        var monster = "a" + new string('\u0301', 100_000);

        await _slack.DeliverOneAsync(new(_slack.Alert(monster, summary: monster), NoticeKind.Firing, null, null));

        Assert.StartsWith("P2 FIRING · …\n…\nSince", Assert.Single(_slack.Messages), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Times_are_shown_in_UTC()
    {
        var alert = _slack.Alert() with { StartedAt = DateTimeOffset.Parse("2026-11-23T01:30:00+05:30", CultureInfo.InvariantCulture) };

        await _slack.DeliverOneAsync(new(alert, NoticeKind.Firing, null, null));

        Assert.Contains("\nSince 2026-11-22 20:00:00 UTC\n", Assert.Single(_slack.Messages), StringComparison.Ordinal);
    }
}
