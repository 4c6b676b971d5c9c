using AutoTicket.Components.Tickets;
using AutoTicket.Mailbox;
using Bunit;

namespace AutoTicket.Tests.Components;

public sealed class TakeButtonTests : ComponentTest
{
    private static readonly TicketAssignee Me = new(4, "Dana Developer", "dana@sandbox.example");
    private static readonly TicketAssignee Sam = new(3, "Sam <Support>", "sam@sandbox.example");

    [Fact]
    public void A_ticket_that_nobody_has_is_taken_by_one_click()
    {
        var taken = new List<TakeRequest>();
        var button = Render(null, onTake: taken.Add);

        Assert.Equal("Take it ticket #1001", TextOf(button.Find("button")));
        button.Find("button").Click();
        Assert.Equal([new TakeRequest()], taken);

        var busy = Render(null, new(Me.Email, IsBusy: true), onTake: taken.Add);
        Assert.Equal("true", busy.Find("button").GetAttribute("aria-busy"));
        busy.Find("button").Click();
        Assert.Single(taken);
    }

    [Fact]
    public void Another_agents_ticket_needs_a_second_click_that_names_the_agent()
    {
        var taken = new List<TakeRequest>();
        Assert.Empty(Render(Sam).FindAll("button"));
        Assert.Equal("Take over… ticket #1001", TextOf(Render(Sam, mayTakeOver: true).Find("button")));

        var button = Render(null, Asked(Sam), onTake: taken.Add);

        Assert.Equal("Sam <Support> has it.", TextOf(button.Find("[role=status]")));
        Button(button, "Take over from Sam <Support>").Click();
        Assert.Equal([new TakeRequest(3)], taken);

        Button(button, "Cancel").Click();
        Assert.Equal("Take it ticket #1001", TextOf(button.Find("button")));
        Assert.Empty(TextOf(button.Find("[role=status]")));
        // What was cancelled is asked again.
        button.Find("button").Click();
        Assert.Equal([new TakeRequest(3), new TakeRequest()], taken);
    }

    [Fact]
    public void The_users_own_ticket_has_no_button_and_an_outcome_that_FreeScout_changed_is_not_shown()
    {
        Assert.Empty(Render(Me, mayTakeOver: true).FindAll("button"));
        var taken = new TakeState(Me.Email, Outcome: new(TakeResult.Taken, "You have it now.", Me));
        Assert.Equal("You have it now.", TextOf(Render(null, taken).Find("[role=status]")));
        Assert.Empty(Render(null, taken).FindAll("button"));
        Assert.Empty(TextOf(Render(Sam, taken).Find("[role=status]")));
    }

    [Fact]
    public void A_failure_is_shown_and_can_be_tried_again()
    {
        var button = Render(null, new(null, Outcome: new(TakeResult.NoAgent, "Your sign-in has no e-mail address.")));

        Assert.Equal("Your sign-in has no e-mail address.", TextOf(button.Find("[role=status]")));
        Assert.Equal("Take it ticket #1001", TextOf(button.Find("button")));
    }

    private static TakeState Asked(TicketAssignee holder) =>
        new(Me.Email, Outcome: new(TakeResult.HeldByAnother, $"{holder.Name} has it.", holder));

    private IRenderedComponent<TakeButton> Render(
        TicketAssignee? assignee,
        TakeState? state = null,
        bool mayTakeOver = false,
        Action<TakeRequest>? onTake = null
    ) =>
        Render<TakeButton>(parameters =>
            parameters
                .Add(t => t.Number, 1001)
                .Add(t => t.Assignee, assignee)
                .Add(t => t.State, state ?? new(Me.Email))
                .Add(t => t.MayTakeOver, mayTakeOver)
                .Add(t => t.OnTake, onTake ?? (_ => { }))
        );
}
