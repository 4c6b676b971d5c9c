using AutoTicket.Audit;
using AutoTicket.FreeScout;
using AutoTicket.Mailbox;
using AutoTicket.Sandbox;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Tickets;

/// <summary>Agents change tickets in FreeScout. The console finds, reports and repairs the differences.</summary>
public sealed class ReconciliationTests : ReconciliationTest
{
    /// <summary>Nothing is compared unless the test asks for it.</summary>
    private static readonly Dictionary<string, string?> Rare = new()
    {
        ["Ticketing:ReconcileInterval"] = "01:00:00",
        ["Ticketing:SyncInterval"] = "01:00:00",
    };

    [Theory, BothDatabases]
    public async Task A_first_post_that_FreeScout_commits_after_the_second_is_shown_as_a_duplicate(Database kind)
    {
        var clock = new StillClock();
        await using var driver = await InvestigateDriver.StartAsync(kind, Settings, clock);
        await driver.WaitForFirstSyncAsync();
        var late = driver.Sandbox.Faults.Add(new Fault(FaultKind.LateCommit) { Match = FaultMatch.FreeScoutCreate, Times = 1 });
        var click = driver.ClickAsync();
        await Eventually.TrueAsync(() => driver.FreeScout.CreatesInFlight == 1, "the first post is in flight");
        clock.Advance(TimeSpan.FromSeconds(4));
        Assert.True((await click).Degraded);
        var filed = (await driver.ClickUntilThereIsATicketAsync(TimeSpan.FromSeconds(20))).Ticket!;
        Assert.Equal(filed.Id, Assert.Single(driver.FreeScout.Conversations).Id);

        late.Dispose();
        await Eventually.TrueAsync(() => driver.FreeScout.Conversations.Count == 2, "the first post is committed");
        var twin = driver.FreeScout.Conversations.Single(conversation => conversation.Id != filed.Id);
        await clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(2),
            async () => (await SeenAsync(driver)).Any(finding => finding.StartsWith("duplicate duplicate ", StringComparison.Ordinal)),
            "the duplicate is found"
        );

        Assert.Contains($"repaired orphan {twin.Id}", await SeenAsync(driver));
        driver.FreeScout.Close(twin.Id);
        await clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(2),
            async () => !(await SeenAsync(driver)).Any(finding => finding.StartsWith("duplicate", StringComparison.Ordinal)),
            "the finding ends with the duplicate"
        );
    }

    [Theory, BothDatabases]
    [Trait("Pitfall", "T-43")]
    [Trait("Pitfall", "T-19")]
    public async Task Each_change_of_an_agent_appears_as_its_finding_at_the_next_comparison_over_all_pages(Database kind)
    {
        await using var driver = await InvestigateDriver.StartAsync(kind, Settings, surfaces: ["pay", "shop"]);
        // 28 tickets, half with each tag, fill at least three pages of five per tag.
        driver.FreeScout.Behavior.MaxPageSize = 5;
        var filed = new List<long>();
        for (var number = 0; number < 28; number++)
        {
            filed.Add(await FileAsync(driver, $"test-{number}", number % 2 == 0 ? TicketTags.Status : TicketTags.Alert));
        }

        await Eventually.TrueAsync(async () => (await driver.RowsAsync()).All(row => !row.TagsPending), "all tickets are tagged");
        await ComparedAsync(driver);
        Assert.Equal([], await SeenAsync(driver));
        Assert.True((await FindingsAsync(driver)).GetProperty("clean").GetBoolean());

        driver.FreeScout.DeleteForever(filed[0]);
        driver.FreeScout.DeleteForever(filed[1]);
        driver.FreeScout.Delete(filed[2]);
        driver.FreeScout.Delete(filed[3]);
        driver.FreeScout.Merge(filed[4], filed[6]);
        driver.FreeScout.Merge(filed[5], filed[7]);
        driver.FreeScout.Move(filed[8], 1);
        driver.FreeScout.Move(filed[9], 2);
        driver.FreeScout.SetTags(filed[10], "vip");
        driver.FreeScout.SetTags(filed[11]);
        driver.FreeScout.Close(filed[12]);
        driver.FreeScout.Close(filed[13]);
        driver.FreeScout.Close(filed[14]);
        var byHand = driver.FreeScout.CreateByHand("By hand", ["auto:status"]);
        var alertByHand = driver.FreeScout.CreateByHand("By hand", ["auto:alert", "surface:pay"]);
        var ofSurface = driver.FreeScout.CreateByHand("Shop is odd", ["auto:status", "surface:shop"]);
        driver.FreeScout.CreateByHand("Not the console's", ["vip"]);
        driver.FreeScout.CreateByHand("Another mailbox", ["auto:status"], mailboxId: 1);
        driver.FreeScout.CreateByHand("Over", ["auto:status"], status: "closed");
        await ComparedAsync(driver);
        driver.FreeScout.Reopen(filed[12]);
        driver.FreeScout.Reopen(filed[13]);
        await ComparedAsync(driver);

        Assert.Equal(
            Sorted(
                $"ghost ghost {filed[0]}",
                $"ghost ghost {filed[1]}",
                $"drift deleted {filed[2]}",
                $"drift deleted {filed[3]}",
                $"drift merged {filed[4]}",
                $"drift merged {filed[5]}",
                $"drift moved {filed[8]}",
                $"drift moved {filed[9]}",
                $"drift reopened {filed[12]}",
                $"drift reopened {filed[13]}",
                $"repaired tags_gone {filed[10]}",
                $"repaired tags_gone {filed[11]}",
                $"orphan orphan {byHand.Id}",
                $"orphan orphan {alertByHand.Id}",
                $"repaired orphan {ofSurface.Id}"
            ),
            await SeenAsync(driver)
        );
        Assert.False((await FindingsAsync(driver)).GetProperty("clean").GetBoolean());
        Assert.Equal(["auto:status", "vip"], driver.FreeScout.Find(filed[10])!.Tags.Order(StringComparer.Ordinal));
        Assert.Equal(["auto:alert"], driver.FreeScout.Find(filed[11])!.Tags);
        Assert.Equal(
            new[] { $"tags {filed[10]}", $"tags {filed[11]}", $"adopted {ofSurface.Id}" }.Order(StringComparer.Ordinal),
            (await RepairsAsync(driver)).Order(StringComparer.Ordinal)
        );

        // A click returns the adopted ticket.
        var click = await driver.ClickAsync("shop");
        Assert.Equal(("already_open", ofSurface.Id), (click.Disposition, click.Ticket!.Id));
        // A deleted ticket does not block a new one.
        Assert.NotEqual(filed[0], await FileAsync(driver, "test-0", TicketTags.Status));

        // When the difference ends, its finding is gone.
        driver.FreeScout.Move(filed[8], driver.FreeScout.MailboxId);
        driver.FreeScout.Close(filed[12]);
        driver.FreeScout.SetTags(byHand.Id);
        await ComparedAsync(driver);
        Assert.DoesNotContain(
            await SeenAsync(driver),
            finding =>
                finding.EndsWith($" {filed[8]}", StringComparison.Ordinal)
                || finding.EndsWith($" {filed[12]}", StringComparison.Ordinal)
                || finding.EndsWith($" {byHand.Id}", StringComparison.Ordinal)
        );
    }

    [Fact]
    public async Task A_ticket_that_a_firewall_refuses_to_show_does_not_stop_the_comparison_of_others()
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Settings, surfaces: []);
        var (refused, gone) = (await FileAsync(driver, "refused", TicketTags.Alert), await FileAsync(driver, "gone", TicketTags.Alert));
        await Eventually.TrueAsync(async () => (await driver.RowsAsync()).All(row => !row.TagsPending), "the tickets are tagged");
        driver.FreeScout.Delete(refused);
        await ComparedAsync(driver);
        Assert.Equal([$"drift deleted {refused}"], await SeenAsync(driver));

        driver.Sandbox.Faults.Add(
            new Fault(FaultKind.Forbidden)
            {
                Match = InvestigateDriver.OneConversation with { Path = $"{FreeScoutStandIn.ApiPath}/conversations/{refused}" },
                Body = "<html><head><title>Just a moment...</title></head></html>",
            }
        );
        driver.FreeScout.DeleteForever(gone);
        await Eventually.TrueAsync(
            async () => (await SeenAsync(driver)).SequenceEqual(Sorted($"drift deleted {refused}", $"ghost ghost {gone}")),
            "the other ticket is compared, and this one keeps its finding"
        );

        var told = await FindingsAsync(driver);
        Assert.False(told.GetProperty("clean").GetBoolean());
        Assert.Contains("Just a moment...", told.GetProperty("problem").GetString(), StringComparison.Ordinal);
        Assert.Null(driver.Console.Get<AutoTicket.FreeScout.FreeScoutHealth>().Failure);
    }

    [Fact]
    public async Task One_resolution_that_FreeScout_refuses_to_show_keeps_no_finding_back()
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Settings, surfaces: []);
        var refused = driver.FreeScout.CreateByHand("Half resolved").Id;
        var gone = await FileAsync(driver, "gone", TicketTags.Alert);
        await Eventually.TrueAsync(async () => (await driver.RowsAsync()).All(row => !row.TagsPending), "it is tagged");
        await using var db = driver.Database.Open();
        db.AuditLog.Add(
            new AuditEntry
            {
                // Longer ago than any resolution takes.
                CreatedAt = TimeProvider.System.GetUtcNow().AddMinutes(-2),
                Action = AuditActions.TicketResolving,
                Actor = "mara",
                Payload = $$"""{"conversation_id":{{refused}},"surface":null}""",
            }
        );
        var fault = driver.Sandbox.Faults.Add(
            new Fault(FaultKind.Forbidden)
            {
                Match = InvestigateDriver.OneConversation with { Path = $"{FreeScoutStandIn.ApiPath}/conversations/{refused}" },
            }
        );
        await db.SaveChangesAsync();
        driver.FreeScout.DeleteForever(gone);

        await Eventually.TrueAsync(async () => (await SeenAsync(driver)).SequenceEqual([$"ghost ghost {gone}"]), "the finding is stored");

        Assert.NotEqual(0, fault.Hits);
        fault.Dispose();
        await Eventually.TrueAsync(
            () => db.AuditLog.AnyAsync(entry => entry.Action == AuditActions.TicketNotResolved),
            "its end is written once it is shown"
        );
    }

    [Fact]
    public async Task A_comparison_that_was_asked_for_and_failed_in_the_database_is_repeated_without_being_asked_for_again()
    {
        await using var driver = await InvestigateDriver.StartAsync(
            settings: new Dictionary<string, string?> { ["Ticketing:ReconcileInterval"] = "01:00:00" },
            surfaces: []
        );
        driver.Console.ExpectsErrors = true;
        await driver.WaitForFirstSyncAsync();
        await using var db = driver.Database.Open();
        var before = await ComparedAtAsync();
        await db.Database.ExecuteSqlAsync($"CREATE TRIGGER refused BEFORE INSERT ON ticket_sync BEGIN SELECT RAISE(ABORT, 'refused'); END");
        driver.Console.Get<Reconciler>().CompareSoon();
        await Eventually.TrueAsync(
            () => driver.Console.Log.Any(line => line.Contains("Reconciler failed", StringComparison.Ordinal)),
            "it fails"
        );

        await db.Database.ExecuteSqlAsync($"DROP TRIGGER refused");

        await Eventually.TrueAsync(async () => await ComparedAtAsync() > before, "it is repeated");

        Task<DateTimeOffset?> ComparedAtAsync() => db.TicketSync.Select(sync => sync.ReconciledAt).SingleAsync();
    }

    [Fact]
    [Trait("Pitfall", "T-42")]
    public async Task Removed_tags_are_restored_once_and_stay_removed_the_second_time()
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Settings);
        var ticket = (await driver.ClickAsync()).Ticket!.Id;
        await Eventually.TrueAsync(async () => !(await driver.RowsAsync()).Single().TagsPending, "the ticket is tagged");
        driver.FreeScout.SetTags(ticket, "vip", "surface:pay");
        await Eventually.TrueAsync(() => driver.FreeScout.Find(ticket)!.Tags.Contains("auto:status"), "the tag is put back");
        Assert.Equal(["auto:status", "surface:pay", "vip"], driver.FreeScout.Find(ticket)!.Tags.Order(StringComparer.Ordinal));

        driver.FreeScout.SetTags(ticket, "vip");
        await ComparedAsync(driver);
        await ComparedAsync(driver);

        Assert.Equal(["vip"], driver.FreeScout.Find(ticket)!.Tags);
        Assert.Equal([$"drift tags_gone {ticket}"], await SeenAsync(driver));
        Assert.Single(await RepairsAsync(driver));
    }

    [Fact]
    [Trait("Pitfall", "T-20")]
    public async Task A_ticket_without_a_row_is_adopted_by_its_own_text()
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Settings);
        var ofAlert = await FileAsync(driver, "backup", TicketTags.Alert);
        var ofSurface = (await driver.ClickAsync()).Ticket!.Id;
        await Eventually.TrueAsync(async () => (await driver.RowsAsync()).All(row => !row.TagsPending), "the tickets are tagged");
        await using (var db = driver.Database.Open())
        {
            // Simulates the restore of an older backup: one row is missing, the other is a claim.
            await db.Tickets.Where(row => row.ConversationId == ofSurface).ExecuteDeleteAsync();
            await db
                .Tickets.Where(row => row.ConversationId == ofAlert)
                .ExecuteUpdateAsync(set =>
                    set.SetProperty(row => row.ConversationId, (long?)null).SetProperty(row => row.State, TicketState.Closed)
                );
        }

        await ComparedAsync(driver);

        Assert.Equal(Sorted($"repaired orphan {ofAlert}", $"repaired orphan {ofSurface}"), await SeenAsync(driver));
        Assert.Equal(("already_open", ofSurface), (await driver.ClickAsync() is var click ? click.Disposition : "", click.Ticket!.Id));
        Assert.Equal(ofAlert, await FileAsync(driver, "backup", TicketTags.Alert));
        Assert.Equal(2, driver.FreeScout.CreatedCount);
    }

    [Fact]
    [Trait("Pitfall", "T-43")]
    public async Task Other_tickets_that_an_older_FreeScout_lists_are_ignored()
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Settings, surfaces: []);
        driver.FreeScout.Behavior.KnowsFilters = false;
        var (merged, other) = (await FileAsync(driver, "merged", TicketTags.Alert), await FileAsync(driver, "other", TicketTags.Alert));
        await Eventually.TrueAsync(async () => (await driver.RowsAsync()).All(row => !row.TagsPending), "the tickets are tagged");
        driver.FreeScout.Merge(merged, other);
        driver.FreeScout.CreateByHand("Not the console's", ["vip"]);
        driver.FreeScout.CreateByHand("Another mailbox", ["auto:status"], mailboxId: 1);
        driver.FreeScout.CreateByHand("Closed", ["auto:status"], status: "closed");
        await ComparedAsync(driver);

        // Lists don't show merges. Only a request for the deleted ticket by id does.
        Assert.Equal([$"drift merged {merged}"], await SeenAsync(driver));
        Assert.Empty(await driver.ListedAsync());
    }

    [Fact]
    public async Task One_comparison_reads_fifty_unlisted_tickets_and_the_next_continues()
    {
        await using var driver = await InvestigateDriver.StartAsync(
            settings: new Dictionary<string, string?>
            {
                ["Ticketing:ReconcileInterval"] = "01:00:00",
                ["Ticketing:SyncInterval"] = "01:00:00",
            },
            surfaces: []
        );
        // A first comparison that comes late would read some of them, too.
        await driver.WaitForFirstSyncAsync();
        var one = await FileAsync(driver, "one", TicketTags.Alert);
        await Eventually.TrueAsync(async () => (await driver.RowsAsync()).All(row => !row.TagsPending), "the ticket is tagged");
        await using (var db = driver.Database.Open())
        {
            var row = (await driver.RowsAsync()).Single(row => row.ConversationId == one);
            db.Tickets.AddRange(
                Enumerable
                    .Range(1, 120)
                    .Select(n => row with { Id = 0, ConversationId = 1_000_000 + n, Marker = $"gone-{n}", DedupKey = $"gone-{n}" })
            );
            await db.SaveChangesAsync();
        }

        // The third comparison starts over with tickets of the first one.
        foreach (var asked in new[] { 50, 100, 150 })
        {
            driver.Console.Get<Reconciler>().CompareSoon();
            await Eventually.TrueAsync(
                async () => (await SeenAsync(driver)).Count() == Math.Min(asked, 120),
                $"{asked} tickets were requested"
            );
            Assert.Equal(
                asked,
                driver.FreeScout.RecordedRequests.Count(request => request.Path.Contains("/conversations/1000", StringComparison.Ordinal))
            );
        }
    }

    /// <summary>A comparison looks each repeated post up again, long after its ticket was confirmed.</summary>
    [Fact]
    public async Task A_comparison_that_finds_a_ticket_that_was_posted_twice_does_not_end_a_failure_of_creates()
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Settings, surfaces: []);
        await driver.WaitForFirstSyncAsync();
        await FileAsync(driver, "posted-twice", TicketTags.Alert);
        await using (var db = driver.Database.Open())
        {
            await db.Tickets.ExecuteUpdateAsync(set => set.SetProperty(row => row.RepostedAt, row => row.PostedAt));
        }

        var health = driver.Console.Get<FreeScoutHealth>();
        health.Failed(new FreeScoutFailure(FreeScoutFailureKind.TimedOut, "It did not answer.", WasSent: true), FreeScoutCall.Create);
        var since = health.KindSince;
        await ComparedAsync(driver);

        Assert.Equal((FreeScoutFailureKind.TimedOut, since, false), (health.Failure?.Kind, health.KindSince, health.HasJustFoundCreated));
    }

    [Fact]
    public async Task Without_the_tags_module_the_missing_tags_of_many_tickets_are_tried_rarely()
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Rare, surfaces: []);
        await driver.WaitForFirstSyncAsync();
        for (var number = 0; number < 5; number++)
        {
            await FileAsync(driver, $"alert-{number}", TicketTags.Alert);
        }

        await Eventually.TrueAsync(async () => (await driver.RowsAsync()).All(row => !row.TagsPending), "the tickets are tagged");
        foreach (var conversation in driver.FreeScout.Conversations)
        {
            driver.FreeScout.SetTags(conversation.Id);
        }

        driver.FreeScout.Behavior.TagsModule = false;
        var before = Tries();
        await ComparedAsync(driver);

        Assert.Equal(before + 3, Tries());
        Assert.Equal(5, (await SeenAsync(driver)).Count(finding => finding.StartsWith("drift tags_gone", StringComparison.Ordinal)));

        int Tries() =>
            driver.FreeScout.RecordedRequests.Count(request =>
                request.Method == "PUT" && request.Path.EndsWith("/tags", StringComparison.Ordinal)
            );
    }

    [Fact]
    public async Task Missing_tags_of_many_tickets_are_put_back_once_FreeScout_works_again()
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Rare, surfaces: []);
        await driver.WaitForFirstSyncAsync();
        for (var number = 0; number < 5; number++)
        {
            await FileAsync(driver, $"alert-{number}", TicketTags.Alert);
        }

        await Eventually.TrueAsync(async () => (await driver.RowsAsync()).All(row => !row.TagsPending), "the tickets are tagged");
        foreach (var conversation in driver.FreeScout.Conversations)
        {
            driver.FreeScout.SetTags(conversation.Id);
        }

        var outage = driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScoutTags, StatusCode = 503 });
        await ComparedAsync(driver);
        // One of the five in each comparison.
        Assert.InRange(outage.Hits, 1, 4);
        outage.Dispose();
        await ComparedAsync(driver);

        Assert.All(driver.FreeScout.Conversations, conversation => Assert.Contains("auto:alert", conversation.Tags));
    }

    [Fact]
    public async Task Of_many_repeated_posts_none_is_left_out()
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Rare, surfaces: []);
        await driver.WaitForFirstSyncAsync();
        await FileAsync(driver, "posted-twice", TicketTags.Alert);
        await Eventually.TrueAsync(async () => (await driver.RowsAsync()).All(row => !row.TagsPending), "the ticket is tagged");
        var first = (await driver.RowsAsync()).Single();
        var now = first.PostedAt;
        await using (var db = driver.Database.Open())
        {
            await db.Tickets.ExecuteUpdateAsync(set => set.SetProperty(row => row.RepostedAt, now.AddMinutes(-30)));
            // Closed long ago, so that the comparison asks for none of them by id.
            db.Tickets.AddRange(
                Enumerable
                    .Range(1, 50)
                    .Select(n =>
                        first with
                        {
                            Id = 0,
                            ConversationId = 1_000_000 + n,
                            Marker = $"at-other{n}",
                            DedupKey = $"other-{n}",
                            State = TicketState.Closed,
                            PostedAt = now.AddDays(-9),
                            ClosedAt = now.AddDays(-8),
                            RepostedAt = now,
                        }
                    )
            );
            await db.SaveChangesAsync();
        }

        var twin = driver.FreeScout.CreateByHand(TicketMarker.Append("Late", first.Marker), []);
        await ComparedAsync(driver);

        Assert.Contains($"repaired orphan {twin.Id}", await SeenAsync(driver));
    }

    [Fact]
    public async Task Only_one_of_two_consoles_compares()
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Settings, consoles: 2, surfaces: []);
        await ComparedAsync(driver, soon: false);
        await ComparedAsync(driver, soon: false);

        await ComparedAsync(driver, soon: false);

        // One leader pauses 1 s between comparisons. Two would compare at shorter intervals again and again, a change of the leader only
        // once.
        var asked = driver.Comparisons.Select(list => list.At).ToList();
        Assert.InRange(asked.Count, 6, 1000);
        Assert.InRange(asked.Zip(asked.Skip(1)).Count(pair => pair.Second - pair.First < TimeSpan.FromSeconds(0.95)), 0, 1);
    }
}
