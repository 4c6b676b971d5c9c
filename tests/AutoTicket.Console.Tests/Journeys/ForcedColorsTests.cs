using System.Net.Http.Json;
using AutoTicket.Surfaces;
using Deque.AxeCore.Commons;
using Microsoft.Playwright;

namespace AutoTicket.Tests.Journeys;

/// <summary>With forced colors, as in Windows' contrast themes, the browser replaces the console's colors by a few of its own.</summary>
public sealed class ForcedColorsTests(ForcedColorsTests.Night night) : IClassFixture<ForcedColorsTests.Night>
{
    private const string Outline = """
        () => {
          const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(document.activeElement);
          return `${outlineStyle} ${outlineWidth} ${outlineColor === getComputedStyle(document.body).backgroundColor}`;
        }
        """;

    private static readonly string[] Severities = ["P1", "P2", "P3", "P4"];
    private static readonly string[] States = ["down", "degraded", "maintenance", "operational"];

    [Theory]
    [InlineData("tiles")]
    [InlineData("wall")]
    [InlineData("dense")]
    public async Task Severity_and_state_of_a_surface_differ_in_shape_and_word(string view)
    {
        await using var board = await OpenAsync($"/console/status?view={view}");
        // On the wall a healthy surface is only counted.
        foreach (
            var (mark, words) in new[]
            {
                (".severity", Severities),
                (".state .now .status", States.Where(word => view != "wall" || word != "operational")),
            }
        )
        {
            HashSet<string> shapes = [];
            foreach (var word in words)
            {
                var one = board.Page.Locator($"article[data-tile] {mark}:visible").Filter(new() { HasText = word }).First;
                shapes.Add(await one.Locator("svg").InnerHTMLAsync());
                // Chromium computes the color of a text as if it were not forced, so only a picture tells what is seen.
                await AssertPaintedAsync(one, "svg");
                await AssertPaintedAsync(one, "span");
            }

            Assert.Equal(words.Count(), shapes.Count);
        }
    }

    [Fact]
    public async Task The_focus_and_the_chosen_filter_are_seen()
    {
        await using var board = await OpenAsync("/console/status");
        HashSet<string> seen = [];
        for (var stops = 0; stops < 40; stops++)
        {
            await board.Page.Keyboard.PressAsync("Tab");
            // Of a text field, MudBlazor's frame is the ring.
            if (await board.Page.EvaluateAsync<bool>("() => !document.activeElement.matches('input, body')"))
            {
                seen.Add(await board.Page.EvaluateAsync<string>(Outline));
            }
        }

        Assert.Equal(["solid 3px false"], seen);
        var filters = board.Page.GetByRole(AriaRole.Group, new() { Name = "Show" });
        Assert.NotEqual(
            await BackgroundAsync(filters.GetByRole(AriaRole.Button, new() { Pressed = false }).First),
            await BackgroundAsync(filters.GetByRole(AriaRole.Button, new() { Pressed = true }).First)
        );

        await board.GoToAsync("/console/alerts?severity=p1");
        var chosen = board.Page.GetByRole(AriaRole.Button, new() { NameRegex = new("^P1") });
        await Assertions.Expect(chosen).ToHaveAttributeAsync("aria-pressed", "true");
        // What is chosen keeps the colors that the console gives it.
        Assert.Equal(await ColorAsync(chosen), await ColorAsync(chosen.Locator(".severity")));
    }

    [Theory]
    [InlineData("status")]
    [InlineData("status?view=wall")]
    [InlineData("status/pay")]
    [InlineData("alerts?severity=p1")]
    [InlineData("incidents?severity=p1")]
    [InlineData("tickets")]
    [InlineData("flags")]
    [InlineData("audit?action=console.flags")]
    [InlineData("diagnostics")]
    public async Task A_page_is_accessible(string path)
    {
        await using var page = await OpenAsync($"/console/{path}");

        await page.ScreenshotAsync($"forced-colors-{path.Split('?')[0].Replace('/', '-')}");
        // axe takes a text's color as it is without forced colors.
        await page.AssertAccessibleAsync(
            new AxeRunOptions { Rules = new Dictionary<string, RuleOptions> { ["color-contrast"] = new() { Enabled = false } } }
        );
    }

    private async Task<ConsolePage> OpenAsync(string path)
    {
        var page = await ConsolePage.OpenAsync(night.Journey.Console, path);
        await page.Page.EmulateMediaAsync(new() { ForcedColors = ForcedColors.Active });
        Assert.True(await page.Page.EvaluateAsync<bool>("() => matchMedia('(forced-colors: active)').matches"));
        await Assertions.Expect(page.Heading).ToBeVisibleAsync();
        return page;
    }

    private static async Task AssertPaintedAsync(ILocator mark, string part)
    {
        var shown = await mark.ScreenshotAsync();
        await mark.Locator(part).First.EvaluateAsync("part => (part.style.visibility = 'hidden')");
        var hidden = await mark.ScreenshotAsync();
        await mark.Locator(part).First.EvaluateAsync("part => (part.style.visibility = '')");
        Assert.False(shown.SequenceEqual(hidden), $"{part} of {await mark.InnerTextAsync()} can't be seen.");
    }

    private static Task<string> ColorAsync(ILocator element) => element.EvaluateAsync<string>("element => getComputedStyle(element).color");

    private static Task<string> BackgroundAsync(ILocator element) =>
        element.EvaluateAsync<string>("element => getComputedStyle(element).backgroundColor");

    /// <summary>Five surfaces of four severities and in four states.</summary>
    public sealed class Night : IAsyncLifetime
    {
        internal JourneyHost Journey { get; } =
            new()
            {
                Settings = new Dictionary<string, string?>
                {
                    ["Surfaces:0:Severity"] = "P1",
                    ["Surfaces:2:Severity"] = "P3",
                    ["Surfaces:3:Severity"] = "P4",
                },
            };

        public async Task InitializeAsync()
        {
            await Journey.InitializeAsync();
            Journey.Publish("pay", ReadingOutcome.Failed);
            Journey.Publish("shop", ReadingOutcome.Slow, "Slow: 1.5 s (limit 1 s)");
            Journey.Publish("search", ReadingOutcome.Failed);
            using var answer = await Journey.Console.Http.PostAsJsonAsync(
                "/api/surfaces/mail/maintenance",
                new { @for = "2h", reason = "New disks" }
            );
            answer.EnsureSuccessStatusCode();
        }

        public Task DisposeAsync() => Journey.DisposeAsync();
    }
}
