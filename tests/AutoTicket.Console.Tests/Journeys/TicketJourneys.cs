using System.Text.RegularExpressions;
using AutoTicket.Mailbox;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using Microsoft.Playwright;

namespace AutoTicket.Tests.Journeys;

public sealed class TicketJourneys(JourneyHost host) : IClassFixture<JourneyHost>
{
    [Fact]
    public async Task The_dashboard_shows_each_open_ticket_with_its_surface_now()
    {
        var down = host.Sandbox.FreeScout.CreateByHand("[P2] Surface pay is down", ["auto:status", "surface:pay"]);
        var well = host.Sandbox.FreeScout.CreateByHand("[P2] Surface mail was down", ["auto:status", "surface:mail"], "pending");
        host.Publish("pay", ReadingOutcome.Failed);
        host.Publish("mail", ReadingOutcome.Ok);
        await using var tickets = await ConsolePage.OpenAsync(host.Console, "/console/tickets");

        await tickets.Button("Refresh").ClickAsync();
        var row = Row(tickets, $"#{down.Number}");
        await Assertions.Expect(row).ToContainTextAsync("Surface pay");
        await Assertions.Expect(row).ToContainTextAsync("down");
        await Assertions.Expect(row).ToContainTextAsync("active");
        await Assertions
            .Expect(row.GetByRole(AriaRole.Link, new() { Name = $"#{down.Number}", Exact = true }))
            .ToHaveAttributeAsync("href", $"{host.Sandbox.FreeScout.BaseUrl}/conversation/{down.Id}");
        await Assertions.Expect(Row(tickets, $"#{well.Number}")).ToContainTextAsync("operational");
        await Assertions.Expect(Row(tickets, $"#{well.Number}")).ToContainTextAsync("pending");

        host.Publish("pay", ReadingOutcome.Ok);
        await Assertions.Expect(row).ToContainTextAsync("operational");
        // It recovered a moment ago, and may fail again.
        await Assertions.Expect(row).Not.ToContainTextAsync("ready to close");

        await tickets.Page.GetByLabel("Search surface or subject").FillAsync("Surface mail");
        await Assertions.Expect(row).ToHaveCountAsync(0);
        await Assertions.Expect(Row(tickets, $"#{well.Number}")).ToBeVisibleAsync();

        host.Sandbox.FreeScout.Close(well.Id);
        await tickets.Button("Refresh").ClickAsync();
        await Assertions.Expect(tickets.Text("No tickets match the search.")).ToBeVisibleAsync();
        tickets.AssertNoErrors();
    }

    [Fact]
    public async Task Tickets_of_alerts_are_listed_and_the_chosen_kind_is_in_the_address()
    {
        var surface = host.Sandbox.FreeScout.CreateByHand("[P2] Surface search is down", ["auto:status", "surface:search"]);
        var alert = host.Sandbox.FreeScout.CreateByHand("[P1] backup_failed", ["auto:alert", "sev:p1"]);
        await host.Console.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);
        await using var tickets = await ConsolePage.OpenAsync(host.Console, "/console/tickets");
        await Assertions.Expect(Row(tickets, $"#{alert.Number}")).ToBeVisibleAsync();
        await Assertions.Expect(Row(tickets, $"#{surface.Number}")).ToBeVisibleAsync();

        await Kind(tickets, "Alert").ClickAsync();
        await Assertions.Expect(Row(tickets, $"#{surface.Number}")).ToHaveCountAsync(0);
        await Assertions.Expect(Row(tickets, $"#{alert.Number}")).ToBeVisibleAsync();
        await Assertions.Expect(tickets.Page).ToHaveURLAsync(new Regex("/console/tickets[?]kind=alert$"));

        // A reload shows the same search and the same order.
        await tickets.Page.GetByLabel("Search surface or subject").FillAsync("backup_failed");
        await tickets.Page.GetByRole(AriaRole.Columnheader, new() { Name = "Age" }).GetByRole(AriaRole.Button).ClickAsync();
        await Assertions.Expect(tickets.Page).ToHaveURLAsync(new Regex("kind=alert&q=backup_failed&sort=age$"));
        await tickets.Page.ReloadAsync();
        await tickets.IsLiveAsync();
        await Assertions.Expect(tickets.Page.GetByLabel("Search surface or subject")).ToHaveValueAsync("backup_failed");
        await Assertions
            .Expect(tickets.Page.GetByRole(AriaRole.Columnheader, new() { Name = "Age" }))
            .ToHaveAttributeAsync("aria-sort", "ascending");
        await Assertions.Expect(Row(tickets, $"#{alert.Number}")).ToBeVisibleAsync();

        await tickets.GoToAsync("/console/tickets?kind=surface");
        await Assertions.Expect(Kind(tickets, "Surface")).ToHaveAttributeAsync("aria-pressed", "true");
        await Assertions.Expect(Row(tickets, $"#{surface.Number}")).ToBeVisibleAsync();
        await Assertions.Expect(Row(tickets, $"#{alert.Number}")).ToHaveCountAsync(0);
        tickets.AssertNoErrors();
    }

    [Fact]
    public async Task By_mouse_a_ticket_is_taken_on_its_tile_and_taken_over_in_the_table()
    {
        var ticket = host.Sandbox.FreeScout.CreateByHand("[P2] Surface pay is down", ["auto:status", "surface:pay"]);
        await host.Console.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);
        host.Publish("pay", ReadingOutcome.Failed);
        await using var board = await ConsolePage.OpenAsync(host.Console, "/console/status");
        var tile = board.Tile("Surface pay");
        await Assertions.Expect(tile).ToContainTextAsync($"#{ticket.Number}");
        await Assertions.Expect(tile).ToContainTextAsync("nobody has it");

        await tile.GetByRole(AriaRole.Button, new() { Name = $"Take it ticket #{ticket.Number}" }).ClickAsync();

        await Assertions.Expect(tile).ToContainTextAsync("You have it now.");
        await Assertions.Expect(tile).ToContainTextAsync("Dana Developer");
        await Assertions.Expect(tile.GetByRole(AriaRole.Button, new() { Name = "Take" })).ToHaveCountAsync(0);
        Assert.Equal(4, host.Sandbox.FreeScout.Find(ticket.Id)!.AssignedTo);

        host.Sandbox.FreeScout.Assign(ticket.Id, 3);
        await host.Console.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);
        await board.GoToAsync("/console/tickets?assignee=mine");
        await Assertions.Expect(Row(board, $"#{ticket.Number}")).ToHaveCountAsync(0);
        await Group(board, "Assignee", "Anyone").ClickAsync();
        var row = Row(board, $"#{ticket.Number}");
        await row.GetByRole(AriaRole.Button, new() { Name = $"Take over… ticket #{ticket.Number}" }).ClickAsync();
        await Assertions.Expect(row).ToContainTextAsync("Sam Support has it.");
        await board.ScreenshotAsync("tickets-take-over");
        Assert.Equal(3, host.Sandbox.FreeScout.Find(ticket.Id)!.AssignedTo);
        await row.GetByRole(AriaRole.Button, new() { Name = "Take over from Sam Support" }).ClickAsync();

        await Assertions.Expect(row).ToContainTextAsync("You have it now; Sam Support had it.");
        await Group(board, "Assignee", "Mine").ClickAsync();
        await Assertions.Expect(row).ToBeVisibleAsync();
        await Assertions.Expect(board.Page).ToHaveURLAsync(new Regex("[?]assignee=mine$"));
        Assert.Equal(4, host.Sandbox.FreeScout.Find(ticket.Id)!.AssignedTo);
        board.AssertNoErrors();
    }

    [Fact]
    public async Task By_keyboard_a_ticket_is_taken_over_and_the_focus_is_never_lost()
    {
        var ticket = host.Sandbox.FreeScout.CreateByHand("[P2] Surface cart is down", ["auto:status", "surface:cart"]);
        host.Sandbox.FreeScout.Assign(ticket.Id, 1);
        await host.Console.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);
        await using var page = await ConsolePage.OpenAsync(host.Console, "/console/status/cart");
        var takeOver = page.Button($"Take over… ticket #{ticket.Number}");

        await PressUntilFocusedAsync(page, takeOver);
        await page.Page.Keyboard.PressAsync("Enter");
        var confirm = page.Button($"Take over from Ada Admin ticket #{ticket.Number}");
        await Assertions.Expect(confirm).ToBeFocusedAsync();

        await page.Page.Keyboard.PressAsync("Tab");
        await page.Page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(takeOver).ToBeFocusedAsync();
        Assert.Equal(1, host.Sandbox.FreeScout.Find(ticket.Id)!.AssignedTo);

        await page.Page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(confirm).ToBeFocusedAsync();
        await page.Page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.Text("You have it now; Ada Admin had it.")).ToBeFocusedAsync();
        Assert.Equal(4, host.Sandbox.FreeScout.Find(ticket.Id)!.AssignedTo);
        page.AssertNoErrors();
    }

    private static async Task PressUntilFocusedAsync(ConsolePage page, ILocator wanted)
    {
        await Assertions.Expect(wanted).ToBeVisibleAsync();
        for (var presses = 0; presses < 60; presses++)
        {
            await page.Page.Keyboard.PressAsync("Tab");
            if (await wanted.EvaluateAsync<bool>("element => element === document.activeElement"))
            {
                return;
            }
        }

        Assert.Fail("Tab does not reach the button.");
    }

    [Fact]
    public async Task While_FreeScout_is_down_the_last_copy_stays_with_a_warning()
    {
        var ticket = host.Sandbox.FreeScout.CreateByHand("[P2] Surface search is down", ["auto:status", "surface:search"]);
        await host.Console.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);
        await using var tickets = await ConsolePage.OpenAsync(host.Console, "/console/tickets");
        await Assertions.Expect(Row(tickets, $"#{ticket.Number}")).ToBeVisibleAsync();

        using (host.Sandbox.Faults.Add(new Fault(FaultKind.Unauthorized) { Match = FaultMatch.FreeScout }))
        {
            await tickets.Button("Refresh").ClickAsync();
            await Assertions
                .Expect(
                    tickets
                        .Page.GetByRole(AriaRole.Region, new() { Name = "All open", Exact = true })
                        .GetByRole(AriaRole.Alert)
                        .Filter(new() { HasText = "FREESCOUT_API_KEY" })
                )
                .ToBeVisibleAsync();
            await Assertions.Expect(Row(tickets, $"#{ticket.Number}")).ToBeVisibleAsync();
        }

        await tickets.Button("Refresh").ClickAsync();
        await Assertions.Expect(tickets.Page.GetByRole(AriaRole.Alert)).ToHaveCountAsync(0);
    }

    [Fact]
    public async Task By_keyboard_the_audit_log_is_filtered_read_and_downloaded()
    {
        host.Publish("shop", ReadingOutcome.Failed);
        var answer = await host.Console.Http.PostAsync("/api/surfaces/shop/investigate", null);
        answer.EnsureSuccessStatusCode();
        await using var audit = await ConsolePage.OpenAsync(host.Console, "/console/audit");
        var entry = audit.Page.GetByRole(AriaRole.Row).Filter(new() { HasText = "for surface shop (P2)" });
        await Assertions.Expect(entry.Locator(".sentence")).ToHaveTextAsync(new Regex("^developer filed ticket #[0-9]+ for surface shop"));
        await Assertions.Expect(entry.GetByText("investigate_filed")).ToBeHiddenAsync();
        await entry.GetByText("Details").PressAsync("Enter");
        await Assertions.Expect(entry.GetByText("console.status.investigate_filed")).ToBeVisibleAsync();

        await FilterAsync(audit, "Action", "console.auth.denied");
        await Assertions.Expect(audit.Text("No entries match the filter.")).ToBeVisibleAsync();
        await FilterAsync(audit, "Action", "console.status.investigate_filed");
        await Assertions.Expect(entry).ToHaveCountAsync(1);
        await audit.Button("Flags").PressAsync("Enter");
        await Assertions.Expect(audit.Page).ToHaveURLAsync(new Regex("action=console.flags$"));
        await Assertions.Expect(entry).ToHaveCountAsync(0);
        await audit.Button("Investigate").PressAsync("Enter");
        await Assertions.Expect(entry).ToHaveCountAsync(1);

        await audit.Button("Last hour").PressAsync("Enter");
        await Assertions.Expect(audit.Page).ToHaveURLAsync(new Regex("[?&]from="));
        await Assertions.Expect(audit.Button("Last hour")).ToBeFocusedAsync();
        await Assertions.Expect(entry).ToHaveCountAsync(1);

        var download = await audit.Page.RunAndWaitForDownloadAsync(() => audit.Link("CSV").PressAsync("Enter"));
        Assert.Equal("audit_log.csv", download.SuggestedFilename);
        await using var file = await download.CreateReadStreamAsync();
        using var reader = new StreamReader(file);
        var lines = (await reader.ReadToEndAsync()).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("id,created_at,action,actor,payload", lines[0]);
        Assert.All(lines[1..], line => Assert.Contains("console.status.investigate_filed", line, StringComparison.Ordinal));
        audit.AssertNoErrors();
    }

    private static ILocator Kind(ConsolePage page, string name) => Group(page, "Kind", name);

    private static ILocator Group(ConsolePage page, string group, string name) =>
        page
            .Page.GetByRole(AriaRole.Group, new() { Name = group, Exact = true })
            .GetByRole(AriaRole.Button)
            .Filter(new() { HasText = name });

    private static ILocator Row(ConsolePage page, string number) =>
        page
            .Page.GetByRole(AriaRole.Region, new() { Name = "All open", Exact = true })
            .GetByRole(AriaRole.Row)
            .Filter(new() { Has = page.Page.GetByRole(AriaRole.Link, new() { Name = number, Exact = true }) });

    private static async Task FilterAsync(ConsolePage page, string label, string value)
    {
        await page.Page.GetByLabel(label, new() { Exact = true }).FillAsync(value);
        await page.Page.GetByLabel(label, new() { Exact = true }).PressAsync("Tab");
    }
}
