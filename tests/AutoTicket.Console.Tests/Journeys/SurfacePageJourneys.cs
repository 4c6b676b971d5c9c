using System.Text.RegularExpressions;
using AutoTicket.Data;
using AutoTicket.Diagnostics;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Kit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Playwright;

namespace AutoTicket.Tests.Journeys;

/// <summary>A surface's own page, and the way there and back.</summary>
public sealed class SurfacePageJourneys(JourneyHost host) : IClassFixture<JourneyHost>
{
    private const string Top = "link => link.getBoundingClientRect().top";

    [Fact]
    public async Task By_keyboard_the_history_is_shown_over_a_week_and_read_as_a_table()
    {
        await RollUpAsync("mail", TimeProvider.System.GetUtcNow().Floor(TimeSpan.FromHours(1)).AddDays(-2), p50: 123);
        await using var page = await ConsolePage.OpenAsync(host.Console, "/console/status/mail");
        await Assertions.Expect(Range(page, "24 h")).ToHaveAttributeAsync("aria-pressed", "true");
        await Assertions.Expect(Picture(page, "State, last 24 h, in 96 steps of 15 min")).ToBeVisibleAsync();

        await Range(page, "7 d").FocusAsync();
        await page.Page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(Range(page, "7 d")).ToHaveAttributeAsync("aria-pressed", "true");
        await Assertions.Expect(page.Page).ToHaveURLAsync(new Regex(@"/console/status/mail\?range=7d$"));
        await Assertions.Expect(Picture(page, "State, last 7 d, in 168 steps of 1 h")).ToBeVisibleAsync();

        await page.Page.GetByText("History as a table").FocusAsync();
        await page.Page.Keyboard.PressAsync("Enter");
        var table = page.Page.GetByRole(AriaRole.Region, new() { Name = "History of the last 7 d" });
        await Assertions.Expect(table).ToBeVisibleAsync();
        await page.Page.Keyboard.PressAsync("Tab");
        await Assertions.Expect(table).ToBeFocusedAsync();
        await Assertions.Expect(table.GetByRole(AriaRole.Row, new() { Name = "down 50 % 123 ms 246 ms" })).ToHaveCountAsync(1);
        await Assertions.Expect(page.Page.GetByLabel("Uptime", new() { Exact = true })).ToContainTextAsync("known");
        await page.ScreenshotAsync("surface-week");

        // The range is in the address, and choosing one adds no step to the way back.
        await page.GoToAsync(page.Page.Url);
        await Assertions.Expect(Range(page, "7 d")).ToHaveAttributeAsync("aria-pressed", "true");
        page.AssertNoErrors();
    }

    [Fact]
    public async Task The_page_leads_to_the_incident_the_alert_with_its_decisions_and_the_ticket()
    {
        host.Publish("pay", ReadingOutcome.Failed);
        using var answer = await host.Console.Http.PostAsync("/api/surfaces/pay/investigate", null);
        answer.EnsureSuccessStatusCode();
        await using var page = await ConsolePage.OpenAsync(host.Console, "/console/status/pay");

        var incident = page.Page.GetByRole(AriaRole.Table, new() { Name = "Incidents of this surface" }).GetByRole(AriaRole.Row).Nth(1);
        await Assertions.Expect(incident).ToContainTextAsync("Surface pay is down");
        await Assertions.Expect(incident).ToContainTextAsync("firing");
        var ticket = page.Page.GetByRole(AriaRole.Table, new() { Name = "Tickets of this surface" }).GetByRole(AriaRole.Row).Nth(1);
        await Assertions.Expect(ticket).ToContainTextAsync(new Regex(@"#[0-9]+\s+open"));
        var alerts = page.Page.GetByRole(AriaRole.List, new() { Name = "Alerts about this surface" });
        await page.ScreenshotAsync("surface-records");
        await alerts.GetByRole(AriaRole.Link, new() { NameRegex = new("^Why") }).ClickAsync();
        var panel = page.Page.Locator(".panel");
        await Assertions.Expect(panel.GetByRole(AriaRole.Table)).ToContainTextAsync("click");

        await panel.GetByRole(AriaRole.Link, new() { Name = "Surface pay is down", Exact = true }).ClickAsync();
        await Assertions.Expect(page.Page).ToHaveURLAsync(new Regex("/console/alerts/[0-9a-f]+$"));
        host.Publish("pay", ReadingOutcome.Ok);
        page.AssertNoErrors();
    }

    [Fact]
    public async Task Back_on_the_board_the_surface_one_came_from_has_the_focus_where_it_stood()
    {
        foreach (var key in new[] { "shop", "mail", "search" })
        {
            host.Publish(key, ReadingOutcome.Failed);
        }

        // The line of urgent alerts moves what is below it.
        await Eventually.TrueAsync(
            () => host.Console.Get<AttentionWatch>().Current is { Surfaces: >= 3, Alerts.Count: >= 3 },
            "the board knows of the alerts"
        );
        const string Filtered = "/console/status?show=down";
        await using var board = await ConsolePage.OpenAsync(host.Console, Filtered, 390, 600);
        var link = board.Tile("Surface shop").GetByRole(AriaRole.Link, new() { Name = "Surface shop", Exact = true });
        await link.FocusAsync();
        await board.Page.EvaluateAsync("() => scrollBy(0, 40)");
        var before = await link.EvaluateAsync<double>(Top);
        Assert.True(await board.Page.EvaluateAsync<int>("() => scrollY") > 200);

        foreach (var isByLink in new[] { false, true })
        {
            await board.Page.Keyboard.PressAsync("Enter");
            await Assertions.Expect(board.Heading).ToBeFocusedAsync();
            await Assertions.Expect(board.Heading).ToHaveTextAsync("Surface shop");

            if (isByLink)
            {
                await board.Link("‹ Board").FocusAsync();
                await board.Page.Keyboard.PressAsync("Enter");
            }
            else
            {
                await board.Page.GoBackAsync();
            }

            await Assertions.Expect(board.Page).ToHaveURLAsync(new Uri(host.Console.Address, Filtered).AbsoluteUri);
            await Assertions.Expect(link).ToBeFocusedAsync();
            Assert.InRange(await link.EvaluateAsync<double>(Top), before - 2, before + 2);
        }

        foreach (var key in new[] { "shop", "mail", "search" })
        {
            host.Publish(key, ReadingOutcome.Ok);
        }

        board.AssertNoErrors();
    }

    private static ILocator Range(ConsolePage page, string name) =>
        page.Page.GetByRole(AriaRole.Group, new() { Name = "Time shown" }).GetByRole(AriaRole.Button, new() { Name = name });

    private static ILocator Picture(ConsolePage page, string name) => page.Page.GetByRole(AriaRole.Img, new() { Name = name });

    private async Task RollUpAsync(string key, DateTimeOffset hour, int p50)
    {
        await using var db = await host.Console.Get<IDbContextFactory<AutoTicketDbContext>>().CreateDbContextAsync();
        db.SurfaceHours.Add(SurfaceHour.Of(key, new(hour, 3_600_000, 1_800_000, 0, 0, p50, 2 * p50)));
        await db.SaveChangesAsync();
    }
}
