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
        Assert.Equal("#1432 Search is down Search degraded 41 min mara active", TextOf(row));
    }

    [Fact]
    public void A_ticket_whose_surface_is_operational_again_is_marked()
    {
        Assert.Contains(
            "ready to close",
            TextOf(Table([Row(1, "x", "Search", SurfaceStatus.Operational)]).Find("tbody")),
            StringComparison.Ordinal
        );
        Assert.DoesNotContain(
            "recovered",
            TextOf(Table([Row(1, "x", "Search", SurfaceStatus.Stale)]).Find("tbody")),
            StringComparison.Ordinal
        );
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

        table.Render(parameters => parameters.Add(t => t.Rows, [Row(1, "It is down", "Search", SurfaceStatus.Operational)]));

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

    private static TicketRow Row(long number, string subject, string surface, SurfaceStatus status) =>
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
                "mara"
            ),
            surface,
            status
        );

    private IRenderedComponent<OpenTicketsTable> Table(
        TicketRow[] rows,
        string? problem = null,
        bool busy = false,
        Action? onRefresh = null
    ) =>
        Render<OpenTicketsTable>(parameters =>
            parameters
                .Add(t => t.Rows, rows)
                .Add(t => t.SyncedAt, Now.AddSeconds(-12))
                .Add(t => t.Problem, problem)
                .Add(t => t.Busy, busy)
                .Add(t => t.OnRefresh, onRefresh ?? (() => { }))
                .Add(t => t.Now, Now)
        );
}
