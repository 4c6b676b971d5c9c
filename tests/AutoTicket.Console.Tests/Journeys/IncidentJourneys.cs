using System.Net;
using System.Text.RegularExpressions;
using AutoTicket.Alerts;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Kit;
using Microsoft.Playwright;

namespace AutoTicket.Tests.Journeys;

/// <summary>The incidents in a browser, by mouse and by keyboard.</summary>
public sealed class IncidentJourneys(JourneyHost host) : IClassFixture<JourneyHost>
{
    private const int Ada = 1;

    [Fact]
    public async Task An_outage_is_followed_from_its_tile_to_its_end_on_one_live_page()
    {
        host.Publish("pay", ReadingOutcome.Failed);
        await StoredAsync("pay");
        await using var page = await ConsolePage.OpenAsync(host.Console, "/console/status");
        await page.Tile("Surface pay").GetByRole(AriaRole.Link, new() { Name = "Incident of Surface pay" }).ClickAsync();
        await Assertions.Expect(page.Heading).ToHaveTextAsync("Surface pay is down");
        await Assertions.Expect(Figure(page, "Recovered")).ToHaveTextAsync("not yet");
        await Assertions.Expect(Timeline(page)).ToContainTextAsync("Alert opened, P2");

        // A click on another page, and what people do in FreeScout.
        using var click = await host.Console.Http.PostAsync(new Uri("/api/surfaces/pay/investigate", UriKind.Relative), null);
        click.EnsureSuccessStatusCode();
        await Assertions.Expect(Timeline(page)).ToContainTextAsync("filed by developer");
        var ticket = host.Sandbox.FreeScout.Conversations.Single(one => one.Subject.Contains("Surface pay", StringComparison.Ordinal)).Id;
        host.Sandbox.FreeScout.Assign(ticket, Ada, Ada);
        host.Sandbox.FreeScout.ReplyByAgent(ticket, "<p>looking</p>", Ada);
        await page.Page.ReloadAsync();
        await Assertions.Expect(Timeline(page)).ToContainTextAsync("Assigned to Ada Admin");
        await Assertions.Expect(Timeline(page)).ToContainTextAsync("Reply by Ada Admin");
        await Assertions.Expect(Figure(page, "First response")).Not.ToHaveTextAsync("not yet");

        // By keyboard the ticket is taken over, and maintenance is not started after all.
        var takeOver = page.Page.GetByRole(AriaRole.Button, new() { NameRegex = new("^Take over") });
        await takeOver.PressAsync("Enter");
        await Assertions.Expect(takeOver).ToContainTextAsync("Take over from Ada Admin");
        await Assertions.Expect(takeOver).ToBeFocusedAsync();
        await page.AssertAccessibleAsync();
        await page.Page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.Text("You have it now; Ada Admin had it.")).ToBeFocusedAsync();
        var mute = page.Button("Maintenance… of Surface pay");
        await mute.PressAsync("Enter");
        await Assertions.Expect(page.Page.GetByRole(AriaRole.Textbox, new() { Name = "Reason (required)" })).ToBeFocusedAsync();
        await page.Page.Keyboard.PressAsync("Escape");
        await Assertions.Expect(mute).ToBeFocusedAsync();

        // Copy says what it did.
        await page.Button("Copy as Markdown").ClickAsync();
        await Assertions.Expect(page.Page.Locator("[data-copied]")).ToHaveTextAsync(new Regex("Copied|Selected"));
        await Assertions.Expect(page.Page.Locator("#incident-markdown")).ToHaveValueAsync(new Regex("^# P2 Surface pay is down\n"));
        var download = await page.Page.RunAndWaitForDownloadAsync(() => page.Link("Download as Markdown").ClickAsync());
        Assert.Matches("^incident-[0-9a-f]{16}-[0-9]+\\.md$", download.SuggestedFilename);

        host.Publish("pay", ReadingOutcome.Ok);
        await Assertions.Expect(Figure(page, "Recovered")).Not.ToHaveTextAsync("not yet");
        await Assertions.Expect(Timeline(page)).ToContainTextAsync("Recovered");
        await page.ScreenshotAsync("incident-1280");
        page.AssertNoErrors();
    }

    [Fact]
    public async Task By_keyboard_an_ended_incident_is_found_and_its_address_keeps_the_view()
    {
        host.Publish("shop", ReadingOutcome.Failed);
        await StoredAsync("shop");
        host.Publish("shop", ReadingOutcome.Ok);
        await Eventually.TrueAsync(
            async () =>
                (await host.Console.Http.GetStringAsync("/api/incidents?state=ended&surface=shop")).Contains(
                    "Surface shop",
                    StringComparison.Ordinal
                ),
            "the incident has ended"
        );
        await using var page = await ConsolePage.OpenAsync(host.Console, "/console/status");
        await page
            .Page.GetByRole(AriaRole.Navigation, new() { Name = "Console" })
            .GetByRole(AriaRole.Link, new() { Name = "Incidents" })
            .FocusAsync();
        await page.Page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.Heading).ToHaveTextAsync("Incidents");

        await page.Page.GetByRole(AriaRole.Button, new() { Name = "Ended" }).FocusAsync();
        await page.Page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.Page).ToHaveURLAsync(new Regex(@"\?state=ended$"));
        var surface = page.Page.GetByRole(AriaRole.Combobox, new() { Name = "Surface" });
        // On a busy machine the answer to the button may arrive in the middle of the word.
        await Eventually.TrueAsync(
            async () =>
            {
                await surface.FocusAsync();
                await surface.FillAsync("");
                await page.Page.Keyboard.TypeAsync("shop");
                return await surface.InputValueAsync() == "shop";
            },
            "the surface is typed"
        );
        await page.Page.Keyboard.PressAsync("Tab");
        await Assertions
            .Expect(page.Page.GetByRole(AriaRole.Table, new() { Name = "Ended incidents" }).GetByRole(AriaRole.Row))
            .ToHaveCountAsync(2);
        await Assertions.Expect(page.Page).ToHaveURLAsync(new Regex(@"/console/incidents\?state=ended&surface=shop$"));
        await page.ScreenshotAsync("incidents-1280");

        await page.Page.ReloadAsync();
        await page.IsLiveAsync();
        var link = page.Link("Surface shop is down");
        await link.FocusAsync();
        await page.Page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.Heading).ToHaveTextAsync("Surface shop is down");
        await Assertions.Expect(Timeline(page)).ToContainTextAsync("Recovered");
        Assert.Matches("/console/incidents/[0-9a-f]{16}-[0-9]+$", page.Page.Url);
        // The router moves the focus to the heading after it has rendered the page.
        await Assertions.Expect(page.Heading).ToBeFocusedAsync();
        await page.Button("Copy as Markdown").FocusAsync();
        await page.Page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.Page.Locator("[data-copied]")).Not.ToHaveTextAsync("");
        page.AssertNoErrors();

        await page.GoToAsync("/console/incidents/0123456789abcdef");
        await Assertions.Expect(page.Heading).ToHaveTextAsync("Page not found");
    }

    [Fact]
    public async Task On_paper_an_incident_is_black_on_white_without_buttons()
    {
        host.Publish("mail", ReadingOutcome.Failed);
        await StoredAsync("mail");
        await using var page = await ConsolePage.OpenAsync(
            host.Console,
            $"/console/incidents/{AlertIdentity.KeyOf(AlertIdentity.OfSurface("mail"))}"
        );
        await page.Page.EmulateMediaAsync(new() { Media = Media.Print, ColorScheme = ColorScheme.Dark });

        await Assertions.Expect(page.Page.Locator(".mud-appbar")).ToBeHiddenAsync();
        await Assertions.Expect(page.Button("Copy as Markdown")).ToBeHiddenAsync();
        await Assertions.Expect(Timeline(page)).ToBeVisibleAsync();
        Assert.Equal("rgb(255, 255, 255)", await page.Page.EvaluateAsync<string>("() => getComputedStyle(document.body).backgroundColor"));
        Assert.Equal(
            "rgb(0, 0, 0)",
            await page.Page.EvaluateAsync<string>("() => getComputedStyle(document.querySelector('.timeline .text')).color")
        );
        await page.ScreenshotAsync("incident-print");
    }

    private Task StoredAsync(string surface) =>
        Eventually.TrueAsync(
            async () =>
                (
                    await host.Console.Http.GetAsync(
                        new Uri($"/api/incidents/{AlertIdentity.KeyOf(AlertIdentity.OfSurface(surface))}", UriKind.Relative)
                    )
                ).StatusCode == HttpStatusCode.OK,
            "the outage is an incident"
        );

    private static ILocator Timeline(ConsolePage page) => page.Page.GetByRole(AriaRole.List, new() { Name = "Timeline" });

    private static ILocator Figure(ConsolePage page, string name) =>
        page.Page.Locator(".figures div").Filter(new() { Has = page.Page.GetByText(name, new() { Exact = true }) }).Locator("dd");
}
