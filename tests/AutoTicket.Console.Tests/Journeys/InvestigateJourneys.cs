using AutoTicket.Mailbox;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;
using Microsoft.Playwright;

namespace AutoTicket.Tests.Journeys;

public sealed class InvestigateJourneys(JourneyHost host) : IClassFixture<JourneyHost>
{
    [Fact]
    public async Task A_click_files_a_ticket_and_once_it_is_resolved_the_next_click_files_a_fresh_one_linked_to_it()
    {
        host.Publish("pay", ReadingOutcome.Failed);
        await using var board = await ConsolePage.OpenAsync(host.Console, "/console/status");
        await board.Investigate("Surface pay", "File a ticket").ClickAsync();

        var first = await TicketOfAsync(board, "Surface pay");
        await Assertions.Expect(board.Outcome("Surface pay")).ToContainTextAsync($"Filed ticket #{first.Number}.");
        await Assertions.Expect(board.Investigate("Surface pay", $"Open ticket #{first.Number} (")).ToBeVisibleAsync();

        var asked = host.Sandbox.FreeScout.RecordedRequests.Count;
        var opened = await board.Page.RunAndWaitForPopupAsync(() =>
            board.Investigate("Surface pay", $"Open ticket #{first.Number} (").ClickAsync()
        );
        await Assertions.Expect(opened.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToHaveTextAsync(first.Subject);
        await opened.CloseAsync();
        await Assertions.Expect(board.Outcome("Surface pay")).ToHaveTextAsync($"Ticket #{first.Number} is already open.");
        await Assertions.Expect(board.Tile("Surface pay").Locator($"a[href$='/conversation/{first.Id}']")).ToHaveCountAsync(1);
        Assert.Contains(
            host.Sandbox.FreeScout.RecordedRequests.Skip(asked),
            request => request.Path.EndsWith($"/conversations/{first.Id}", StringComparison.Ordinal)
        );
        await Eventually.TrueAsync(
            async () =>
                (await host.Console.Http.GetStringAsync(new Uri("/api/audit.csv", UriKind.Relative))).Contains(
                    "console.status.investigate_reused",
                    StringComparison.Ordinal
                ),
            "the click is recorded as reused"
        );

        await ResolveInFreeScoutAsync(board, first);
        await host.Console.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);
        await Assertions.Expect(board.Outcome("Surface pay")).ToBeEmptyAsync();
        await board.Investigate("Surface pay", "File a ticket").ClickAsync();
        await Assertions.Expect(board.Outcome("Surface pay")).ToContainTextAsync($"(follows closed #{first.Number}).");

        var second = await TicketOfAsync(board, "Surface pay");
        Assert.NotEqual(first.Id, second.Id);
        Assert.Contains(
            first.Number.ToString(System.Globalization.CultureInfo.InvariantCulture),
            second.Threads[^1].Body,
            StringComparison.Ordinal
        );
        board.AssertNoErrors();
    }

    [Fact, Trait("Pitfall", "T-21")]
    public async Task Two_operators_clicking_at_once_and_twice_get_one_ticket_and_both_see_it()
    {
        host.Publish("shop", ReadingOutcome.Failed);
        await using var one = await ConsolePage.OpenAsync(host.Console, "/console/status");
        await using var other = await ConsolePage.OpenAsync(host.Console, "/console/status");

        var slow = host.Sandbox.Faults.Add(new Fault(FaultKind.Delay) { Match = FaultMatch.FreeScoutCreate });
        await Task.WhenAll(one.Investigate("Surface shop").DblClickAsync(), other.Investigate("Surface shop").DblClickAsync());
        await Assertions.Expect(one.Investigate("Surface shop")).ToHaveAttributeAsync("aria-busy", "true");
        await Assertions.Expect(one.Investigate("Surface shop")).ToContainTextAsync("Investigating…");
        await Assertions.Expect(other.Investigate("Surface shop")).ToHaveAttributeAsync("aria-busy", "true");
        slow.Dispose();
        await Assertions.Expect(one.Investigate("Surface shop")).ToHaveAttributeAsync("aria-busy", "false");
        await Assertions.Expect(other.Investigate("Surface shop")).ToHaveAttributeAsync("aria-busy", "false");

        var ticket = Assert.Single(
            host.Sandbox.FreeScout.Conversations,
            conversation => conversation.Subject.Contains("Surface shop", StringComparison.Ordinal)
        );
        foreach (var board in new[] { one, other })
        {
            await Assertions
                .Expect(board.Tile("Surface shop").GetByRole(AriaRole.Link, new() { Name = $"#{ticket.Number}", Exact = true }))
                .ToBeVisibleAsync();
            await Assertions.Expect(board.Outcome("Surface shop")).ToContainTextAsync($"icket #{ticket.Number}");
        }
    }

    [Fact, Trait("Pitfall", "T-31")]
    public async Task While_FreeScout_is_down_the_tile_says_so_and_the_page_keeps_working()
    {
        host.Publish("mail", ReadingOutcome.Failed);
        await using var board = await ConsolePage.OpenAsync(host.Console, "/console/status");
        var fault = host.Sandbox.Faults.Add(new Fault(FaultKind.ResetBefore) { Match = FaultMatch.FreeScout });
        try
        {
            await board.Investigate("Surface mail").ClickAsync();
            await Assertions.Expect(board.Outcome("Surface mail")).ToContainTextAsync("FreeScout");
            await Assertions
                .Expect(board.Investigate("Surface mail", "Look up the ticket (response was lost; FreeScout is down)"))
                .ToBeVisibleAsync();

            host.Publish("search", ReadingOutcome.Failed);
            await Assertions.Expect(board.Tile("Surface search")).ToHaveAttributeAsync("data-status", "down");
            await Assertions.Expect(board.Investigate("Surface search", "File a ticket (FreeScout is down)")).ToBeVisibleAsync();
        }
        finally
        {
            fault.Dispose();
        }

        await Eventually.TrueAsync(
            async () =>
            {
                await host.Console.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);
                return await board.Investigate("Surface search", "File a ticket").IsVisibleAsync();
            },
            "the board shows that FreeScout works again"
        );
        await board.Investigate("Surface search").ClickAsync();
        await Assertions.Expect(board.Outcome("Surface search")).ToContainTextAsync("Filed ticket #");
        board.AssertNoErrors();
    }

    private async Task<SandboxConversation> TicketOfAsync(ConsolePage board, string surface)
    {
        var link = board.Outcome(surface).GetByRole(AriaRole.Link);
        await Assertions.Expect(link).ToBeVisibleAsync();
        var url = await link.GetAttributeAsync("href");
        var ticket = host.Sandbox.FreeScout.Conversations.Single(conversation =>
            url!.EndsWith($"/conversation/{conversation.Id}", StringComparison.Ordinal)
        );
        await Assertions.Expect(link).ToHaveTextAsync($"Open #{ticket.Number}");
        return ticket;
    }

    private static async Task ResolveInFreeScoutAsync(ConsolePage board, SandboxConversation ticket)
    {
        var freeScout = await board.Page.RunAndWaitForPopupAsync(() =>
            board.Tile("Surface pay").GetByRole(AriaRole.Link, new() { Name = $"#{ticket.Number}", Exact = true }).ClickAsync()
        );
        await Assertions.Expect(freeScout.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToHaveTextAsync(ticket.Subject);
        await freeScout.GetByRole(AriaRole.Button, new() { Name = "Resolve" }).ClickAsync();
        await Assertions.Expect(freeScout.GetByText("closed", new() { Exact = true })).ToBeVisibleAsync();
        await freeScout.CloseAsync();
    }
}
