using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using AutoTicket.Audit;
using AutoTicket.Diagnostics;
using AutoTicket.Sandbox;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Tickets;

/// <summary>Findings of the consistency check: how long the console shows each, and when it reports that all is clean.</summary>
public sealed class FindingTests : ReconciliationTest
{
    [Theory, BothDatabases]
    [Trait("Pitfall", "T-20")]
    public async Task A_row_that_lost_its_conversation_is_shown_files_no_second_ticket_and_finds_its_own(Database kind)
    {
        await using var driver = await InvestigateDriver.StartAsync(kind, Settings);
        var ticket = (await driver.ClickAsync()).Ticket!.Id;
        await Eventually.TrueAsync(async () => (await driver.RowsAsync()).All(row => !row.TagsPending), "the ticket is tagged");
        await ComparedAsync(driver);
        using (driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScoutList, StatusCode = 503 }))
        {
            await using (var db = driver.Database.Open())
            {
                await db.Tickets.ExecuteUpdateAsync(set =>
                    set.SetProperty(row => row.ConversationId, (long?)null)
                        .SetProperty(row => row.Number, (long?)null)
                        .SetProperty(row => row.TagsPending, true)
                );
            }

            // The click or the sweep may be the first to see that the conversation is lost.
            Assert.True((await driver.ClickAsync()).Degraded);
            var finding = default(JsonElement);
            await Eventually.TrueAsync(
                async () =>
                    (finding = (await FindingsAsync(driver)).GetProperty("findings").EnumerateArray().SingleOrDefault()).ValueKind
                    == JsonValueKind.Object,
                "the finding is shown"
            );
            Assert.Equal("unconfirmed", finding.GetProperty("class").GetString());
            Assert.Contains("[at-", finding.GetProperty("subject").GetString(), StringComparison.Ordinal);
            Assert.True((await driver.ClickAsync()).Degraded);
        }

        Assert.Equal(ticket, (await driver.ClickUntilThereIsATicketAsync()).Ticket!.Id);
        await Eventually.TrueAsync(
            async () => (await FindingsAsync(driver)).GetProperty("clean").GetBoolean(),
            "the console knows the ticket again"
        );
        await driver.AssertOneTicketAsync();
    }

    [Theory, BothDatabases]
    public async Task A_dismissed_finding_stays_closed_until_the_difference_changes(Database kind)
    {
        await using var driver = await InvestigateDriver.StartAsync(kind, Settings, surfaces: ["pay", "shop"]);
        var moved = (await driver.ClickAsync()).Ticket!.Id;
        var gone = (await driver.ClickAsync("shop")).Ticket!.Id;
        await Eventually.TrueAsync(async () => (await driver.RowsAsync()).All(row => !row.TagsPending), "the tickets are tagged");
        driver.FreeScout.Move(moved, 1);
        driver.FreeScout.DeleteForever(gone);
        await ComparedAsync(driver);
        Assert.Equal(HttpStatusCode.BadRequest, await DismissAsync(moved, "moved", "  x "));
        Assert.Equal(HttpStatusCode.BadRequest, await DismissAsync(moved, "nonsense", "It belongs there."));
        Assert.Equal(HttpStatusCode.NotFound, await DismissAsync(moved, "ghost", "It belongs there."));
        Assert.Equal(Sorted($"drift moved {moved}", $"ghost ghost {gone}"), await SeenAsync(driver));
        var ghosts = driver.Console.Get<EscalationConditions>().All.Single(rule => rule.Condition == EscalationCondition.GhostTickets);
        Assert.False((await ghosts.ReadAsync(CancellationToken.None)).Holds, "a ticket that was deleted forever raises no escalation");

        Assert.Equal(HttpStatusCode.NoContent, await DismissAsync(moved, "moved", "It belongs there."));
        Assert.Equal(HttpStatusCode.NoContent, await DismissAsync(gone, "ghost", "I deleted it."));
        await ComparedAsync(driver);
        var known = await FindingsAsync(driver);
        Assert.True(known.GetProperty("clean").GetBoolean());
        var dismissed = known
            .GetProperty("findings")
            .EnumerateArray()
            .Single(finding => finding.GetProperty("conversation_id").GetInt64() == moved)
            .GetProperty("dismissed");
        Assert.Equal(
            ("developer", "It belongs there."),
            (dismissed.GetProperty("by").GetString(), dismissed.GetProperty("reason").GetString())
        );
        await using (var db = driver.Database.Open())
        {
            Assert.Equal(
                ["developer", "developer"],
                await db.AuditLog.Where(entry => entry.Action == AuditActions.FindingDismissed).Select(entry => entry.Actor).ToListAsync()
            );
        }

        driver.FreeScout.Move(moved, 2);
        await ComparedAsync(driver);
        Assert.False((await FindingsAsync(driver)).GetProperty("clean").GetBoolean());

        // Moving the ticket back and away again makes a new finding.
        driver.FreeScout.Move(moved, driver.FreeScout.MailboxId);
        await ComparedAsync(driver);
        Assert.True((await FindingsAsync(driver)).GetProperty("clean").GetBoolean());
        driver.FreeScout.Move(moved, 1);
        await ComparedAsync(driver);
        Assert.False((await FindingsAsync(driver)).GetProperty("clean").GetBoolean());

        async Task<HttpStatusCode> DismissAsync(long id, string finding, string reason)
        {
            using var answer = await driver.Console.Http.PostAsJsonAsync(
                $"/api/tickets/findings/{id}/dismiss",
                new { kind = finding, reason }
            );
            return answer.StatusCode;
        }
    }

    [Fact]
    public async Task A_stopped_console_records_the_tags_that_it_is_restoring()
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Settings, surfaces: []);
        var ticket = await FileAsync(driver, "tagged", "auto:alert");
        await Eventually.TrueAsync(async () => !(await driver.RowsAsync()).Single().TagsPending, "the ticket is tagged");
        using var slow = driver.Sandbox.Faults.Add(
            new Fault(FaultKind.Delay) { Match = FaultMatch.FreeScoutTags, Delay = TimeSpan.FromSeconds(1.5) }
        );
        driver.FreeScout.SetTags(ticket);
        await Eventually.TrueAsync(() => slow.Hits > 0, "the tags are on their way");

        await driver.StopConsoleAsync();

        Assert.Equal([$"tags {ticket}"], await RepairsAsync(driver));
    }

    [Fact]
    public async Task A_filing_known_only_from_the_audit_log_is_a_ghost_when_FreeScout_does_not_have_it()
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Settings);
        var ticket = (await driver.ClickAsync()).Ticket!.Id;
        // Delete first, because a comparison in between would adopt the ticket.
        driver.FreeScout.DeleteForever(ticket);
        await using (var db = driver.Database.Open())
        {
            await db.Tickets.ExecuteDeleteAsync();
        }

        await ComparedAsync(driver);

        Assert.Equal([$"ghost ghost {ticket}"], await SeenAsync(driver));
    }

    [Theory, BothDatabases]
    public async Task A_lost_answer_without_a_ticket_can_be_dismissed_once_that_is_certain(Database kind)
    {
        var clock = new StillClock();
        await using var driver = await InvestigateDriver.StartAsync(kind, clock: clock);
        driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScoutCreate, Times = 1 });
        Assert.True((await driver.ClickAsync()).Degraded);
        var row = (await driver.RowsAsync()).Single();
        var finding = (await FindingsAsync(driver)).GetProperty("findings").EnumerateArray().Single();
        Assert.Equal(JsonValueKind.Null, finding.GetProperty("filing").ValueKind);
        Assert.Equal(HttpStatusCode.NotFound, await DismissAsync());

        await clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(20),
            async () =>
            {
                finding = (await FindingsAsync(driver)).GetProperty("findings").EnumerateArray().Single();
                return finding.GetProperty("filing").ValueKind == JsonValueKind.Number;
            },
            "it is certain that FreeScout has no ticket"
        );
        Assert.Equal(row.Id, finding.GetProperty("filing").GetInt64());
        Assert.Equal(HttpStatusCode.NoContent, await DismissAsync());

        Assert.Empty((await FindingsAsync(driver)).GetProperty("findings").EnumerateArray());
        await using (var db = driver.Database.Open())
        {
            var entry = await db.AuditLog.SingleAsync(entry => entry.Action == AuditActions.FindingDismissed);
            Assert.Contains(row.Marker, entry.Payload, StringComparison.Ordinal);
        }

        Assert.Equal("filed", (await driver.ClickAsync()).Disposition);
        await driver.AssertOneTicketAsync();

        async Task<HttpStatusCode> DismissAsync()
        {
            using var answer = await driver.Console.Http.PostAsJsonAsync(
                $"/api/tickets/findings/{row.Id}/dismiss",
                new { kind = "unconfirmed", reason = "The alert is over." }
            );
            return answer.StatusCode;
        }
    }

    [Fact]
    public async Task A_lost_answer_without_a_ticket_is_given_up_after_a_day()
    {
        var clock = new StillClock();
        await using var driver = await InvestigateDriver.StartAsync(clock: clock);
        driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScoutCreate, Times = 1 });
        Assert.True((await driver.ClickAsync()).Degraded);
        await clock.AdvanceUntilAsync(
            TimeSpan.FromMinutes(5),
            async () => FilingRules.IsMissing((await driver.RowsAsync()).Single(), TimeSpan.FromMinutes(2)),
            "the finding says that FreeScout has no ticket"
        );
        Assert.Contains("It is posted again when ", await DetailAsync(), StringComparison.Ordinal);
        await using (var db = driver.Database.Open())
        {
            await db.Tickets.ExecuteUpdateAsync(set => set.SetProperty(row => row.AuditAction, AuditActions.TestTicketFiled));
        }

        Assert.Contains("It is a test ticket and is not posted again", await DetailAsync(), StringComparison.Ordinal);

        clock.Advance(TimeSpan.FromDays(1));

        await clock.AdvanceUntilAsync(
            TimeSpan.FromMinutes(5),
            async () => (await FindingsAsync(driver)).GetProperty("findings").GetArrayLength() == 0,
            "the search is given up"
        );

        async Task<string> DetailAsync() =>
            (await FindingsAsync(driver)).GetProperty("findings").EnumerateArray().Single().GetProperty("detail").GetString()!;
    }

    [Fact]
    [Trait("Pitfall", "T-12")]
    public async Task A_lost_answer_is_shown_while_it_is_looked_for()
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Settings);
        await driver.WaitForFirstSyncAsync();
        driver.Sandbox.Faults.Add(new Fault(FaultKind.StatusAfter) { Match = FaultMatch.FreeScoutCreate, Times = 1 });
        using (driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScoutList, StatusCode = 503 }))
        {
            Assert.True((await driver.ClickAsync()).Degraded);
            var finding = (await FindingsAsync(driver)).GetProperty("findings").EnumerateArray().Single();
            Assert.Equal("unconfirmed", finding.GetProperty("class").GetString());
            Assert.Contains("[at-", finding.GetProperty("subject").GetString(), StringComparison.Ordinal);
        }

        await Eventually.TrueAsync(
            async () => (await FindingsAsync(driver)).GetProperty("clean").GetBoolean(),
            "the ticket is found and adopted"
        );
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
            await Eventually.TrueAsync(
                async () =>
                    (await FindingsAsync(driver))
                        .GetProperty("problem")
                        .GetString()
                        ?.StartsWith("FreeScout could not be asked: ", StringComparison.Ordinal) == true,
                "the console reports the failure"
            );
            var told = await FindingsAsync(driver);
            Assert.False(told.GetProperty("clean").GetBoolean());
            // A failed request proves nothing about a ticket.
            Assert.Empty(told.GetProperty("findings").EnumerateArray());
        }

        if (fault == FaultKind.Status)
        {
            // Only a person can fix the other failures, so the console calls FreeScout once a minute.
            await Eventually.TrueAsync(
                async () => (await SeenAsync(driver)).SequenceEqual([$"ghost ghost {ticket}"]),
                "the ghost is found after the failure"
            );
        }
    }

    [Fact]
    public async Task A_ticket_whose_filing_is_still_running_is_not_adopted()
    {
        await using var driver = await InvestigateDriver.StartAsync(
            settings: new Dictionary<string, string?>(Settings) { ["Ticketing:Lease"] = "01:00:00" }
        );
        await driver.ClickAsync();
        await Eventually.TrueAsync(async () => (await driver.RowsAsync()).All(row => !row.TagsPending), "the ticket is tagged");
        await using (var db = driver.Database.Open())
        {
            await db.Tickets.ExecuteUpdateAsync(set =>
                set.SetProperty(row => row.State, TicketState.Filing)
                    .SetProperty(row => row.ConversationId, (long?)null)
                    .SetProperty(row => row.LeaseUntil, TimeProvider.System.GetUtcNow().AddHours(1))
            );
        }

        await ComparedAsync(driver);

        Assert.Equal([], await SeenAsync(driver));
        Assert.Single(await driver.RowsAsync());
    }

    [Fact]
    public async Task A_ticket_closed_by_the_console_during_a_comparison_does_not_count_as_reopened()
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Settings);
        await driver.ClickAsync();
        await Eventually.TrueAsync(async () => (await driver.RowsAsync()).All(row => !row.TagsPending), "the ticket is tagged");
        await using (var db = driver.Database.Open())
        {
            // The close time is in the future, so every list that still shows the ticket as open is older.
            await db.Tickets.ExecuteUpdateAsync(set =>
                set.SetProperty(row => row.State, TicketState.Closed)
                    .SetProperty(row => row.ClosedAt, TimeProvider.System.GetUtcNow().AddHours(1))
            );
        }

        await ComparedAsync(driver);

        Assert.Equal([], await SeenAsync(driver));
        Assert.Equal(TicketState.Closed, (await driver.RowsAsync()).Single().State);
    }
}
