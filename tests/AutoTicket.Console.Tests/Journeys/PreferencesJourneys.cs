using System.Globalization;
using System.Net.Http.Json;
using System.Text.RegularExpressions;
using AutoTicket.Alerts;
using AutoTicket.Flags;
using AutoTicket.Surfaces;
using Microsoft.Playwright;

namespace AutoTicket.Tests.Journeys;

public sealed class PreferencesJourneys(JourneyHost host) : IClassFixture<JourneyHost>
{
    [Fact]
    public async Task Times_are_in_the_viewers_zone_with_UTC_on_hover_or_in_UTC_if_the_viewer_wants()
    {
        await SwitchAsync();
        await using var audit = await ConsolePage.OpenAsync(host.Console, "/console/audit", zone: "Asia/Tokyo");
        var time = audit.Page.Locator("local-time").First;
        await Assertions.Expect(time).ToHaveTextAsync(new Regex("^\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d GMT\\+9$"));
        var utc = (await time.GetAttributeAsync("title"))!;
        var local = (await time.InnerTextAsync()).Split(" GMT+");
        Assert.Equal(
            DateTime.ParseExact(utc, "yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture),
            DateTime.Parse(local[0], CultureInfo.InvariantCulture).AddHours(-int.Parse(local[1], CultureInfo.InvariantCulture))
        );
        await Assertions.Expect(audit.Page.GetByLabel("From (Asia/Tokyo)")).ToBeVisibleAsync();

        // A time that the page shows later is in the viewer's zone, too.
        await audit.Button("Last hour").ClickAsync();
        await Assertions.Expect(audit.Page).ToHaveURLAsync(new Regex("from="));
        await Assertions.Expect(time).ToHaveTextAsync(new Regex("GMT\\+9$"));

        await audit
            .Page.GetByRole(AriaRole.Group, new() { Name = "Times" })
            .GetByRole(AriaRole.Button, new() { Name = "UTC" })
            .ClickAsync();
        await Assertions.Expect(time).ToHaveTextAsync(utc);
        await audit.GoToAsync("/console/audit");
        await Assertions.Expect(time).ToHaveTextAsync(utc);
        await Assertions.Expect(audit.Page.GetByLabel("From (UTC)")).ToBeVisibleAsync();
        audit.AssertNoErrors();
    }

    [Fact]
    public async Task Times_in_sentences_and_tooltips_are_in_the_viewers_zone_too()
    {
        const string Local = @"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d GMT\+9";
        const string Utc = @"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC";
        host.Publish("shop", ReadingOutcome.Failed);
        await using var surface = await ConsolePage.OpenAsync(host.Console, "/console/status/shop", zone: "Asia/Tokyo");
        var age = surface.Page.Locator(".freshness time");
        await age.HoverAsync();
        await Assertions.Expect(age).ToHaveAttributeAsync("title", new Regex($@"^{Local} \({Utc}\)$"));
        var reading = surface.Page.Locator("svg.history line:has(title)").Last;
        await reading.DispatchEventAsync("pointerover");
        await Assertions.Expect(reading.Locator("title")).ToHaveTextAsync(new Regex($@"^{Local} \({Utc}\), failed"));

        // The sender's own times stay as they are.
        const string Summary = "2026-01-02 03:04:05 UTC was the last backup";
        await host
            .Console.Get<AlertAggregator>()
            .ObserveAsync([Alerts.AlertDriver.Say("zone_alert", Severity.P3) with { Summary = Summary }], default);
        var alert = (await host.Console.Get<AlertQueries>().ReadAsync(new AlertQuery(Search: "zone_alert"), 1, default))![0];
        using var answer = await host.Console.Http.PostAsJsonAsync(
            $"/api/alerts/{alert.AlertKey}/snooze",
            new { @for = "2h", reason = "a journey" }
        );
        answer.EnsureSuccessStatusCode();
        await surface.GoToAsync("/console/alerts?q=zone_alert");
        await Assertions.Expect(surface.Page.Locator(".summary")).ToHaveTextAsync(Summary);
        await Assertions.Expect(surface.Page.Locator(".summary")).ToHaveAttributeAsync("title", Summary);
        var since = surface.Page.Locator(".age time");
        await since.HoverAsync();
        await Assertions.Expect(since).ToHaveAttributeAsync("title", new Regex($@"^{Local} \({Utc}\)$"));

        await surface.GoToAsync($"/console/incidents/{alert.IncidentKey}");
        var quoted = surface.Page.Locator(".timeline .quiet").Filter(new() { HasText = "backup" }).First;
        await Assertions.Expect(quoted).ToHaveTextAsync(Summary);
        await surface.Page.EvaluateAsync(
            """
            () => {
              const impossible = document.createElement("p");
              impossible.setAttribute("data-local", "");
              impossible.textContent = "0000-00-00 00:00:00 UTC";
              document.querySelector("main").append(impossible);
            }
            """
        );
        await Assertions.Expect(surface.Text("0000-00-00 00:00:00 UTC")).ToBeVisibleAsync();
        var snoozed = surface.Page.Locator(".timeline .text").Filter(new() { HasText = "until" });
        await Assertions.Expect(snoozed).ToHaveTextAsync(new Regex($"until {Local}$"));
        await Assertions.Expect(snoozed).ToHaveAttributeAsync("title", new Regex($"^{Utc}$"));
        await surface
            .Page.GetByRole(AriaRole.Group, new() { Name = "Times" })
            .GetByRole(AriaRole.Button, new() { Name = "UTC" })
            .ClickAsync();
        await Assertions.Expect(snoozed).ToHaveTextAsync(new Regex($"until {Utc}$"));
        surface.AssertNoErrors();
    }

    [Fact]
    public async Task A_chosen_theme_is_kept_and_the_address_can_force_one()
    {
        await using var page = await ConsolePage.OpenAsync(host.Console, "/console/flags");
        await page.Page.EmulateMediaAsync(new() { ColorScheme = ColorScheme.Dark });
        await page.GoToAsync("/console/flags");
        var dark = await BackgroundAsync(page);

        await Theme(page, "light").ClickAsync();
        await Assertions.Expect(page.Page.Locator("html")).ToHaveAttributeAsync("data-theme", "light");
        await page.IsLiveAsync();
        await Assertions.Expect(Theme(page, "light")).ToHaveAttributeAsync("aria-pressed", "true");
        Assert.NotEqual(dark, await BackgroundAsync(page));

        await page.GoToAsync("/console/flags?theme=dark");
        Assert.Equal(dark, await BackgroundAsync(page));
        await page.GoToAsync("/console/flags");
        Assert.NotEqual(dark, await BackgroundAsync(page));
        await Theme(page, "system").ClickAsync();
        await Assertions.Expect(page.Page.Locator("html:not([data-theme])")).ToHaveCountAsync(1);
        await page.IsLiveAsync();
        Assert.Equal(dark, await BackgroundAsync(page));
        page.AssertNoErrors();
    }

    [Fact]
    public async Task Keys_lead_to_every_surface_to_the_search_and_to_their_list()
    {
        await using var page = await ConsolePage.OpenAsync(host.Console, "/console/flags");
        await page.Page.Keyboard.PressAsync("Control+k");
        var palette = page.Page.GetByRole(AriaRole.Dialog, new() { Name = "Go to" });
        await page.Page.Keyboard.TypeAsync("face pa");
        await Assertions.Expect(palette.GetByRole(AriaRole.Link)).ToHaveTextAsync(["Surface pay"]);
        await page.Page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.Page).ToHaveURLAsync(new Regex("/console/status/pay$"));
        await Assertions.Expect(palette).ToBeHiddenAsync();

        await page.Page.Keyboard.PressAsync("Control+k");
        await page.Page.Keyboard.TypeAsync("alerts");
        await Assertions.Expect(palette.GetByRole(AriaRole.Link)).ToHaveTextAsync(["Alerts"]);
        await page.Page.Keyboard.PressAsync("ArrowDown");
        await page.Page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.Heading).ToHaveTextAsync("Alerts");
        // The router moves the focus to the heading after it has rendered the page.
        await Assertions.Expect(page.Heading).ToBeFocusedAsync();

        await page.Page.Keyboard.PressAsync("/");
        await Assertions.Expect(page.Page.GetByRole(AriaRole.Searchbox, new() { Name = "Search alerts" })).ToBeFocusedAsync();
        await page.Page.Keyboard.TypeAsync("a/?b");
        await Assertions.Expect(page.Page.GetByRole(AriaRole.Searchbox, new() { Name = "Search alerts" })).ToHaveValueAsync("a/?b");

        await page.Page.EvaluateAsync("() => document.activeElement.blur()");
        await page.Page.Keyboard.PressAsync("?");
        var keys = page.Page.GetByRole(AriaRole.Dialog, new() { Name = "Keys" });
        await Assertions.Expect(keys).ToBeVisibleAsync();
        await page.Page.Keyboard.PressAsync("Escape");
        await Assertions.Expect(keys).ToBeHiddenAsync();
        page.AssertNoErrors();
    }

    private async Task SwitchAsync()
    {
        using var answer = await host.Console.Http.PutAsJsonAsync(
            $"/api/flags/{FlagNames.AlertsAutoTicket}",
            new { enabled = true, reason = "a journey" }
        );
        answer.EnsureSuccessStatusCode();
    }

    private static ILocator Theme(ConsolePage page, string name) =>
        page.Page.GetByRole(AriaRole.Group, new() { Name = "Theme" }).GetByRole(AriaRole.Button, new() { Name = name });

    private static Task<string> BackgroundAsync(ConsolePage page) =>
        page.Page.EvaluateAsync<string>("() => getComputedStyle(document.body).backgroundColor");
}
