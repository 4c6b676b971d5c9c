using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Diagnostics;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Tickets;

/// <summary>What people do to tickets behind the console's back, and how it is found, told and mended.</summary>
public sealed class ReconciliationTests
{
    private static readonly Dictionary<string, string?> Settings = new() { ["Ticketing:ReconcileInterval"] = "00:00:01", ["Ticketing:SyncInterval"] = "00:00:01" };

    [Theory, BothDatabases]
    [Trait("Pitfall", "T-43")]
    [Trait("Pitfall", "T-19")]
    public async Task Whatever_people_do_appears_in_its_class_at_the_next_comparison_over_all_pages_and_nothing_else(Database kind)
    {
        await using var driver = await InvestigateDriver.StartAsync(kind, Settings, surfaces: ["pay", "shop"]);
        // 28 of ours, half of each tag: three pages of five and more.
        driver.FreeScout.Behaviour.MaxPageSize = 5;
        var filed = new List<long>();
        for (var number = 0; number < 28; number++)
        {
            filed.Add(await FileAsync(driver, $"test-{number}", number % 2 == 0 ? OpenTickets.OpenTag : OpenTickets.AlertTag));
        }

        await Eventually.TrueAsync(async () => (await driver.RowsAsync()).All(row => !row.TagsPending), "all are tagged");
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
                $"ghost ghost {filed[0]}", $"ghost ghost {filed[1]}", $"drift deleted {filed[2]}", $"drift deleted {filed[3]}", $"drift merged {filed[4]}", $"drift merged {filed[5]}",
                $"drift moved {filed[8]}", $"drift moved {filed[9]}", $"drift reopened {filed[12]}", $"drift reopened {filed[13]}",
                $"repaired tags_gone {filed[10]}", $"repaired tags_gone {filed[11]}", $"orphan orphan {byHand.Id}", $"orphan orphan {alertByHand.Id}", $"repaired orphan {ofSurface.Id}"),
            await SeenAsync(driver));
        Assert.False((await FindingsAsync(driver)).GetProperty("clean").GetBoolean());
        Assert.Equal(["auto:status", "vip"], driver.FreeScout.Find(filed[10])!.Tags.Order(StringComparer.Ordinal));
        Assert.Equal(["auto:alert"], driver.FreeScout.Find(filed[11])!.Tags);
        Assert.Equal(
            new[] { $"tags {filed[10]}", $"tags {filed[11]}", $"adopted {ofSurface.Id}" }.Order(StringComparer.Ordinal),
            (await RepairsAsync(driver)).Order(StringComparer.Ordinal));

        // What was adopted stands for its surface: a click finds it.
        var click = await driver.ClickAsync("shop");
        Assert.Equal(("already_open", ofSurface.Id), (click.Disposition, click.Ticket!.Id));
        // What was deleted does not.
        Assert.NotEqual(filed[0], await FileAsync(driver, "test-0", OpenTickets.OpenTag));

        // Put right, it is gone from the list.
        driver.FreeScout.Move(filed[8], driver.FreeScout.MailboxId);
        driver.FreeScout.Close(filed[12]);
        driver.FreeScout.SetTags(byHand.Id);
        await ComparedAsync(driver);
        Assert.DoesNotContain(await SeenAsync(driver), finding => finding.EndsWith($" {filed[8]}", StringComparison.Ordinal) || finding.EndsWith($" {filed[12]}", StringComparison.Ordinal) || finding.EndsWith($" {byHand.Id}", StringComparison.Ordinal));
    }

    [Fact]
    [Trait("Pitfall", "T-42")]
    public async Task Tags_are_put_back_once_and_who_takes_them_away_again_is_left_alone()
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Settings);
        var ticket = (await driver.ClickAsync()).Ticket!.Id;
        await Eventually.TrueAsync(async () => !(await driver.RowsAsync()).Single().TagsPending, "it is tagged");
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
    public async Task A_ticket_whose_row_is_gone_is_adopted_by_what_it_says_of_itself()
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Settings);
        var ofAlert = await FileAsync(driver, "backup", OpenTickets.AlertTag);
        var ofSurface = (await driver.ClickAsync()).Ticket!.Id;
        await Eventually.TrueAsync(async () => (await driver.RowsAsync()).All(row => !row.TagsPending), "they are tagged");
        await using (var db = driver.Database.Open())
        {
            // As after a restore of an older backup: the one is forgotten, of the other only the claim is known.
            await db.Tickets.Where(row => row.ConversationId == ofSurface).ExecuteDeleteAsync();
            await db.Tickets.Where(row => row.ConversationId == ofAlert).ExecuteUpdateAsync(set => set.SetProperty(row => row.ConversationId, (long?)null).SetProperty(row => row.State, TicketState.Released));
        }

        await ComparedAsync(driver);

        Assert.Equal(Sorted($"repaired orphan {ofAlert}", $"repaired orphan {ofSurface}"), await SeenAsync(driver));
        Assert.Equal(("already_open", ofSurface), (await driver.ClickAsync() is var click ? click.Disposition : "", click.Ticket!.Id));
        Assert.Equal(ofAlert, await FileAsync(driver, "backup", OpenTickets.AlertTag));
        Assert.Equal(2, driver.FreeScout.CreatedCount);
    }

    [Theory, BothDatabases]
    [Trait("Pitfall", "T-20")]
    public async Task A_row_that_lost_which_ticket_it_is_is_shown_files_no_second_one_and_finds_its_own(Database kind)
    {
        await using var driver = await InvestigateDriver.StartAsync(kind, Settings);
        var ticket = (await driver.ClickAsync()).Ticket!.Id;
        await Eventually.TrueAsync(async () => (await driver.RowsAsync()).All(row => !row.TagsPending), "it is tagged");
        await ComparedAsync(driver);
        using (driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScoutList, StatusCode = 503 }))
        {
            await using (var db = driver.Database.Open())
            {
                await db.Tickets.ExecuteUpdateAsync(set => set.SetProperty(row => row.ConversationId, (long?)null).SetProperty(row => row.Number, (long?)null).SetProperty(row => row.TagsPending, true));
            }

            // Whoever comes first finds that it is lost, the click or the reconciler.
            Assert.True((await driver.ClickAsync()).Degraded);
            var finding = default(JsonElement);
            await Eventually.TrueAsync(async () => (finding = (await FindingsAsync(driver)).GetProperty("findings").EnumerateArray().SingleOrDefault()).ValueKind == JsonValueKind.Object, "it is shown");
            Assert.Equal("unconfirmed", finding.GetProperty("class").GetString());
            Assert.Contains("[at-", finding.GetProperty("subject").GetString(), StringComparison.Ordinal);
            Assert.True((await driver.ClickAsync()).Degraded);
        }

        Assert.Equal(ticket, (await driver.ClickUntilThereIsATicketAsync()).Ticket!.Id);
        await Eventually.TrueAsync(async () => (await FindingsAsync(driver)).GetProperty("clean").GetBoolean(), "the books are whole again");
        await driver.AssertOneTicketAsync();
    }

    [Theory, BothDatabases]
    public async Task A_finding_that_somebody_dismissed_is_over_until_something_else_is_seen(Database kind)
    {
        await using var driver = await InvestigateDriver.StartAsync(kind, Settings, surfaces: ["pay", "shop"]);
        var moved = (await driver.ClickAsync()).Ticket!.Id;
        var gone = (await driver.ClickAsync("shop")).Ticket!.Id;
        await Eventually.TrueAsync(async () => (await driver.RowsAsync()).All(row => !row.TagsPending), "they are tagged");
        driver.FreeScout.Move(moved, 1);
        driver.FreeScout.DeleteForever(gone);
        await ComparedAsync(driver);
        Assert.Equal(HttpStatusCode.BadRequest, await DismissAsync(moved, "moved", "  x "));
        Assert.Equal(HttpStatusCode.BadRequest, await DismissAsync(moved, "nonsense", "It belongs there."));
        Assert.Equal(HttpStatusCode.NotFound, await DismissAsync(moved, "ghost", "It belongs there."));
        Assert.Equal(Sorted($"drift moved {moved}", $"ghost ghost {gone}"), await SeenAsync(driver));

        Assert.Equal(HttpStatusCode.NoContent, await DismissAsync(moved, "moved", "It belongs there."));
        Assert.Equal(HttpStatusCode.NoContent, await DismissAsync(gone, "ghost", "I deleted it."));
        await ComparedAsync(driver);
        var known = await FindingsAsync(driver);
        Assert.True(known.GetProperty("clean").GetBoolean());
        var dismissed = known.GetProperty("findings").EnumerateArray().Single(finding => finding.GetProperty("conversation_id").GetInt64() == moved).GetProperty("dismissed");
        Assert.Equal(("developer", "It belongs there."), (dismissed.GetProperty("by").GetString(), dismissed.GetProperty("reason").GetString()));
        var ghosts = driver.Console.Get<EscalationConditions>().All.Single(rule => rule.Condition == EscalationCondition.GhostTickets);
        Assert.False((await ghosts.ReadAsync(CancellationToken.None)).Holds);
        await using (var db = driver.Database.Open())
        {
            Assert.Equal(["developer", "developer"], await db.AuditLog.Where(entry => entry.Action == AuditActions.FindingDismissed).Select(entry => entry.Actor).ToListAsync());
        }

        driver.FreeScout.Move(moved, 2);
        await ComparedAsync(driver);
        Assert.False((await FindingsAsync(driver)).GetProperty("clean").GetBoolean());

        // Put right and then moved to where it was: that is another time.
        driver.FreeScout.Move(moved, driver.FreeScout.MailboxId);
        await ComparedAsync(driver);
        Assert.True((await FindingsAsync(driver)).GetProperty("clean").GetBoolean());
        driver.FreeScout.Move(moved, 1);
        await ComparedAsync(driver);
        Assert.False((await FindingsAsync(driver)).GetProperty("clean").GetBoolean());

        async Task<HttpStatusCode> DismissAsync(long id, string finding, string reason)
        {
            using var answer = await driver.Console.Http.PostAsJsonAsync($"/api/tickets/findings/{id}/dismiss", new { kind = finding, reason });
            return answer.StatusCode;
        }
    }

    [Fact]
    public async Task A_filing_that_only_the_audit_log_tells_of_is_a_ghost_when_FreeScout_does_not_have_it()
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Settings);
        var ticket = (await driver.ClickAsync()).Ticket!.Id;
        // In this order: a comparison in between would adopt it.
        driver.FreeScout.DeleteForever(ticket);
        await using (var db = driver.Database.Open())
        {
            await db.Tickets.ExecuteDeleteAsync();
        }

        await ComparedAsync(driver);

        Assert.Equal([$"ghost ghost {ticket}"], await SeenAsync(driver));
    }

    [Fact]
    [Trait("Pitfall", "T-12")]
    public async Task A_lost_answer_is_shown_while_it_is_looked_for()
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Settings);
        driver.Sandbox.Faults.Add(new Fault(FaultKind.StatusAfter) { Match = FaultMatch.FreeScoutCreate, Times = 1 });
        using (driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScoutList, StatusCode = 503 }))
        {
            Assert.True((await driver.ClickAsync()).Degraded);
            var finding = (await FindingsAsync(driver)).GetProperty("findings").EnumerateArray().Single();
            Assert.Equal("unconfirmed", finding.GetProperty("class").GetString());
            Assert.Contains("[at-", finding.GetProperty("subject").GetString(), StringComparison.Ordinal);
        }

        await Eventually.TrueAsync(async () => (await FindingsAsync(driver)).GetProperty("clean").GetBoolean(), "it is found and adopted");
        await driver.AssertOneTicketAsync();
    }

    [Theory]
    [InlineData(FaultKind.Status)]
    [InlineData(FaultKind.Unauthorized)]
    [InlineData(FaultKind.ModuleOff)]
    public async Task Nothing_is_called_clean_while_FreeScout_cannot_be_asked(FaultKind fault)
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Settings);
        var ticket = (await driver.ClickAsync()).Ticket!.Id;
        await ComparedAsync(driver);
        Assert.True((await FindingsAsync(driver)).GetProperty("clean").GetBoolean());

        driver.FreeScout.DeleteForever(ticket);
        using (driver.Sandbox.Faults.Add(new Fault(fault) { Match = FaultMatch.FreeScout, StatusCode = 503 }))
        {
            await Eventually.TrueAsync(async () => (await FindingsAsync(driver)).GetProperty("problem").GetString()?.StartsWith("FreeScout could not be asked: ", StringComparison.Ordinal) == true, "it says so");
            var told = await FindingsAsync(driver);
            Assert.False(told.GetProperty("clean").GetBoolean());
            // An API that answers nothing says nothing of a ticket.
            Assert.Empty(told.GetProperty("findings").EnumerateArray());
        }

        if (fault == FaultKind.Status)
        {
            // The others need a person, and are asked for once a minute.
            await Eventually.TrueAsync(async () => (await SeenAsync(driver)).SequenceEqual([$"ghost ghost {ticket}"]), "it is seen afterwards");
        }
    }

    [Fact]
    [Trait("Pitfall", "T-43")]
    public async Task What_an_older_FreeScout_lists_besides_is_not_taken_for_ours()
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Settings, surfaces: []);
        driver.FreeScout.Behaviour.KnowsFilters = false;
        var (merged, other) = (await FileAsync(driver, "merged", OpenTickets.AlertTag), await FileAsync(driver, "other", OpenTickets.AlertTag));
        await Eventually.TrueAsync(async () => (await driver.RowsAsync()).All(row => !row.TagsPending), "they are tagged");
        driver.FreeScout.Merge(merged, other);
        driver.FreeScout.CreateByHand("Not the console's", ["vip"]);
        driver.FreeScout.CreateByHand("Another mailbox", ["auto:status"], mailboxId: 1);
        await ComparedAsync(driver);

        // A list does not tell of merging: it is known only where what is deleted is asked for by its id.
        Assert.Equal([$"drift merged {merged}"], await SeenAsync(driver));
        Assert.Empty(await driver.ListedAsync());
    }

    [Fact]
    public async Task A_ticket_whose_filing_is_still_under_way_is_left_to_it()
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Settings);
        await driver.ClickAsync();
        await Eventually.TrueAsync(async () => (await driver.RowsAsync()).All(row => !row.TagsPending), "it is tagged");
        await using (var db = driver.Database.Open())
        {
            await db.Tickets.ExecuteUpdateAsync(set => set
                .SetProperty(row => row.State, TicketState.Filing).SetProperty(row => row.ConversationId, (long?)null).SetProperty(row => row.LeaseUntil, TimeProvider.System.GetUtcNow().AddHours(1)));
        }

        await ComparedAsync(driver);

        Assert.Equal([], await SeenAsync(driver));
        Assert.Single(await driver.RowsAsync());
    }

    [Fact]
    public async Task What_was_closed_here_while_FreeScout_was_asked_is_not_taken_for_reopened()
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Settings);
        await driver.ClickAsync();
        await Eventually.TrueAsync(async () => (await driver.RowsAsync()).All(row => !row.TagsPending), "it is tagged");
        await using (var db = driver.Database.Open())
        {
            // By its time it is closed after every list that FreeScout gives, and all of them still say that it is open.
            await db.Tickets.ExecuteUpdateAsync(set => set.SetProperty(row => row.State, TicketState.Closed).SetProperty(row => row.ClosedAt, TimeProvider.System.GetUtcNow().AddHours(1)));
        }

        await ComparedAsync(driver);

        Assert.Equal([], await SeenAsync(driver));
        Assert.Equal(TicketState.Closed, (await driver.RowsAsync()).Single().State);
    }

    [Fact]
    public async Task One_of_two_consoles_compares()
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Settings, consoles: 2, surfaces: []);
        await ComparedAsync(driver);
        await ComparedAsync(driver);

        await ComparedAsync(driver);

        // Nothing else asks for alerts' tickets. One that compares pauses for a second; two would come close together again and again,
        // and not once, as when another begins to lead.
        var asked = driver.Lists.Where(list => list.Query("tag") == OpenTickets.AlertTag && list.Query("updatedSince") is null).Select(list => list.At).ToList();
        Assert.InRange(asked.Count, 6, 1000);
        Assert.InRange(asked.Zip(asked.Skip(1)).Count(pair => pair.Second - pair.First < TimeSpan.FromSeconds(0.95)), 0, 1);
    }

    private static async Task<long> FileAsync(InvestigateDriver driver, string name, string tag)
    {
        var draft = new TicketDraft(AlertIdentity.Of("test", name, null, []), null, Severity.P2, tag, AuditActions.AlertTicketFiled, "test", $"[P2] {name}", [], IsForAlert: true);
        TicketOutcome? outcome = null;
        await Eventually.TrueAsync(async () => (outcome = await driver.Console.Get<TicketingService>().FileAsync(draft)).Ticket is not null, "it is filed");
        return outcome!.Ticket!.Id;
    }

    /// <summary>A whole comparison was made that began after this was called.</summary>
    private static async Task ComparedAsync(InvestigateDriver driver)
    {
        for (var time = 0; time < 2; time++)
        {
            var before = await AtAsync();
            await Eventually.TrueAsync(async () => await AtAsync() > before, "it was compared", TimeSpan.FromSeconds(60));
        }

        async Task<DateTimeOffset> AtAsync() => (await FindingsAsync(driver)).GetProperty("reconciled_at") is { ValueKind: JsonValueKind.String } at ? at.GetDateTimeOffset() : DateTimeOffset.MinValue;
    }

    private static Task<JsonElement> FindingsAsync(InvestigateDriver driver) =>
        driver.Console.Http.GetFromJsonAsync<JsonElement>(new Uri("/api/tickets/findings", UriKind.Relative));

    private static async Task<IEnumerable<string>> SeenAsync(InvestigateDriver driver) => Sorted(
        [.. (await FindingsAsync(driver)).GetProperty("findings").EnumerateArray().Select(finding =>
            $"{(finding.GetProperty("repaired").GetBoolean() ? "repaired" : finding.GetProperty("class").GetString())} {finding.GetProperty("kind").GetString()} {finding.GetProperty("conversation_id").GetInt64()}")]);

    private static async Task<IReadOnlyList<string>> RepairsAsync(InvestigateDriver driver)
    {
        await using var db = driver.Database.Open();
        return [.. (await db.AuditLog.AsNoTracking().Where(entry => entry.Action == AuditActions.TicketReconciled).ToListAsync())
            .Select(entry => JsonSerializer.Deserialize<JsonElement>(entry.Payload)).Select(payload => $"{payload.GetProperty("repair").GetString()} {payload.GetProperty("conversation_id").GetInt64()}")];
    }

    private static IEnumerable<string> Sorted(params string[] findings) => findings.Order(StringComparer.Ordinal);
}
