using System.Text.RegularExpressions;
using AutoTicket.Alerts;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Alerts;
using Microsoft.Playwright;

namespace AutoTicket.Tests.Journeys;

/// <summary>Maintenance from the tile and the surface's page, and a snooze from an alert.</summary>
public sealed class MaintenanceJourneys(JourneyHost host) : IClassFixture<JourneyHost>
{
    [Fact]
    public async Task Maintenance_is_started_and_ended_on_a_tile_by_mouse_and_shows_on_every_page()
    {
        host.Publish("pay", ReadingOutcome.Failed);
        await using var page = await ConsolePage.OpenAsync(host.Console, "/console/status");
        var tile = page.Tile("Surface pay");

        await page.Button("Maintenance… of Surface pay").ClickAsync();
        await Reason(page).FillAsync("database upgrade");
        await page.Page.GetByText("2h", new() { Exact = true }).ClickAsync();
        await page.Button("Start maintenance").ClickAsync();

        await Assertions.Expect(tile).ToContainTextAsync("maintenance");
        await Assertions.Expect(tile).ToContainTextAsync("until 20");
        await Assertions.Expect(tile).ToContainTextAsync("by developer: database upgrade");
        await Assertions.Expect(tile).ToContainTextAsync("Checks: down");
        await Assertions.Expect(page.Button("End maintenance of Surface pay")).ToBeFocusedAsync();
        await page.ScreenshotAsync("maintenance-tile");
        await page.GoToAsync("/console/audit");
        await Assertions.Expect(Strip(page)).ToContainTextAsync("Surface pay is in maintenance, set by developer: “database upgrade”.");
        await Strip(page).GetByRole(AriaRole.Link, new() { Name = "Show" }).ClickAsync();
        await Assertions.Expect(tile).ToBeVisibleAsync();
        await Assertions.Expect(page.Tile("Surface shop")).ToBeHiddenAsync();

        await page.Button("End maintenance of Surface pay").ClickAsync();

        await Assertions.Expect(page.Text("Maintenance of Surface pay has ended.")).ToBeVisibleAsync();
        await Assertions.Expect(Strip(page).GetByText("is in maintenance")).ToHaveCountAsync(0);
        Assert.Equal(SurfaceStatus.Down, host.Board.Find("pay")!.Status);
        host.Publish("pay", ReadingOutcome.Ok);
        page.AssertNoErrors();
    }

    [Fact]
    public async Task A_weekly_maintenance_is_planned_and_canceled_by_keyboard()
    {
        await using var page = await ConsolePage.OpenAsync(host.Console, "/console/status/mail");
        var keys = page.Page.Keyboard;

        await page.Button("Plan maintenance… of Surface mail").FocusAsync();
        await keys.PressAsync("Enter");
        await Assertions.Expect(Reason(page)).ToBeFocusedAsync();
        await keys.PressAsync("Escape");
        await Assertions.Expect(page.Button("Plan maintenance… of Surface mail")).ToBeFocusedAsync();
        await keys.PressAsync("Enter");
        await Assertions.Expect(Reason(page)).ToBeFocusedAsync();
        await keys.TypeAsync("weekly backup");
        await page.Page.GetByRole(AriaRole.Radio, new() { Name = "Every week…" }).FocusAsync();
        await keys.PressAsync("Space");
        await page.Page.GetByRole(AriaRole.Checkbox, new() { Name = "sat" }).FocusAsync();
        await keys.PressAsync("Space");
        await keys.PressAsync("Tab");
        await keys.PressAsync("Tab");
        await keys.TypeAsync("1000PM");
        await page.Page.GetByLabel("Time zone, such as Europe/Berlin").FillAsync("Europe/Berlin");
        await page.ScreenshotAsync("maintenance-weekly");
        await keys.PressAsync("Enter");

        var list = page.Page.GetByRole(AriaRole.Table, new() { Name = "Maintenance" });
        await Assertions.Expect(list).ToContainTextAsync("Every sat at 22:00 (Europe/Berlin) for 1 h 0 min");
        await page.ScreenshotAsync("maintenance-list");
        await list.GetByRole(AriaRole.Button, new() { Name = "Cancel : weekly backup" }).FocusAsync();
        await keys.PressAsync("Enter");
        await Assertions.Expect(list).ToContainTextAsync("by developer");
        await Assertions.Expect(list).ToBeFocusedAsync();
        page.AssertNoErrors();
    }

    [Fact]
    public async Task By_keyboard_an_alert_is_found_and_snoozed_until_it_recovers_and_the_snooze_is_ended()
    {
        Assert.NotNull(await host.Console.Get<AlertAggregator>().ObserveAsync([AlertDriver.Say("noisy")], CancellationToken.None));
        await using var page = await ConsolePage.OpenAsync(host.Console, "/console/alerts");
        var row = page.Page.GetByRole(AriaRole.Listitem).GetByRole(AriaRole.Article, new() { Name = "noisy" });
        var card = page.Page.Locator(".panel");
        var opener = card.GetByRole(AriaRole.Button, new() { Name = "Snooze… noisy" });

        await page.Page.GetByRole(AriaRole.Button, new() { Name = "Age", Exact = true }).PressAsync("Enter");
        await Assertions.Expect(page.Page).ToHaveURLAsync(new Regex("[?]sort=age"));
        await page.Button("By name").PressAsync("Enter");
        await page.Page.GetByRole(AriaRole.Button, new() { Name = "noisy", Exact = true }).PressAsync("Enter");
        await Assertions.Expect(page.Page.GetByRole(AriaRole.Searchbox, new() { Name = "Search alerts" })).ToHaveValueAsync("noisy");
        // The name is gone with the list of names.
        await Assertions.Expect(page.Page.GetByRole(AriaRole.Main)).ToBeFocusedAsync();
        await row.GetByRole(AriaRole.Button, new() { NameRegex = new("^Why") }).PressAsync("Enter");
        await opener.PressAsync("Enter");
        await Assertions.Expect(Reason(page)).ToBeFocusedAsync();
        await page.Page.Keyboard.PressAsync("Escape");
        await Assertions.Expect(opener).ToBeFocusedAsync();
        await opener.PressAsync("Enter");
        await Reason(page).FillAsync("a part is on its way");
        await page
            .Page.GetByRole(AriaRole.Checkbox, new() { Name = "Ends when the alert recovers, if that is earlier" })
            .PressAsync("Space");
        await card.GetByRole(AriaRole.Button, new() { Name = "Snooze", Exact = true }).PressAsync("Enter");

        await Assertions.Expect(card).ToContainTextAsync("by developer: a part is on its way");
        await Assertions.Expect(card).ToContainTextAsync("until it recovers, at most until 20");
        await Assertions.Expect(Strip(page)).ToContainTextAsync("1 alert is snoozed by developer: “a part is on its way”.");
        await page.ScreenshotAsync("snooze-alert");
        var end = card.GetByRole(AriaRole.Button, new() { Name = "End snooze noisy" });
        await Assertions.Expect(end).ToBeFocusedAsync();
        await end.PressAsync("Enter");
        await Assertions.Expect(card).Not.ToContainTextAsync("until it recovers");
        await Assertions.Expect(opener).ToBeFocusedAsync();
        await Assertions.Expect(Strip(page).GetByText("snoozed")).ToHaveCountAsync(0);
        page.AssertNoErrors();
    }

    [Fact]
    public async Task A_half_written_reason_stays_with_its_alert()
    {
        IReadOnlyList<Observation> twins = [AlertDriver.Say("twin", source: "eu"), AlertDriver.Say("twin", source: "us")];
        Assert.NotNull(await host.Console.Get<AlertAggregator>().ObserveAsync(twins, CancellationToken.None));
        await using var page = await ConsolePage.OpenAsync(host.Console, "/console/alerts?q=twin");
        var cards = page.Page.GetByRole(AriaRole.Listitem).GetByRole(AriaRole.Article, new() { Name = "twin" });
        await Assertions.Expect(cards).ToHaveCountAsync(2);
        var first = await cards.First.GetAttributeAsync("aria-labelledby");
        await OpenAsync(first);
        await Reason(page).PressSequentiallyAsync("a part is on its w");
        await page.GoToAsync("/console/alerts?q=twin");

        await OpenAsync(await cards.Last.GetAttributeAsync("aria-labelledby"));
        await Assertions.Expect(Reason(page)).ToHaveValueAsync("");
        await page.Button("Cancel").ClickAsync();
        await OpenAsync(first);
        await Assertions.Expect(Reason(page)).ToHaveValueAsync("a part is on its w");

        async Task OpenAsync(string? alert)
        {
            var row = page.Page.Locator($"article[aria-labelledby={alert}]");
            var record = await row.GetByRole(AriaRole.Heading).GetByRole(AriaRole.Link).GetAttributeAsync("href");
            await row.GetByText("Why (").ClickAsync();
            // Until it is replaced, the panel of the other twin has the same button.
            var panel = page.Page.Locator(".panel", new() { Has = page.Page.Locator($"a[href='{record}']") });
            await panel.GetByRole(AriaRole.Button, new() { Name = "Snooze… twin" }).ClickAsync();
            await Assertions.Expect(Reason(page)).ToBeFocusedAsync();
        }
    }

    private static ILocator Reason(ConsolePage page) => page.Page.GetByRole(AriaRole.Textbox, new() { Name = "Reason (required)" });

    private static ILocator Strip(ConsolePage page) => page.Page.GetByRole(AriaRole.List, new() { Name = "Not normal" });
}
