using AutoTicket.Alerts;
using AutoTicket.Components.Alerts;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;
using Bunit;

namespace AutoTicket.Tests.Components;

public sealed class AlertCardTests : ComponentTest
{
    private const string Hostile = "<script>alert(1)</script> [a](javascript:alert(1)) <img src=x onerror=alert(1)>";

    internal static readonly AlertView Firing = new(
        7,
        "0123456789abcdef0123",
        "0123456789abcdef",
        "prometheus",
        "disk_full",
        "pay",
        Severity.P1,
        AlertStatus.Firing,
        Now.AddMinutes(-12),
        null,
        "The disk of db1 is full.",
        null,
        0,
        false,
        new AlertTicket(3, 1432, "https://desk.example.org/1432"),
        Now.AddMinutes(-11),
        [
            new AlertDecision(
                "ticket",
                "filed",
                null,
                null,
                1,
                Now.AddMinutes(-11),
                Now.AddMinutes(-11),
                1432,
                "https://desk.example.org/1432"
            ),
        ]
    );

    [Fact]
    public void A_mute_shows_until_when_and_by_whom_and_only_a_snooze_can_be_ended_here()
    {
        var snoozes = new SnoozeActions((_, _) => Task.FromResult<string?>(null), _ => Task.FromResult<string?>(null));
        var held = Firing with { Ticket = null, DmSentAt = null, Mute = new(IsSnooze: true, Now.AddHours(1), "olga", "known", true) };

        var snoozed = TextOf(Card(held, snoozes).Find("article"));
        Assert.Contains("No ticket and no DM until 2026-03-01 04:00:00 UTC: snoozed by olga.", snoozed, StringComparison.Ordinal);
        Assert.Contains("until it recovers, at most until 2026-03-01 04:00:00 UTC , by olga: known", snoozed, StringComparison.Ordinal);
        Assert.Contains("End snooze disk_full", snoozed, StringComparison.Ordinal);
        var maintained = TextOf(Card(held with { Mute = held.Mute with { IsSnooze = false } }, snoozes).Find("article"));
        Assert.DoesNotContain("End snooze", maintained, StringComparison.Ordinal);
        Assert.Contains("Snooze… disk_full", TextOf(Card(Firing, snoozes).Find("article")), StringComparison.Ordinal);
        Assert.DoesNotContain("Snooze", TextOf(Card(Firing).Find("article")), StringComparison.Ordinal);
    }

    [Fact]
    public void Shows_severity_name_surface_duration_ticket_and_dm()
    {
        var card = Card(Firing);

        Assert.StartsWith(
            "P1 disk_full firing The disk of db1 is full. surface pay from prometheus for 12 min Incident of disk_full "
                + "Ticket yes #1432 DM yes 2026-03-01 02:49:00 UTC Ticket filed, DM sent.",
            TextOf(card.Find("article")),
            StringComparison.Ordinal
        );
        Assert.Equal("disk_full", TextOf(card.Find($"#{card.Find("article").GetAttribute("aria-labelledby")}")));
        Assert.Equal("/console/alerts/0123456789abcdef", card.Find("h3 a").GetAttribute("href"));
        Assert.Equal("/console/status/pay", card.Find("a.surface").GetAttribute("href"));
        Assert.Contains("noopener", card.Find("dl a").GetAttribute("rel"), StringComparison.Ordinal);
    }

    [Fact]
    public void Without_ticket_and_dm_it_says_no_twice_and_gives_the_reasons()
    {
        var text = TextOf(
            Card(
                    Firing with
                    {
                        Ticket = null,
                        DmSentAt = null,
                        Decisions = [Decided("ticket", "flag off", "It is off.", 60), Decided("slack", "degraded: timed_out", null, 2)],
                    }
                )
                .Find("article")
        );

        Assert.Contains(
            "Ticket no DM no No ticket and no DM. Ticket: flag off. It is off. DM: degraded: timed_out.",
            text,
            StringComparison.Ordinal
        );
        Assert.Contains("Why (2) : decisions about disk_full", text, StringComparison.Ordinal);
        Assert.Contains("ticket flag off 60× 2026-03-01 02:50:00 UTC – 2026-03-01 02:59:00 UTC It is off.", text, StringComparison.Ordinal);
    }

    [Fact]
    public void An_alert_below_the_threshold_is_not_highlighted()
    {
        var card = Card(
            Firing with
            {
                Ticket = null,
                DmSentAt = null,
                Decisions = [Decided("intake", "below severity", "P3 is below the threshold (P2).", 1)],
            }
        );

        Assert.Contains(
            "Ticket no DM no No ticket and no DM: P3 is below the threshold (P2).",
            TextOf(card.Find("article")),
            StringComparison.Ordinal
        );
        Assert.Equal(2, card.FindAll(".unwanted").Count);
        Assert.Empty(Card(Firing with { Ticket = null, DmSentAt = null, Decisions = [] }).FindAll(".unwanted"));
    }

    [Theory]
    [InlineData(AlertStatus.Resolved, "resolved")]
    [InlineData(AlertStatus.Expired, "expired sender went silent (not a recovery)")]
    public void An_ended_alert_says_how_and_when_it_ended(AlertStatus status, string words)
    {
        var text = TextOf(Card(Firing with { Status = status, EndedAt = Now.AddMinutes(-2) }).Find("article"));

        Assert.Contains($"disk_full {words} The disk", text, StringComparison.Ordinal);
        Assert.Contains("from 2026-03-01 02:48:00 UTC to 2026-03-01 02:58:00 UTC ended 2 min ago", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Each_severity_and_state_has_its_own_shape()
    {
        var severities = Enum.GetValues<Severity>()
            .Select(severity => Card(Firing with { Severity = severity }).Find("[data-severity] svg").InnerHtml);
        var states = Enum.GetValues<AlertStatus>()
            .Select(status => Card(Firing with { Status = status }).Find("[data-state] svg").InnerHtml);

        Assert.Equal(4, severities.Distinct().Count());
        Assert.Equal(3, states.Distinct().Count());
    }

    [Fact]
    public void Flapping_and_a_changing_id_are_marked()
    {
        Assert.Empty(Card(Firing).FindAll(".mark"));
        Assert.Equal(
            ["Flapping: re-fired 4×", "Sender changes its alert id"],
            Card(Firing with { Reopened = 4, IsUnstable = true }).FindAll(".mark").Select(TextOf)
        );
    }

    [Fact]
    [Trait("Pitfall", "T-56")]
    public void Markup_from_a_producer_is_shown_as_text()
    {
        var card = Card(
            Firing with
            {
                Name = Hostile,
                Summary = Hostile,
                Source = Hostile,
                Surface = "../../login?" + Hostile,
                Ticket = new AlertTicket(3, 1432, "javascript:alert(1)"),
                Decisions = [Decided("intake", Hostile, Hostile, 1) with { TicketNumber = 1, TicketUrl = "data:text/html,x" }],
            }
        );

        Assert.Empty(card.FindAll("script, img, a[href^='javascript'], a[href^='data'], a[href*='login']"));
        Assert.Equal(
            ["/console/alerts/0123456789abcdef", $"/console/incidents/0123456789abcdef-{card.Instance.Episode.Row}"],
            card.FindAll("a").Select(link => link.GetAttribute("href"))
        );
        Assert.Equal(Hostile, TextOf(card.Find(".summary")));
        Assert.Equal(Hostile, TextOf(card.Find("h3")));
    }

    [Fact]
    [Trait("Pitfall", "T-56")]
    public void The_full_record_of_an_alert_is_text_too()
    {
        var record = Render<AlertRecord>(parameters =>
            parameters
                .Add(
                    r => r.Details,
                    new AlertDetails(
                        Firing with
                        {
                            Url = "javascript:alert(1)",
                        },
                        $"first line\n{Hostile}",
                        $$"""{"host":"db1","{{Hostile}}":"{{Hostile}}"}""",
                        ["id:4711", Hostile]
                    )
                )
                .Add(r => r.Earlier, [Firing with { Row = 5, Status = AlertStatus.Resolved, EndedAt = Now.AddDays(-1) }])
                .Add(r => r.KeptFor, TimeSpan.FromDays(90))
                .Add(r => r.Now, Now)
        );

        Assert.Empty(record.FindAll("script, img, a[href^='javascript']"));
        Assert.Equal($"first line\n{Hostile}", record.Find("pre[role=region][aria-label='Full text']").TextContent);
        Assert.Equal(["host db1", $"{Hostile} {Hostile}"], record.FindAll(".labels tr").Select(TextOf));
        Assert.Equal(["id:4711", Hostile], record.FindAll("ul[aria-label='Ids from the sender'] li").Select(TextOf));
        Assert.Contains("resolved", TextOf(record.Find("ol[aria-label='Earlier episodes'] li")), StringComparison.Ordinal);
        record.Render(parameters => parameters.Add(r => r.Earlier, []));
        Assert.Contains("No earlier episodes in the last 90 days.", record.Markup, StringComparison.Ordinal);
    }

    private static AlertDecision Decided(string path, string word, string? detail, int count) =>
        new(path, word, detail, null, count, Now.AddMinutes(-10), Now.AddMinutes(-1), null, null);

    private IRenderedComponent<AlertCard> Card(AlertView episode, SnoozeActions? snoozes = null) =>
        Render<AlertCard>(parameters => parameters.Add(c => c.Episode, episode).Add(c => c.Now, Now).Add(c => c.Snoozes, snoozes));
}
