using System.Text.RegularExpressions;
using AutoTicket.Tests.Kit;
using Microsoft.Playwright;

namespace AutoTicket.Tests.Journeys;

public sealed class SearchJourneys(JourneyHost host) : IClassFixture<JourneyHost>
{
    [Theory]
    [InlineData("/console/status", "Search surfaces", "checkout", 280)]
    [InlineData("/console/status", "Search surfaces", "payments-3.eu-west", 120)]
    [InlineData("/console/alerts", "Search alerts", "checkout", 280)]
    [InlineData("/console/alerts", "Search alerts", "payments-3.eu-west", 120)]
    [InlineData("/console/tickets", "Search surface or subject", "checkout", 280)]
    [InlineData("/console/tickets", "Search surface or subject", "payments-3.eu-west", 120)]
    public async Task A_slow_line_loses_no_typed_letter(string path, string name, string text, float keyEvery)
    {
        await using var line = TcpProxy.To(host.Console.Address.AbsoluteUri);
        await using var page = await ConsolePage.OpenAsync(new Uri(line.Through(host.Console.Address.AbsoluteUri)), path);
        var box = page.Page.GetByRole(AriaRole.Searchbox, new() { Name = name });
        // Each way, so that a round trip takes 300 ms.
        line.Latency = TimeSpan.FromMilliseconds(150);

        await box.PressSequentiallyAsync(text, new() { Delay = keyEvery });
        if (path != "/console/tickets")
        {
            await Assertions.Expect(page.Page).ToHaveURLAsync(new Regex($"[?]q={Regex.Escape(text)}$"));
        }

        // The server answers in order: after the answer to this click no older one is on its way to the box.
        await AnswerToClickAsync(page, path);
        await Assertions.Expect(box).ToHaveValueAsync(text);
        page.AssertNoErrors();
    }

    [Fact]
    public async Task On_a_slow_line_the_palette_leads_to_what_was_typed()
    {
        await using var line = TcpProxy.To(host.Console.Address.AbsoluteUri);
        await using var page = await ConsolePage.OpenAsync(new Uri(line.Through(host.Console.Address.AbsoluteUri)), "/console/flags");
        line.Latency = TimeSpan.FromMilliseconds(150);

        await page.Page.Keyboard.PressAsync("Control+k");
        await page.Page.Keyboard.TypeAsync("face pa");
        await page.Page.Keyboard.PressAsync("Enter");

        await Assertions.Expect(page.Page).ToHaveURLAsync(new Regex("/console/status/pay$"));
        page.AssertNoErrors();
    }

    private static async Task AnswerToClickAsync(ConsolePage page, string path)
    {
        switch (path)
        {
            case "/console/status":
                await page.Button("By group").ClickAsync();
                await Assertions.Expect(page.Page).ToHaveURLAsync(new Regex("by=group"));
                break;
            case "/console/alerts":
                await page.Page.GetByRole(AriaRole.Button, new() { Name = "All", Exact = true }).ClickAsync();
                await Assertions.Expect(page.Page).ToHaveURLAsync(new Regex("show=all"));
                break;
            default:
                var updated = page.Text("Updated").GetByRole(AriaRole.Time);
                var before = await updated.GetAttributeAsync("datetime");
                await page.Button("Refresh").ClickAsync();
                await Assertions.Expect(updated).Not.ToHaveAttributeAsync("datetime", before!);
                break;
        }
    }
}
