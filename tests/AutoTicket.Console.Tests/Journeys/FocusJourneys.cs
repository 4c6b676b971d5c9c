using System.Text.RegularExpressions;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Flags;
using AutoTicket.Surfaces;
using Microsoft.EntityFrameworkCore;
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

        await flags.Button($"Switch off… {Flag}").PressAsync("Enter");
        await reason.FillAsync("an hour of work");
        await flags.Page.GetByRole(AriaRole.Radio, new() { Name = "Now, for 1 h" }).PressAsync("Space");
        await flags.Button("Switch off now").PressAsync("Enter");
        await Assertions.Expect(opener).ToBeFocusedAsync();
        var card = flags.Page.GetByRole(AriaRole.Region, new() { Name = Flag });
        await Assertions.Expect(card).ToContainTextAsync("switches on at");

        // The button that is gone leaves the focus to the flag.
        await flags.Button("Cancel the scheduled change").PressAsync("Enter");
        await Assertions.Expect(card).Not.ToContainTextAsync("switches on at");
        await Assertions.Expect(card).ToBeFocusedAsync();
        flags.AssertNoErrors();
    }

    [Fact]
    public async Task The_next_page_of_a_list_begins_at_its_start()
    {
        await host
            .Console.Get<AlertAggregator>()
            .ObserveAsync([.. Enumerable.Range(0, 110).Select(i => Alerts.AlertDriver.Say($"turn_{i}", Severity.P4))], default);
        await using (var db = await host.Console.Get<IDbContextFactory<AutoTicketDbContext>>().CreateDbContextAsync())
        {
            db.AddRange(
                Enumerable
                    .Range(0, 110)
                    .Select(_ => new AuditEntry
                    {
                        CreatedAt = TimeProvider.System.GetUtcNow(),
                        Action = AuditActions.FlagChanged,
                        Actor = "turner",
                        Payload = "{}",
                    })
            );
            await db.SaveChangesAsync();
        }

        await using var page = await ConsolePage.OpenAsync(host.Console, "/console/audit?actor=turner");
        await TurnAsync(page.Button("Next page"), "before=");
        await page.GoToAsync("/console/alerts?q=turn_");
        await TurnAsync(page.Button("Next page"), "after=");
        await TurnAsync(page.Button("First page"), "q=turn_$");
        await page.GoToAsync("/console/incidents?severity=p4");
        await TurnAsync(page.Button("Next page"), "before=");
        page.AssertNoErrors();

        async Task TurnAsync(ILocator control, string address)
        {
            await control.ScrollIntoViewIfNeededAsync();
            Assert.True(await page.Page.EvaluateAsync<bool>("() => scrollY > 1000"), "The control stands below a long list.");
            await control.ClickAsync();
            await Assertions.Expect(page.Page).ToHaveURLAsync(new Regex(address));
            var heading = page.Page.Locator("h2[data-list]");
            await Assertions.Expect(heading).ToBeFocusedAsync();
            Assert.InRange(await page.Page.EvaluateAsync<double>("() => scrollY"), 0, 500);
            Assert.InRange(await heading.EvaluateAsync<double>("heading => heading.getBoundingClientRect().top"), 0, 400);
        }
    }
}
