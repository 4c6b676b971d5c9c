using AutoTicket.Alerts;
using AutoTicket.Components.Board;
using AutoTicket.Mailbox;
using AutoTicket.Surfaces;
using Bunit;

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

        Assert.Equal("4 of 7 need you: 2 without a ticket, 1 in maintenance, 1 not checked yet", TextOf(board.Find("h1")));
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
    public void The_search_finds_by_name_and_group_and_the_counts_follow()
    {
        var board = Board(All, filter: new BoardFilter(Search: "shop"));

        Assert.Equal(["Billing", "Search"], Names(board));
        Assert.Equal("All 2", TextOf(Button(board, "All")));
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
        board.Find("[data-tiles]").TriggerEvent("onpointerenter", new Microsoft.AspNetCore.Components.Web.PointerEventArgs());
        board.Render(parameters => parameters.Add(b => b.Surfaces, after));
        Assert.Equal(["Billing", "Search", "Login"], Names(board));

        board.Find("[data-tiles]").TriggerEvent("onpointerleave", new Microsoft.AspNetCore.Components.Web.PointerEventArgs());
        board.Render(parameters => parameters.Add(b => b.Surfaces, after));
        Assert.Equal(["Login", "Search", "Billing"], Names(board));
    }

    [Fact]
    public void A_pointer_left_on_the_board_does_not_hold_the_order_for_ever()
    {
        var board = Board([Billing, Search]);
        board.Find("[data-tiles]").TriggerEvent("onpointerenter", new Microsoft.AspNetCore.Components.Web.PointerEventArgs());
        board.Render(parameters =>
            parameters
                .Add(b => b.Surfaces, [Billing with { Status = SurfaceStatus.Operational }, Search with { Status = SurfaceStatus.Down }])
                .Add(b => b.Now, Now.AddSeconds(31))
        );

        Assert.Equal(["Search", "Billing"], Names(board));
    }

    [Fact]
    public void A_changed_surface_renders_only_its_own_tile()
    {
        var board = Board(All);
        var tiles = board.FindComponents<SurfaceTile>();
        var renders = tiles.ToDictionary(tile => tile.Instance.Snapshot.Key, tile => tile.RenderCount);

        board.Render(parameters =>
            parameters
                .Add(b => b.Surfaces, [.. All.Select(surface => surface == Maps ? Maps with { Cause = "slower" } : surface)])
                .Add(b => b.Now, Now.AddSeconds(1))
        );

        Assert.All(
            tiles,
            tile => Assert.Equal(renders[tile.Instance.Snapshot.Key] + (tile.Instance.Snapshot.Key is "maps" ? 1 : 0), tile.RenderCount)
        );
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

    private static IEnumerable<string> Names(IRenderedComponent<SurfaceBoard> board) =>
        board.FindAll("article:not([hidden]) h3").Select(TextOf);
}
