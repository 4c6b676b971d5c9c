using System.Globalization;
using AutoTicket.Components;
using AutoTicket.Components.Tickets;
using AutoTicket.Mailbox;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;
using Bunit;

namespace AutoTicket.Tests.Components;

public sealed class OpenTicketsTableTests : ComponentTest
{
    [Fact]
    public void A_ticket_is_shown_with_its_link_and_the_state_of_its_surface()
    {
        var row = Table([Row(1432, "Search is down", "Search", SurfaceStatus.Degraded)]).Find("tbody tr");

        Assert.Equal("https://desk.example.org/1432", row.QuerySelector("a")!.GetAttribute("href"));
        Assert.Equal("P2 #1432 Search is down surface Search degraded 41 min none mara active", TextOf(row));
    }

    [Fact]
    public void Only_a_ticket_whose_surface_has_recovered_is_marked()
    {
        var row = Row(1, "x", "Search", SurfaceStatus.Operational);

        Assert.Contains("ready to close", TextOf(Table([row with { IsRecovered = true }]).Find("tbody")), StringComparison.Ordinal);
        Assert.DoesNotContain("ready to close", TextOf(Table([row]).Find("tbody")), StringComparison.Ordinal);
    }

    [Fact]
    public void Tickets_of_alerts_are_listed_with_a_link_to_their_alert_and_the_kind_can_be_chosen()
    {
        TicketRow[] rows = [Row(1, "It is down", "Search", SurfaceStatus.Down), .. Enumerable.Range(2, 300).Select(Alert)];
        var chosen = new List<TicketFilter>();
        var table = Table(rows, onFilter: chosen.Add);

        Assert.Equal(["All 301", "Surface 1", "Alert 300"], table.FindAll("[aria-label=Kind] button").Select(TextOf));
        Assert.Equal("true", Button(table, "All 301").GetAttribute("aria-pressed"));
        Assert.Equal(25, table.FindAll("tbody tr").Count);
        Assert.Equal(
            "/console/alerts/0123456789abcdef",
            table.FindAll("tbody a").First(link => TextOf(link) == "alert").GetAttribute("href")
        );
        Assert.DoesNotContain("ready to close", TextOf(table.Find("tbody")), StringComparison.Ordinal);

        Button(table, "Surface 1").Click();
        Assert.Equal([new TicketFilter(TicketKind.Surface)], chosen);
        Assert.Equal(["#1"], table.FindAll("tbody a[target=_blank]").Select(TextOf));
        Assert.Equal("true", Button(table, "Surface 1").GetAttribute("aria-pressed"));
    }

    [Fact]
    public void Rows_are_sorted_worst_first_and_by_any_column()
    {
        var table = Table([
            Row(1, "b", "Search", SurfaceStatus.Down, severity: null),
            Row(2, "c", "Search", SurfaceStatus.Down, Severity.P3),
            Row(3, "a", "Search", SurfaceStatus.Down, Severity.P1),
        ]);

        Assert.Equal(["#3", "#2", "#1"], Numbers());
        Assert.Equal("ascending", Head(table, "Severity").GetAttribute("aria-sort"));

        // Each column has a button, for the keyboard.
        Assert.Equal(table.FindAll("th").Count, table.FindAll("th button").Count);
        Head(table, "Subject").QuerySelector("button")!.Click();
        Assert.Equal(["#3", "#1", "#2"], Numbers());
        Assert.Equal("ascending", Head(table, "Subject").GetAttribute("aria-sort"));
        Assert.Null(Head(table, "Severity").GetAttribute("aria-sort"));

        Head(table, "Subject").QuerySelector("button")!.Click();
        Assert.Equal(["#2", "#1", "#3"], Numbers());
        Assert.Equal("descending", Head(table, "Subject").GetAttribute("aria-sort"));

        IEnumerable<string> Numbers() => table.FindAll("tbody a[target=_blank]").Select(TextOf);
    }

    [Theory]
    [InlineData(null, null, null, null, null)]
    [InlineData("surface", "pay", "age", "3", "mine")]
    [InlineData("alert", "#1", "-severity", "2", "nobody")]
    public void Kind_search_sort_page_and_assignee_are_kept_in_the_address(
        string? kind,
        string? search,
        string? sort,
        string? page,
        string? assignee
    )
    {
        var query = TicketFilter.FromQuery(kind, search, sort, page, assignee).ToQuery();

        Assert.Equal([kind, search, sort, page, assignee], query.Values.Select(value => value?.ToString()));
    }

    [Fact]
    public void Nonsense_in_the_address_shows_all() =>
        Assert.Equal(new TicketFilter(), TicketFilter.FromQuery("nonsense", null, "", "-1", "x"));

    [Fact]
    public void Assignee_and_last_reply_are_columns_and_the_users_tickets_can_be_chosen()
    {
        TicketRow[] rows =
        [
            Row(1, "a", "Search", SurfaceStatus.Down),
            Owned(Row(2, "b", "Search", SurfaceStatus.Down), new(4, "Dana <1>", "DANA@example.org"), Now.AddMinutes(-7)),
            Owned(Row(3, "c", "Search", SurfaceStatus.Down), new(3, "Ana", null), null),
        ];
        var taken = new List<(long, TakeRequest)>();
        var table = Table(rows, email: "dana@example.org", onTake: taken.Add);

        Assert.Equal(["Anyone 3", "Mine 1", "Nobody 1"], table.FindAll("[aria-label=Assignee] button").Select(TextOf));
        Assert.Contains("Dana <1> 7 min ago mara", TextOf(table.Find("tbody")), StringComparison.Ordinal);
        // Their own ticket has no button.
        Assert.Equal(["Take it ticket #1", "Take over… ticket #3"], table.FindAll("tbody button").Select(TextOf));
        table.Find("tbody button").Click();
        Assert.Equal([(1L, new TakeRequest())], taken);
        Head(table, "Assignee").QuerySelector("button")!.Click();
        Assert.Equal(["#1", "#3", "#2"], Numbers());
        Head(table, "Last reply").QuerySelector("button")!.Click();
        Assert.Equal("#2", Numbers().First());

        Button(table, "Nobody 1").Click();
        Assert.Equal(["#1"], Numbers());
        Button(table, "Mine 1").Click();
        Assert.Equal(["#2"], Numbers());

        IEnumerable<string> Numbers() => table.FindAll("tbody a[target=_blank]").Select(TextOf);
    }

    private static TicketRow Owned(TicketRow row, TicketAssignee assignee, DateTimeOffset? repliedAt) =>
        row with
        {
            Ticket = row.Ticket with { Assignee = assignee, LastReplyAt = repliedAt, IsListed = true },
        };

    [Fact]
    public void The_table_begins_with_the_sort_and_the_page_of_its_filter_and_reports_changes()
    {
        var chosen = new List<TicketFilter>();
        var filter = new TicketFilter(Sort: "ticket", IsDescending: true, Page: 2);
        var table = Table([.. Enumerable.Range(1, 60).Select(Alert)], onFilter: chosen.Add, filter: filter);

        Assert.Equal("#35", Numbers().First());
        Assert.Empty(chosen);

        table.Find("button[aria-label='Next page']").Click();
        table.WaitForAssertion(() => Assert.Equal(filter with { Page = 3 }, chosen.LastOrDefault()));
        table.WaitForAssertion(() => Assert.Equal("#10", Numbers().First()));

        Head(table, "Age").QuerySelector("button")!.Click();
        table.WaitForAssertion(() => Assert.Equal(new TicketFilter(Sort: "age"), chosen[^1]));
        table.WaitForAssertion(() => Assert.Equal("#2", Numbers().Skip(1).First()));

        IEnumerable<string> Numbers() => table.FindAll("tbody a[target=_blank]").Select(TextOf);
    }

    [Fact]
    [Trait("Pitfall", "T-56")]
    public void Html_in_a_subject_is_shown_as_text_and_a_script_address_is_no_link()
    {
        var row = Row(1, "<script>alert(1)</script>", "Search", SurfaceStatus.Down);
        var table = Table([row with { Ticket = row.Ticket with { Url = "javascript:alert(1)" } }]);

        Assert.Empty(table.FindAll("script, a[href^='javascript']"));
        Assert.Contains("<script>alert(1)</script>", TextOf(table.Find("tbody")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_row_is_kept_when_its_surface_changes()
    {
        var table = Table([Row(1, "It is down", "Search", SurfaceStatus.Down)]);
        var before = table.FindComponent<ExternalLink>().Instance;

        table.Render(parameters =>
            parameters.Add(t => t.Rows, [Row(1, "It is down", "Search", SurfaceStatus.Operational) with { IsRecovered = true }])
        );

        Assert.Same(before, table.FindComponent<ExternalLink>().Instance);
        Assert.Contains("ready to close", TextOf(table.Find("tbody")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("mara", "mara")]
    [InlineData("alert:console", "automatic (surface check)")]
    [InlineData("alert:prometheus", "automatic (prometheus)")]
    public void Filed_by_names_the_sender_of_an_alert(string filedBy, string expected)
    {
        var row = Row(1, "It is down", "Search", SurfaceStatus.Down);

        Assert.Equal(expected, (row with { Ticket = row.Ticket with { FiledBy = filedBy } }).FiledBy);
    }

    [Theory]
    [InlineData("sear", "#1")]
    [InlineData("INVOICES", "#2")]
    [InlineData("#2", "#2")]
    public void The_search_matches_surface_subject_and_number(string text, string expected)
    {
        var table = Table([Row(1, "It is down", "Search", SurfaceStatus.Down), Row(2, "No invoices", "Billing", SurfaceStatus.Down)]);

        table.Find("input[type=search]").Input(text);

        table.WaitForAssertion(() => Assert.Equal([expected], table.FindAll("tbody a[target=_blank]").Select(TextOf)));
    }

    [Fact]
    public void The_copys_age_is_shown_and_a_problem_is_an_alert()
    {
        var table = Table([], "FreeScout can't be reached.");

        Assert.Contains("Updated 12 s ago", TextOf(table.Find(".age")), StringComparison.Ordinal);
        Assert.Equal("FreeScout can't be reached.", TextOf(table.Find("[role=alert]")));
        Assert.Contains("No open tickets.", TextOf(table.Find("table")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false, 1)]
    [InlineData(true, 0)]
    public void Refresh_is_ignored_while_one_is_running(bool busy, int expected)
    {
        var clicks = 0;
        var table = Table([], busy: busy, onRefresh: () => clicks++);

        Button(table, "Refresh").Click();

        Assert.Equal(expected, clicks);
    }

    private static TicketRow Row(long number, string subject, string surface, SurfaceStatus status, Severity? severity = Severity.P2) =>
        new(
            new OpenTicket(
                number,
                number,
                $"https://desk.example.org/{number}",
                subject,
                "active",
                ["auto:status"],
                surface.ToLowerInvariant(),
                Now.AddMinutes(-41),
                "mara",
                Severity: severity
            ),
            surface,
            status
        );

    private static AngleSharp.Dom.IElement Head(IRenderedComponent<OpenTicketsTable> table, string title) =>
        Assert.Single(table.FindAll("th"), head => TextOf(head).StartsWith(title, StringComparison.Ordinal));

    private static TicketRow Alert(int number) =>
        new(
            new OpenTicket(
                number,
                number,
                $"https://desk.example.org/{number}",
                "The backup failed",
                "active",
                ["auto:alert", "surface:search"],
                "search",
                Now.AddMinutes(-number),
                "alert:prometheus",
                "0123456789abcdef0123",
                Severity.P2
            ),
            "Search",
            SurfaceStatus.Operational
        );

    private IRenderedComponent<OpenTicketsTable> Table(
        TicketRow[] rows,
        string? problem = null,
        bool busy = false,
        Action? onRefresh = null,
        Action<TicketFilter>? onFilter = null,
        TicketFilter? filter = null,
        string? email = null,
        Action<(long, TakeRequest)>? onTake = null
    )
    {
        IRenderedComponent<OpenTicketsTable>? table = null;
        table = Render<OpenTicketsTable>(parameters =>
            parameters
                .Add(t => t.Rows, rows)
                .Add(t => t.SyncedAt, Now.AddSeconds(-12))
                .Add(t => t.Problem, problem)
                .Add(t => t.Busy, busy)
                .Add(t => t.OnRefresh, onRefresh ?? (() => { }))
                .Add(t => t.Filter, filter ?? new())
                .Add(t => t.Email, email)
                .Add(t => t.TakeOf, _ => onTake is null ? null : new TakeState(email))
                .Add(t => t.OnTake, onTake ?? (_ => { }))
                // As the page does.
                .Add(
                    t => t.FilterChanged,
                    changed =>
                    {
                        onFilter?.Invoke(changed);
                        table!.Render(parameters => parameters.Add(t => t.Filter, changed));
                    }
                )
                .Add(t => t.Now, Now)
        );
        return table;
    }
}
