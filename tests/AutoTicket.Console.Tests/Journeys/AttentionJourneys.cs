using System.Net.Http.Json;
using System.Text.RegularExpressions;
using AutoTicket.Alerts;
using AutoTicket.Flags;
using AutoTicket.Surfaces;
using Microsoft.Playwright;

namespace AutoTicket.Tests.Journeys;

/// <summary>No page looks calm while something is wrong.</summary>
public sealed class AttentionJourneys
{
    private static readonly string[] Pages =
    [
        "/console/status",
        "/console/alerts",
        "/console/incidents",
        "/console/tickets",
        "/console/flags",
        "/console/audit",
        "/console/diagnostics",
    ];

    [Fact]
    public async Task Thirty_alerts_show_in_the_heading_of_the_board_and_in_the_navigation_title_and_icon_of_every_page()
    {
        await using var host = await StartAsync();
        await using var page = await ConsolePage.OpenAsync(host, "/console/status");
        await Assertions.Expect(page.Page).ToHaveTitleAsync("Status · AutoTicket Console");
        await RaiseAsync(host, 30, Severity.P2);
        await RaiseAsync(host, 5, Severity.P3);

        await Assertions.Expect(page.Heading).ToContainTextAsync("30 P1/P2 alerts are active.");
        foreach (var path in Pages)
        {
            await page.GoToAsync(path);
            await Assertions.Expect(page.Link("Alerts 30 active P1 or P2")).ToBeVisibleAsync();
            await Assertions.Expect(page.Page).ToHaveTitleAsync(new Regex(@"^\(30\) "));
            await Assertions.Expect(page.Page.Locator("link[rel=icon]")).ToHaveAttributeAsync("href", new Regex("needed"));
        }

        await RaiseAsync(host, 30, Severity.P2, isFiring: false);
        await Assertions.Expect(page.Page).ToHaveTitleAsync("Diagnostics · AutoTicket Console");
        await Assertions.Expect(page.Link("active P1 or P2")).ToHaveCountAsync(0);
        page.AssertNoErrors();
    }

    [Fact]
    public async Task Thirty_tickets_of_alerts_are_on_the_page_of_tickets()
    {
        await using var host = await StartAsync(
            new()
            {
                ["Ticketing:FloodBudget"] = "50",
                ["Ticketing:FloodBudgetPerSource"] = "50",
                ["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "1",
            }
        );
        await RaiseAsync(host, 30, Severity.P2);
        await using var page = await ConsolePage.OpenAsync(host, "/console/tickets");

        await Assertions.Expect(page.Button("Alert 30")).ToBeVisibleAsync();
        await Assertions.Expect(page.Button("All 30")).ToBeVisibleAsync();
    }

    [Fact]
    public async Task A_tripped_flood_breaker_shows_on_every_page_until_it_is_reset()
    {
        await using var host = await StartAsync(
            new()
            {
                ["Ticketing:FloodBudget"] = "3",
                ["Ticketing:FloodBudgetPerSource"] = "50",
                ["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "1",
            }
        );
        // After the reset the budget covers the two that are left: more would trip the breaker again.
        await RaiseAsync(host, 5, Severity.P2);
        await using var page = await ConsolePage.OpenAsync(host, "/console/status");

        foreach (var path in Pages)
        {
            await page.GoToAsync(path);
            await Assertions.Expect(Strip(page)).ToContainTextAsync("Tickets for all alerts are paused by the flood breaker. For");
            await Assertions.Expect(Strip(page)).ToContainTextAsync("Until 20");
            await Assertions.Expect(Strip(page).GetByRole(AriaRole.Link, new() { Name = "Reset…" })).ToBeVisibleAsync();
        }

        await page.ScreenshotAsync("strip-flood");
        using var reset = await host.Http.PostAsJsonAsync(
            "/api/flood/reset",
            new
            {
                scope = "",
                reason = "a journey",
                @override = true,
            }
        );
        reset.EnsureSuccessStatusCode();
        await Assertions.Expect(page.Text("are paused by the flood breaker")).ToHaveCountAsync(0);
    }

    [Fact]
    public async Task A_flag_that_is_off_shows_on_every_page_with_who_and_why_and_its_link_leads_to_the_flag()
    {
        await using var host = await StartAsync(new() { ["FLAG_CONSOLE_INVESTIGATE_FROM_STATUS"] = null });
        await SwitchAsync(host, FlagNames.AlertsAutoTicket, true);
        await SwitchAsync(host, FlagNames.InvestigateFromStatus, true);
        await using var page = await ConsolePage.OpenAsync(host, "/console/status");
        await Assertions.Expect(Strip(page)).ToHaveCountAsync(0);

        await SwitchAsync(host, FlagNames.AlertsAutoTicket, false);
        await SwitchAsync(host, FlagNames.InvestigateFromStatus, false);
        foreach (var path in Pages)
        {
            await page.GoToAsync(path);
            foreach (var what in new[] { "Automatic tickets for alerts", "Tickets by click on the board" })
            {
                await Assertions.Expect(Strip(page)).ToContainTextAsync($"{what} are switched off by developer: “a journey”. For");
            }
        }

        await Strip(page).GetByRole(AriaRole.Link, new() { Name = "Switch on…" }).First.ClickAsync();
        await Assertions.Expect(page.Heading).ToHaveTextAsync("Flags");
        page.AssertNoErrors();
    }

    private static ILocator Strip(ConsolePage page) => page.Page.GetByRole(AriaRole.List, new() { Name = "Not normal" });

    private static async Task<ConsoleHost> StartAsync(Dictionary<string, string?>? settings = null)
    {
        var host = await ConsoleHost.StartAsync(settings: settings);
        await host.WaitForFlagsAsync();
        return host;
    }

    private static async Task RaiseAsync(ConsoleHost host, int count, Severity severity, bool isFiring = true)
    {
        var alerts = Enumerable
            .Range(0, count)
            .Select(i => new Observation(
                $"test{i % 3}",
                $"{severity}_{i}",
                null,
                severity,
                "it burns",
                isFiring,
                new Dictionary<string, string>()
            ));
        Assert.NotNull(await host.Get<AlertAggregator>().ObserveAsync([.. alerts], CancellationToken.None));
    }

    private static async Task SwitchAsync(ConsoleHost host, string flag, bool enabled)
    {
        using var answer = await host.Http.PutAsJsonAsync($"/api/flags/{flag}", new { enabled, reason = "a journey" });
        answer.EnsureSuccessStatusCode();
    }
}
