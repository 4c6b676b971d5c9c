using AutoTicket.Components.Flags;
using AutoTicket.Flags;
using Bunit;
using Microsoft.JSInterop;

namespace AutoTicket.Tests.Components;

public sealed class FlagCardTests : ComponentTest
{
    private const string FocusCall = "Blazor._internal.domWrapper.focus";

    private static readonly FlagState On = new(
        "FLAG_CONSOLE_ALERTS_AUTO_TICKET",
        true,
        FlagLayer.Store,
        IsPinned: false,
        "mara",
        Now.AddHours(-3),
        "FreeScout is back",
        null,
        [new FlagAck("web.1:12", true, Now), new FlagAck("web.2:9", true, Now)]
    );

    [Fact]
    public void Shows_the_value_who_set_it_and_where_it_is_active()
    {
        var text = TextOf(Card(On).Find("[role=region]"));

        Assert.StartsWith("ON Automatic tickets FLAG_CONSOLE_ALERTS_AUTO_TICKET Files tickets.", text, StringComparison.Ordinal);
        Assert.Contains("mara, 3 h 0 min ago: FreeScout is back", text, StringComparison.Ordinal);
        Assert.Contains("Active on 2 of 2 servers", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_process_with_the_old_value_is_named() =>
        Assert.Contains(
            "Active on 1 of 2 servers; not yet on web.2:9",
            TextOf(Card(On with { Acks = [new("web.1:12", true, Now), new("web.2:9", false, Now)] }).Find("[role=region]")),
            StringComparison.Ordinal
        );

    [Fact]
    public void A_pinned_flag_can_not_be_switched_and_says_why()
    {
        var card = Card(On with { Enabled = false, IsPinned = true, DecidedBy = FlagLayer.Environment });

        Assert.True(Button(card, "Switch on").HasAttribute("disabled"));
        Assert.Contains(
            "FLAG_CONSOLE_ALERTS_AUTO_TICKET=0 is set in the environment",
            TextOf(card.Find(".pinned")),
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("")]
    [InlineData("  ab  ")]
    public void Without_a_reason_no_change_is_requested(string reason)
    {
        FlagChangeRequest? asked = null;
        var card = Card(On, request => asked = request);
        Button(card, "Switch off").Click();
        card.Find("textarea").Input(reason);
        card.Find("form").Submit();

        Assert.Null(asked);
        Assert.Contains("Enter a reason (3–500 characters).", TextOf(card.Find("form")), StringComparison.Ordinal);
    }

    [Fact]
    public void With_a_reason_the_change_is_requested_now()
    {
        FlagChangeRequest? asked = null;
        var card = Card(On, request => asked = request);
        Button(card, "Switch off").Click();
        card.Find("textarea").Input(" too many tickets ");
        card.Find("form").Submit();

        Assert.Equal(new FlagChangeRequest(false, "too many tickets", null), asked);
        card.Render(parameters => parameters.Add(c => c.Flag, On with { Enabled = false }));
        Assert.Empty(card.FindAll("form"));
    }

    [Fact]
    public async Task A_refusal_is_shown_in_its_form_alone_and_the_input_stays()
    {
        var answer = new TaskCompletionSource<string?>();
        var card = Card(On, answer.Task);
        Button(card, "Switch off").Click();
        card.Find("textarea").Input("too many tickets");
        var sent = card.Find("form").SubmitAsync();
        card.Render(parameters => parameters.Add(c => c.Disabled, true));
        Assert.Equal("true", Button(card, "Switch off now").GetAttribute("aria-disabled"));
        card.Render(parameters => parameters.Add(c => c.Disabled, false));
        answer.SetResult("The database can't be reached.");
        await sent;

        Assert.Equal("The database can't be reached.", TextOf(card.Find("form [role=alert]")));
        Assert.Equal("too many tickets", card.Find("textarea").GetAttribute("value"));

        Button(card, "Cancel").Click();
        Button(card, "Switch off").Click();
        Assert.Empty(card.FindAll("form [role=alert]"));
    }

    [Fact]
    public void A_form_closes_when_its_change_is_scheduled()
    {
        var card = Card(On);
        Button(card, "Switch off").Click();
        card.Render(parameters =>
            parameters.Add(c => c.Flag, On with { Scheduled = new ScheduledFlagChange(false, Now.AddHours(2), "mara", "maintenance") })
        );

        Assert.Empty(card.FindAll("form"));
    }

    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 0)]
    public void Only_a_form_that_the_operator_sent_returns_the_focus(bool isSent, int focused)
    {
        var card = Card(On);
        Button(card, "Switch off").Click();
        if (isSent)
        {
            card.Find("textarea").Input("too many tickets");
            card.Find("form").Submit();
        }

        var before = Focused();
        card.Render(parameters => parameters.Add(c => c.Flag, On with { Enabled = false }));

        Assert.Empty(card.FindAll("form"));
        Assert.Equal(before + focused, Focused());

        int Focused() => JSInterop.Invocations[FocusCall].Count;
    }

    [Fact]
    public void A_form_whose_button_is_gone_closes_without_a_failure()
    {
        JSInterop.SetupVoid(FocusCall, _ => true).SetException(new JSException("Unable to focus an invalid element."));
        var card = Card(On);
        Button(card, "Switch off").Click();

        Button(card, "Cancel").Click();

        Assert.Empty(card.FindAll("form"));
        Assert.NotEmpty(JSInterop.Invocations[FocusCall]);
    }

    [Fact]
    public void The_preview_before_switching_on_is_only_in_that_form()
    {
        var card = Render<FlagCard>(parameters =>
            parameters
                .Add(c => c.Flag, On with { Enabled = false })
                .Add(c => c.Title, "Automatic tickets")
                .Add(c => c.Description, "Files tickets.")
                .Add(c => c.BeforeSwitchingOn, "<b>three would be filed</b>")
                .Add(c => c.Now, Now)
        );
        Assert.Empty(card.FindAll("b"));
        Button(card, "Switch on").Click();
        Assert.Equal("three would be filed", TextOf(card.Find("form b")));

        card.Render(parameters => parameters.Add(c => c.Flag, On));
        Button(card, "Switch off").Click();
        Assert.Empty(card.FindAll("form b"));
    }

    [Theory]
    [InlineData(true, false, "ON")]
    [InlineData(true, true, "PAUSED")]
    [InlineData(false, true, "OFF")]
    public void Paused_is_a_third_state_beside_on_and_off(bool enabled, bool paused, string expected) =>
        Assert.Equal(
            expected,
            TextOf(Render<FlagMark>(parameters => parameters.Add(m => m.Enabled, enabled).Add(m => m.Paused, paused)).Find(".flag"))
        );

    [Theory]
    [InlineData("2026-03-01T02:59", false)]
    [InlineData("2026-03-01T03:01", true)]
    public void A_scheduled_time_is_in_utc_and_must_be_in_the_future(string time, bool isAsked)
    {
        FlagChangeRequest? asked = null;
        var card = Card(On, request => asked = request);
        Button(card, "Switch off").Click();
        card.Find("textarea").Input("maintenance");
        card.FindAll("input[type=radio]")[2].Click();
        card.Find("input[type=datetime-local]").Change(time);
        card.Find("form").Submit();

        Assert.Equal(isAsked ? new FlagChangeRequest(false, "maintenance", Now.AddMinutes(1)) : null, asked);
        Assert.Equal(!isAsked, card.Markup.Contains("Enter a time in the future", StringComparison.Ordinal));
    }

    [Fact]
    public void A_flag_can_be_switched_off_for_an_hour()
    {
        FlagChangeRequest? asked = null;
        var card = Card(On, request => asked = request);
        Button(card, "Switch off").Click();
        card.Find("textarea").Input("too many tickets");
        card.FindAll("input[type=radio]")[1].Click();
        card.Find("form").Submit();

        Assert.Equal(new FlagChangeRequest(false, "too many tickets", For: TimeSpan.FromHours(1)), asked);
    }

    [Fact]
    public void A_form_closes_when_another_operator_made_the_change_first()
    {
        var card = Card(On);
        Button(card, "Switch off").Click();
        card.Render(parameters => parameters.Add(c => c.Flag, On with { Enabled = false }));

        Assert.Empty(card.FindAll("form"));
        Button(card, "Switch on");
    }

    [Fact]
    public void A_scheduled_change_is_shown_and_can_be_canceled()
    {
        var cancelled = false;
        var card = Render<FlagCard>(parameters =>
            parameters
                .Add(c => c.Flag, On with { Scheduled = new ScheduledFlagChange(false, Now.AddHours(2), "mara", "maintenance") })
                .Add(c => c.Title, "Automatic tickets")
                .Add(c => c.Description, "Files tickets.")
                .Add(c => c.OnCancelScheduled, () => cancelled = true)
                .Add(c => c.Now, Now)
        );

        Assert.Contains(
            "switches off at 2026-03-01 05:00:00 UTC , by mara: maintenance",
            TextOf(card.Find("dl")),
            StringComparison.Ordinal
        );
        Button(card, "Cancel the scheduled change").Click();
        Assert.True(cancelled);
    }

    [Fact]
    public void An_unreadable_store_is_shown_with_the_time_of_the_values()
    {
        var warning = Render<StaleFlagsWarning>(parameters =>
            parameters.Add(w => w.Snapshot, new FlagsSnapshot([], Now.AddSeconds(-50), IsStale: true))
        );

        Assert.Contains(
            "The values of 2026-03-01 02:59:10 UTC stay active",
            TextOf(warning.Find("[role=alert]")),
            StringComparison.Ordinal
        );
    }

    private IRenderedComponent<FlagCard> Card(FlagState flag, Action<FlagChangeRequest> onChange) =>
        Card(
            flag,
            request =>
            {
                onChange(request);
                return Task.FromResult<string?>(null);
            }
        );

    private IRenderedComponent<FlagCard> Card(FlagState flag, Task<string?>? answer = null) =>
        Card(flag, _ => answer ?? Task.FromResult<string?>(null));

    private IRenderedComponent<FlagCard> Card(FlagState flag, Func<FlagChangeRequest, Task<string?>> onChange) =>
        Render<FlagCard>(parameters =>
            parameters
                .Add(c => c.Flag, flag)
                .Add(c => c.Title, "Automatic tickets")
                .Add(c => c.Description, "Files tickets.")
                .Add(c => c.OnChange, onChange)
                .Add(c => c.Now, Now)
        );
}
