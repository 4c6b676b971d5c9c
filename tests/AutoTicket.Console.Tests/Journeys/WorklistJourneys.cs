using AutoTicket.Mailbox;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Kit;
using AutoTicket.Tickets;
using Microsoft.Playwright;

namespace AutoTicket.Tests.Journeys;

/// <summary>The worklist of tickets whose surface has recovered, in a browser.</summary>
public sealed class WorklistJourneys : IAsyncLifetime
{
    private ConsoleHost _console = default!;

    private SandboxServer Sandbox => _console.Sandbox;

    public async Task InitializeAsync()
    {
        var sandbox = await SandboxServer.StartAsync();
        var settings = new Dictionary<string, string?>
        {
            // A surface without a reading for two intervals is stale and leaves the worklist; a busy machine needs a long interval.
            ["Status:PollInterval"] = "00:00:15",
            ["Ticketing:RecoveredAfter"] = "00:00:00",
            ["Ticketing:SyncInterval"] = "01:00:00",
            ["Ticketing:ReconcileInterval"] = "00:00:10",
        };
        foreach (var (key, index) in new[] { "pay", "shop" }.Select((key, index) => (key, index)))
        {
            foreach (var (name, value) in ConsoleHost.SurfaceSettings(index, key, sandbox.Surface(key).Url))
            {
                settings[name] = value;
            }

            settings[$"Surfaces:{index}:Timeout"] = settings[$"Surfaces:{index}:SlowAfter"] = "00:01:00";
        }

        _console = await ConsoleHost.StartAsync(sandbox: sandbox, settings: settings);
        await Eventually.TrueAsync(
            () => _console.Get<StatusBoard>().All().All(surface => surface.Status == SurfaceStatus.Operational),
            "all surfaces are well",
            TimeSpan.FromMinutes(1)
        );
    }

    public async Task DisposeAsync()
    {
        await _console.DisposeAsync();
        await Sandbox.DisposeAsync();
    }

    [Fact]
    public async Task By_keyboard_a_ticket_is_resolved_with_its_evidence_and_a_failed_one_says_why()
    {
        var pay = await AddListedTicketsAsync("pay", 1);
        var shop = await AddListedTicketsAsync("shop", 1);
        await using var tickets = await ConsolePage.OpenAsync(_console, "/console/tickets");
        await Assertions.Expect(tickets.Page.GetByRole(AriaRole.Link, new() { Name = "Tickets 2 ready to close" })).ToBeVisibleAsync();
        var (note, opener) = (tickets.Page.GetByLabel("Note on each ticket"), tickets.Button("Resolve 1…"));
        await tickets.Page.GetByRole(AriaRole.Checkbox, new() { Name = $"Select #{pay[0]}" }).PressAsync("Space");
        await opener.PressAsync("Enter");
        await Assertions.Expect(note).ToBeFocusedAsync();
        await tickets.Page.Keyboard.PressAsync("Escape");
        await Assertions.Expect(opener).ToBeFocusedAsync();
        await opener.PressAsync("Enter");
        await tickets.Button("Cancel").PressAsync("Enter");
        await Assertions.Expect(opener).ToBeFocusedAsync();
        await opener.PressAsync("Enter");
        await Assertions
            .Expect(note)
            .ToHaveValueAsync(new System.Text.RegularExpressions.Regex("^Surface pay has been operational since "));
        await ShotAsync(tickets, "worklist-form");
        await tickets.Button("Insert summary").PressAsync("Enter");
        await Assertions.Expect(tickets.Text("No incident is stored for this ticket.")).ToBeVisibleAsync();
        await note.FillAsync("Rolled the release back.");
        await tickets.Button($"Resolve #{pay[0]}").PressAsync("Enter");

        await Assertions.Expect(tickets.Text("1 resolved.")).ToBeFocusedAsync();
        await Assertions
            .Expect(Worklist(tickets).GetByRole(AriaRole.Link, new() { Name = $"#{pay[0]}", Exact = true }))
            .ToHaveCountAsync(0);
        await Assertions.Expect(tickets.Page.GetByRole(AriaRole.Link, new() { Name = "Tickets 1 ready to close" })).ToBeVisibleAsync();
        Assert.Contains(
            "Rolled the release back.",
            Sandbox.FreeScout.Find(pay[0])!.Threads.Single(thread => thread.Type == "note").Body,
            StringComparison.Ordinal
        );

        using (
            Sandbox.Faults.Add(
                new Fault(FaultKind.Status)
                {
                    Match = new FaultMatch("PUT", $"/freescout/api/conversations/{shop[0]}", Whole: true),
                    StatusCode = 500,
                }
            )
        )
        {
            await tickets.Button("Select all 1").PressAsync("Enter");
            await opener.PressAsync("Enter");
            await tickets.Button($"Resolve #{shop[0]}").PressAsync("Enter");
            await Assertions.Expect(Reasons(tickets)).ToContainTextAsync("500");
            await Assertions.Expect(Reasons(tickets)).ToContainTextAsync($"#{shop[0]}");
            await Assertions.Expect(tickets.Text("0 resolved, 1 failed (reasons below).")).ToBeFocusedAsync();
            await ShotAsync(tickets, "worklist-failed");
            Assert.True(Sandbox.FreeScout.Find(shop[0])!.IsOpen);
        }

        await tickets.Button("Retry 1").PressAsync("Enter");
        await Assertions.Expect(tickets.Text("1 resolved.")).ToBeFocusedAsync();
        Assert.False(Sandbox.FreeScout.Find(shop[0])!.IsOpen);
        tickets.AssertNoErrors();
    }

    [Fact]
    [Trait("Pitfall", "T-54")]
    public async Task Two_hundred_tickets_are_resolved_on_a_phone_with_three_taps()
    {
        var ids = (await AddListedTicketsAsync("pay", 120)).Concat(await AddListedTicketsAsync("shop", 80)).ToList();
        await using var tickets = await ConsolePage.OpenAsync(_console, "/console/tickets", width: 390, height: 844);
        await ShotAsync(tickets, "worklist-phone");

        await tickets.Button("Select all 200").ClickAsync();
        await tickets.Button("Resolve 200…").ClickAsync();
        await ShotAsync(tickets, "worklist-phone-form");
        await tickets.Button("Resolve 200 tickets").ClickAsync();

        await Assertions.Expect(tickets.Text("200 resolved.")).ToBeVisibleAsync(new() { Timeout = 120_000 });
        Assert.All(ids, id => Assert.Equal("closed", Sandbox.FreeScout.Find(id)!.Status));
        await Assertions.Expect(tickets.Text("Nothing to close: no surface with an open ticket")).ToBeVisibleAsync();
        Assert.Equal(390, await tickets.Page.EvaluateAsync<int>("() => document.documentElement.scrollWidth"));
        tickets.AssertNoErrors();
    }

    [Fact]
    public async Task An_attempt_shows_its_progress_and_can_be_stopped()
    {
        var ids = await AddListedTicketsAsync("pay", 20);
        await using var tickets = await ConsolePage.OpenAsync(_console, "/console/tickets");
        var slow = Sandbox.Faults.Add(
            new Fault(FaultKind.Delay) { Match = new FaultMatch("PUT", "/freescout/api/conversations/*", Whole: true) }
        );

        await tickets.Page.GetByRole(AriaRole.Button, new() { Name = "Select all 20", Exact = true }).ClickAsync();
        await tickets.Button("Resolve 20…").ClickAsync();
        await Assertions.Expect(tickets.Text("“{evidence}” is replaced for each ticket, e.g. #")).ToBeVisibleAsync();
        await tickets.Button("Resolve 20 tickets").ClickAsync();
        await Assertions.Expect(tickets.Text("Resolving 0 of 20")).ToBeVisibleAsync();
        await Assertions.Expect(tickets.Page.GetByRole(AriaRole.Group, new() { Name = "Resolving tickets" })).ToBeFocusedAsync();
        await Eventually.TrueAsync(() => slow.Hits == 4, "four at a time are being closed");
        await ShotAsync(tickets, "worklist-progress");
        await tickets.Button("Stop").ClickAsync();
        await Assertions.Expect(tickets.Text("Stopping after 0 of 20")).ToBeVisibleAsync();
        slow.Dispose();

        await Assertions.Expect(tickets.Text("4 resolved, 16 left open because you stopped.")).ToBeFocusedAsync();
        Assert.Equal(16, ids.Count(id => Sandbox.FreeScout.Find(id)!.IsOpen));
        await Assertions.Expect(tickets.Button("Resolve 16…")).ToBeEnabledAsync();
        tickets.AssertNoErrors();
    }

    [Fact]
    public async Task A_change_in_FreeScout_shows_on_an_open_page_at_once_and_a_finding_soon()
    {
        Sandbox.FreeScout.AnnounceTo(new Uri(_console.Address, "/api/freescout/webhook"));
        var ids = await AddListedTicketsAsync("pay", 3);
        var orphan = Sandbox.FreeScout.CreateByHand("Whose is it?", ["auto:alert"]);
        await using var tickets = await ConsolePage.OpenAsync(_console, "/console/tickets");
        await Assertions
            .Expect(Worklist(tickets).GetByRole(AriaRole.Link, new() { Name = $"#{ids[0]}", Exact = true }).First)
            .ToBeVisibleAsync();

        Sandbox.FreeScout.Close(ids[0]);
        await Assertions
            .Expect(Worklist(tickets).GetByRole(AriaRole.Link, new() { Name = $"#{ids[0]}", Exact = true }))
            .ToHaveCountAsync(0);

        Sandbox.FreeScout.Move(ids[1], 1);
        Sandbox.FreeScout.DeleteForever(ids[2]);
        await Assertions.Expect(Finding(tickets, ids[1])).ToContainTextAsync("open in mailbox 1");
        await Assertions.Expect(Finding(tickets, ids[2])).ToContainTextAsync("ghost");
        await Assertions.Expect(Finding(tickets, orphan.Id)).ToContainTextAsync("orphan");
        await ShotAsync(tickets, "findings");

        // A ticket may have two differences of one class: a half-written reason is kept for its own.
        await Findings(tickets).GetByRole(AriaRole.Button, new() { Name = $"Dismiss… drift #{ids[1]}" }).PressAsync("Enter");
        await Assertions.Expect(Findings(tickets).GetByRole(AriaRole.Textbox, new() { Name = "Reason (required)" })).ToBeFocusedAsync();
        await tickets.Page.Keyboard.TypeAsync("It belongs th");
        await tickets.AssertAccessibleAsync();
        Assert.EndsWith(
            $"Moved {ids[1]}",
            await tickets.Page.EvaluateAsync<string>("() => sessionStorage.key(0)"),
            StringComparison.Ordinal
        );
        await using var phone = await Browser.NewPageAsync(
            new BrowserNewContextOptions
            {
                ColorScheme = ColorScheme.Light,
                ViewportSize = new ViewportSize { Width = 390, Height = 844 },
            }
        );
        await phone.Page.GotoAsync(new Uri(_console.Address, "/console/tickets").AbsoluteUri);
        await Assertions.Expect(phone.Page.GetByText("open in mailbox 1")).ToBeVisibleAsync();
        await phone.ScreenshotAsync("findings-phone-light");
    }

    private static ILocator Worklist(ConsolePage page) => page.Page.GetByRole(AriaRole.Region, new() { Name = "Ready to close" });

    private static ILocator Reasons(ConsolePage page) => page.Page.GetByRole(AriaRole.List, new() { Name = "Why tickets failed" });

    private static ILocator Findings(ConsolePage page) =>
        page.Page.GetByRole(AriaRole.Table, new() { Name = "Differences between the console and FreeScout" });

    private static ILocator Finding(ConsolePage page, long id) =>
        Findings(page).GetByRole(AriaRole.Row).Filter(new() { HasText = $"#{id}", HasNotText = "fixed" });

    private static async Task ShotAsync(ConsolePage page, string name)
    {
        if (Environment.GetEnvironmentVariable("SCREENSHOTS") is { Length: > 0 })
        {
            await page.Page.ScreenshotAsync(new PageScreenshotOptions { Path = $"/tmp/autoticket-screenshots/{name}.png" });
        }
    }

    /// <summary>Creates open tickets of a surface and returns their ids once the console lists them.</summary>
    private async Task<IReadOnlyList<long>> AddListedTicketsAsync(string surface, int count)
    {
        var ids = Enumerable
            .Range(1, count)
            .Select(number =>
                Sandbox.FreeScout.CreateByHand($"[P2] Surface {surface} is down, {number}", ["auto:status", $"surface:{surface}"]).Id
            )
            .ToList();
        await _console.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);
        await Eventually.TrueAsync(
            async () =>
            {
                await using var db = await _console
                    .Get<Microsoft.EntityFrameworkCore.IDbContextFactory<AutoTicket.Data.AutoTicketDbContext>>()
                    .CreateDbContextAsync();
                return db.Tickets.Count(row => row.State == TicketState.Open && ids.Contains(row.ConversationId!.Value)) == count;
            },
            "the tickets are adopted"
        );
        await Eventually.TrueAsync(
            () => ids.All(id => _console.Get<RecoveredTickets>().Current.Any(one => one.Ticket.Id == id)),
            "the tickets are on the worklist"
        );
        return ids;
    }
}
