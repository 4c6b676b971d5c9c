using System.Collections.Immutable;
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
        Assert.Equal(
            "“{evidence}” is replaced for each ticket, e.g. #1: S1 has been operational since 2026-03-01 02:35:00 UTC.",
            TextOf(table.Find("form figure"))
        );
        await table.Find("textarea").InputAsync("Rolled back. {evidence} Sorry.");
        Assert.Equal(
            "Rolled back. S1 has been operational since 2026-03-01 02:35:00 UTC. Sorry.",
            table.Find("form blockquote").TextContent
        );
        await table.Find("textarea").InputAsync(ResolutionNote.Evidence);
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
    public async Task Each_reason_is_listed_with_its_tickets_and_the_failed_are_tried_again_with_the_same_note()
    {
        var run = Ended(
            "Rolled back.",
            Failed(Row(1, "Pay"), "FreeScout fails with 500 <b>."),
            Failed(Row(2, "Mail"), "Not tried."),
            Failed(Row(3, "Search"), "FreeScout fails with 500 <b>."),
            new(7, Resolution.Resolved, "Resolved.")
        );
        // The second has left the worklist, and the search hides the third.
        var table = Table([Row(1, "Pay"), Row(3, "Search")], run: run);
        await table.Find("input[type=search]").InputAsync("pay");

        Assert.Equal("1 resolved, 3 failed (reasons below).", TextOf(table.Find("[role=status]")));
        Assert.Equal(["#1 #3 FreeScout fails with 500 <b>.", "#2 Not tried."], table.FindAll("ul.reasons li").Select(TextOf));
        Assert.Equal("https://desk.example.org/2", table.Find("ul.reasons li:last-child a").GetAttribute("href"));

        await Button(table, "Retry 2").ClickAsync(new MouseEventArgs());

        var request = Assert.Single(_requests);
        Assert.Equal([1L, 3L], request.Ids);
        Assert.Equal("Rolled back.", request.Note);
    }

    [Fact]
    public void A_reason_that_many_tickets_share_names_the_first_ten()
    {
        var run = Ended("Fixed.", [.. Enumerable.Range(1, 12).Select(number => Failed(Row(number, "Pay"), "FreeScout fails with 500."))]);

        Assert.Equal(
            "#1 #2 #3 #4 #5 #6 #7 #8 #9 #10 and 2 more FreeScout fails with 500.",
            TextOf(Table([], run: run).Find("ul.reasons li"))
        );
    }

    [Fact]
    public void A_ticket_that_another_person_closed_first_is_neither_resolved_nor_failed()
    {
        var one = Ended(
            "Fixed.",
            new(1, Resolution.Resolved, "Resolved."),
            new(2, Resolution.NotOpen, "It is not among the open tickets.")
        );
        var two = Ended(
            "Fixed.",
            new(1, Resolution.AlreadyClosed, "It was closed already, by Mara."),
            new(2, Resolution.NotOpen, "It is not among the open tickets.")
        );

        var table = Table([], run: one);
        Assert.Equal("1 resolved, 1 was closed already.", TextOf(table.Find("[role=status]")));
        Assert.Empty(table.FindAll("ul.reasons"));
        Assert.Equal("0 resolved, 2 were closed already.", TextOf(Table([], run: two).Find("[role=status]")));
    }

    [Fact]
    public async Task A_failed_ticket_whose_surface_is_down_again_is_not_tried_again()
    {
        var (pay, mail) = (Row(1, "Pay"), Row(2, "Mail"));
        var run = Ended("Fixed.", Failed(pay, "FreeScout fails with 500."), Failed(mail, "FreeScout fails with 500."));
        var table = Table([pay, mail], run: run);
        Button(table, "Retry 2");

        table.Render(parameters => parameters.Add(t => t.Rows, [mail]));
        await Button(table, "Retry 1").ClickAsync(new MouseEventArgs());
        Assert.Equal([2L], Assert.Single(_requests).Ids);

        table.Render(parameters => parameters.Add(t => t.Rows, []));
        Assert.DoesNotContain(table.FindAll("button"), button => TextOf(button).StartsWith("Retry", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Progress_is_counted_and_an_attempt_can_be_stopped_once()
    {
        var stops = 0;
        var run = ResolveRun.Of(new([1, 2, 3], "Fixed.")) with
        {
            Outcomes = ImmutableDictionary<long, ResolutionOutcome>.Empty.Add(1, new(1, Resolution.Resolved, "Resolved.")),
        };
        var table = Table([Row(2, "Pay"), Row(3, "Mail")], run: run);
        table.Render(parameters => parameters.Add(t => t.OnStop, () => stops++));

        var bar = table.Find("[role=progressbar]");
        Assert.Equal(("1", "3"), (bar.GetAttribute("aria-valuenow"), bar.GetAttribute("aria-valuemax")));
        Assert.Equal("Resolving 1 of 3", TextOf(table.Find("[role=group] > span")));
        Assert.Equal("", TextOf(table.Find("[role=status]")));
        await Button(table, "Select all 2").ClickAsync(new MouseEventArgs());
        Assert.True(Button(table, "Resolve 2…").HasAttribute("disabled"), "one attempt at a time");
        await Button(table, "Stop").ClickAsync(new MouseEventArgs());
        Assert.Equal(1, stops);

        table.Render(parameters => parameters.Add(t => t.Run, run with { IsStopped = true }));
        Assert.Equal("Stopping after 1 of 3", TextOf(table.Find("[role=group] > span")));
        Assert.Equal("true", Button(table, "Stop").GetAttribute("aria-disabled"));

        table.Render(parameters => parameters.Add(t => t.Run, run with { IsStopped = true, IsRunning = false }));
        Assert.Empty(table.FindAll("[role=progressbar]"));
        Assert.Equal("1 resolved, 2 left open because you stopped.", TextOf(table.Find("[role=status]")));
        Assert.DoesNotContain(table.FindAll("button"), button => TextOf(button).StartsWith("Retry", StringComparison.Ordinal));
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
        Assert.Equal("Nothing to close: no surface with an open ticket has recovered.", TextOf(table.Find(".none")));
    }

    [Fact]
    public async Task The_incidents_summary_is_offered_for_one_ticket_and_added_once()
    {
        var table = Table([Row(1, "Search"), Row(2, "Pay")]);
        table.Render(parameters =>
            parameters.Add(t => t.Summarize, row => Task.FromResult(row.Ticket.Id == 1 ? "Began 02:00, recovered 02:35." : null))
        );
        await table.FindAll("tbody input[type=checkbox]")[0].ChangeAsync(true);
        await Button(table, "Resolve 1…").ClickAsync(new MouseEventArgs());
        var evidence = table.Find("textarea").GetAttribute("value");

        await Button(table, "Insert summary").ClickAsync(new MouseEventArgs());
        Assert.Equal($"{evidence}\nBegan 02:00, recovered 02:35.", table.Find("textarea").GetAttribute("value"));
        Assert.Equal("Summary inserted.", TextOf(table.Find("form [role=status]")));
        await Button(table, "Insert summary").ClickAsync(new MouseEventArgs());
        Assert.Equal("The summary is in the note already.", TextOf(table.Find("form [role=status]")));
        await table.Find("form").SubmitAsync(EventArgs.Empty);
        Assert.Equal($"{evidence}\nBegan 02:00, recovered 02:35.", Assert.Single(_requests).Note);

        // Each of several tickets has its own incident.
        await Button(table, "Select all 2").ClickAsync(new MouseEventArgs());
        await Button(table, "Resolve 2…").ClickAsync(new MouseEventArgs());
        Assert.DoesNotContain(table.FindAll("button"), button => TextOf(button) == "Insert summary");
    }

    [Fact]
    public async Task A_ticket_without_a_stored_incident_says_so()
    {
        var table = Table([Row(1, "Search")]);
        table.Render(parameters => parameters.Add(t => t.Summarize, _ => Task.FromResult<string?>(null)));
        await table.FindAll("tbody input[type=checkbox]")[0].ChangeAsync(true);
        await Button(table, "Resolve 1…").ClickAsync(new MouseEventArgs());

        await Button(table, "Insert summary").ClickAsync(new MouseEventArgs());

        Assert.Equal("No incident is stored for this ticket.", TextOf(table.Find("form [role=status]")));
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

    private static ResolutionOutcome Failed(RecoveredTicket row, string message) =>
        new(row.Ticket.Id, Resolution.Failed, message) { Ticket = row.Ticket };

    private static ResolveRun Ended(string note, params ResolutionOutcome[] outcomes) =>
        ResolveRun.Of(new([.. outcomes.Select(outcome => outcome.Id)], note)) with
        {
            IsRunning = false,
            Outcomes = outcomes.ToImmutableDictionary(outcome => outcome.Id),
        };

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

    private IRenderedComponent<RecoveredTicketsTable> Table(RecoveredTicket[] rows, string? notSetUp = null, ResolveRun? run = null) =>
        Render<RecoveredTicketsTable>(parameters =>
            parameters
                .Add(t => t.Rows, rows)
                .Add(t => t.NotSetUp, notSetUp)
                .Add(t => t.Run, run ?? ResolveRun.None)
                .Add(t => t.OnResolve, _requests.Add)
                .Add(t => t.Now, Now)
        );
}
