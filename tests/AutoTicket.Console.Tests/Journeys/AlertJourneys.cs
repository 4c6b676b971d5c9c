using AutoTicket.Alerts;
using AutoTicket.Surfaces;
using Microsoft.Playwright;

namespace AutoTicket.Tests.Journeys;

public sealed class AlertJourneys(JourneyHost host) : IClassFixture<JourneyHost>
{
    [Fact]
    public async Task An_alert_appears_on_an_open_page_with_why_it_has_no_ticket()
    {
        await using var page = await ConsolePage.OpenAsync(host.Console, "/console/alerts");
        await Assertions.Expect(page.Text("Nothing fires.")).ToBeVisibleAsync();

        await host.Console.Get<AlertAggregator>().ObserveAsync([new("test", "disk_full", null, Severity.P1, "the disk of db1 is full", true, new Dictionary<string, string>())], default);

        var alert = page.Page.GetByRole(AriaRole.Article, new() { Name = "disk_full" });
        await Assertions.Expect(alert).ToContainTextAsync("the disk of db1 is full");
        await Assertions.Expect(alert).ToContainTextAsync("The DM went out, the ticket did not: flag off.", new() { Timeout = 20_000 });
        await Assertions.Expect(alert).ToContainTextAsync("DM yes");

        await alert.GetByRole(AriaRole.Link, new() { Name = "disk_full" }).ClickAsync();
        await Assertions.Expect(page.Page.GetByRole(AriaRole.Heading, new() { Level = 1, Name = "disk_full" })).ToBeVisibleAsync();
        Assert.Empty(page.ConsoleErrors);
    }
}
