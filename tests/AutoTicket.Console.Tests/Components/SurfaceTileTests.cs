using AngleSharp.Dom;
using AutoTicket.Alerts;
using AutoTicket.Components;
using AutoTicket.Components.Board;
using AutoTicket.Mailbox;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;
using Bunit;

namespace AutoTicket.Tests.Components;

public sealed class SurfaceTileTests : ComponentTest
{
    private static readonly TicketLink Ticket1432 = new(77, 1432, "https://desk.example.org/conversation/77", Now.AddMinutes(-41));

    [Fact]
    [Trait("Pitfall", "T-50")]
    public void Every_status_has_its_own_word_and_shape()
    {
        var seen = Enum.GetValues<SurfaceStatus>()
            .Select(status =>
            {
                var mark = Tile(Snapshot("Search", status)).Find(".state .now [data-status]");
                return (Word: TextOf(mark), Shape: mark.QuerySelector("svg")!.InnerHtml);
            })
            .ToList();

        Assert.Equal(["unknown", "operational", "degraded", "down", "stale", "maintenance"], seen.Select(mark => mark.Word));
        Assert.Equal(6, seen.Select(mark => mark.Shape).Distinct().Count());
    }

    [Fact]
    [Trait("Pitfall", "T-45")]
    [Trait("Pitfall", "T-46")]
    public void A_surface_never_polled_is_unknown_and_waits_for_its_first_check()
    {
        var tile = Tile(Snapshot("Search", SurfaceStatus.Unknown));

        Assert.Equal("unknown", tile.Find("article").GetAttribute("data-status"));
        Assert.Contains("first check…", TextOf(tile.Find(".state")), StringComparison.Ordinal);
        Assert.Contains("never checked", TextOf(tile.Find("article")), StringComparison.Ordinal);
        Assert.DoesNotContain("no ticket", TextOf(tile.Find("article")), StringComparison.Ordinal);
    }

    [Fact]
    public void Tile_and_row_show_the_severity_by_shape_color_and_word()
    {
        var search = Snapshot("Search", SurfaceStatus.Down, Severity.P1);
        var row = Render<SurfaceRow>(parameters => parameters.Add(r => r.Snapshot, search).Add(r => r.Now, Now));

        Assert.All([Tile(search).Find("[data-severity=P1]"), row.Find("[data-severity=P1]")], mark => Assert.Equal("P1", TextOf(mark)));
    }

    [Fact]
    public void A_flapping_surface_says_how_often_it_changed()
    {
        var changes = Enumerable.Range(0, 30).Select(i => i % 3 == 0 ? ReadingOutcome.Failed : ReadingOutcome.Ok).ToArray();
        var flapping = Snapshot("Search", SurfaceStatus.Degraded, history: changes) with { IsFlapping = true };

        Assert.Equal("Flapping (12 changes in 20 checks)", TextOf(Tile(flapping).Find(".flapping")));
        Assert.Empty(Tile(flapping with { IsFlapping = false }).FindAll(".flapping"));
    }

    [Fact]
    public void The_ticket_says_who_has_it()
    {
        Assert.Equal("#1432 nobody has it 41 min", TextOf(Chip(new(Ticket1432) { IsListed = true })));
        Assert.Equal("#1432 Ana 41 min", TextOf(Chip(new(Ticket1432) { IsListed = true, Assignee = new(4, "Ana", null) })));
        Assert.Equal(
            "#1432 nobody has it 41 min answered 5 min ago",
            TextOf(Chip(new(Ticket1432) { IsListed = true, LastReplyAt = Now.AddMinutes(-5) }))
        );
        // Just filed: whom FreeScout assigned it to is not known yet.
        Assert.Equal("#1432 open 41 min", TextOf(Chip(new(Ticket1432))));

        IElement Chip(TileTicket ticket) => Tile(Snapshot("Search", SurfaceStatus.Down), ticket).Find(".ticket");
    }

    [Fact]
    public void Shows_duration_cause_latency_and_the_age_of_the_check()
    {
        var text = TextOf(Tile(Snapshot("Search", SurfaceStatus.Degraded, cause: "Slow: 2.4 s")).Find("article"));

        Assert.Contains("for 12 min", text, StringComparison.Ordinal);
        Assert.Contains("Slow: 2.4 s", text, StringComparison.Ordinal);
        Assert.Contains("Last: 231 ms p95 812 ms", text, StringComparison.Ordinal);
        Assert.Contains("checked 8 s ago", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Maintenance_shows_until_when_who_and_why_and_what_the_checks_find()
    {
        var tile = Tile(
            Snapshot("Search", SurfaceStatus.Maintenance, cause: "HTTP 503") with
            {
                Observed = SurfaceStatus.Down,
                Maintenance = new("search", Now.AddHours(-1), Now.AddHours(1), "olga", "a <b>new</b> disk"),
                Availability = Availability.Unknown with { Month = new(TimeSpan.FromDays(30), Maintained: TimeSpan.FromHours(2)) },
            }
        );
        var text = TextOf(tile.Find("article"));

        Assert.Equal("maintenance", tile.Find("article").GetAttribute("data-status"));
        Assert.Contains("until 2026-03-01 04:00:00 UTC", text, StringComparison.Ordinal);
        Assert.DoesNotContain("for 12 min", text, StringComparison.Ordinal);
        Assert.Contains("by olga: a <b>new</b> disk Checks: down HTTP 503", text, StringComparison.Ordinal);
        Assert.DoesNotContain("no ticket", text, StringComparison.Ordinal);
        Assert.Contains("* without 2 h 0 min of maintenance", text, StringComparison.Ordinal);
        Assert.Contains(
            tile.FindAll(".figures [title]"),
            mark =>
                mark.GetAttribute("title")
                == "Share of the known time in which the surface was not down. Maintenance is left out: 0 s in 24 h, 2 h 0 min in 30 d"
        );
        // Nobody may start it here.
        Assert.DoesNotContain("Maintenance…", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Availability_is_rounded_down_so_that_a_hundred_means_a_hundred() =>
        Assert.Contains(
            "Uptime 24 h: 99.99 % checked",
            TextOf(Tile(Snapshot("Search", SurfaceStatus.Operational)).Find("article")),
            StringComparison.Ordinal
        );

    [Fact]
    public void An_uptime_of_little_known_time_says_how_much_is_known()
    {
        var young = Snapshot("Search", SurfaceStatus.Operational) with { Availability = UpFor(TimeSpan.FromMinutes(4), 1) };
        Assert.Contains("Uptime 24 h: 100 % of 4 min known checked", TextOf(Tile(young).Find("article")), StringComparison.Ordinal);

        var older = young with { Availability = new(UpFor(TimeSpan.FromHours(22), 1).Day, UpFor(TimeSpan.FromHours(292), 0.5).Month) };
        Assert.Contains(
            "Uptime 24 h: 100 % 30 d: 50 % of 12 d 4 h known checked",
            TextOf(Tile(older).Find("article")),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_long_cause_is_truncated_and_complete_in_the_title()
    {
        var cause = new string('x', 61);
        var shown = Tile(Snapshot("Search", SurfaceStatus.Down, cause: cause)).Find(".cause");

        Assert.Equal(new string('x', 59) + "…", shown.TextContent);
        Assert.Equal(cause, shown.GetAttribute("title"));
    }

    [Fact]
    [Trait("Pitfall", "T-47")]
    public void A_failure_is_added_to_the_history_and_shown_by_its_height()
    {
        var before = Snapshot("Search", SurfaceStatus.Operational, history: [ReadingOutcome.Ok, ReadingOutcome.Slow]);
        var tile = Tile(before);
        var heights = tile.FindAll("line[stroke-width]").Select(segment => segment.GetAttribute("stroke-width")).ToList();
        tile.Render(parameters =>
            parameters.Add(
                t => t.Snapshot,
                before with
                {
                    History = [.. before.History, Reading("search", 0, ReadingOutcome.Failed, "503")],
                }
            )
        );

        var segments = tile.FindAll("line[stroke-width]");
        Assert.Equal(3, segments.Count);
        Assert.Equal(["ok", "slow", "failed"], segments.Select(segment => segment.ClassName));
        Assert.Equal(heights, segments.Take(2).Select(segment => segment.GetAttribute("stroke-width")));
        Assert.Equal(3, segments.Select(segment => segment.GetAttribute("stroke-width")).Distinct().Count());
        Assert.Equal("2026-03-01 03:00:00 UTC, failed, 503", segments[2].TextContent.Trim());
        Assert.StartsWith(
            "Last 3 checks: 1 ok, 1 slow, 1 failed",
            tile.Find("svg[role=img]").GetAttribute("aria-label"),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Failures_with_one_cause_are_one_segment_which_says_how_many()
    {
        var reading = Reading("search", 0, ReadingOutcome.Ok);
        var causes = new[] { "HTTP 503", "HTTP 503", "Timed out", "HTTP 503" };
        var history = causes.Select((cause, n) => Reading("search", n + 1, ReadingOutcome.Failed, cause));
        var tile = Tile(Snapshot("Search", SurfaceStatus.Down) with { History = [reading, .. history] });

        Assert.Equal(
            [
                "2026-03-01 03:00:00 UTC, ok, 200 ms",
                "2026-03-01 03:00:30 UTC to 2026-03-01 03:01:00 UTC, 2 times failed, HTTP 503",
                "2026-03-01 03:01:30 UTC, failed, Timed out",
                "2026-03-01 03:02:00 UTC, failed, HTTP 503",
            ],
            tile.FindAll("line[stroke-width]").Select(TextOf)
        );
    }

    [Fact]
    public void A_full_history_moves_on_by_one_and_ends_at_the_right_edge()
    {
        var before = Snapshot("Search", SurfaceStatus.Operational, history: [.. Enumerable.Repeat(ReadingOutcome.Ok, 60)]);
        var tile = Tile(before);
        tile.Render(parameters =>
            parameters.Add(
                t => t.Snapshot,
                before with
                {
                    History = [.. before.History.Skip(1), Reading("search", 0, ReadingOutcome.Failed)],
                }
            )
        );

        var segments = tile.FindAll("line[stroke-width]");
        var shift = tile.Find("g[transform]").GetAttribute("transform");
        Assert.Equal(["ok", "failed"], segments.Select(segment => segment.ClassName));
        Assert.Equal(("4", "239"), (segments[0].GetAttribute("x1"), segments[0].GetAttribute("x2")));
        Assert.Equal(("240", "243"), (segments[1].GetAttribute("x1"), segments[1].GetAttribute("x2")));
        Assert.Equal("translate(-4 0)", shift);
    }

    [Fact]
    public void The_history_can_be_read_as_a_table_newest_first()
    {
        var tile = Tile(Snapshot("Search", SurfaceStatus.Down, history: [ReadingOutcome.Ok, ReadingOutcome.Failed]));
        Assert.Empty(tile.FindAll("table"));

        tile.Find("details").TriggerEvent("ontoggle", EventArgs.Empty);

        Assert.Equal(["failed", "ok"], tile.FindAll("tbody tr td:nth-child(2)").Select(TextOf));
    }

    [Theory]
    [InlineData(false, false, "#1432 open 41 min")]
    [InlineData(true, false, "#1432 open 41 min ready to close")]
    [InlineData(false, true, "#1432 open 41 min ticket unconfirmed")]
    public void The_ticket_is_linked_with_its_age_and_state(bool recovered, bool unconfirmed, string expected)
    {
        var tile = Tile(Snapshot("Search", SurfaceStatus.Down), new TileTicket(Ticket1432, recovered, unconfirmed));

        Assert.Equal(expected, TextOf(tile.Find(".ticket")));
        var link = tile.Find(".ticket a");
        Assert.Equal(Ticket1432.Url, link.GetAttribute("href"));
        Assert.Equal("_blank", link.GetAttribute("target"));
        Assert.Contains("noopener", link.GetAttribute("rel"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_surface_that_needs_a_ticket_and_has_none_says_so() =>
        Assert.Equal("no ticket", TextOf(Tile(Snapshot("Search", SurfaceStatus.Down)).Find(".ticket")));

    [Theory]
    [Trait("Pitfall", "T-56")]
    [InlineData("javascript:alert(1)")]
    [InlineData("data:text/html,<script>alert(1)</script>")]
    [InlineData("/relative")]
    [InlineData("")]
    [InlineData(null)]
    public void A_url_that_is_not_a_web_page_is_not_a_link(string? url)
    {
        var link = Render<ExternalLink>(parameters => parameters.Add(l => l.Url, url).AddChildContent("#1"));

        Assert.Empty(link.FindAll("a"));
        Assert.Equal("#1", TextOf(link.Find("span")));
    }

    [Fact]
    [Trait("Pitfall", "T-56")]
    public void Html_in_names_groups_and_causes_is_shown_as_text()
    {
        const string Html = "<img src=x onerror=alert(1)><b>bold</b>";
        var tile = Tile(
            Snapshot(Html, SurfaceStatus.Down, group: Html, cause: Html) with
            {
                Surface = Snapshot("x", SurfaceStatus.Down).Surface with { Name = Html, Group = Html },
            }
        );

        Assert.Empty(tile.FindAll("img, b"));
        Assert.Equal(Html, TextOf(tile.Find("h3")));
        Assert.Equal(Html, TextOf(tile.Find(".cause")));
    }

    [Fact]
    public void Investigate_says_beforehand_what_a_click_will_do()
    {
        var clicks = 0;
        var tile = Tile(Snapshot("Search", SurfaceStatus.Down), forecast: "Open ticket #1432 (41 min)", onInvestigate: () => clicks++);

        var button = tile.Find("button");
        Assert.Equal("Investigate Open ticket #1432 (41 min) for Search", TextOf(button));
        button.Click();
        Assert.Equal(1, clicks);
    }

    [Fact]
    public void Without_a_forecast_there_is_no_button() => Assert.Empty(Tile(Snapshot("Search", SurfaceStatus.Down)).FindAll("button"));

    [Fact]
    public void While_busy_the_button_says_so_and_a_second_click_does_nothing()
    {
        var clicks = 0;
        var tile = Tile(Snapshot("Search", SurfaceStatus.Down), forecast: "File a ticket", busy: true, onInvestigate: () => clicks++);

        var button = tile.Find("button");
        Assert.Equal("true", button.GetAttribute("aria-busy"));
        Assert.Equal("true", button.GetAttribute("aria-disabled"));
        button.Click();
        Assert.Equal(0, clicks);
    }

    [Fact]
    public void The_outcome_is_announced_with_its_ticket()
    {
        var tile = Render<SurfaceTile>(parameters =>
            parameters
                .Add(t => t.Snapshot, Snapshot("Search", SurfaceStatus.Down))
                .Add(t => t.Outcome, new Investigation(InvestigationDisposition.Filed, Ticket1432, "Filed a new ticket."))
                .Add(t => t.Now, Now)
                .Add(t => t.PollInterval, Interval)
        );

        Assert.Equal("Filed a new ticket. Open #1432", TextOf(tile.Find("[role=status]")));
    }

    [Theory]
    [InlineData(SurfaceStatus.Down, SurfaceStatus.Down, SurfaceStatus.Down, false, true)]
    [InlineData(SurfaceStatus.Degraded, SurfaceStatus.Degraded, SurfaceStatus.Degraded, false, true)]
    [InlineData(SurfaceStatus.Maintenance, SurfaceStatus.Down, SurfaceStatus.Down, false, true)]
    [InlineData(SurfaceStatus.Stale, SurfaceStatus.Stale, SurfaceStatus.Down, false, true)]
    [InlineData(SurfaceStatus.Operational, SurfaceStatus.Operational, SurfaceStatus.Down, true, true)]
    [InlineData(SurfaceStatus.Operational, SurfaceStatus.Operational, SurfaceStatus.Down, false, false)]
    [InlineData(SurfaceStatus.Operational, SurfaceStatus.Operational, SurfaceStatus.Operational, true, false)]
    [InlineData(SurfaceStatus.Maintenance, SurfaceStatus.Operational, SurfaceStatus.Operational, false, false)]
    [InlineData(SurfaceStatus.Stale, SurfaceStatus.Stale, SurfaceStatus.Operational, false, false)]
    [InlineData(SurfaceStatus.Operational, SurfaceStatus.Operational, SurfaceStatus.Operational, false, false)]
    public void The_incident_is_linked_while_it_is_open_or_its_ticket_is(
        SurfaceStatus status,
        SurfaceStatus observed,
        SurfaceStatus last,
        bool hasTicket,
        bool isLinked
    )
    {
        var tile = Tile(
            Snapshot("Search", status) with
            {
                Observed = observed,
                History = [Reading("search", -1, ReadingOutcome.Failed) with { Status = last }],
            },
            hasTicket ? new(Ticket1432) : null
        );

        var link = tile.FindAll("a.incident");
        Assert.Equal(
            isLinked ? [$"/console/incidents/{AlertIdentity.KeyOf(AlertIdentity.OfSurface("search"))}"] : [],
            link.Select(a => a.GetAttribute("href"))
        );
    }

    [Theory]
    [InlineData(true, "Ticket #1432 is already open.")]
    [InlineData(false, "Ticket #1432 is already open. Open #1432")]
    public void A_ticket_that_a_click_found_open_is_linked_once(bool isLinked, string expected)
    {
        var tile = Render<SurfaceTile>(parameters =>
            parameters
                .Add(t => t.Snapshot, Snapshot("Search", SurfaceStatus.Down))
                .Add(t => t.Ticket, isLinked ? new TileTicket(Ticket1432) : null)
                .Add(t => t.Outcome, new Investigation(InvestigationDisposition.AlreadyOpen, Ticket1432, "Ticket #1432 is already open."))
                .Add(t => t.Now, Now)
                .Add(t => t.PollInterval, Interval)
        );

        Assert.Equal(expected, TextOf(tile.Find("[role=status]")));
        Assert.Single(tile.FindAll($"a[href='{Ticket1432.Url}']"));
    }

    private IRenderedComponent<SurfaceTile> Tile(
        SurfaceSnapshot snapshot,
        TileTicket? ticket = null,
        string? forecast = null,
        bool busy = false,
        Action? onInvestigate = null
    ) =>
        Render<SurfaceTile>(parameters =>
            parameters
                .Add(t => t.Snapshot, snapshot)
                .Add(t => t.Ticket, ticket)
                .Add(t => t.Forecast, forecast is null ? null : new InvestigationForecast(InvestigationForecastKind.Opens, forecast))
                .Add(t => t.Busy, busy)
                .Add(t => t.OnInvestigate, onInvestigate ?? (() => { }))
                .Add(t => t.Now, Now)
                .Add(t => t.PollInterval, Interval)
        );
}
