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
    public async Task A_page_is_accessible_requests_no_other_host_and_fits_a_phone(string path)
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
            // A live page applies the browser's color scheme and animates the change. The sign-in page is not live.
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
    public async Task Every_asset_of_a_page_has_content(string path) => await Assets.HaveBytesAsync(host.Console.Http, path);

    [Fact]
    public async Task A_missing_asset_answers_404()
    {
        var answer = await host.Console.Http.GetAsync(new Uri("/fonts/none.woff2", UriKind.Relative));

        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
    }

    // Every page gets content: a surface that is down, its ticket, audit entries, and a producer with unstable alert ids.
    private async Task FillAsync()
    {
        host.Publish("pay", ReadingOutcome.Failed);
        using var answer = await host.Console.Http.PostAsync("/api/surfaces/pay/investigate", null);
        answer.EnsureSuccessStatusCode();
        // Only once per class: if these ids came again, the console would take them for three alerts and show no unstable producer.
        if (await host.Console.Get<AlertQueries>().FindAsync(AlertIdentity.KeyOf(Long.AlertId), CancellationToken.None) is null)
        {
            foreach (var id in new[] { "id-1", "id-2", "id-3" })
            {
                await host.Console.Get<AlertAggregator>().ObserveAsync([Long with { ProducerId = id }], CancellationToken.None);
            }
        }
    }
}
