using AutoTicket.Alerts;
using AutoTicket.Components.Flags;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;
using Bunit;

namespace AutoTicket.Tests.Components;

public sealed class FloodPanelTests : ComponentTest
{
    private static readonly FloodStatus Noisy = new(
        "noisy",
        FloodState.Tripped,
        Now.AddMinutes(-2),
        Now.AddMinutes(3),
        "5 tickets were filed <b>for</b> noisy."
    );

    [Fact]
    public void A_trip_shows_its_scope_start_end_and_reason()
    {
        var panel = Panel([Noisy with { Scope = "" }, Noisy]);

        Assert.Equal(
            ["Paused by the flood breaker: all alerts", "Paused by the flood breaker: alerts from noisy"],
            panel.FindAll("section h3").Select(TextOf)
        );
        Assert.Contains(
            "For 2 min , since 2026-03-01 02:58:00 UTC . Paused until 2026-03-01 03:03:00 UTC . Then 5 tickets per 5 min until reset.",
            TextOf(panel.Find("section")),
            StringComparison.Ordinal
        );
        Assert.Contains("Reason: 5 tickets were filed <b>for</b> noisy.", TextOf(panel.Find("section")), StringComparison.Ordinal);
        Assert.Empty(panel.FindAll("b"));
    }

    [Fact]
    public void Half_open_is_shown_and_without_a_trip_nothing()
    {
        var text = TextOf(Panel([Noisy with { State = FloodState.HalfOpen }]).Find("section"));

        Assert.StartsWith("Limited after a flood: alerts from noisy", text, StringComparison.Ordinal);
        Assert.Contains("1 ticket per 5 min until reset.", text, StringComparison.Ordinal);
        Assert.Empty(Panel([]).FindAll("section"));
    }

    [Theory]
    [InlineData("", false)]
    [InlineData(" ab ", false)]
    [InlineData(" the producer is fixed ", true)]
    public void A_reset_needs_a_reason(string reason, bool isAsked)
    {
        FloodResetRequest? asked = null;
        var panel = Panel([Noisy], request => asked = request);
        Button(panel, "Reset… the flood breaker for alerts from noisy").Click();
        panel.Find("form[aria-label='Reset the flood breaker for alerts from noisy'] input").Input(reason);
        panel.Find("form").Submit();

        Assert.Equal(isAsked ? new FloodResetRequest("noisy", "the producer is fixed", false) : null, asked);
        Assert.Equal(!isAsked, panel.Markup.Contains("Enter a reason (3–500 characters).", StringComparison.Ordinal));
    }

    [Fact]
    public void A_reset_refused_because_of_a_sender_can_be_overridden_and_the_input_stays()
    {
        FloodResetRequest? asked = null;
        var panel = Panel([Noisy], request => asked = request, FloodResetResult.ProducerStillUnstable);
        Button(panel, "Reset…").Click();
        Assert.Empty(panel.FindAll("input[type=checkbox]"));
        panel.Find("form input").Input("I know");
        panel.Find("form").Submit();

        Assert.Contains("A sender still changes its alert id", TextOf(panel.Find("form [role=alert]")), StringComparison.Ordinal);
        Assert.Equal("I know", panel.Find("form input").GetAttribute("value"));
        panel.Find("input[type=checkbox]").Change(true);
        panel.Find("form").Submit();
        Assert.Equal(new FloodResetRequest("noisy", "I know", true), asked);
    }

    [Fact]
    public void An_unreachable_database_is_shown_in_its_form_alone()
    {
        var panel = Panel([Noisy], refusal: FloodResetResult.Unavailable);
        Button(panel, "Reset…").Click();
        panel.Find("form input").Input("I know");
        panel.Find("form").Submit();

        Assert.Equal("Not reset: the console's database can't be reached.", TextOf(panel.Find("form [role=alert]")));
        Assert.Empty(panel.FindAll("input[type=checkbox]"));

        Button(panel, "Cancel").Click();
        Button(panel, "Reset…").Click();
        Assert.Empty(panel.FindAll("form [role=alert]"));
    }

    [Theory]
    [InlineData(0, 0, "No alerts are waiting; switching on files nothing.")]
    [InlineData(1, 1, "Switching on files tickets for 1 alert: P1 disk_full The disk of db1 is full. for 12 min")]
    [InlineData(41, 1, "Switching on files tickets for 41 alerts; the 1 worst: P1 disk_full")]
    public void Waiting_alerts_are_counted_and_named(int count, int shown, string expected)
    {
        var list = Waiting(new WaitingAlerts([.. Enumerable.Repeat(AlertCardTests.Firing, shown)], count));

        Assert.StartsWith(expected, TextOf(list.Find("[role=group][aria-label='Alerts waiting for a ticket']")), StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Pitfall", "T-56")]
    public void Waiting_alerts_are_text_and_an_unread_list_is_not_an_empty_one()
    {
        Assert.Empty(
            Waiting(
                    new WaitingAlerts(
                        [AlertCardTests.Firing with { Name = "<img src=x>", Summary = "<script>1</script>", Severity = Severity.P2 }],
                        1
                    )
                )
                .FindAll("img, script")
        );
        Assert.Contains("can't be listed", TextOf(Waiting(null).Find(".waiting")), StringComparison.Ordinal);
    }

    private IRenderedComponent<WaitingAlertsList> Waiting(WaitingAlerts? waiting) =>
        Render<WaitingAlertsList>(parameters => parameters.Add(l => l.Waiting, waiting).Add(l => l.Now, Now));

    private IRenderedComponent<FloodPanel> Panel(
        FloodStatus[] states,
        Action<FloodResetRequest>? onReset = null,
        FloodResetResult? refusal = null
    ) =>
        Render<FloodPanel>(parameters =>
            parameters
                .Add(p => p.States, states)
                .Add(p => p.LimitOf, scope => scope == "" ? "5 tickets per 5 min" : "1 ticket per 5 min")
                .Add(
                    p => p.OnReset,
                    request =>
                    {
                        onReset?.Invoke(request);
                        return Task.FromResult(refusal);
                    }
                )
                .Add(p => p.Now, Now)
        );
}
