using AutoTicket.Alerts;
using AutoTicket.Components.Alerts;
using AutoTicket.Components.Flags;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;
using Bunit;

namespace AutoTicket.Tests.Components;

public sealed class AlertComponentsTests : ComponentTest
{
    private const string Markup = "<script>alert(1)</script> *bold* <img src=x onerror=alert(2)>";

    [Fact]
    public void An_alert_shows_the_ticket_and_the_DM_side_by_side_and_why()
    {
        var list = Render<AlertList>(p => p.Add(l => l.Alerts, [Episode() with
        {
            Ticket = null,
            Decisions = [new("ticket", "degraded: timed_out", "FreeScout did not answer in time.", null, 60, Now.AddMinutes(-30), Now, null, null), new("slack", "sent", null, null, 1, Now, Now, null, null)],
        }]).Add(l => l.Now, Now));

        var text = TextOf(list.Find("article"));
        Assert.Contains("Ticket no", text, StringComparison.Ordinal);
        Assert.Contains("DM yes", text, StringComparison.Ordinal);
        Assert.Contains("The DM went out, the ticket did not: degraded: timed_out. FreeScout did not answer in time.", text, StringComparison.Ordinal);
        Assert.Contains("60× since", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_ticket_is_a_link_only_where_it_leads_to_a_web_page()
    {
        var list = Render<AlertList>(p => p.Add(l => l.Alerts, [Episode(), Episode() with { Row = 2, Ticket = new(2, 2, "javascript:alert(1)") }]).Add(l => l.Now, Now));
        Assert.Equal("https://tickets.example.org/conversation/1", list.Find("dd a").GetAttribute("href"));
        Assert.Single(list.FindAll("dd a"));
    }

    [Fact, Trait("Pitfall", "T-25")]
    public void What_expired_is_not_called_recovered()
    {
        var list = Render<AlertList>(p => p.Add(l => l.Alerts, [Episode() with { Status = AlertStatus.Expired, EndedAt = Now }]).Add(l => l.Now, Now));
        Assert.Contains("its source fell silent, that is no recovery", TextOf(list.Find("article")), StringComparison.Ordinal);
    }

    [Fact, Trait("Pitfall", "T-56")]
    public void Text_from_outside_is_text()
    {
        var list = Render<AlertList>(p => p.Add(l => l.Alerts, [Episode() with { Name = Markup, Summary = Markup, Source = Markup, Surface = Markup }]).Add(l => l.Now, Now));
        Assert.Empty(list.FindAll("script, img"));
        Assert.Contains(Markup, list.Find(".summary").TextContent, StringComparison.Ordinal);
        var parked = Render<ParkedAlertsTable>(p => p.Add(t => t.Parked, [new ParkedAlert { Id = 1, ReceivedAt = Now, Intake = "generic", Reason = Markup, Text = Markup, IsWhole = true }]).Add(t => t.Now, Now));
        Assert.Empty(parked.FindAll("script, img"));
    }

    [Fact, Trait("Pitfall", "T-39")]
    public void A_parked_alert_can_be_tried_again_if_it_is_whole_and_discarded()
    {
        var retried = new List<long>();
        var discarded = new List<long>();
        var parked = Render<ParkedAlertsTable>(p => p
            .Add(t => t.Parked, [new ParkedAlert { Id = 7, ReceivedAt = Now, Intake = "generic", Reason = "“severity” is missing", Text = "{}", IsWhole = true }, new ParkedAlert { Id = 8, ReceivedAt = Now, Intake = "generic", Reason = "too long", Text = "{", IsWhole = false }])
            .Add(t => t.Now, Now).Add(t => t.OnRetry, retried.Add).Add(t => t.OnDiscard, discarded.Add));
        Button(parked, "to take parked alert 7").Click();
        Button(parked, "Discard parked alert 8").Click();
        Assert.True(Button(parked, "to take parked alert 8").HasAttribute("disabled"));
        Assert.Equal([7L], retried);
        Assert.Equal([8L], discarded);
    }

    [Fact, Trait("Pitfall", "T-1")]
    public void An_unstable_producer_is_named_with_samples_and_an_issue_to_file()
    {
        var panel = Render<UnstableProducers>(p => p.Add(u => u.Producers, [new("cron", "backup_failed", "0123456789abcdef", 17, ["run-1", "run-2"], Now)]));
        Assert.Contains("Unstable ids from cron:", TextOf(panel.Find("strong")), StringComparison.Ordinal);
        Assert.Contains("type:reliability", panel.Find("pre").TextContent, StringComparison.Ordinal);
        Assert.Contains("- run-2", panel.Find("pre").TextContent, StringComparison.Ordinal);
    }

    [Fact]
    public void The_flood_breaker_is_reset_with_a_reason_and_a_refusal_keeps_what_was_typed()
    {
        FloodReset? asked = null;
        var panel = Render<FloodPanel>(p => p.Add(f => f.Scopes, [new("cron", FloodState.Tripped, Now, Now.AddMinutes(5), "6 tickets")]).Add(f => f.OnReset, reset => asked = reset));
        Assert.Contains("Paused by the flood breaker", TextOf(panel.Nodes[0]), StringComparison.Ordinal);
        panel.Find("input").Change("the producer is mended");
        panel.Find("form").Submit();
        Assert.Equal(new FloodReset("cron", "the producer is mended", false), asked);

        panel.Render(p => p.Add(f => f.Refusal, "A producer still makes up ids.").Add(f => f.MayOverride, true));
        Assert.Equal("the producer is mended", panel.Find("input").GetAttribute("value"));
        panel.Find("input[type=checkbox]").Change(true);
        panel.Find("form").Submit();
        Assert.True(asked!.Anyway);
    }

    [Fact]
    public void Before_the_flag_is_switched_on_it_is_said_what_would_be_filed()
    {
        Assert.Contains("files nothing", TextOf(Render<WaitingAlerts>(p => p.Add(w => w.Alerts, [])).Nodes[0]), StringComparison.Ordinal);
        var many = Render<WaitingAlerts>(p => p.Add(w => w.Alerts, [.. Enumerable.Range(0, 21).Select(n => Episode() with { Row = n })]));
        Assert.Contains("more than 20 tickets", TextOf(many.Nodes[0]), StringComparison.Ordinal);
        Assert.Equal(20, many.FindAll("li").Count);
    }

    private static AlertEpisode Episode() => new(
        1, new string('a', 64), new string('a', 16), "prometheus", "disk_full", "pay", Severity.P1, AlertStatus.Firing, Now.AddMinutes(-12), null, "the disk is full", null, 0, false,
        new AlertTicket(1, 1001, "https://tickets.example.org/conversation/1"), Now.AddMinutes(-11), []);
}
