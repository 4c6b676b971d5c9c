using AutoTicket.Alerts;
using AutoTicket.Flags;
using AutoTicket.Surfaces;
using Microsoft.Playwright;

namespace AutoTicket.Tests.Journeys;

public sealed class FloodJourneys
{
    [Fact]
    public async Task The_flags_page_previews_what_would_be_filed_and_shows_and_resets_a_flood()
    {
        await using var console = await ConsoleHost.StartAsync(
            settings: new Dictionary<string, string?> { ["Ticketing:FloodBudget"] = "40", ["Ticketing:FloodBudgetPerSource"] = "3" }
        );
        foreach (var id in new[] { "a", "b", "c" })
        {
            await RaiseAsync(console, Say("made_up", id));
        }

        await RaiseAsync(console, [.. Enumerable.Range(0, 24).Select(n => Say($"noise{n}"))]);
        await using var flags = await ConsolePage.OpenAsync(console, "/console/flags", width: 360, height: 740);
        var card = flags.Page.GetByRole(AriaRole.Region, new() { Name = FlagNames.AlertsAutoTicket });
        await flags.Button($"Switch on… {FlagNames.AlertsAutoTicket}").ClickAsync();
        var waiting = card.GetByRole(AriaRole.Group, new() { Name = "Alerts waiting for a ticket" });
        await Assertions.Expect(waiting).ToContainTextAsync("Switching on files tickets for 25 alerts; the 20 worst:");
        await Assertions.Expect(waiting.GetByRole(AriaRole.Listitem)).ToHaveCountAsync(20);
        await IsUsableAsync(flags, "waiting");

        await Reason(flags).FillAsync("the release is out");
        await flags.Button("Switch on now").ClickAsync();
        var flood = flags.Page.GetByRole(AriaRole.Region, new() { Name = "Paused by the flood breaker: alerts from noisy" });
        await Assertions.Expect(flood).ToContainTextAsync("Reason: Too many alerts from noisy (3 tickets in 5 min).");

        await flood.GetByRole(AriaRole.Button, new() { Name = "Reset… the flood breaker for alerts from noisy" }).ClickAsync();
        await flags.Button("Reset now").ClickAsync();
        await Assertions.Expect(flags.Text("Enter a reason (3–500 characters).")).ToBeVisibleAsync();
        await Reason(flags).FillAsync("I looked at it");
        await flags.Button("Reset now").ClickAsync();
        await Assertions.Expect(flood.GetByRole(AriaRole.Alert)).ToContainTextAsync("A sender still changes its alert id");
        await Assertions.Expect(Reason(flags)).ToHaveValueAsync("I looked at it");
        await IsUsableAsync(flags, "refused");

        await flags.Page.GetByRole(AriaRole.Checkbox, new() { Name = "Reset anyway (sender is still unstable)" }).CheckAsync();
        await flags.Button("Reset now").ClickAsync();
        // The reset renews the budget. The waiting alerts use it up and trip the breaker again, which shows a new form.
        await Eventually.TrueAsync(() => console.Sandbox.FreeScout.CreatedCount >= 6, "the reset renews the budget");
        await Assertions.Expect(flags.Button("Reset now")).ToHaveCountAsync(0);
        flags.AssertNoErrors();
    }

    private static ILocator Reason(ConsolePage page) => page.Page.GetByRole(AriaRole.Textbox, new() { Name = "Reason (required)" });

    private static Observation Say(string name, string? id = null) =>
        new(
            "noisy",
            name,
            null,
            Severity.P2,
            $"{name} on db1 is over its limit",
            true,
            new Dictionary<string, string> { ["host"] = "db1" },
            ProducerId: id
        );

    private static async Task RaiseAsync(ConsoleHost console, params Observation[] observations) =>
        Assert.NotNull(await console.Get<AlertAggregator>().ObserveAsync(observations, CancellationToken.None));

    private static async Task IsUsableAsync(ConsolePage page, string name)
    {
        if (Environment.GetEnvironmentVariable("SCREENSHOTS") is { Length: > 0 })
        {
            await page.Page.ScreenshotAsync(new() { Path = $"/tmp/autoticket-screenshots/flags-{name}.png", FullPage = true });
        }

        Assert.Equal(360, await page.Page.EvaluateAsync<int>("() => document.documentElement.scrollWidth"));
        await page.AssertAccessibleAsync();
    }
}
