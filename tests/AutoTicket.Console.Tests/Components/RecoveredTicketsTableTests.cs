using AutoTicket.Components.Tickets;
using AutoTicket.Mailbox;
using Bunit;
using Microsoft.AspNetCore.Components.Web;

namespace AutoTicket.Tests.Components;

public sealed class RecoveredTicketsTableTests : ComponentTest
{
    private readonly List<ResolveRequest> _requests = [];

    [Fact]
    public void A_row_shows_what_happened()
    {
        var row = Table([Row(1432, "Search", down: TimeSpan.FromMinutes(7), earlier: 3, resolver: "mara")]).Find("tbody tr");

        Assert.Equal("https://desk.example.org/1432", row.QuerySelector("a")!.GetAttribute("href"));
        Assert.Equal("Select #1432 #1432 Search 25 min 7 min 3 mara", TextOf(row));
        Assert.Equal("Select #1 #1 Search 25 min unknown unknown –", TextOf(Table([Row(1, "Search")]).Find("tbody tr")));
    }

    [Fact]
    public void Rows_can_be_sorted_by_a_column()
    {
        var table = Table([Row(1, "Search"), Row(2, "Pay")]);
        AngleSharp.Dom.IElement Head() =>
            Assert.Single(table.FindAll("th"), head => TextOf(head).StartsWith("Surface", StringComparison.Ordinal));

        Head().QuerySelector("button")!.Click();

        Assert.Equal("ascending", Head().GetAttribute("aria-sort"));
        Assert.Equal(["#2", "#1"], table.FindAll("tbody a[target=_blank]").Select(TextOf));
    }

    [Fact]
    public async Task Two_hundred_are_resolved_with_three_clicks_each_with_its_own_evidence()
    {
        var table = Table([.. Enumerable.Range(1, 200).Select(number => Row(number, $"S{number}"))]);

        await Button(table, "Select all 200").ClickAsync(new MouseEventArgs());
        await Button(table, "Resolve 200…").ClickAsync(new MouseEventArgs());
        Assert.Equal(ResolutionNote.Evidence, table.Find("textarea").GetAttribute("value"));
        Assert.Contains("#1: S1 has been operational since 2026-03-01 02:35:00 UTC.", TextOf(table.Find("form")), StringComparison.Ordinal);
        await table.Find("form").SubmitAsync(EventArgs.Empty);

        var request = Assert.Single(_requests);
        Assert.Equal(Enumerable.Range(1, 200).Select(number => (long)number), request.Ids);
        Assert.Equal(ResolutionNote.Evidence, request.Note);
        Assert.Empty(table.FindAll("form"));
    }

    [Fact]
    public async Task The_note_of_one_ticket_is_its_evidence_and_can_be_edited_but_not_be_empty()
    {
        var table = Table([Row(1, "Search", TimeSpan.FromMinutes(7), 2), Row(2, "Pay")]);

        await table.FindAll("tbody input[type=checkbox]")[0].ChangeAsync(true);
        await Button(table, "Resolve 1…").ClickAsync(new MouseEventArgs());
        Assert.Equal(
            "Search has been operational since 2026-03-01 02:35:00 UTC. It was down for 7 min. 2 earlier incidents in the 7 days before.",
            table.Find("textarea").GetAttribute("value")
        );

        await table.Find("textarea").InputAsync(" ");
        await table.Find("form").SubmitAsync(EventArgs.Empty);
        Assert.Empty(_requests);
        Assert.Contains("Enter why", TextOf(table.Find("form")), StringComparison.Ordinal);

        await table.Find("textarea").InputAsync("Rolled back.");
        await table.Find("form").SubmitAsync(EventArgs.Empty);
        var request = Assert.Single(_requests);
        Assert.Equal([1L], request.Ids);
        Assert.Equal("Rolled back.", request.Note);
    }

    [Fact]
    public async Task What_the_search_hides_is_not_resolved()
    {
        var table = Table([Row(1, "Search"), Row(2, "Pay"), Row(3, "Payroll")]);
        await Button(table, "Select all 3").ClickAsync(new MouseEventArgs());

        await table.Find("input[type=search]").InputAsync("pay");

        table.WaitForAssertion(() => Button(table, "Resolve 2…"));
        await Button(table, "Resolve 2…").ClickAsync(new MouseEventArgs());
        await table.Find("form").SubmitAsync(EventArgs.Empty);
        table.WaitForAssertion(() => Assert.Equal([2L, 3L], Assert.Single(_requests).Ids));
    }

    [Fact]
    [Trait("Pitfall", "T-18")]
    public async Task Several_tickets_of_a_surface_are_linked_and_selected_together()
    {
        var (one, other) = (Row(1, "Pay"), Row(2, "Pay"));
        var table = Table([one with { Doubles = [other.Ticket] }, other with { Doubles = [one.Ticket] }, Row(3, "Mail")]);
        Assert.Contains("also #2", TextOf(table.Find("tbody tr")), StringComparison.Ordinal);

        await table
            .FindAll("button")
            .First(button => TextOf(button).Contains("Select all 2 of Pay", StringComparison.Ordinal))
            .ClickAsync(new MouseEventArgs());
        await Button(table, "Resolve 2…").ClickAsync(new MouseEventArgs());
        await table.Find("form").SubmitAsync(EventArgs.Empty);

        Assert.Equal([1L, 2L], Assert.Single(_requests).Ids);
    }

    [Fact]
    public void A_failure_is_shown_in_its_row_and_results_are_counted()
    {
        var table = Table(
            [Row(1, "Pay"), Row(2, "Mail")],
            outcomes: new()
            {
                [1] = new(1, Resolution.Failed, "FreeScout fails with 500 <b>."),
                [7] = new(7, Resolution.Resolved, "Resolved."),
            }
        );

        Assert.Equal("FreeScout fails with 500 <b>.", TextOf(table.FindAll("tbody tr")[0].QuerySelector("[role=alert]")!));
        Assert.Null(table.FindAll("tbody tr")[1].QuerySelector("[role=alert]"));
        Assert.Equal("1 resolved, 1 failed (reasons below).", TextOf(table.Find("[role=status]")));
    }

    [Fact]
    public void Without_an_agent_nothing_can_be_selected_and_it_says_what_to_set()
    {
        var table = Table([Row(1, "Pay")], notSetUp: "FREESCOUT_USER_ID is not set.");

        Assert.Contains("FREESCOUT_USER_ID", TextOf(table.Find(".mud-alert")), StringComparison.Ordinal);
        Assert.Empty(table.FindAll("input[type=checkbox]"));
        Assert.DoesNotContain(table.FindAll("button"), button => TextOf(button).Contains("Resolve", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_selection_survives_the_next_reading_and_ends_with_its_ticket()
    {
        var table = Table([Row(1, "Pay"), Row(2, "Mail")]);
        await Button(table, "Select all 2").ClickAsync(new MouseEventArgs());

        table.Render(parameters => parameters.Add(t => t.Rows, [Row(2, "Mail")]));

        await Button(table, "Resolve 1…").ClickAsync(new MouseEventArgs());
        await table.Find("form").SubmitAsync(EventArgs.Empty);
        Assert.Equal([2L], Assert.Single(_requests).Ids);
        table.Render(parameters => parameters.Add(t => t.Rows, []));
        Assert.Contains("Nothing to close:", TextOf(table.Find(".none")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_selection_made_during_a_reading_counts()
    {
        var table = Table([Row(1, "Pay"), Row(2, "Mail")]);
        var before = table.FindComponents<MudBlazor.MudCheckBox<bool>>().Select(box => box.Instance).ToList();

        table.Render(parameters => parameters.Add(t => t.Rows, [Row(1, "Pay", earlier: 3), Row(2, "Mail", earlier: 1)]));

        // A recreated check box would lose the focus and events already sent by the browser.
        Assert.Equal(
            before,
            table.FindComponents<MudBlazor.MudCheckBox<bool>>().Select(box => box.Instance),
            ReferenceEqualityComparer.Instance
        );
    }

    private static RecoveredTicket Row(long number, string surface, TimeSpan? down = null, int? earlier = null, string? resolver = null) =>
        new(
            new OpenTicket(
                number,
                number,
                $"https://desk.example.org/{number}",
                $"{surface} was down",
                "active",
                ["auto:status"],
                surface.ToLowerInvariant(),
                Now.AddMinutes(-41),
                "mara"
            ),
            surface,
            Now.AddMinutes(-25),
            [],
            down,
            earlier,
            resolver
        );

    private IRenderedComponent<RecoveredTicketsTable> Table(
        RecoveredTicket[] rows,
        string? notSetUp = null,
        Dictionary<long, ResolutionOutcome>? outcomes = null
    ) =>
        Render<RecoveredTicketsTable>(parameters =>
            parameters
                .Add(t => t.Rows, rows)
                .Add(t => t.NotSetUp, notSetUp)
                .Add(t => t.Outcomes, outcomes ?? [])
                .Add(t => t.OnResolve, _requests.Add)
                .Add(t => t.Now, Now)
        );
}
