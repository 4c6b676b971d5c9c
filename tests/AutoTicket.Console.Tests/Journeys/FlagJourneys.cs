using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using AutoTicket.Flags;
using AutoTicket.Surfaces;
using Microsoft.Playwright;
using Xunit.Abstractions;

namespace AutoTicket.Tests.Journeys;

public sealed class FlagJourneys(JourneyHost host, ITestOutputHelper output) : IClassFixture<JourneyHost>
{
    private const string Flag = FlagNames.InvestigateFromStatus;

    [Fact, Trait("Pitfall", "T-57")]
    public async Task Switching_the_flag_removes_the_button_from_an_open_board_within_a_second_and_restores_it()
    {
        host.Publish("pay", ReadingOutcome.Failed);
        await using var board = await ConsolePage.OpenAsync(host.Console, "/console/status");
        await using var flags = await ConsolePage.OpenAsync(host.Console, "/console/flags");
        await Assertions.Expect(board.Investigate("Surface pay")).ToBeVisibleAsync();

        await flags.Button($"Switch off… {Flag}").ClickAsync();
        await flags.Button("Switch off now").ClickAsync();
        await Assertions.Expect(flags.Text("Enter a reason (3–500 characters).")).ToBeVisibleAsync();
        await flags.Page.GetByRole(AriaRole.Textbox, new() { Name = "Reason (required)" }).FillAsync("FreeScout moves house");
        await flags.Button("Switch off now").ClickAsync();
        var clicked = Stopwatch.GetTimestamp();
        await Assertions.Expect(board.Investigate("Surface pay")).ToHaveCountAsync(0);
        var off = Stopwatch.GetElapsedTime(clicked);

        var card = flags.Page.GetByRole(AriaRole.Region, new() { Name = Flag });
        await Assertions.Expect(card).ToContainTextAsync("OFF");
        await Assertions.Expect(card).ToContainTextAsync("developer, ");
        await Assertions.Expect(card).ToContainTextAsync("ago: FreeScout moves house");
        await Assertions.Expect(card).ToContainTextAsync("this page (console database)");

        await SwitchAsync(new { enabled = true, reason = "it has moved" });
        clicked = Stopwatch.GetTimestamp();
        await Assertions.Expect(board.Investigate("Surface pay")).ToBeVisibleAsync();
        var on = Stopwatch.GetElapsedTime(clicked);

        output.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"flip to an open board: off {off.TotalMilliseconds:0} ms, on {on.TotalMilliseconds:0} ms"
            )
        );
        Assert.InRange(off, TimeSpan.Zero, Eventually.OnABusyMachine(TimeSpan.FromSeconds(1)));
        Assert.InRange(on, TimeSpan.Zero, Eventually.OnABusyMachine(TimeSpan.FromSeconds(1)));
        Assert.Empty(board.ConsoleErrors.Concat(flags.ConsoleErrors));
    }

    [Fact]
    public async Task A_change_can_be_scheduled_is_shown_and_can_be_cancelled()
    {
        var at = TimeProvider.System.GetUtcNow().AddDays(2).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
        await using var flags = await ConsolePage.OpenAsync(host.Console, "/console/flags");
        var card = flags.Page.GetByRole(AriaRole.Region, new() { Name = FlagNames.AlertsAutoTicket });

        await flags.Button($"Switch on… {FlagNames.AlertsAutoTicket}").ClickAsync();
        await flags.Page.GetByRole(AriaRole.Textbox, new() { Name = "Reason (required)" }).FillAsync("after the release");
        await flags.Page.GetByRole(AriaRole.Radio, new() { Name = "Later…" }).ClickAsync();
        await flags.Page.GetByLabel("When (UTC)").FillAsync($"{at}T02:00");
        await flags.Page.GetByLabel("When (UTC)").BlurAsync();
        await flags.Page.GetByRole(AriaRole.Button, new() { Name = "Schedule", Exact = true }).ClickAsync();
        await Assertions.Expect(card).ToContainTextAsync($"switches on at {at} 02:00:00 UTC, by developer: after the release");

        await flags.Button("Cancel the scheduled change").ClickAsync();
        await Assertions.Expect(card).Not.ToContainTextAsync(at);
        await Assertions.Expect(card).ToContainTextAsync("OFF");
    }

    [Fact]
    public async Task A_flag_that_the_environment_switched_off_cannot_be_switched_on_and_the_page_says_why()
    {
        await using var console = await ConsoleHost.StartAsync(settings: new Dictionary<string, string?> { [Flag] = "0" });
        await using var flags = await ConsolePage.OpenAsync(console, "/console/flags");

        await Assertions.Expect(flags.Button($"Switch on… {Flag}")).ToBeDisabledAsync();
        await Assertions.Expect(flags.Text($"{Flag}=0 is set in the environment")).ToBeVisibleAsync();
    }

    private async Task SwitchAsync(object change)
    {
        var answer = await host.Console.Http.PutAsJsonAsync($"/api/flags/{Flag}", change);
        answer.EnsureSuccessStatusCode();
    }
}
