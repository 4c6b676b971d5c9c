using AutoTicket.Components.Details;
using AutoTicket.Incidents;
using AutoTicket.Surfaces;
using Bunit;

namespace AutoTicket.Tests.Components;

/// <summary>The parts of a surface's page.</summary>
public sealed class SurfaceDetailsTests : ComponentTest
{
    private static readonly TrendRange Day = TrendRange.Default;

    [Fact]
    public void The_chart_has_a_gap_where_nothing_is_known_and_a_scale_to_the_next_round_time()
    {
        var chart = Chart(Step(0, p50: 100, p95: 300), Step(1, p50: 200, p95: 400), Step(2, known: 0), Step(3, p50: 50, p95: 250));

        Assert.Equal("M0 80H1V60H2M3 90H4", chart.Find("path.p50").GetAttribute("d"));
        Assert.Equal("M0 40H1V20H2M3 50H4", chart.Find("path.p95").GetAttribute("d"));
        Assert.Equal("500 ms 250 ms 0", TextOf(chart.Find(".scale")));
        Assert.Equal(
            "Response time, last 24 h: median 50 ms to 200 ms, 95th percentile at most 400 ms",
            chart.Find("svg.latency").GetAttribute("aria-label")
        );
    }

    [Theory]
    [InlineData(1, "10 ms")]
    [InlineData(11, "20 ms")]
    [InlineData(21, "50 ms")]
    [InlineData(1000, "1.0 s")]
    [InlineData(1001, "2.0 s")]
    [InlineData(59_000, "100.0 s")]
    public void The_scale_ends_at_one_two_or_five_times_a_power_of_ten(int p95, string top) =>
        Assert.StartsWith(top, TextOf(Chart(Step(0, p50: 1, p95: p95)).Find(".scale")), StringComparison.Ordinal);

    [Fact]
    public void The_ribbon_shows_each_state_by_its_height_and_says_how_much_was_up()
    {
        var chart = Chart(
            Step(0),
            Step(1),
            Step(2, known: 30, up: 27),
            Step(3, degraded: 4),
            Step(4, known: 0),
            Step(5, known: 0, maintained: 30)
        );

        var runs = chart.FindAll(".ribbon rect");
        Assert.Equal(["operational", "down", "degraded", "maintenance"], runs.Select(run => run.GetAttribute("data-status")));
        Assert.Equal(4, runs.Select(run => run.GetAttribute("height")).Distinct().Count());
        Assert.Equal(
            [("0", "2"), ("2", "1"), ("3", "1"), ("5", "1")],
            runs.Select(run => (run.GetAttribute("x"), run.GetAttribute("width")))
        );
        Assert.Equal(
            [
                "2026-03-01 03:00:00 UTC to 2026-03-01 03:30:00 UTC: operational, not down 100 %",
                "2026-03-01 03:30:00 UTC to 2026-03-01 03:45:00 UTC: down, not down 90 %",
                "2026-03-01 03:45:00 UTC to 2026-03-01 04:00:00 UTC: degraded, not down 100 %",
                "2026-03-01 04:15:00 UTC to 2026-03-01 04:30:00 UTC: maintenance",
            ],
            runs.Select(run => run.TextContent.Trim())
        );
        Assert.Equal(
            "State, last 24 h, in 6 steps of 15 min: 1 down, 1 degraded, 1 no data, 1 maintenance, 2 operational",
            chart.Find(".ribbon").GetAttribute("aria-label")
        );
    }

    [Fact]
    public void A_surface_without_readings_has_an_empty_chart()
    {
        var chart = Chart(Step(0, known: 0), Step(1, known: 0));

        Assert.Equal("", chart.Find("path.p50").GetAttribute("d"));
        Assert.Empty(chart.FindAll(".ribbon rect"));
        Assert.Equal("Response time, last 24 h: no data", chart.Find("svg.latency").GetAttribute("aria-label"));
    }

    [Fact]
    public void The_chart_can_be_read_as_a_table_newest_first()
    {
        var table = Render<TrendTable>(parameters =>
            parameters.Add(t => t.Trend, Trend(Step(0, p50: 100, p95: 300), Step(1, known: 30, up: 20), Step(2, known: 0)))
        );
        Assert.Empty(table.FindAll("table"));

        table.Find("details").TriggerEvent("ontoggle", EventArgs.Empty);

        Assert.Equal(
            [
                "2026-03-01 03:30:00 UTC no data – – –",
                "2026-03-01 03:15:00 UTC down 66.66 % – –",
                "2026-03-01 03:00:00 UTC operational 100 % 100 ms 300 ms",
            ],
            table.FindAll("tbody tr").Select(TextOf)
        );
    }

    [Fact]
    public void Alerts_tickets_and_maintenance_are_marked_at_their_time_one_mark_a_step_and_kind()
    {
        SurfaceEvent[] events =
        [
            new(Now.AddMinutes(20), SurfaceEventKind.Ticket, "Ticket #1007 filed"),
            new(Now.AddMinutes(19), SurfaceEventKind.Alert, "P1 alert opened: Search is down"),
            new(Now.AddMinutes(31), SurfaceEventKind.Alert, "P2 alert opened: disk_full"),
            new(Now.AddMinutes(44), SurfaceEventKind.Alert, "P2 alert opened: disk_full"),
            new(Now.AddMinutes(46), SurfaceEventKind.Maintenance, "Maintenance began, until 2026-03-01 04:00:00 UTC: New disks"),
            // Not in the chart.
            new(Now.AddMinutes(-1), SurfaceEventKind.Alert, "P2 alert opened: disk_full"),
            new(Now.AddMinutes(61), SurfaceEventKind.Alert, "P2 alert opened: disk_full"),
        ];
        var trend = Trend(Step(0), Step(1), Step(2), Step(3));

        var chart = Render<TrendChart>(parameters => parameters.Add(c => c.Trend, trend).Add(c => c.Events, events));

        Assert.Equal(
            [
                ("Alert opened", "37.5", "2026-03-01 03:19:00 UTC: P1 alert opened: Search is down"),
                ("Alert opened", "62.5", "2026-03-01 03:31:00 UTC to 2026-03-01 03:44:00 UTC: Alert opened, 2 times"),
                ("Ticket filed", "37.5", "2026-03-01 03:20:00 UTC: Ticket #1007 filed"),
                ("Maintenance began", "87.5", "2026-03-01 03:46:00 UTC: Maintenance began, until 2026-03-01 04:00:00 UTC: New disks"),
            ],
            chart
                .FindAll(".marks li")
                .Select(mark =>
                    (
                        mark.ParentElement!.GetAttribute("aria-label"),
                        mark.GetAttribute("style")!.Split(' ')[1].TrimEnd('%'),
                        mark.Children[0].GetAttribute("aria-label")
                    )
                )
        );
        Assert.Equal(["Alert opened", "Ticket filed", "Maintenance began"], chart.FindAll(".marked").Select(TextOf));
        Assert.Empty(Chart(Step(0)).FindAll(".marks, .marked"));

        var table = Render<TrendTable>(parameters => parameters.Add(t => t.Trend, trend).Add(t => t.Events, events));
        table.Find("details").TriggerEvent("ontoggle", EventArgs.Empty);
        Assert.Equal(
            [
                "03:46:00 Maintenance began, until 2026-03-01 04:00:00 UTC: New disks",
                "03:31:00 P2 alert opened: disk_full 03:44:00 P2 alert opened: disk_full",
                "03:19:00 P1 alert opened: Search is down 03:20:00 Ticket #1007 filed",
                "",
            ],
            table.FindAll("tbody tr td:last-child").Select(TextOf)
        );
    }

    [Fact]
    public void The_uptimes_say_how_much_is_known_and_which_maintenance_they_leave_out()
    {
        var figures = Render<UptimeFigures>(parameters =>
            parameters.Add(
                f => f.Uptimes,
                [
                    new(TimeSpan.FromDays(1), TimeSpan.FromHours(20), TimeSpan.FromHours(10), TimeSpan.FromHours(4)),
                    new(TimeSpan.FromDays(7), TimeSpan.FromHours(52), TimeSpan.FromHours(52), TimeSpan.FromHours(4)),
                    new(TimeSpan.FromDays(30)),
                    new(TimeSpan.FromDays(90)),
                ]
            )
        );

        Assert.Equal(
            ["Uptime 24 h 50 %", "Uptime 7 d 100 % of 2 d 4 h known", "Uptime 30 d no data yet", "Uptime 90 d no data yet"],
            figures.FindAll("dl > div").Select(TextOf)
        );
        Assert.EndsWith(
            "Maintenance is left out: 4 h 0 min in 24 h, 4 h 0 min in 7 d, 0 s in 30 d, 0 s in 90 d.",
            TextOf(figures.Find("p")),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_closed_ticket_says_when_and_by_whom_and_one_being_filed_has_no_link()
    {
        var table = Render<SurfaceTickets>(parameters =>
            parameters.Add(
                t => t.Tickets,
                [
                    new IncidentTicket(null, null, null, true, "alert:console", Now, null, null),
                    new IncidentTicket(7, 1007, "https://desk.example.org/7", false, "olga", Now.AddDays(-1), Now.AddHours(-20), "Ana"),
                ]
            )
        );

        Assert.Equal(
            ["#? being filed 2026-03-01 03:00:00 UTC –", "#1007 resolved by Ana 2026-02-28 03:00:00 UTC 2026-02-28 07:00:00 UTC"],
            table.FindAll("tbody tr").Select(TextOf)
        );
        Assert.Equal(["https://desk.example.org/7"], table.FindAll("a").Select(link => link.GetAttribute("href")));
    }

    [Fact]
    public void The_settings_show_the_address_without_its_query()
    {
        var snapshot = Snapshot("Search", SurfaceStatus.Operational);
        snapshot = snapshot with { Surface = snapshot.Surface with { Url = new Uri("https://example.org/health?token=secret") } };

        var settings = Render<SurfaceSettings>(parameters => parameters.Add(s => s.Snapshot, snapshot));

        Assert.Contains("Request GET https://example.org/health Expected", TextOf(settings.Find("table")), StringComparison.Ordinal);
        Assert.DoesNotContain("secret", settings.Markup, StringComparison.Ordinal);
    }

    private IRenderedComponent<TrendChart> Chart(params TrendStep[] steps) =>
        Render<TrendChart>(parameters => parameters.Add(c => c.Trend, Trend(steps)));

    private static SurfaceTrend Trend(params TrendStep[] steps) => new(Day, steps, []);

    private static TrendStep Step(
        int index,
        int known = 30,
        int? up = null,
        int degraded = 0,
        int maintained = 0,
        int? p50 = null,
        int? p95 = null
    ) => new(Now + (index * Day.Step), known, up ?? known, degraded, maintained, p50, p95);
}
