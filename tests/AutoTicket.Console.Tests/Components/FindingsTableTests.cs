using AutoTicket.Components.Tickets;
using AutoTicket.Mailbox;
using Bunit;

namespace AutoTicket.Tests.Components;

public sealed class FindingsTableTests : ComponentTest
{
    [Fact]
    public void A_difference_is_shown_with_its_details_and_time()
    {
        var table = Table(
            new(
                [Finding(FindingKind.Moved) with { Subject = "<script>x</script>", Url = "javascript:alert(1)" }],
                Now.AddSeconds(-20),
                null
            )
        );

        Assert.Equal("drift #7 <script>x</script> It is open in mailbox 2. 2026-03-01 02:00:00 UTC", TextOf(table.Find("tbody tr")));
        Assert.Empty(table.FindAll("script, a"));
        Assert.Equal("Console and FreeScout differ compared 20 s ago", TextOf(table.Find(".state")));
    }

    [Fact]
    public void A_match_is_shown_only_after_a_comparison_without_differences()
    {
        Assert.Equal("Console and FreeScout match compared 20 s ago", State(new([], Now.AddSeconds(-20), null)));
        Assert.Equal(
            "Console and FreeScout match compared 20 s ago",
            State(new([Finding(FindingKind.TagsGone) with { IsRepaired = true }], Now.AddSeconds(-20), null))
        );
        Assert.Equal(
            "FreeScout could not be asked: 503. last compared 20 s ago",
            State(new([], Now.AddSeconds(-20), "FreeScout could not be asked: 503."))
        );
        Assert.Equal("Not compared yet.", State(new([], null, "Not compared yet.")));

        string State(TicketFindings known) => TextOf(Table(known).Find(".state"));
    }

    [Fact]
    public void A_long_list_is_cut_and_says_where_the_rest_is()
    {
        var table = Table(
            new([.. Enumerable.Range(1, 203).Select(n => Finding(FindingKind.Moved) with { ConversationId = n })], Now, null)
        );

        Assert.Equal(200, table.FindAll("tbody tr").Count);
        Assert.Contains("3 more are in the export.", table.Markup, StringComparison.Ordinal);
    }

    [Fact]
    public void A_finding_is_dismissed_with_a_reason_by_a_user_with_the_right()
    {
        (long, DismissRequest)? asked = null;
        var findings = new[]
        {
            Finding(FindingKind.Moved),
            Finding(FindingKind.Ghost) with
            {
                ConversationId = 8,
                Number = 8,
                Dismissed = new("mara", "I deleted <it>."),
            },
            Finding(FindingKind.Unconfirmed) with
            {
                ConversationId = null,
            },
        };
        var table = Render<FindingsTable>(parameters =>
            parameters
                .Add(t => t.Known, new(findings, Now, null))
                .Add(t => t.Now, Now)
                .Add(t => t.MayDismiss, true)
                .Add(t => t.OnDismiss, given => asked = given)
        );
        Assert.Contains("ghost dismissed #8", TextOf(table.FindAll("tbody tr")[1]), StringComparison.Ordinal);
        Assert.Contains("Dismissed by mara: I deleted <it>.", TextOf(table.FindAll("tbody tr")[1]), StringComparison.Ordinal);

        Button(table, "Dismiss… drift #7").Click();
        table.Find("form").Submit();
        Assert.Contains("Enter a reason (3–500 characters).", TextOf(table.Find("form")), StringComparison.Ordinal);
        table.Find("input").Input("It belongs there.");
        table.Find("form").Submit();

        Assert.Equal((7, new DismissRequest(FindingKind.Moved, "It belongs there.")), asked);
        Assert.Empty(Table(new(findings, Now, null)).FindAll("button"));
    }

    [Fact]
    public void Two_differences_of_one_class_keep_a_half_written_reason_each()
    {
        var findings = new[] { Finding(FindingKind.Moved), Finding(FindingKind.TagsGone) };
        var table = Render<FindingsTable>(parameters =>
            parameters.Add(t => t.Known, new(findings, Now, null)).Add(t => t.Now, Now).Add(t => t.MayDismiss, true)
        );
        foreach (var button in table.FindAll("button").ToList())
        {
            button.Click();
        }

        Assert.Equal(["Moved 7", "TagsGone 7"], table.FindAll("input").Select(input => input.GetAttribute("data-draft")));
    }

    [Fact]
    public void A_filing_without_a_ticket_is_dismissed_by_its_own_id()
    {
        (long, DismissRequest)? asked = null;
        var finding = Finding(FindingKind.Unconfirmed) with { ConversationId = null, Number = null, Url = null, Filing = 42 };
        var table = Render<FindingsTable>(parameters =>
            parameters
                .Add(t => t.Known, new([finding], Now, null))
                .Add(t => t.Now, Now)
                .Add(t => t.MayDismiss, true)
                .Add(t => t.OnDismiss, given => asked = given)
        );

        Button(table, "Dismiss… unconfirmed Pay is down").Click();
        table.Find("input").Input("The alert is over.");
        table.Find("form").Submit();

        Assert.Equal((42, new DismissRequest(FindingKind.Unconfirmed, "The alert is over.")), asked);
    }

    private static TicketFinding Finding(FindingKind kind) =>
        new(kind, 7, 7, "https://desk.example.org/7", "Pay is down", "It is open in mailbox 2.", Now.AddHours(-1), Now, IsRepaired: false);

    private IRenderedComponent<FindingsTable> Table(TicketFindings known) =>
        Render<FindingsTable>(parameters => parameters.Add(t => t.Known, known).Add(t => t.Now, Now));
}
