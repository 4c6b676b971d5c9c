using AutoTicket.Sandbox;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tests.Tickets;

/// <summary>Decision D-1: a click returns the open ticket of the last 60 minutes, and files a new one otherwise.</summary>
public sealed class WindowTests
{
    private readonly StillClock _clock = new();

    [Theory]
    [InlineData(Database.Sqlite, "open", "already_open", "filed", "filed")]
    [InlineData(Database.Sqlite, "resolved", "filed", "filed", "filed")]
    [InlineData(Database.Sqlite, "reopened", "already_open", "filed", "filed")]
    [InlineData(Database.Postgres, "open", "already_open", "filed", "filed")]
    [InlineData(Database.Postgres, "resolved", "filed", "filed", "filed")]
    [InlineData(Database.Postgres, "reopened", "already_open", "filed", "filed")]
    [Trait("Pitfall", "T-9")]
    public async Task The_window_closes_at_sixty_minutes_to_the_second(Database kind, string state, string before, string at, string after)
    {
        await using var driver = await InvestigateDriver.StartAsync(kind, clock: _clock, surfaces: ["s5959", "s6000", "s6001"]);
        foreach (var surface in (string[])["s5959", "s6000", "s6001"])
        {
            Become(driver, (await driver.ClickAsync(surface)).Ticket!.Id, state);
        }

        _clock.Advance(TimeSpan.FromMinutes(60) - TimeSpan.FromSeconds(1));
        var clicks = new List<string> { (await driver.ClickAsync("s5959")).Disposition };
        _clock.Advance(TimeSpan.FromSeconds(1));
        clicks.Add((await driver.ClickAsync("s6000")).Disposition);
        _clock.Advance(TimeSpan.FromSeconds(1));
        clicks.Add((await driver.ClickAsync("s6001")).Disposition);

        Assert.Equal([before, at, after], clicks);
        Assert.Equal(3 + clicks.Count(click => click == "filed"), driver.FreeScout.CreatedCount);
    }

    [Theory, BothDatabases]
    public async Task A_ticket_on_the_edge_of_the_window_is_judged_by_one_time(Database kind)
    {
        var edge = new EdgeClock(_clock);
        await using var driver = await InvestigateDriver.StartAsync(
            kind,
            clock: _clock,
            services: services =>
                services.Replace(
                    ServiceDescriptor.Singleton(provider => ActivatorUtilities.CreateInstance<TicketStore>(provider, (TimeProvider)edge))
                )
        );
        await driver.WaitForFirstSyncAsync();
        await driver.ClickAsync();
        var hourAgo = _clock.GetUtcNow() - TimeSpan.FromMinutes(60);
        await using (var db = driver.Database.Open())
        {
            await db.Tickets.ExecuteUpdateAsync(set => set.SetProperty(row => row.PostedAt, hourAgo));
        }

        edge.IsBefore = true;
        var click = await driver.ClickAsync();

        Assert.False(edge.IsBefore);
        Assert.Equal(("already_open", 1), (click.Disposition, driver.FreeScout.CreatedCount));

        click = await driver.ClickAsync();
        Assert.Equal(("filed", 2), (click.Disposition, driver.FreeScout.CreatedCount));
    }

    /// <summary>A clock whose next reading after <c>IsBefore</c> is set is 1 ms early.</summary>
    private sealed class EdgeClock(TimeProvider clock) : TimeProvider
    {
        private int _isBefore;

        public bool IsBefore
        {
            get => Volatile.Read(ref _isBefore) == 1;
            set => Volatile.Write(ref _isBefore, value ? 1 : 0);
        }

        public override DateTimeOffset GetUtcNow() =>
            clock.GetUtcNow() - (Interlocked.Exchange(ref _isBefore, 0) == 1 ? TimeSpan.FromMilliseconds(1) : TimeSpan.Zero);
    }

    [Theory]
    [Trait("Pitfall", "T-8")]
    [InlineData("\"status\":\"pending\",\"state\":\"published\",\"assignee\":null")]
    [InlineData("\"status\":\"active\",\"state\":\"published\",\"assignee\":{\"id\":2}")]
    [InlineData("\"status\":\"waiting-for-vendor\",\"state\":\"published\"")]
    [InlineData("\"status\":null,\"state\":null,\"assignee\":[]")]
    public async Task Any_status_but_closed_is_open(string fields)
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock);
        var ticket = (await driver.ClickAsync()).Ticket!;
        driver.Sandbox.Faults.Add(
            new Fault(FaultKind.WrongJson) { Match = InvestigateDriver.OneConversation, Body = $$"""{"id":{{ticket.Id}},{{fields}}}""" }
        );

        Assert.Equal(("already_open", ticket.Id), Told(await driver.ClickAsync()));
        Assert.Equal(1, driver.FreeScout.CreatedCount);
    }

    [Theory]
    [Trait("Pitfall", "T-11")]
    [InlineData("resolved")]
    [InlineData("spam")]
    public async Task A_ticket_that_a_human_closed_is_followed_by_a_fresh_one_that_links_it(string state)
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock);
        var old = (await driver.ClickAsync()).Ticket!;
        Become(driver, old.Id, state);
        _clock.Advance(TimeSpan.FromMinutes(5));

        var fresh = await driver.ClickAsync();

        Assert.Equal("filed", fresh.Disposition);
        AssertLinks(driver, fresh, old);
        Assert.Equal(("already_open", fresh.Ticket!.Id), Told(await driver.ClickAsync()));
        Assert.Equal(2, (await driver.FilingsAsync()).Count);
    }

    [Theory]
    [Trait("Pitfall", "T-19")]
    [InlineData("deleted")]
    [InlineData("deleted forever")]
    public async Task A_deleted_ticket_does_not_block_new_tickets_of_its_surface(string state)
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock);
        var old = (await driver.ClickAsync()).Ticket!;
        Become(driver, old.Id, state);
        _clock.Advance(TimeSpan.FromSeconds(1));

        var fresh = await driver.ClickAsync();

        Assert.Equal("filed", fresh.Disposition);
        Assert.DoesNotContain("Earlier ticket", driver.FreeScout.Find(fresh.Ticket!.Id)!.Threads[^1].Body, StringComparison.Ordinal);
        Assert.Equal(("already_open", fresh.Ticket.Id), Told(await driver.ClickAsync()));
        await Eventually.TrueAsync(
            async () => (await driver.ListedAsync()).SequenceEqual([fresh.Ticket.Id]),
            "the dashboard shows only the new ticket"
        );
    }

    [Fact]
    public async Task A_merged_ticket_counts_as_deleted_and_a_moved_one_as_open()
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock, surfaces: ["merged", "moved"]);
        var merged = (await driver.ClickAsync("merged")).Ticket!;
        var moved = (await driver.ClickAsync("moved")).Ticket!;
        driver.FreeScout.Merge(merged.Id, moved.Id);
        driver.FreeScout.Move(moved.Id, 1);
        _clock.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal("filed", (await driver.ClickAsync("merged")).Disposition);
        Assert.Equal(("already_open", moved.Id), Told(await driver.ClickAsync("moved")));
    }

    [Fact]
    [Trait("Pitfall", "T-9")]
    public async Task Past_the_window_the_new_ticket_links_the_older_one_that_is_still_open()
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock);
        var old = (await driver.ClickAsync()).Ticket!;
        _clock.Advance(TimeSpan.FromMinutes(61));

        var fresh = await driver.ClickAsync();

        Assert.Equal("filed", fresh.Disposition);
        Assert.Contains($"#{old.Number}", fresh.Message, StringComparison.Ordinal);
        AssertLinks(driver, fresh, old);
        Assert.True(driver.FreeScout.Find(old.Id)!.IsOpen, "the console resolves no ticket by itself");
    }

    [Theory]
    [Trait("Pitfall", "T-9")]
    [InlineData("Ticketing:Window", "0s", "Ticketing__Window", "every click would file another ticket")]
    [InlineData("Ticketing:Window", "2d", "Ticketing__Window", "between 1m and 1d")]
    [InlineData("Ticketing:Lease", "5s", "Ticketing__Lease", "Ticketing__ClickBudget")]
    [InlineData("Ticketing:Grace", "3s", "Ticketing__Grace", "Ticketing__ClickBudget")]
    [InlineData("Ticketing:ClickBudget", "10m", "Ticketing__ClickBudget", "30s")]
    [InlineData("Ticketing:SyncInterval", "0s", "Ticketing__SyncInterval", "1s")]
    public async Task An_invalid_window_stops_the_start_and_names_its_variable(string setting, string value, string variable, string why)
    {
        await using var sandbox = await SandboxServer.StartAsync();
        await using var database = await TestDatabase.CreateAsync(Database.Sqlite);

        var mistake = await Assert.ThrowsAsync<OptionsValidationException>(() =>
            ConsoleHost.StartAsync(database, sandbox, new Dictionary<string, string?> { [setting] = value })
        );

        Assert.Contains(variable, mistake.Message, StringComparison.Ordinal);
        Assert.Contains(why, mistake.Message, StringComparison.Ordinal);
        Assert.Contains(value, mistake.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task All_tickets_of_the_window_are_read_from_a_slow_FreeScout_at_once_and_the_click_files()
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock);
        await CloseFourAsync(driver);
        // FreeScout answers after it has all four requests. Each one then took 1.1 s.
        var slow = driver.Sandbox.Faults.Add(new Fault(FaultKind.Delay) { Match = InvestigateDriver.OneConversation });

        var clicking = driver.ClickAsync();
        await Eventually.TrueAsync(() => slow.Hits >= 4, "FreeScout is asked for all four");
        _clock.Advance(TimeSpan.FromSeconds(1.1));
        slow.Dispose();

        Assert.Equal("filed", (await clicking).Disposition);
        Assert.Equal(5, driver.FreeScout.CreatedCount);
    }

    [Fact]
    public async Task A_ticket_closed_in_the_copy_does_not_prevent_a_filing_when_FreeScout_is_slow()
    {
        await using var driver = await InvestigateDriver.StartAsync(
            clock: _clock,
            settings: new Dictionary<string, string?> { ["FreeScout:CallTimeout"] = "00:00:02.5" }
        );
        await CloseFourAsync(driver);
        await _clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(30),
            async () => (await driver.RowsAsync()).All(row => row.State == TicketState.Closed),
            "the sync sees them closed"
        );
        using var slow = driver.Sandbox.Faults.Add(new Fault(FaultKind.Delay) { Match = InvestigateDriver.OneConversation });

        var clicking = driver.ClickAsync();
        await Eventually.TrueAsync(() => slow.Hits >= 4, "FreeScout is asked for all four");
        // A post may take 2.5 s of the click's 4 s. The requests for the tickets get the rest.
        _clock.Advance(TimeSpan.FromSeconds(1.4));
        Assert.False(clicking.IsCompleted);
        _clock.Advance(TimeSpan.FromSeconds(0.1));

        Assert.Equal("filed", (await clicking).Disposition);
        Assert.Equal(5, driver.FreeScout.CreatedCount);
        Assert.Null(driver.Console.Get<AutoTicket.FreeScout.FreeScoutHealth>().Failure);
    }

    [Fact]
    public async Task A_click_without_time_for_a_post_sends_none_and_says_what_used_the_time()
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock);
        var ticket = (await driver.ClickAsync()).Ticket!;
        await Eventually.TrueAsync(async () => !(await driver.RowsAsync()).Single().TagsPending, "the ticket is tagged");
        driver.FreeScout.Close(ticket.Id);
        _clock.Advance(TimeSpan.FromSeconds(1));
        var slow = driver.Sandbox.Faults.Add(new Fault(FaultKind.Delay) { Match = InvestigateDriver.OneConversation });
        var clicking = driver.ClickAsync();
        await Eventually.TrueAsync(() => slow.Hits >= 1, "FreeScout is asked");
        _clock.Advance(TimeSpan.FromSeconds(2.4));
        slow.Dispose();

        var click = await clicking;

        Assert.True(click.Degraded);
        Assert.Matches($"2\\.4 s.*#{ticket.Number} is closed.*Click again", click.Message);
        Assert.Single(driver.Creates);
        Assert.Equal("filed", (await driver.ClickAsync()).Disposition);
    }

    [Fact]
    public async Task A_ticket_that_cannot_be_read_hides_no_other_open_one()
    {
        await using var driver = await InvestigateDriver.StartAsync(
            clock: _clock,
            settings: new Dictionary<string, string?> { ["FreeScout:CallTimeout"] = "00:00:01" }
        );
        await CloseFourAsync(driver);
        var ids = driver.FreeScout.Conversations.Select(conversation => conversation.Id).ToList();
        driver.FreeScout.Reopen(ids[1]);
        var newest = InvestigateDriver.OneConversation with { Path = $"{FreeScoutStandIn.ApiPath}/conversations/{ids[3]}" };
        driver.Sandbox.Faults.Add(new Fault(FaultKind.Forbidden) { Body = "<html></html>", Match = newest });

        Assert.Equal(("already_open", ids[1]), Told(await driver.ClickAsync()));
    }

    private async Task CloseFourAsync(InvestigateDriver driver)
    {
        for (var number = 0; number < 4; number++)
        {
            driver.FreeScout.Close((await driver.ClickAsync()).Ticket!.Id);
            _clock.Advance(TimeSpan.FromSeconds(1));
        }

        // Tagging requests tickets, too, so wait until it is done.
        await Eventually.TrueAsync(async () => (await driver.RowsAsync()).All(row => !row.TagsPending), "the tickets are tagged");
    }

    private static (string, long?) Told(Click click) => (click.Disposition, click.Ticket?.Id);

    private static void AssertLinks(InvestigateDriver driver, Click fresh, TicketLink old)
    {
        Assert.NotEqual(old.Id, fresh.Ticket!.Id);
        Assert.Contains(
            $"<a href=\"{old.Url}\">#{old.Number}</a>",
            driver.FreeScout.Find(fresh.Ticket.Id)!.Threads[^1].Body,
            StringComparison.Ordinal
        );
    }

    private static void Become(InvestigateDriver driver, long id, string state) =>
        Assert.True(
            state switch
            {
                "open" => true,
                "resolved" => driver.FreeScout.Close(id),
                "spam" => driver.FreeScout.Spam(id),
                "reopened" => driver.FreeScout.Close(id) && driver.FreeScout.Reopen(id),
                "deleted" => driver.FreeScout.Delete(id),
                "deleted forever" => driver.FreeScout.DeleteForever(id),
                _ => throw new ArgumentOutOfRangeException(nameof(state)),
            }
        );
}
