using AutoTicket.Components.Flags;
using AutoTicket.Flags;
using Bunit;

namespace AutoTicket.Tests.Components;

public sealed class FlagCardTests : ComponentTest
{
    private static readonly FlagState On = new(
        "FLAG_CONSOLE_ALERTS_AUTO_TICKET", true, FlagLayer.Store, IsPinned: false, "mara", Now.AddHours(-3), "FreeScout is back", null,
        [new FlagAck("web.1:12", true, Now), new FlagAck("web.2:9", true, Now)]);

    [Fact]
    public void Says_what_holds_who_decided_and_where_it_is_in_force()
    {
        var text = TextOf(Card(On).Find("[role=region]"));

        Assert.StartsWith("ON FLAG_CONSOLE_ALERTS_AUTO_TICKET Files tickets.", text, StringComparison.Ordinal);
        Assert.Contains("mara, 3 h 0 min ago: FreeScout is back", text, StringComparison.Ordinal);
        Assert.Contains("in 2 of 2 processes", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_process_that_has_not_followed_is_named() =>
        Assert.Contains(
            "in 1 of 2 processes; not yet in web.2:9",
            TextOf(Card(On with { Acks = [new("web.1:12", true, Now), new("web.2:9", false, Now)] }).Find("[role=region]")),
            StringComparison.Ordinal);

    [Fact]
    public void A_pinned_flag_cannot_be_switched_and_says_why()
    {
        var card = Card(On with { Enabled = false, IsPinned = true, DecidedBy = FlagLayer.Environment });

        Assert.True(Button(card, "Switch on").HasAttribute("disabled"));
        Assert.Contains("FLAG_CONSOLE_ALERTS_AUTO_TICKET=0 is set in the environment", TextOf(card.Find(".pinned")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("  ab  ")]
    public void Without_a_reason_nothing_is_asked_for(string reason)
    {
        FlagChangeRequest? asked = null;
        var card = Card(On, request => asked = request);
        Button(card, "Switch off").Click();
        card.Find("textarea").Input(reason);
        card.Find("form").Submit();

        Assert.Null(asked);
        Assert.Contains("Say why, in 3 to 500 characters.", TextOf(card.Find("form")), StringComparison.Ordinal);
    }

    [Fact]
    public void With_a_reason_the_change_is_asked_for_now()
    {
        FlagChangeRequest? asked = null;
        var card = Card(On, request => asked = request);
        Button(card, "Switch off").Click();
        card.Find("textarea").Input(" too many tickets ");
        card.Find("form").Submit();

        Assert.Equal(new FlagChangeRequest(false, "too many tickets", null), asked);
        Assert.Empty(card.FindAll("form"));
    }

    [Theory]
    [InlineData("2026-03-01T02:59", false)]
    [InlineData("2026-03-01T03:01", true)]
    public void A_later_time_is_in_utc_and_must_be_to_come(string time, bool isAsked)
    {
        FlagChangeRequest? asked = null;
        var card = Card(On, request => asked = request);
        Button(card, "Switch off").Click();
        card.Find("textarea").Input("maintenance");
        card.FindAll("input[type=radio]")[1].Click();
        card.Find("input[type=datetime-local]").Change(time);
        card.Find("form").Submit();

        Assert.Equal(isAsked ? new FlagChangeRequest(false, "maintenance", Now.AddMinutes(1)) : null, asked);
        Assert.Equal(!isAsked, card.Markup.Contains("Choose a time that is still to come", StringComparison.Ordinal));
    }

    [Fact]
    public void A_time_more_than_a_year_ahead_is_not_asked_for()
    {
        FlagChangeRequest? asked = null;
        var card = Card(On, request => asked = request);
        Button(card, "Switch off").Click();
        card.Find("textarea").Input("maintenance");
        card.FindAll("input[type=radio]")[1].Click();
        card.Find("input[type=datetime-local]").Change("2027-03-01T03:01");
        card.Find("form").Submit();

        Assert.Null(asked);
        Assert.Equal("A change can be scheduled a year ahead at most.", TextOf(card.Find("form [role=alert]")));
    }

    [Fact]
    public void A_refused_change_leaves_the_form_open_with_what_was_typed_and_says_why()
    {
        var answer = new TaskCompletionSource<string?>();
        var card = Card(On, answer: answer.Task);
        Button(card, "Switch off").Click();
        card.Find("textarea").Input("too many tickets");
        card.Find("form").Submit();
        // Meanwhile the page has said that a change is under way.
        card.Render(parameters => parameters.Add(c => c.Disabled, true));
        card.Render(parameters => parameters.Add(c => c.Disabled, false));
        card.InvokeAsync(() => answer.SetResult("The console's database can't be reached: nothing was changed."));

        card.WaitForAssertion(() => Assert.Equal("The console's database can't be reached: nothing was changed.", TextOf(card.Find("form [role=alert]"))));
        Assert.Equal("too many tickets", card.Find("textarea").GetAttribute("value"));
    }

    [Fact]
    public void A_form_closes_when_somebody_else_made_the_change_first()
    {
        var card = Card(On);
        Button(card, "Switch off").Click();
        card.Render(parameters => parameters.Add(c => c.Flag, On with { Enabled = false }));

        Assert.Empty(card.FindAll("form"));
        Button(card, "Switch on");
    }

    [Fact]
    public void A_scheduled_change_is_shown_and_can_be_cancelled()
    {
        var cancelled = false;
        var card = Render<FlagCard>(parameters => parameters
            .Add(c => c.Flag, On with { Scheduled = new ScheduledFlagChange(false, Now.AddHours(2), "mara", "maintenance") })
            .Add(c => c.Description, "Files tickets.")
            .Add(c => c.OnCancelScheduled, () => cancelled = true)
            .Add(c => c.Now, Now));

        Assert.Contains("switches off at 2026-03-01 05:00:00 UTC, by mara: maintenance", TextOf(card.Find("dl")), StringComparison.Ordinal);
        Button(card, "Cancel the scheduled change").Click();
        Assert.True(cancelled);
    }

    [Fact]
    public void A_store_that_cannot_be_read_is_told_with_the_age_of_what_holds()
    {
        var warning = Render<StaleFlagsWarning>(parameters => parameters
            .Add(w => w.Snapshot, new FlagsSnapshot([], Now.AddSeconds(-50), IsStale: true))
            .Add(w => w.Now, Now));

        Assert.Contains("what was read 50 s ago", TextOf(warning.Find("[role=alert]")), StringComparison.Ordinal);
    }

    private IRenderedComponent<FlagCard> Card(FlagState flag, Action<FlagChangeRequest>? onChange = null, Task<string?>? answer = null) =>
        Render<FlagCard>(parameters => parameters
            .Add(c => c.Flag, flag)
            .Add(c => c.Description, "Files tickets.")
            .Add(c => c.OnChange, request =>
            {
                onChange?.Invoke(request);
                return answer ?? Task.FromResult<string?>(null);
            })
            .Add(c => c.Now, Now));
}
