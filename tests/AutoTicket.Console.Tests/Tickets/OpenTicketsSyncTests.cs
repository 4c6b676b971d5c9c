using System.Net.Http.Json;
using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.FreeScout;
using AutoTicket.Mailbox;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Tickets;

/// <summary>The dashboard's copy of FreeScout's open tickets: its content, its syncs, and its age during an outage.</summary>
public sealed class OpenTicketsSyncTests
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LongInterval = TimeSpan.FromMinutes(10);
    private readonly StillClock _clock = new();

    [Fact]
    public async Task An_outage_of_the_database_is_logged_once_however_many_tickets_changed()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var sandbox = await SandboxServer.StartAsync();
        await using var line = TcpProxy.To(database.Location);
        var settings = new Dictionary<string, string?>
        {
            ["DATABASE_URL"] = line.Through(database.Location),
            ["Ticketing:SyncInterval"] = "00:30:00",
        };
        await using var console = await ConsoleHost.StartAsync(database, sandbox, settings);
        var sync = console.Get<MailboxWatch>();
        await Eventually.TrueAsync(() => sync.RefreshAsync(CancellationToken.None), "a sync succeeds");

        line.Cut();
        for (var changed = 1; changed <= 5; changed++)
        {
            Assert.False(await sync.LookAtAsync(changed, CancellationToken.None));
        }

        Assert.Single(console.Log, line => line.Contains("open tickets can't be stored", StringComparison.Ordinal));
    }

    /// <summary>An operator leaves the page, or a patience ends, in the moment in which a look may begin.</summary>
    [Fact]
    public async Task A_look_that_is_canceled_when_its_turn_comes_blocks_no_later_one()
    {
        var settings = new Dictionary<string, string?> { ["Ticketing:SyncInterval"] = "00:30:00" };
        await using var console = await ConsoleHost.StartAsync(settings: settings);
        var sync = console.Get<MailboxWatch>();
        await Eventually.TrueAsync(() => sync.RefreshAsync(CancellationToken.None), "a sync succeeds");

        for (var i = 0; i < 300; i++)
        {
            using var left = new CancellationTokenSource();
            var first = sync.LookAtAsync(1, CancellationToken.None);
            var second = sync.LookAtAsync(2, left.Token);
            _ = first.ContinueWith(_ => left.Cancel(), TaskContinuationOptions.ExecuteSynchronously);
            await Task.WhenAll(first, second).WaitAsync(Eventually.Patience);
        }

        Assert.True(await sync.RefreshAsync(CancellationToken.None).WaitAsync(Eventually.Patience));
    }

    [Theory, BothDatabases]
    public async Task A_ticket_appears_when_filed_disappears_when_resolved_and_comes_back_when_reopened(Database kind)
    {
        await using var driver = await InvestigateDriver.StartAsync(kind, clock: _clock);
        var filed = (await driver.ClickAsync()).Ticket!;
        await Eventually.TrueAsync(async () => (await driver.ListedAsync()).SequenceEqual([filed.Id]), "what was filed is shown at once");

        driver.FreeScout.Close(filed.Id);
        await ShowsAsync(driver);
        driver.FreeScout.Reopen(filed.Id);
        await ShowsAsync(driver, filed.Id);

        var shown = (await driver.TicketsAsync()).GetProperty("tickets")[0];
        Assert.Equal("developer", shown.GetProperty("filed_by").GetString());
        Assert.Equal("pay", shown.GetProperty("surface").GetString());
        Assert.Equal(filed.Url, shown.GetProperty("url").GetString());
        Assert.Equal(filed.OpenedAt, shown.GetProperty("opened_at").GetDateTimeOffset());
    }

    [Fact]
    public async Task A_surface_shows_the_newer_of_two_tickets_of_one_second()
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock);
        _clock.Advance(TimeSpan.FromMilliseconds(600));
        var filed = (await driver.ClickAsync()).Ticket!;
        var made = driver.FreeScout.CreateByHand("[P2] Surface pay is down", ["auto:status", "surface:pay"]);

        await ShowsAsync(driver, filed.Id, made.Id);

        Assert.Equal(made.Id, driver.Console.Get<OpenTickets>().Of("pay").Ticket!.Id);
    }

    [Fact]
    public async Task A_ticket_made_by_hand_appears_with_the_surface_of_its_tag_and_others_do_not()
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock);
        var made = driver.FreeScout.CreateByHand("Pay is odd", ["Auto:Status", "surface:pay"], status: "pending");
        driver.FreeScout.CreateByHand("No tag");
        driver.FreeScout.CreateByHand("Another tag", ["auto:other"]);
        driver.FreeScout.CreateByHand("Another mailbox", ["auto:status"], mailboxId: 1);
        driver.FreeScout.Delete(driver.FreeScout.CreateByHand("Deleted", ["auto:status"]).Id);
        driver.FreeScout.Spam(driver.FreeScout.CreateByHand("Spam", ["auto:status"]).Id);

        await ShowsAsync(driver, made.Id);

        var shown = (await driver.TicketsAsync()).GetProperty("tickets")[0];
        Assert.Equal(("pay", "Someone"), (shown.GetProperty("surface").GetString(), shown.GetProperty("filed_by").GetString()));
        // If the comparison runs before the sync, the console knows the ticket without its status at first.
        await _clock.AdvanceUntilAsync(
            Interval,
            async () => (await driver.TicketsAsync()).GetProperty("tickets")[0].GetProperty("status").GetString() == "pending",
            "its status is shown"
        );
    }

    [Fact]
    public async Task Tickets_of_alerts_are_listed_by_their_tag_and_are_none_of_the_surface_that_they_name()
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock);
        var filed = await ReconciliationTest.FileAsync(driver, "backup_failed", TicketTags.Alert);
        var made = driver.FreeScout.CreateByHand("Disk of pay is full", ["Auto:Alert", "sev:p1", "surface:pay"]);
        var ofSurface = driver.FreeScout.CreateByHand("Shop is odd", ["auto:status", "surface:shop"]);
        await ShowsAsync(driver, ofSurface.Id);

        Assert.Equal([filed, made.Id], await IdsAsync("/api/tickets?state=open&tag=auto:alert"));
        Assert.Equal([filed, made.Id, ofSurface.Id], await IdsAsync("/api/tickets"));
        var shown = (await AnswerAsync("/api/tickets?tag=auto:alert"))
            .GetProperty("tickets")
            .EnumerateArray()
            .ToDictionary(ticket => ticket.GetProperty("id").GetInt64());
        Assert.Equal(
            ("alert", "p1", "pay", (string?)null),
            (Text(made.Id, "kind"), Text(made.Id, "severity"), Text(made.Id, "surface"), Text(made.Id, "alert_key"))
        );
        Assert.Equal(
            ("p2", AlertIdentity.KeyOf(AlertIdentity.Of("test", "backup_failed", null, []))),
            (Text(filed, "severity"), Text(filed, "alert_key"))
        );
        Assert.Null(driver.Console.Get<OpenTickets>().Of("pay").Ticket);

        driver.FreeScout.Close(filed);
        await _clock.AdvanceUntilAsync(
            Interval,
            async () => (await IdsAsync("/api/tickets?tag=auto:alert")).SequenceEqual([made.Id]),
            "a closed ticket leaves the list"
        );

        string? Text(long id, string name) => shown[id].GetProperty(name).GetString();

        async Task<IEnumerable<long>> IdsAsync(string path) =>
            (await AnswerAsync(path)).GetProperty("tickets").EnumerateArray().Select(ticket => ticket.GetProperty("id").GetInt64()).Order();

        Task<JsonElement> AnswerAsync(string path) => driver.Console.Http.GetFromJsonAsync<JsonElement>(new Uri(path, UriKind.Relative));
    }

    [Fact]
    public async Task Three_hundred_tickets_of_alerts_are_read_in_pages_of_a_hundred()
    {
        await using var driver = await InvestigateDriver.StartAsync(
            clock: _clock,
            surfaces: [],
            settings: new Dictionary<string, string?> { ["Ticketing:ReconcileInterval"] = "01:00:00" }
        );
        await driver.WaitForFirstSyncAsync();
        for (var number = 0; number < 300; number++)
        {
            driver.FreeScout.CreateByHand($"Alert {number}", ["auto:alert", $"surface:s{number}"]);
        }

        var before = driver.FreeScout.RecordedRequests.Count;
        Assert.True(await driver.Console.Get<MailboxWatch>().RefreshAsync(default));

        Assert.InRange(driver.FreeScout.RecordedRequests.Count - before, 4, 5);
        await Eventually.TrueAsync(() => driver.Console.Get<OpenTickets>().Current.Tickets.Count == 300, "all are listed");
    }

    [Fact]
    [Trait("Pitfall", "T-43")]
    public async Task A_partial_sync_reads_only_changes_and_a_full_one_sees_deletions_and_lost_tags()
    {
        await using var driver = await InvestigateDriver.StartAsync(
            clock: _clock,
            surfaces: [],
            settings: new Dictionary<string, string?> { ["Ticketing:FullSyncEvery"] = "4" }
        );
        var kept = driver.FreeScout.CreateByHand("Kept", ["auto:status"]);
        var deleted = driver.FreeScout.CreateByHand("Deleted", ["auto:status"]);
        var untagged = driver.FreeScout.CreateByHand("Untagged", ["auto:status"]);
        await ShowsAsync(driver, kept.Id, deleted.Id, untagged.Id);

        driver.FreeScout.Delete(deleted.Id);
        driver.FreeScout.SetTags(untagged.Id);
        await ShowsAsync(driver, kept.Id);

        Assert.Contains(driver.Lists, request => request.Query("updatedSince") is not null);
        var wholes = driver
            .Lists.Select((request, number) => (request, number))
            .Where(pair => pair.request.Query("updatedSince") is null && pair.number > 1);
        Assert.NotEmpty(wholes);
    }

    [Fact]
    public async Task After_FreeScouts_clock_was_ahead_a_whole_read_lets_the_next_one_see_changes_again()
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock, surfaces: []);
        await driver.WaitForFirstSyncAsync();
        var ticket = driver.FreeScout.CreateByHand("By hand", ["auto:status"]);
        await using var db = driver.Database.Open();
        var ahead = _clock.GetUtcNow().AddHours(1);
        await db.TicketSync.ExecuteUpdateAsync(set => set.SetProperty(sync => sync.UpdatedThrough, ahead));

        Assert.True(await driver.Console.Get<MailboxWatch>().RefreshAsync(default));

        var through = await db.TicketSync.Select(sync => sync.UpdatedThrough).SingleAsync();
        Assert.True(through <= driver.FreeScout.Find(ticket.Id)!.UpdatedAt, $"{through}");
    }

    /// <summary>A change during the read moves tickets to pages that were read before.</summary>
    [Fact]
    public async Task An_open_ticket_that_the_whole_list_missed_stays_in_the_copy()
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock, surfaces: []);
        var id = await ReconciliationTest.FileAsync(driver, "backup", TicketTags.Alert);
        await Eventually.TrueAsync(async () => (await driver.RowsAsync()).All(row => !row.TagsPending), "the ticket is tagged");
        var mailbox = driver.Console.Get<MailboxWatch>();
        Assert.True(await mailbox.RefreshAsync(default));
        await using var db = driver.Database.Open();
        Assert.Equal([id], await db.OpenConversations.Select(row => row.Id).ToListAsync());

        driver.Sandbox.Faults.Add(Fault.EmptyLists());
        Assert.True(await mailbox.RefreshAsync(default));

        Assert.Equal([id], await db.OpenConversations.Select(row => row.Id).ToListAsync());
    }

    [Fact]
    public async Task A_full_sync_reads_at_most_ten_tickets_by_id_and_none_that_is_listed()
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock, surfaces: []);
        await driver.WaitForFirstSyncAsync();
        for (var number = 0; number < 5; number++)
        {
            await ReconciliationTest.FileAsync(driver, $"alert-{number}", TicketTags.Alert);
        }

        await Eventually.TrueAsync(async () => (await driver.RowsAsync()).All(row => !row.TagsPending), "all tickets are tagged");
        var before = Asked();

        Assert.True(await driver.Console.Get<MailboxWatch>().RefreshAsync(default));

        Assert.Equal(before, Asked());

        for (var number = 0; number < 12; number++)
        {
            await ReconciliationTest.FileAsync(driver, $"status-{number}", TicketTags.Status);
        }

        await Eventually.TrueAsync(async () => (await driver.RowsAsync()).All(row => !row.TagsPending), "all tickets are tagged");
        foreach (var conversation in driver.FreeScout.Conversations)
        {
            driver.FreeScout.SetTags(conversation.Id);
        }

        before = Asked();
        Assert.True(await driver.Console.Get<MailboxWatch>().RefreshAsync(default));

        Assert.Equal(before + 10, Asked());

        int Asked() =>
            driver.FreeScout.RecordedRequests.Count(request =>
                request.Method == "GET" && request.Path.StartsWith(FreeScoutStandIn.ApiPath + "/conversations/", StringComparison.Ordinal)
            );
    }

    [Fact]
    public async Task A_sync_that_another_process_overtook_is_no_error_and_one_that_the_database_refuses_is()
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock, surfaces: []);
        driver.Console.ExpectsErrors = true;
        await driver.WaitForFirstSyncAsync();
        await ReconciliationTest.FileAsync(driver, "missing in the list", TicketTags.Status);
        await Eventually.TrueAsync(async () => (await driver.RowsAsync()).All(row => !row.TagsPending), "the ticket is tagged");
        driver.FreeScout.SetTags(driver.FreeScout.Conversations[0].Id);
        var made = driver.FreeScout.CreateByHand("Pay is odd", ["auto:status"]);
        await using var db = driver.Database.Open();

        await OvertakeAsync(
            FaultMatch.FreeScoutList,
            () => db.TicketSync.ExecuteUpdateAsync(set => set.SetProperty(sync => sync.AskedAt, DateTimeOffset.UnixEpoch))
        );
        await OvertakeAsync(
            InvestigateDriver.OneConversation,
            async () =>
            {
                db.OpenConversations.Add(
                    new OpenConversation
                    {
                        Id = made.Id,
                        Number = 1,
                        Subject = "",
                        Status = "active",
                        Tags = "",
                    }
                );
                await db.SaveChangesAsync();
            }
        );
        Assert.DoesNotContain(driver.Console.Log, line => line.StartsWith("ERROR", StringComparison.Ordinal));

        await db.Database.ExecuteSqlAsync($"CREATE TRIGGER refused BEFORE UPDATE ON ticket_sync BEGIN SELECT RAISE(ABORT, 'refused'); END");
        Assert.False(await driver.Console.Get<MailboxWatch>().RefreshAsync(default));
        Assert.Contains(driver.Console.Log, line => line.Contains("syncing open tickets failed", StringComparison.Ordinal));

        async Task OvertakeAsync(FaultMatch asked, Func<Task> write)
        {
            var slow = driver.Sandbox.Faults.Add(new Fault(FaultKind.Delay) { Match = asked });
            var syncing = driver.Console.Get<MailboxWatch>().RefreshAsync(default);
            await Eventually.TrueAsync(() => slow.Hits == 1, "FreeScout is asked");
            await write();
            slow.Dispose();
            Assert.False(await syncing);
        }
    }

    [Fact]
    public async Task A_whole_sync_that_the_database_refused_is_repeated_whole()
    {
        await using var driver = await InvestigateDriver.StartAsync(
            clock: _clock,
            surfaces: [],
            // Every other one is whole.
            settings: new Dictionary<string, string?> { ["Ticketing:FullSyncEvery"] = "2", ["Ticketing:ReconcileInterval"] = "01:00:00" }
        );
        driver.Console.ExpectsErrors = true;
        driver.FreeScout.CreateByHand("Pay is odd", ["auto:status"]);
        await driver.WaitForFirstSyncAsync();
        await using var db = driver.Database.Open();
        while (await SyncIsWholeAsync())
        {
            // The next is, too, while no ticket was listed.
        }

        await db.Database.ExecuteSqlAsync($"CREATE TRIGGER refused BEFORE UPDATE ON ticket_sync BEGIN SELECT RAISE(ABORT, 'refused'); END");
        Assert.True(await SyncIsWholeAsync());
        Assert.Equal(1, Refused());
        await db.Database.ExecuteSqlAsync($"DROP TRIGGER refused");

        Assert.True(await SyncIsWholeAsync());

        // Waits for its end, so that the next step meets no other sync.
        async Task<bool> SyncIsWholeAsync()
        {
            var (lists, refused, at) = (driver.Lists.Count, Refused(), await AskedAtAsync());
            await _clock.AdvanceUntilAsync(
                Interval,
                async () => Refused() > refused || await AskedAtAsync() > at,
                "it syncs",
                TimeSpan.FromSeconds(10)
            );
            return driver.Lists[lists].Query("updatedSince") is null;
        }

        Task<DateTimeOffset?> AskedAtAsync() => db.TicketSync.Select(sync => sync.AskedAt).SingleAsync();

        int Refused() => driver.Console.Log.Count(line => line.Contains("syncing open tickets failed", StringComparison.Ordinal));
    }

    [Fact]
    public async Task One_ticket_that_FreeScout_refuses_to_show_keeps_no_other_from_being_read()
    {
        await using var driver = await InvestigateDriver.StartAsync(
            clock: _clock,
            surfaces: [],
            settings: new Dictionary<string, string?> { ["Ticketing:ReconcileInterval"] = "01:00:00" }
        );
        var deleted = await ReconciliationTest.FileAsync(driver, "deleted", TicketTags.Status);
        var refused = await ReconciliationTest.FileAsync(driver, "refused", TicketTags.Status);
        await Eventually.TrueAsync(async () => (await driver.RowsAsync()).All(row => !row.TagsPending), "they are tagged");
        driver.FreeScout.Delete(deleted);
        driver.FreeScout.SetTags(refused);
        driver.Sandbox.Faults.Add(
            new Fault(FaultKind.Forbidden)
            {
                Match = InvestigateDriver.OneConversation with { Path = $"{FreeScoutStandIn.ApiPath}/conversations/{refused}" },
            }
        );

        Assert.True(await driver.Console.Get<MailboxWatch>().RefreshAsync(default));

        Assert.Equal([TicketState.Closed, TicketState.Open], (await driver.RowsAsync()).Select(row => row.State));
    }

    [Theory, BothDatabases, Trait("Pitfall", "T-25")]
    public async Task A_sync_that_ends_after_a_later_one_puts_nothing_back(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await using var frozen = database.Open();
        await using var other = database.Open();
        frozen.TicketSync.Add(new TicketSyncRow());
        await frozen.SaveChangesAsync();
        var late = await frozen.TicketSync.SingleAsync();
        (await other.TicketSync.SingleAsync()).AskedAt = _clock.GetUtcNow();
        await other.SaveChangesAsync();

        late.AskedAt = _clock.GetUtcNow() + Interval;
        frozen.OpenConversations.Add(
            new OpenConversation
            {
                Id = 1,
                Number = 1,
                Subject = "Closed meanwhile",
                Status = "active",
                Tags = "auto:status",
            }
        );

        await Assert.ThrowsAsync<DbUpdateConcurrencyException>(() => frozen.SaveChangesAsync());
        Assert.Empty(await other.OpenConversations.ToListAsync());
    }

    [Theory, BothDatabases]
    public async Task While_FreeScout_is_down_the_last_copy_stays_also_over_a_restart(Database kind)
    {
        // A step of the clock must not time out a running call.
        await using var driver = await InvestigateDriver.StartAsync(
            kind,
            clock: _clock,
            settings: new Dictionary<string, string?> { ["FreeScout:CallTimeout"] = "00:01:00" }
        );
        var made = driver.FreeScout.CreateByHand("Pay is odd", ["auto:status", "surface:pay"]);
        await ShowsAsync(driver, made.Id);
        await IsStaleAsync(driver, false);

        var down = driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScout, StatusCode = 503 });
        // The list may be stale because of its age alone, and a sync that began before the fault could still end well.
        await _clock.AdvanceUntilAsync(Interval, () => ShowsReasonAsync(driver), "the page shows the reason");
        await driver.StopConsoleAsync();
        await driver.StartConsoleAsync();
        await Eventually.TrueAsync(
            async () => (await driver.ListedAsync()).SequenceEqual([made.Id]),
            "the copy is there after the restart"
        );
        Assert.True((await driver.TicketsAsync()).GetProperty("stale").GetBoolean());
        Assert.True(await ShowsReasonAsync(driver));

        down.Dispose();
        await IsStaleAsync(driver, false);
        Assert.Equal(JsonValueKind.Null, (await driver.TicketsAsync()).GetProperty("problem").ValueKind);
        Assert.Equal([made.Id], await driver.ListedAsync());

        static async Task<bool> ShowsReasonAsync(InvestigateDriver driver) =>
            (await driver.TicketsAsync()).GetProperty("problem").GetString()?.Contains("503", StringComparison.Ordinal) == true;
    }

    [Fact]
    public async Task A_copy_without_a_sync_for_two_intervals_is_stale()
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock, surfaces: []);
        await Eventually.TrueAsync(async () => !(await driver.TicketsAsync()).GetProperty("stale").GetBoolean(), "the first sync is done");
        using var hanging = driver.Sandbox.Faults.Add(new Fault(FaultKind.HangBefore) { Match = FaultMatch.FreeScout });

        await IsStaleAsync(driver, true);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_successful_call_to_FreeScout_wakes_the_sync(bool comesBeforeTheFailureIsStored)
    {
        // The comparison reads the same lists as the sync.
        await using var driver = await InvestigateDriver.StartAsync(
            clock: _clock,
            surfaces: [],
            settings: new Dictionary<string, string?>
            {
                ["Ticketing:SyncInterval"] = $"{LongInterval}",
                ["Ticketing:ReconcileInterval"] = "01:00:00",
            }
        );
        await driver.WaitForFirstSyncAsync();
        var health = driver.Console.Get<FreeScoutHealth>();
        var isToCome = comesBeforeTheFailureIsStored;
        health.Changed += () =>
        {
            if (isToCome && health.Failure is not null)
            {
                isToCome = false;
                health.Succeeded(FreeScoutCall.Read);
            }
        };
        var before = driver.Lists.Count;
        var failure = driver.Sandbox.Faults.Add(new Fault(FaultKind.Unauthorized) { Match = FaultMatch.FreeScoutList, Times = 1 });
        await _clock.AdvanceUntilAsync(Interval, () => Task.FromResult(failure.Hits == 1), "the sync meets the failure");

        if (!comesBeforeTheFailureIsStored)
        {
            await Eventually.TrueAsync(() => health.Failure is not null, "the console knows the failure");
            await driver.Console.Get<FreeScoutClient>().FindAsync(999, default);
        }

        var failed = _clock.GetUtcNow();
        await _clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(1),
            () => Task.FromResult(driver.Lists.Count >= before + 2),
            "the list is read again"
        );
        Assert.InRange(_clock.GetUtcNow() - failed, TimeSpan.Zero, LongInterval / 2);
    }

    [Fact]
    public async Task A_ticket_whose_surface_recovered_is_marked_recovered_and_stays_open()
    {
        await using var driver = await InvestigateDriver.StartAsync(
            settings: new Dictionary<string, string?> { ["Ticketing:RecoveredAfter"] = "00:03:00" },
            clock: _clock
        );
        var filed = (await driver.ClickAsync()).Ticket!;
        await Eventually.TrueAsync(async () => (await driver.ListedAsync()).Count == 1, "the ticket is shown");
        Assert.False(await IsRecoveredAsync());

        driver.Sandbox.Surface(InvestigateDriver.Surface).Answer(200);
        var board = driver.Console.Get<StatusBoard>();
        await _clock.AdvanceUntilAsync(
            Interval,
            () => Task.FromResult(board.Find(InvestigateDriver.Surface)!.Status == SurfaceStatus.Operational),
            "the surface has recovered"
        );
        Assert.False(await IsRecoveredAsync(), "a ticket outside the worklist is not marked");
        await _clock.AdvanceUntilAsync(Interval, IsRecoveredAsync, "the ticket is marked as recovered");
        Assert.Single(driver.Console.Get<RecoveredTickets>().Current);

        Assert.True(driver.FreeScout.Find(filed.Id)!.IsOpen, "the console resolves no ticket by itself");

        async Task<bool> IsRecoveredAsync() =>
            (await driver.TicketsAsync()).GetProperty("tickets")[0].GetProperty("recovered").GetBoolean();
    }

    [Fact]
    public async Task A_number_that_comes_only_with_a_later_answer_is_stored()
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock);
        (driver.FreeScout.Behavior.CreateAnswersWithBody, driver.FreeScout.Behavior.CustomNumbers) = (false, true);
        Click? click;
        using (driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = InvestigateDriver.OneConversation, StatusCode = 422 }))
        {
            click = await driver.ClickAsync();
        }

        var filed = click.Ticket!;
        var number = driver.FreeScout.Find(filed.Id)!.Number;
        Assert.Equal(("Filed ticket #?.", null), (click.Message, filed.Number));
        Assert.Equal(JsonValueKind.Null, (await driver.AssertOneTicketAsync()).GetProperty("ticket_number").ValueKind);

        await _clock.AdvanceUntilAsync(
            Interval,
            async () => (await driver.TicketsAsync()).GetProperty("tickets")[0].GetProperty("number").ToString() == $"{number}",
            "the number is right"
        );
        await using (var db = driver.Database.Open())
        {
            Assert.Equal([number], await db.Decisions.Where(row => row.TicketUrl != null).Select(row => row.TicketNumber).ToListAsync());
        }

        Assert.Equal((filed.Id, number), ((await driver.ClickAsync()).Ticket is var again ? again!.Id : 0, again!.Number));
    }

    [Theory]
    [Trait("Pitfall", "T-34")]
    [InlineData(FaultKind.Unauthorized)]
    [InlineData(FaultKind.Forbidden)]
    [InlineData(FaultKind.ModuleOff)]
    public async Task A_failure_that_only_a_person_can_fix_is_retried_once_a_minute(FaultKind kind)
    {
        // A step of the clock must not time out a running call, because the console retries timeouts sooner.
        await using var driver = await InvestigateDriver.StartAsync(
            clock: _clock,
            settings: new Dictionary<string, string?>
            {
                ["FreeScout:CallTimeout"] = "00:01:00",
                ["Ticketing:ReconcileInterval"] = "01:00:00",
            }
        );
        // The comparison reads the same lists as the sync, so a running comparison would hit the fault, too.
        await Eventually.TrueAsync(
            async () =>
                (await driver.Console.Http.GetFromJsonAsync<JsonElement>(new Uri("/api/tickets/findings", UriKind.Relative)))
                    .GetProperty("reconciled_at")
                    .ValueKind == JsonValueKind.String,
            "the comparison is done"
        );
        driver.Sandbox.Faults.Add(new Fault(FaultKind.StatusAfter) { Match = FaultMatch.FreeScoutCreate, Times = 1 });
        var lists = driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScoutList, StatusCode = 503 });
        Assert.True((await driver.ClickAsync()).Degraded, "the click leaves a lost answer to look up");
        var fault = driver.Sandbox.Faults.Add(new Fault(kind) { Match = FaultMatch.FreeScout });
        lists.Dispose();

        await _clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(15),
            () => Task.FromResult(fault.Hits >= 6),
            "the console keeps trying",
            perStep: TimeSpan.FromMilliseconds(500)
        );

        // Read the hits before the requests. Otherwise TakeLast could reach back to calls before the fault.
        var hits = fault.Hits;
        var asked = driver.FreeScout.RecordedRequests.TakeLast(hits).GroupBy(request => request.Query("subject") is not null);
        Assert.All(
            asked,
            askers =>
                Assert.All(
                    askers.Skip(1).Zip(askers.Skip(2)),
                    pair =>
                        Assert.True(
                            pair.Second.At - pair.First.At >= TimeSpan.FromSeconds(60),
                            $"requested again after {pair.Second.At - pair.First.At}"
                        )
                )
        );
    }

    [Fact]
    public async Task A_deleted_mailbox_is_shown_until_it_exists_again_although_lists_work()
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock);
        var health = driver.Console.Get<FreeScoutHealth>();
        await driver.WaitForFirstSyncAsync();
        var changes = 0;
        health.Changed += () => Interlocked.Increment(ref changes);
        driver.FreeScout.RemoveMailbox(driver.FreeScout.MailboxId);
        Assert.Contains(
            "does not know the mailbox (400, “Mailbox not found.”)",
            (await driver.ClickAsync()).Message,
            StringComparison.Ordinal
        );

        await _clock.AdvanceUntilAsync(
            Interval,
            async () => $"{await ProblemAsync()}".Contains($"no mailbox {driver.FreeScout.MailboxId}", StringComparison.Ordinal),
            "the page shows the missing mailbox"
        );
        await driver.Console.Get<FreeScoutClient>().FindAsync(1, default);
        _clock.Advance(TimeSpan.FromMinutes(10));
        await driver.Console.Get<FreeScoutClient>().FindByMarkerAsync("at-0123456789", default);
        // First only the create failed.
        Assert.Equal((FreeScoutFailureKind.MailboxMissing, 2), (health.Failure?.Kind, changes));

        driver.FreeScout.AddMailbox(driver.FreeScout.MailboxId, "Operations");
        await _clock.AdvanceUntilAsync(Interval, async () => health.Failure is null && await ProblemAsync() is null, "it is found");
        Assert.Equal("filed", (await driver.ClickAsync()).Disposition);

        async Task<string?> ProblemAsync() => (await driver.TicketsAsync()).GetProperty("problem").GetString();
    }

    private Task ShowsAsync(InvestigateDriver driver, params long[] ids) =>
        _clock.AdvanceUntilAsync(
            Interval,
            async () => (await driver.ListedAsync()).SequenceEqual(ids),
            $"the dashboard shows {string.Join(", ", ids)}"
        );

    private Task IsStaleAsync(InvestigateDriver driver, bool stale) =>
        _clock.AdvanceUntilAsync(
            Interval,
            async () => (await driver.TicketsAsync()).GetProperty("stale").GetBoolean() == stale,
            $"stale is {stale}"
        );
}
