using System.Text.RegularExpressions;
using AutoTicket.Alerts;
using AutoTicket.Mailbox;
using AutoTicket.Sandbox;
using AutoTicket.Tests.Diagnostics;
using AutoTicket.Tests.Kit;
using Deque.AxeCore.Playwright;
using Microsoft.Playwright;

namespace AutoTicket.Tests.Journeys;

public sealed class DiagnosticsJourneys
{
    [Theory]
    [InlineData(1280)]
    [InlineData(390)]
    public async Task An_operator_reads_what_is_wrong_what_to_do_and_that_it_is_fixed(int width)
    {
        await using var console = await DiagnosedConsole.StartAsync(
            new() { ["Diagnostics:RunbookUrl"] = "https://wiki.example.org/console" }
        );
        var fault = console.Sandbox.Faults.Add(new(FaultKind.Unauthorized) { Match = FaultMatch.FreeScout });
        await console.Host.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);
        await console.RaiseAsync(Alerts.AlertDriver.Say());
        await Eventually.TrueAsync(
            async () =>
                await console.Host.Get<AlertQueries>().ReadAsync(new AlertQuery(), 1, default) is [{ Decisions: var decisions }]
                && decisions.Any(decision => decision.Path == DecisionSources.Slack),
            "the DM is sent and its decision, which diagnostics reads, is recorded"
        );

        await using var page = await ConsolePage.OpenAsync(console.Host, "/console/status", width);
        await page.Link("Diagnostics").ClickAsync();
        var verdict = page.Page.Locator(".verdict");
        var steps = page.Page.GetByRole(AriaRole.List, new() { Name = "Pipeline checks", Exact = true });
        // On a busy machine a check may time out: the operator runs them again.
        await RunAgainUntilAsync(
            async () =>
                (await verdict.InnerTextAsync()).Contains(
                    "DMs are being sent, tickets are not: the FreeScout key was rejected at ",
                    StringComparison.Ordinal
                )
                && await steps.Locator("[data-state=Failed]").CountAsync() == 1,
            "the verdict names the key, and nothing else fails"
        );
        await Assertions
            .Expect(page.Page.Locator("[data-step]"))
            .ToHaveCountAsync(console.Host.Get<AutoTicket.Diagnostics.PipelineDiagnostics>().Steps.Count);
        await Assertions.Expect(steps.Locator("[data-step=key_valid]")).ToContainTextAsync("Create a new key in FreeScout");
        // The checks that are OK are folded.
        await Assertions.Expect(page.Page.Locator("[data-step][data-state=Ok]").First).ToBeHiddenAsync();
        await Assertions.Expect(page.Page.GetByText(new Regex(@"^\d+ OK$"))).ToBeVisibleAsync();
        await Assertions
            .Expect(steps.Locator("[data-step=key_valid] a"))
            .ToHaveAttributeAsync("href", "https://wiki.example.org/console/docs/ops/runbooks/console-auto-ticketing.md#no-tickets");
        await Assertions.Expect(page.Page.Locator("[data-condition=KeyInvalid]")).ToContainTextAsync(new Regex(@"alerts in \d+ min"));
        Assert.Equal(width, await page.Page.EvaluateAsync<int>("() => document.documentElement.scrollWidth"));
        await page.ScreenshotAsync($"diagnostics-{width}");

        fault.Dispose();
        await RunAgainUntilAsync(async () => await steps.Locator("[data-state=Failed]").CountAsync() == 0, "no check fails");
        await Assertions.Expect(verdict).Not.ToContainTextAsync("tickets are not");

        foreach (var (button, result) in new[] { ("Send test DM", "The test DM was sent."), ("File test ticket", "was filed and closed.") })
        {
            await page.Button(button).PressAsync("Enter");
            await Assertions.Expect(page.Text(result)).ToBeVisibleAsync();
            await Assertions.Expect(page.Button(button)).ToBeFocusedAsync();
        }

        page.AssertNoErrors();

        // The console repeats a result that is younger than two seconds.
        async Task RunAgainUntilAsync(Func<Task<bool>> holds, string what) =>
            await Eventually.TrueAsync(
                async () =>
                {
                    await page.Button("Run again").ClickAsync();
                    await Assertions.Expect(verdict).Not.ToHaveTextAsync("Running checks…");
                    return await holds();
                },
                what
            );
    }

    [Fact]
    [Trait("Pitfall", "T-38")]
    public async Task An_open_page_shows_a_banner_while_alerts_reach_nobody()
    {
        await using var console = await DiagnosedConsole.StartAsync();
        await using var page = await ConsolePage.OpenAsync(console.Host, "/console/alerts", 390);
        var banner = page.Page.GetByRole(AriaRole.Alert).Filter(new() { HasText = "Alerts reach nobody, neither by DM nor by ticket." });
        await Assertions.Expect(banner).ToHaveCountAsync(0);
        var freeScout = console.Sandbox.Faults.Add(new(FaultKind.Unauthorized) { Match = FaultMatch.FreeScout });
        var slack = console.Sandbox.Faults.Add(Fault.SlackError("invalid_auth"));
        await console.Host.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);
        await console.RaiseAsync(Alerts.AlertDriver.Say());

        await Assertions.Expect(banner).ToBeVisibleAsync();
        foreach (var scheme in new[] { ColorScheme.Light, ColorScheme.Dark })
        {
            await page.Page.EmulateMediaAsync(new() { ColorScheme = scheme });
            await page.GoToAsync("/console/flags");
            await Assertions.Expect(banner).ToBeVisibleAsync();
            Assert.Empty(
                (await page.Page.RunAxe()).Violations.Select(violation =>
                    $"{scheme}: {violation.Id}: {string.Join(" | ", violation.Nodes.Select(node => node.Html))}"
                )
            );
            await page.ScreenshotAsync($"silence-{scheme}");
        }

        slack.Dispose();
        freeScout.Dispose();
        await console.Host.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);
        await Assertions.Expect(banner).ToHaveCountAsync(0, new() { Timeout = 90_000 });
    }
}
