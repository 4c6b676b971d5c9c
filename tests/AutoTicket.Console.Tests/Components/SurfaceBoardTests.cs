using AutoTicket.Alerts;
using AutoTicket.Components;
using AutoTicket.Components.Board;
using AutoTicket.Components.Tickets;
using AutoTicket.Mailbox;
using AutoTicket.Surfaces;
using Bunit;
using Microsoft.AspNetCore.Components.Web;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace AutoTicket.Tests.Components;

public sealed class SurfaceBoardTests : ComponentTest
{
    private static readonly SurfaceSnapshot Search = Snapshot("Search", SurfaceStatus.Operational, group: "Shop");
    private static readonly SurfaceSnapshot Login = Snapshot("Login", SurfaceStatus.Down, Severity.P2, "Customers");
    private static readonly SurfaceSnapshot Billing = Snapshot("Billing", SurfaceStatus.Down, Severity.P1, "Shop");
    private static readonly SurfaceSnapshot Maps = Snapshot("Maps", SurfaceStatus.Degraded, Severity.P1, "Customers");
    private static readonly SurfaceSnapshot Mail = Snapshot("Mail", SurfaceStatus.Unknown);
    private static readonly SurfaceSnapshot Reports = Snapshot("Reports", SurfaceStatus.Maintenance);
    private static readonly SurfaceSnapshot Images = Snapshot("Images", SurfaceStatus.Stale);
    private static readonly SurfaceSnapshot[] All = [Search, Login, Billing, Maps, Mail, Reports, Images];

    private readonly FakeTimeProvider _clock = new(Now);

    public SurfaceBoardTests() => Services.AddSingleton<TimeProvider>(_clock);

    [Fact]
    [Trait("Pitfall", "T-52")]
    public void Tiles_are_sorted_by_status_severity_and_name() =>
        Assert.Equal(["Billing", "Login", "Maps", "Images", "Mail", "Reports", "Search"], Names(Board(All)));

    [Fact]
    [Trait("Pitfall", "T-52")]
    public void The_summary_is_the_heading_of_the_page()
    {
        var board = Board(
            All,
            new() { ["login"] = new(new(1, 1, "https://desk.example.org/1", Now)), ["maps"] = new(null, IsUnconfirmed: true) }
        );

        Assert.Equal("4 of 7 need you: 3 without a ticket, 1 in maintenance, 1 not checked yet", TextOf(board.Find("h1")));
    }

    [Fact]
    public void The_summary_fits_every_combination_of_states()
    {
        var ticket = new Dictionary<string, TileTicket> { ["login"] = new(new(1, 1, "https://desk.example.org/1", Now)) };

        Assert.Equal("All 2 surfaces operational", Sentence([Search, Search]));
        Assert.Equal("The one surface is operational", Sentence([Search]));
        Assert.Equal("1 of 2 surfaces operational, 1 in maintenance", Sentence([Search, Reports]));
        Assert.Equal("1 of 2 surfaces operational, 1 not checked yet", Sentence([Search, Mail]));
        Assert.Equal("First check of 2 surfaces…", Sentence([Mail, Mail]));
        Assert.Equal("1 of 2 needs you: 1 without a ticket", Sentence([Login, Search]));
        Assert.Equal("1 of 2 needs you: it has a ticket", BoardSummary.Of([Login, Search], ticket).Sentence);
        Assert.Equal("2 of 2 need you: all have a ticket", BoardSummary.Of([Login, Login], ticket).Sentence);
        Assert.Equal("No surfaces are configured", Sentence([]));
        Assert.Equal("30 P1/P2 alerts are active. All 2 surfaces operational", Sentence([Search, Search], new(30, 30)));
        Assert.Equal("1 P1/P2 alert is active. 1 of 2 surfaces operational, 1 in maintenance", Sentence([Search, Reports], new(1, 1)));
        Assert.Equal("1 of 2 needs you: 1 without a ticket. 2 other P1/P2 alerts are active", Sentence([Login, Search], new(3, 2)));
        Assert.Equal("1 of 2 needs you: 1 without a ticket", Sentence([Login, Search], new(1, 0)));

        static string Sentence(SurfaceSnapshot[] surfaces, UrgentAlerts? alerts = null) =>
            BoardSummary.Of(surfaces, new Dictionary<string, TileTicket>(), alerts).Sentence;
    }

    [Theory]
    [Trait("Pitfall", "T-51")]
    [InlineData("All")]
    [InlineData("Needs attention")]
    [InlineData("down")]
    [InlineData("degraded")]
    [InlineData("stale")]
    [InlineData("unknown")]
    [InlineData("maintenance")]
    [InlineData("operational")]
    public void The_count_on_a_filter_is_the_number_of_tiles_it_shows(string name)
    {
        var filter = BoardFilter.All;
        var board = Board(All, onFilter: chosen => filter = chosen);
        var choice = Button(board, name);
        var count = int.Parse(choice.QuerySelector(".count")!.TextContent, null);
        choice.Click();
        board.Render(parameters => parameters.Add(b => b.Filter, filter));

        Assert.Equal("true", Button(board, name).GetAttribute("aria-pressed"));
        var tiles = board.FindAll("article:not([hidden])");
        Assert.Equal(count, tiles.Count);
        if (name is not ("All" or "Needs attention"))
        {
            Assert.All(tiles, tile => Assert.Equal(name, tile.GetAttribute("data-status")));
        }
    }

    [Fact]
    public void The_search_finds_by_name_and_group_and_the_counts_stay()
    {
        var board = Board(All, filter: new BoardFilter(Search: "shop"));

        Assert.Equal(["Billing", "Search"], Names(board));
        // A search that finds nothing must not read as if nothing were down.
        Assert.Equal($"All {All.Length}", TextOf(Button(board, "All")));
    }

    [Fact]
    public void Every_view_can_be_restored_from_its_url()
    {
        BoardFilter[] views =
        [
            BoardFilter.All,
            new(SurfaceStatus.Unknown),
            new(NeedsAttention: true, Search: "a & b", IsGrouped: true, View: BoardView.Wall),
            new(View: BoardView.Dense),
        ];

        Assert.All(
            views,
            view =>
            {
                var query = view.ToQuery();
                Assert.Equal(
                    view,
                    BoardFilter.FromQuery((string?)query["show"], (string?)query["q"], (string?)query["by"], (string?)query["view"])
                );
            }
        );
        Assert.Equal(BoardFilter.All, BoardFilter.FromQuery("nonsense", null, null, "nonsense"));
    }

    [Fact]
    public void A_group_is_placed_by_its_worst_surface()
    {
        var board = Board(All, filter: new BoardFilter(IsGrouped: true));

        Assert.Equal(["Shop", "Customers", "No group"], board.FindAll("h2").Select(TextOf));
    }

    [Fact]
    public void A_filter_without_matches_says_so_and_can_be_cleared()
    {
        BoardFilter? chosen = null;
        var board = Board(All, filter: new BoardFilter(Search: "nothing"), onFilter: filter => chosen = filter);

        Button(board, "Show all 7").Click();

        Assert.Equal(BoardFilter.All, chosen);
    }

    [Fact]
    public void Tiles_keep_their_order_under_the_pointer_and_are_sorted_once_it_has_left()
    {
        SurfaceSnapshot[] before = [Billing, Search];
        SurfaceSnapshot[] after = [Billing with { Status = SurfaceStatus.Operational }, Search with { Status = SurfaceStatus.Down }, Login];
        var board = Board(before);
        Hold(board);
        board.Render(parameters => parameters.Add(b => b.Surfaces, after));
        // A surface that is new comes after the tiles that were there.
        Assert.Equal(["Billing", "Login", "Search"], Names(board));

        // A finger leaves before its tap becomes a click.
        Use(board, "onpointerleave");
        board.Render(parameters => parameters.Add(b => b.Surfaces, after));
        Assert.Equal(["Billing", "Login", "Search"], Names(board));

        _clock.Advance(TimeSpan.FromSeconds(2));
        board.Render(parameters => parameters.Add(b => b.Surfaces, after));
        Assert.Equal(["Login", "Search", "Billing"], Names(board));
    }

    [Fact]
    public void Tiles_keep_their_order_while_the_focus_moves_between_them()
    {
        var board = Board([Billing, Search]);
        SurfaceSnapshot[] after = [Billing with { Status = SurfaceStatus.Operational }, Search with { Status = SurfaceStatus.Down }];
        Use(board, "onfocusin");
        Use(board, "onfocusout");
        board.Render(parameters => parameters.Add(b => b.Surfaces, after));
        Use(board, "onfocusin");
        board.Render(parameters => parameters.Add(b => b.Surfaces, after));
        Assert.Equal(["Billing", "Search"], Names(board));

        // The pointer leaves, but the focus stays; then the focus leaves too.
        Hold(board);
        Use(board, "onpointerleave");
        _clock.Advance(TimeSpan.FromSeconds(10));
        board.Render(parameters => parameters.Add(b => b.Surfaces, after));
        Assert.Equal(["Billing", "Search"], Names(board));
        Use(board, "onfocusout");
        _clock.Advance(TimeSpan.FromSeconds(2));
        board.Render(parameters => parameters.Add(b => b.Surfaces, after));
        Assert.Equal(["Search", "Billing"], Names(board));
    }

    [Fact]
    public void A_pointer_left_on_the_board_does_not_hold_the_order_for_ever()
    {
        var board = Board([Billing, Search]);
        Hold(board);
        SurfaceSnapshot[] after = [Billing with { Status = SurfaceStatus.Operational }, Search with { Status = SurfaceStatus.Down }];
        _clock.Advance(TimeSpan.FromSeconds(59));
        board.Render(parameters => parameters.Add(b => b.Surfaces, after));
        Assert.Equal(["Billing", "Search"], Names(board));

        // app.js repeats the event while the pointer moves.
        Hold(board);
        _clock.Advance(TimeSpan.FromSeconds(59));
        board.Render(parameters => parameters.Add(b => b.Surfaces, after));
        Assert.Equal(["Billing", "Search"], Names(board));
        _clock.Advance(TimeSpan.FromSeconds(1));
        board.Render(parameters => parameters.Add(b => b.Surfaces, after));

        Assert.Equal(["Search", "Billing"], Names(board));
    }

    /// <summary>The next reading may be half a minute away.</summary>
    [Theory]
    [InlineData(true, 2)]
    [InlineData(false, 60)]
    public void A_surface_that_went_down_in_a_held_order_is_sorted_when_the_hold_ends(bool hasLeft, int seconds)
    {
        var board = Board([Billing, Search]);
        Hold(board);
        if (hasLeft)
        {
            Use(board, "onpointerleave");
        }

        SurfaceSnapshot[] after = [Billing with { Status = SurfaceStatus.Operational }, Search with { Status = SurfaceStatus.Down }];
        board.Render(parameters => parameters.Add(b => b.Surfaces, after));
        Assert.Equal(["Billing", "Search"], Names(board));

        _clock.Advance(TimeSpan.FromSeconds(seconds));

        board.WaitForAssertion(() => Assert.Equal(["Search", "Billing"], Names(board)));
    }

    [Fact]
    public void A_held_order_says_how_many_surfaces_changed_and_is_sorted_on_request()
    {
        var board = Board([Billing, Search, Maps]);
        Hold(board);
        board.Render(parameters => parameters.Add(b => b.Surfaces, [Billing, Search with { Status = SurfaceStatus.Down }, Maps]));
        Assert.Equal(["Billing", "Maps", "Search"], Names(board));
        Assert.Equal("down", board.Find("article.row").GetAttribute("data-status"));

        Button(board, "1 changed: sort again").Click();

        Assert.Equal(["Billing", "Search", "Maps"], Names(board));
        Assert.Empty(board.FindAll("article.row"));
        Assert.DoesNotContain("changed", TextOf(board.Find("header")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_surface_that_needs_nobody_is_a_row_below_the_tiles()
    {
        SurfaceSnapshot closing = Snapshot("Closing", SurfaceStatus.Operational);
        var board = Board([.. All, closing], new() { ["closing"] = new(new(1, 1, "https://desk.example.org/1", Now), IsRecovered: true) });

        Assert.Equal(["Billing", "Login", "Maps", "Images", "Closing"], board.FindAll("article.tile h3").Select(TextOf));
        Assert.Equal(["Mail", "Reports", "Search"], board.FindAll("article.row h3").Select(TextOf));
        Assert.Equal("1 unknown, 1 in maintenance, 1 operational", TextOf(board.Find(".healthy p")));
    }

    [Fact]
    public void In_an_outage_of_everything_the_worst_are_tiles_and_the_rest_are_rows()
    {
        var board = Board([
            .. Enumerable.Range(0, 60).Select(i => Snapshot($"S{i:00}", SurfaceStatus.Down, i < 50 ? Severity.P2 : Severity.P1)),
        ]);

        Assert.Equal(BoardOrder.MostTiles, board.FindAll("article.tile").Count);
        Assert.Equal("S50", TextOf(board.Find("article.tile h3")));
        Assert.Equal(12, board.FindAll("article.row").Count);
        Assert.Equal("12 down", TextOf(board.Find(".healthy p")));
    }

    [Fact]
    public void A_thousand_surfaces_are_folded_by_group_and_open_with_a_hundred_rows()
    {
        var outcomes = Enumerable.Repeat(ReadingOutcome.Ok, StatusBoard.HistoryLength).ToArray();
        var board = Board([
            Billing,
            .. Enumerable
                .Range(0, 999)
                .Select(i => Snapshot($"S{i:000}", SurfaceStatus.Operational, group: i < 300 ? "Shop" : "", history: outcomes)),
        ]);

        Assert.Equal(
            ["No group: 699 operational", "Shop: 300 operational"],
            board.FindAll(".healthy button").Select(fold => TextOf(fold)[2..])
        );
        Assert.Equal(["Billing"], Names(board));
        // The whole page may weigh 300 KiB.
        Assert.InRange(board.Markup.Length, 1, 50_000);

        Button(board, "▸ Shop: 300 operational").Click();
        Assert.Equal(100, board.FindAll("article.row").Count);
        Button(board, "Show all 300").Click();
        Assert.Equal(300, board.FindAll("article.row").Count);

        board.Render(parameters => parameters.Add(b => b.Filter, new BoardFilter(Search: "s99")));
        Assert.Equal(9, board.FindAll("article.row").Count);
    }

    [Fact]
    public void The_wall_shows_a_count_instead_of_the_surfaces_that_need_nobody()
    {
        var board = Board(All, filter: new BoardFilter(View: BoardView.Wall));

        Assert.Equal(["Billing", "Login", "Maps", "Images"], Names(board));
        Assert.Equal("1 unknown, 1 in maintenance, 1 operational", TextOf(board.Find(".rest")));
    }

    [Fact]
    public async Task A_row_of_the_dense_view_has_the_actions_of_a_tile()
    {
        List<string> done = [];
        var board = Render<SurfaceBoard>(parameters =>
            parameters
                .Add(b => b.Surfaces, [Login, Search])
                .Add(b => b.Tickets, new Dictionary<string, TileTicket> { ["login"] = new(new(1, 1, "https://desk.example.org/1", Now)) })
                .Add(b => b.Takes, new Dictionary<string, TakeState> { ["login"] = new(null) })
                .Add(b => b.OnTake, click => done.Add($"take {click.Surface}"))
                .Add(
                    b => b.OnMute,
                    (key, request) =>
                    {
                        done.Add($"{key}: {request.Reason}");
                        return Task.FromResult<string?>(null);
                    }
                )
                .Add(b => b.Filter, new BoardFilter(View: BoardView.Dense))
                .Add(b => b.Now, Now)
                .Add(b => b.PollInterval, Interval)
        );

        await Button(board, "Take it ticket #1").ClickAsync();
        await Button(board, "Maintenance… of Search").ClickAsync();
        await board.Find("form input[aria-required]").InputAsync("a new index");
        await board.Find("form").SubmitAsync();
        Assert.Equal(["take login", "search: a new index"], done);

        // Below the tiles, only the name of a healthy surface is clicked.
        board.Render(parameters => parameters.Add(b => b.Filter, BoardFilter.All));
        Assert.Empty(board.FindAll("article.row button"));
    }

    [Fact]
    public void A_changed_surface_renders_only_its_own_tile_or_row()
    {
        var board = Board(All);
        var tiles = board.FindComponents<SurfaceTile>();
        var rows = board.FindComponents<SurfaceRow>();
        var renders = Renders();

        board.Render(parameters =>
            parameters
                .Add(
                    b => b.Surfaces,
                    [.. All.Select(surface => surface == Maps || surface == Search ? surface with { LatencyMs = 17 } : surface)]
                )
                .Add(b => b.Now, Now.AddSeconds(1))
        );

        Assert.Equal(["maps", "search"], Renders().Where(pair => pair.Value > renders[pair.Key]).Select(pair => pair.Key).Order());

        Dictionary<string, int> Renders() =>
            tiles
                .Select(tile => (tile.Instance.Snapshot.Key, tile.RenderCount))
                .Concat(rows.Select(row => (row.Instance.Snapshot.Key, row.RenderCount)))
                .ToDictionary();
    }

    [Fact]
    public void What_a_change_leaves_as_it_is_is_not_rendered_again()
    {
        var board = Board(All);
        var tile = board.FindComponents<SurfaceTile>().Single(tile => tile.Instance.Snapshot.Key == "maps");
        var (bar, line) = (tile.FindComponent<HistoryBar>(), tile.FindComponent<LatencyLine>());
        var ages = tile.FindComponents<Age>();
        var choices = board.FindComponents<Choice>().Select(choice => choice.Markup).ToList();
        var renders = Renders();

        board.Render(parameters =>
            parameters
                .Add(b => b.Surfaces, [.. All.Select(surface => surface == Maps ? Maps with { Cause = "503" } : surface)])
                .Add(b => b.Filter, BoardFilter.All with { Search = "a" })
                .Add(b => b.Now, Now.AddSeconds(1))
        );

        Assert.Contains("503", tile.Markup, StringComparison.Ordinal);
        Assert.Equal(renders, Renders());
        // With the ids of their handlers.
        Assert.Equal(choices, board.FindComponents<Choice>().Select(choice => choice.Markup));

        int[] Renders() => [bar.RenderCount, line.RenderCount, .. ages.Select(age => age.RenderCount)];
    }

    [Fact]
    public void Another_view_keeps_the_filter_and_renders_no_tile_again()
    {
        var filter = new BoardFilter(SurfaceStatus.Down, Search: "bil");
        var board = Board(All, filter: filter, onFilter: chosen => filter = chosen);
        var renders = board.FindComponents<SurfaceTile>().Select(tile => tile.RenderCount).ToList();
        Assert.Equal("true", Button(board, "Tiles").GetAttribute("aria-pressed"));

        Button(board, "Wall").Click();
        board.Render(parameters => parameters.Add(b => b.Filter, filter));

        Assert.Equal(new BoardFilter(SurfaceStatus.Down, Search: "bil", View: BoardView.Wall), filter);
        Assert.Equal("wall", board.Find("section").GetAttribute("data-view"));
        Assert.Equal("true", Button(board, "Wall").GetAttribute("aria-pressed"));
        Assert.Equal(renders, board.FindComponents<SurfaceTile>().Select(tile => tile.RenderCount));
    }

    [Fact]
    public void A_click_on_investigate_names_its_surface()
    {
        string? investigated = null;
        var board = Render<SurfaceBoard>(parameters =>
            parameters
                .Add(b => b.Surfaces, All)
                .Add(
                    b => b.Forecasts,
                    new Dictionary<string, InvestigationForecast> { ["maps"] = new(InvestigationForecastKind.FilesNew, "File a ticket") }
                )
                .Add(b => b.OnInvestigate, key => investigated = key)
                .Add(b => b.Now, Now)
                .Add(b => b.PollInterval, Interval)
        );

        Button(board, "Investigate").Click();

        Assert.Equal("maps", investigated);
    }

    [Fact]
    public void A_reading_renders_the_filters_only_if_it_changes_a_count()
    {
        var board = Board(All);
        var filters = board.FindComponent<BoardFilters>();
        var rendered = filters.RenderCount;

        Change(Login with { LatencyMs = 300 });
        Assert.Equal(rendered, filters.RenderCount);

        Change(Login with { Status = SurfaceStatus.Operational });
        Assert.NotEqual(rendered, filters.RenderCount);

        void Change(SurfaceSnapshot login) =>
            board.Render(parameters => parameters.Add(b => b.Surfaces, [Search, login, Billing, Maps, Mail, Reports, Images]));
    }

    private IRenderedComponent<SurfaceBoard> Board(
        SurfaceSnapshot[] surfaces,
        Dictionary<string, TileTicket>? tickets = null,
        BoardFilter? filter = null,
        Action<BoardFilter>? onFilter = null
    ) =>
        Render<SurfaceBoard>(parameters =>
            parameters
                .Add(b => b.Surfaces, surfaces)
                .Add(b => b.Tickets, tickets ?? [])
                .Add(b => b.Filter, filter ?? BoardFilter.All)
                .Add(b => b.FilterChanged, onFilter ?? (_ => { }))
                .Add(b => b.Now, Now)
                .Add(b => b.PollInterval, Interval)
        );

    private static void Hold(IRenderedComponent<SurfaceBoard> board) => Use(board, "onpointerenter");

    private static void Use(IRenderedComponent<SurfaceBoard> board, string name) =>
        board
            .Find("[data-tiles]")
            .TriggerEvent(name, name.StartsWith("onfocus", StringComparison.Ordinal) ? new FocusEventArgs() : new PointerEventArgs());

    private static IEnumerable<string> Names(IRenderedComponent<SurfaceBoard> board) =>
        board.FindAll("article:not([hidden]) h3").Select(TextOf);
}
