using System.Globalization;
using System.Text.RegularExpressions;
using AutoTicket.Hosting;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Playwright;

namespace AutoTicket.Tests.Journeys;

public sealed partial class BoardViewJourneys(JourneyHost host) : IClassFixture<JourneyHost>
{
    private const string PaintedTexts = """
        (tile) => {
          const walker = document.createTreeWalker(tile, NodeFilter.SHOW_TEXT);
          const painted = [];
          while (walker.nextNode()) {
            const { parentElement, data } = walker.currentNode;
            if (data.trim() && parentElement.checkVisibility() && !parentElement.closest(".visually-hidden, title"))
              painted.push(`${parseFloat(getComputedStyle(parentElement).fontSize)}|${data.trim()}`);
          }
          return painted;
        }
        """;

    private const string Overflow = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth";

    [Fact]
    public async Task The_wall_view_shows_state_name_severity_cause_ticket_and_freshness_in_large_type()
    {
        host.Publish("pay", ReadingOutcome.Failed, "503 Service Unavailable");
        using var answer = await host.Console.Http.PostAsync("/api/surfaces/pay/investigate", null);
        answer.EnsureSuccessStatusCode();
        await using var wall = await ConsolePage.OpenAsync(host.Console, "/console/status?view=wall", 1920, 1080);

        await Assertions.Expect(wall.Page.GetByRole(AriaRole.Navigation)).ToHaveCountAsync(0);
        await Assertions.Expect(wall.Page.GetByRole(AriaRole.Group, new() { Name = "Show" })).ToHaveCountAsync(0);
        await Assertions.Expect(wall.Tile("Surface pay").GetByRole(AriaRole.Link, new() { NameRegex = new("^#") })).ToBeVisibleAsync();
        await Assertions.Expect(wall.Tile("Surface pay").GetByRole(AriaRole.Button)).ToHaveCountAsync(0);
        var texts = (await wall.Tile("Surface pay").EvaluateAsync<string[]>(PaintedTexts)).Select(text => text.Split('|')).ToList();
        Assert.Matches(
            "^down for .+ Surface pay P2 503 Service Unavailable # ?[0-9]+ open .+ checked .+ ago$",
            string.Join(' ', texts.Select(text => text[1]))
        );
        // On a 43-inch 1080p screen 24 px are 12 mm high, legible from 3 m.
        Assert.All(texts, text => Assert.True(double.Parse(text[0], CultureInfo.InvariantCulture) >= 24, $"“{text[1]}” is {text[0]} px"));
        Assert.Equal(0, await wall.Page.EvaluateAsync<int>(Overflow));
        wall.AssertNoErrors();
    }

    [Fact]
    public async Task The_wall_view_says_that_it_shows_the_sandbox_also_when_it_is_scrolled()
    {
        await using var sandbox = await SandboxServer.StartAsync();
        var settings = Enumerable
            .Range(0, 12)
            .SelectMany(i => ConsoleHost.SurfaceSettings(i, $"s{i}", sandbox.Surface($"s{i}").Url))
            .ToDictionary();
        foreach (var i in Enumerable.Range(0, 12))
        {
            sandbox.Surface($"s{i}").Answer(503);
        }

        await using var console = await ConsoleHost.StartAsync(
            sandbox: sandbox,
            settings: settings,
            services: services => services.Replace(ServiceDescriptor.Singleton(new SandboxNotice(sandbox.Url, ["surfaces"])))
        );
        await Eventually.TrueAsync(
            () => console.Get<StatusBoard>().All().All(surface => surface.Status == SurfaceStatus.Down),
            "all surfaces are down"
        );
        await using var wall = await ConsolePage.OpenAsync(console, "/console/status?view=wall", 800, 600);
        await wall.Tile("Surface s0").WaitForAsync();

        await wall.Page.EvaluateAsync("() => window.scrollTo(0, document.documentElement.scrollHeight)");
        Assert.True(await wall.Page.EvaluateAsync<double>("() => window.scrollY") > 600);
        await Assertions
            .Expect(wall.Page.GetByRole(AriaRole.Note).Filter(new() { HasText = "Demo mode" }))
            .ToBeInViewportAsync(new() { Ratio = 1 });
    }

    [Fact]
    public async Task The_name_of_a_surface_looks_like_a_link_without_a_pointer()
    {
        host.Publish("pay", ReadingOutcome.Failed);
        await using var board = await ConsolePage.OpenAsync(host.Console, "/console/status", 390, 740);
        foreach (var name in new[] { "Surface pay", "Surface search" })
        {
            Assert.Equal(
                "underline",
                await board.Link(name).First.EvaluateAsync<string>("link => getComputedStyle(link).textDecorationLine")
            );
        }
    }

    [Fact]
    public async Task The_dense_view_shows_a_row_per_surface_and_fits_a_phone()
    {
        await using var sandbox = await SandboxServer.StartAsync();
        var settings = Enumerable
            .Range(0, 40)
            .SelectMany(i => ConsoleHost.SurfaceSettings(i, $"s{i}", sandbox.Surface($"s{i}").Url))
            .ToDictionary();
        settings["Status:PollInterval"] = "01:00:00";
        sandbox.Surface("s7").Answer(503);
        await using var console = await ConsoleHost.StartAsync(sandbox: sandbox, settings: settings);
        await Eventually.TrueAsync(
            () => console.Get<StatusBoard>().All().All(surface => surface.CheckedAt is not null),
            "all surfaces were probed"
        );
        await using var board = await ConsolePage.OpenAsync(console, "/console/status?view=dense", 1920, 1080);

        var rows = await board
            .Page.GetByRole(AriaRole.Article)
            .EvaluateAllAsync<double[]>(
                "rows => rows.filter(row => row.getBoundingClientRect().bottom <= innerHeight).map(row => row.offsetHeight)"
            );
        Assert.InRange(rows.Length, 24, 40);
        Assert.All(rows, height => Assert.InRange(height, 24, 40));
        await Assertions.Expect(board.Investigate("Surface s7", "File a ticket")).ToBeVisibleAsync();
        Assert.Equal(0, await board.Page.EvaluateAsync<int>(Overflow));

        // With a ticket the row has all actions, each in its column, and is no taller.
        using var answer = await console.Http.PostAsync("/api/surfaces/s7/investigate", null);
        answer.EnsureSuccessStatusCode();
        var take = board.Tile("Surface s7").GetByRole(AriaRole.Button, new() { NameRegex = new("^Take it ticket #") });
        await Assertions.Expect(take).ToBeVisibleAsync();
        foreach (var width in new[] { 1920, 1380, 920 })
        {
            await board.Page.SetViewportSizeAsync(width, 1080);
            Assert.Equal(0, await board.Page.EvaluateAsync<int>(Overflow));
            Assert.InRange(await board.Tile("Surface s7").EvaluateAsync<double>("row => row.offsetHeight"), 24, 40);
            var columns = await board
                .Page.GetByRole(AriaRole.Button, new() { Name = "Maintenance… of" })
                .EvaluateAllAsync<double[]>("buttons => buttons.map(button => button.getBoundingClientRect().right)");
            Assert.Equal(40, columns.Length);
            Assert.InRange(columns.Max() - columns.Min(), 0, 1);
        }

        var mute = board.Button("Maintenance… of Surface s9");
        await mute.PressAsync("Enter");
        await Assertions.Expect(board.Page.GetByRole(AriaRole.Textbox, new() { Name = "Reason (required)" })).ToBeFocusedAsync();
        await board.Page.Keyboard.PressAsync("Escape");
        await Assertions.Expect(mute).ToBeFocusedAsync();
        await take.PressAsync("Enter");
        await Assertions.Expect(board.Text("You have it now.")).ToBeFocusedAsync();

        await board.Page.SetViewportSizeAsync(360, 740);
        Assert.Equal(0, await board.Page.EvaluateAsync<int>(Overflow));
    }

    [Fact]
    public async Task On_a_phone_the_first_tile_begins_in_the_upper_half_with_the_strip_shown()
    {
        host.Publish("cart", ReadingOutcome.Failed);
        await using var board = await ConsolePage.OpenAsync(host.Console, "/console/status", 360, 740);
        await Assertions.Expect(board.Page.GetByRole(AriaRole.List, new() { Name = "Not normal" })).ToBeVisibleAsync();
        foreach (var width in new[] { 360, 390 })
        {
            await board.Page.SetViewportSizeAsync(width, 740);
            var top = await board.Page.Locator("article").First.EvaluateAsync<double>("tile => tile.getBoundingClientRect().top");
            await board.ScreenshotAsync($"phone-top-{width}");
            Assert.InRange(top, 0, 310);
        }

        host.Publish("cart", ReadingOutcome.Ok);
    }

    [Fact]
    public async Task The_view_is_switched_in_place_and_its_address_keeps_view_and_filter()
    {
        await using var board = await ConsolePage.OpenAsync(host.Console, "/console/status?show=operational", 1920, 1080);
        await board.Page.EvaluateAsync("() => window.isTheSame = true");
        List<string> requests = [];
        // The browser may fetch the tab's icon at any time.
        board.Page.Request += (_, request) =>
            requests.AddRange(request.Url.Contains("favicon", StringComparison.Ordinal) ? [] : [request.Url]);

        await board.Button("Dense").ClickAsync();
        await Assertions.Expect(board.Button("Dense")).ToHaveAttributeAsync("aria-pressed", "true");
        Assert.InRange(await board.Tile("Surface shop").EvaluateAsync<double>("row => row.offsetHeight"), 24, 40);
        Assert.True(await board.Page.EvaluateAsync<bool>("() => window.isTheSame"));
        Assert.Empty(requests);
        Assert.Equal("?show=operational&view=dense", new Uri(board.Page.Url).Query);

        await board.GoToAsync(board.Page.Url);
        await Assertions.Expect(board.Button("Dense")).ToHaveAttributeAsync("aria-pressed", "true");
        await Assertions
            .Expect(board.Page.GetByRole(AriaRole.Group, new() { Name = "Show" }).GetByRole(AriaRole.Button, new() { Pressed = true }))
            .ToContainTextAsync("operational");
        await board.Button("Tiles").ClickAsync();
        await Assertions.Expect(board.Button("Tiles")).ToHaveAttributeAsync("aria-pressed", "true");
        Assert.Equal("?show=operational", new Uri(board.Page.Url).Query);
        board.AssertNoErrors();
    }

    [Fact]
    public async Task The_tabs_title_and_icon_show_that_a_surface_needs_action()
    {
        foreach (var surface in host.Board.All())
        {
            host.Publish(surface.Key, ReadingOutcome.Ok);
        }

        await using var board = await ConsolePage.OpenAsync(host.Console, "/console/status");
        var icon = board.Page.Locator("link[rel=icon]");
        await Assertions.Expect(board.Page).ToHaveTitleAsync("Status · AutoTicket Console");
        var calm = await ShapeAsync(icon);

        host.Publish("mail", ReadingOutcome.Failed);
        await Assertions.Expect(board.Page).ToHaveTitleAsync("(1) Status · AutoTicket Console");
        await Assertions.Expect(icon).ToHaveAttributeAsync("href", new Regex("needed"));
        Assert.NotEqual(calm, await ShapeAsync(icon));

        host.Publish("mail", ReadingOutcome.Ok);
        await Assertions.Expect(board.Page).ToHaveTitleAsync("Status · AutoTicket Console");
        await Assertions.Expect(icon).Not.ToHaveAttributeAsync("href", new Regex("needed"));
        Assert.Equal(calm, await ShapeAsync(icon));
        board.AssertNoErrors();
    }

    /// <summary>The SVG of the page's icon without its colors.</summary>
    private async Task<string> ShapeAsync(ILocator icon)
    {
        await Assertions.Expect(icon).ToHaveCountAsync(1);
        var svg = await host.Console.Http.GetStringAsync(new Uri((await icon.GetAttributeAsync("href"))!, UriKind.Relative));
        return Colors().Replace(svg, "");
    }

    [GeneratedRegex("(fill|stroke)=\"[^\"]*\"")]
    private static partial Regex Colors();
}
