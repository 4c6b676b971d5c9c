using AutoTicket.Flags;
using Microsoft.Playwright;

namespace AutoTicket.Tests.Journeys;

/// <summary>The keyboard's place on a page is not lost with a form that closes.</summary>
public sealed class FocusJourneys(JourneyHost host) : IClassFixture<JourneyHost>
{
    private const string Flag = FlagNames.AlertsAutoTicket;

    [Fact]
    public async Task The_form_of_a_flag_returns_the_focus_after_escape_cancel_and_a_change()
    {
        await using var flags = await ConsolePage.OpenAsync(host.Console, "/console/flags");
        var opener = flags.Button($"Switch on… {Flag}");
        var reason = flags.Page.GetByRole(AriaRole.Textbox, new() { Name = "Reason (required)" });

        await opener.PressAsync("Enter");
        await Assertions.Expect(reason).ToBeFocusedAsync();
        await flags.Page.Keyboard.PressAsync("Escape");
        await Assertions.Expect(reason).ToHaveCountAsync(0);
        await Assertions.Expect(opener).ToBeFocusedAsync();

        await opener.PressAsync("Enter");
        await flags.Page.GetByRole(AriaRole.Button, new() { Name = "Cancel", Exact = true }).PressAsync("Enter");
        await Assertions.Expect(opener).ToBeFocusedAsync();

        await opener.PressAsync("Enter");
        await reason.FillAsync("a journey");
        await flags.Button("Switch on now").PressAsync("Enter");
        await Assertions.Expect(flags.Button($"Switch off… {Flag}")).ToBeFocusedAsync();
        await Assertions.Expect(flags.Text("Automatic tickets for alerts are on.")).ToBeVisibleAsync();
        flags.AssertNoErrors();
    }
}
