using System.Net;
using AutoTicket.Alerts;
using AutoTicket.Surfaces;
using Deque.AxeCore.Playwright;
using Microsoft.Playwright;

namespace AutoTicket.Tests.Journeys;

public sealed class EveryPageTests(JourneyHost host) : IClassFixture<JourneyHost>
{
    private static readonly Observation Long = new(
        "noisy",
        "an_alert_with_a_name_that_does_not_fit_on_a_phone_because_its_author_never_had_one",
        "pay",
        Severity.P1,
        "https://example.org/" + new string('x', 300),
        true,
        new Dictionary<string, string>(),
        ProducerId: "id-1",
        FullText: new string('y', 5000) + string.Concat(Enumerable.Repeat("\nline", 200)),
        Url: "https://example.org/" + new string('z', 300),
        AllLabels: $$"""{"{{new string('l', 100)}}":"{{new string('v', 300)}}"}"""
    );

    public static readonly TheoryData<string> Paths = new(
        "/console/status",
        "/console/status?view=wall",
        "/console/status?view=dense",
        "/console/status/pay",
        "/console/alerts",
        $"/console/alerts/{AlertIdentity.KeyOf(Long.AlertId)}",
        "/console/tickets",
        "/console/flags",
        "/console/audit",
        "/console/diagnostics",
        "/login",
        "/not-found"
    );

    [Theory, MemberData(nameof(Paths))]
    public async Task A_page_is_usable_by_all_asks_no_host_but_ours_and_fits_a_phone(string path)
    {
        await FillAsync();
        await using var browser = await Browser.NewPageAsync(
            new BrowserNewContextOptions
            {
                ViewportSize = new ViewportSize { Width = 360, Height = 740 },
            }
        );
        foreach (var scheme in new[] { ColorScheme.Light, ColorScheme.Dark })
        {
            await browser.Page.EmulateMediaAsync(new() { ColorScheme = scheme });
            await browser.Page.GotoAsync(new Uri(host.Console.Address, path).AbsoluteUri);
            await Assertions.Expect(browser.Page.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToBeVisibleAsync();
            await browser.Page.WaitForLoadStateAsync(LoadState.NetworkIdle);
            // A live page takes the browser's scheme over, and colors change over a moment. The sign-in page is not live.
            await browser.Page.WaitForFunctionAsync(
                "scheme => (!scheme "
                    + "|| getComputedStyle(document.documentElement).getPropertyValue('--mud-native-html-color-scheme') === scheme) "
                    + "&& document.getAnimations().length === 0",
                path == "/login" ? null
                    : scheme == ColorScheme.Dark ? "dark"
                    : "light"
            );

            var found = await browser.Page.RunAxe();

            await browser.ScreenshotAsync($"phone{path.Replace('/', '-')}-{scheme}");
            Assert.True(
                found.Violations.Length == 0,
                string.Join(
                    '\n',
                    found.Violations.Select(violation =>
                        $"{scheme}: {violation.Id}: {violation.Help}: {string.Join(" | ", violation.Nodes.Select(node => node.Html))}"
                    )
                )
            );
            Assert.Equal(360, await browser.Page.EvaluateAsync<int>("() => document.documentElement.scrollWidth"));
        }

        Assert.Equal([host.Console.Address.Authority], browser.RequestHosts);
        browser.AssertNoErrors();
    }

    [Theory, MemberData(nameof(Paths))]
    public async Task Every_asset_that_a_page_names_has_bytes(string path) => await Assets.HaveBytesAsync(host.Console.Http, path);

    [Fact]
    public async Task A_font_icon_or_script_that_is_not_there_is_not_found()
    {
        var answer = await host.Console.Http.GetAsync(new Uri("/fonts/none.woff2", UriKind.Relative));

        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
    }

    // Something of everything: a tile that is down with a ticket, a row on the dashboard, entries in the audit log, an unstable producer.
    private async Task FillAsync()
    {
        host.Publish("pay", ReadingOutcome.Failed);
        using var answer = await host.Console.Http.PostAsync("/api/surfaces/pay/investigate", null);
        answer.EnsureSuccessStatusCode();
        // Once: ids that are repeated beside each other are alerts of their own, and nothing is wrong with them.
        if (await host.Console.Get<AlertQueries>().FindAsync(AlertIdentity.KeyOf(Long.AlertId), CancellationToken.None) is null)
        {
            foreach (var id in new[] { "id-1", "id-2", "id-3" })
            {
                await host.Console.Get<AlertAggregator>().ObserveAsync([Long with { ProducerId = id }], CancellationToken.None);
            }
        }
    }
}
