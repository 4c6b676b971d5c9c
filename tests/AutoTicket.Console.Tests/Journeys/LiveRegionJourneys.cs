using AutoTicket.Surfaces;
using Microsoft.Playwright;

namespace AutoTicket.Tests.Journeys;

/// <summary>What a screen reader speaks by itself: changes in live regions.</summary>
public sealed class LiveRegionJourneys(JourneyHost host) : IClassFixture<JourneyHost>
{
    // Counts the changes in live regions, keeps the text of each, and counts how often an age was updated.
    private const string Listen = """
        () => {
          window.spoken = [];
          window.ages = 0;
          const live = "[role=status], [role=alert], [role=log], output, [aria-live]:not([aria-live=off])";
          new MutationObserver((records) => records.forEach(({ target }) => {
            const element = target.nodeType === Node.TEXT_NODE ? target.parentElement : target;
            if (element?.closest("time[data-age]")) window.ages++;
            const region = element?.closest(live);
            // On a busy machine the connection may be lost for a moment, which is said.
            if (region && !region.closest("#circuit-lost")) window.spoken.push(region.textContent.trim());
          })).observe(document.body, { subtree: true, childList: true, characterData: true });
        }
        """;

    [Theory]
    [InlineData("/console/status")]
    [InlineData("/console/status/pay")]
    [InlineData("/console/tickets")]
    [InlineData("/console/alerts")]
    [InlineData("/console/incidents")]
    [InlineData("/console/diagnostics")]
    public async Task Live_regions_are_silent_while_nothing_happens(string path)
    {
        // The pages of alerts and incidents have something to show, and its age.
        host.Publish("shop", ReadingOutcome.Failed);
        host.Publish("shop", ReadingOutcome.Failed);
        await using var page = await ConsolePage.OpenAsync(host.Console, path);
        await Assertions.Expect(page.Page.Locator("time[data-age]").First).ToBeVisibleAsync();
        // The diagnostics page speaks when its checks have run.
        await Assertions.Expect(page.Text("Running checks…")).ToHaveCountAsync(0);
        await page.Page.EvaluateAsync(Listen);

        for (var second = 0; second < 5; second++)
        {
            host.Publish("pay", ReadingOutcome.Ok);
            var ages = await page.Page.EvaluateAsync<int>("() => window.ages");
            await page.Page.WaitForFunctionAsync("before => window.ages > before", ages);
        }

        var spoken = await page.Page.EvaluateAsync<string[]>("() => window.spoken");
        Assert.True(spoken.Length <= 1, string.Join('\n', spoken));
    }

    [Fact]
    public async Task Surfaces_that_go_down_or_recover_are_named_on_every_page()
    {
        await using var board = await ConsolePage.OpenAsync(host.Console, "/console/status");
        await using var flags = await ConsolePage.OpenAsync(host.Console, "/console/flags");
        await board.Page.EvaluateAsync(Listen);

        host.Publish("mail", ReadingOutcome.Failed);
        host.Publish("search", ReadingOutcome.Failed);
        foreach (var page in new[] { board, flags })
        {
            await Assertions.Expect(News(page)).ToHaveTextAsync("Surface mail and Surface search are down.");
        }

        host.Publish("mail", ReadingOutcome.Ok);
        await Assertions.Expect(News(board)).ToHaveTextAsync("Surface mail has recovered.");
        host.Publish("search", ReadingOutcome.Ok);
        await Assertions.Expect(News(board)).ToHaveTextAsync("Surface search has recovered.");
        Assert.Equal(3, await board.Page.EvaluateAsync<int>("() => window.spoken.filter((text) => text.startsWith('Surface')).length"));
    }

    private static ILocator News(ConsolePage page) => page.Page.Locator("main > [role=status]");
}
