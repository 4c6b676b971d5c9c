using System.Net.Http.Json;
using System.Text.Json;
using AutoTicket.Audit;
using AutoTicket.Flags;
using AutoTicket.Sandbox;
using AutoTicket.Tests.Kit;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Diagnostics;

public sealed class DeliveryTestTests
{
    [Fact]
    public async Task An_admin_sees_a_test_DM_and_a_closed_test_ticket_or_why_there_is_none()
    {
        await using var console = await DiagnosedConsole.StartAsync();

        Assert.Equal((true, "The test DM was sent."), await TestAsync(console, "test-dm"));
        Assert.StartsWith("Test by developer:", Assert.Single(console.Sandbox.Slack.Messages).Text, StringComparison.Ordinal);

        var (passed, message) = await TestAsync(console, "test-ticket");
        var ticket = Assert.Single(console.Sandbox.FreeScout.Conversations);
        Assert.Equal((true, $"Test ticket #{ticket.Number} was filed and closed."), (passed, message));
        Assert.Equal("closed", ticket.Status);
        Assert.Contains("Test ticket of AutoTicket Console", ticket.Subject, StringComparison.Ordinal);

        await using (var db = console.Database.Open())
        {
            Assert.Equal(
                [AuditActions.TestDmSent, AuditActions.TestTicketFiled],
                await db
                    .AuditLog.Where(entry => entry.Action.StartsWith("console.diagnostics."))
                    .Select(entry => entry.Action)
                    .ToListAsync()
            );
        }

        using (console.Sandbox.Faults.Add(Fault.SlackError("channel_not_found")))
        {
            (passed, message) = await TestAsync(console, "test-dm");
            Assert.False(passed);
            Assert.StartsWith("The test DM was not sent: ", message, StringComparison.Ordinal);
        }

        using (console.Sandbox.Faults.Add(new Fault(FaultKind.CloseAfter) { Match = FaultMatch.SlackPost }))
        {
            (passed, message) = await TestAsync(console, "test-dm");
            Assert.False(passed);
            Assert.StartsWith("It is not certain whether the test DM was sent: ", message, StringComparison.Ordinal);
        }

        using var off = await console.Host.Http.PutAsJsonAsync(
            $"/api/flags/{FlagNames.InvestigateFromStatus}",
            new { enabled = false, reason = "a test" }
        );
        off.EnsureSuccessStatusCode();
        Assert.Equal((false, $"Not filed: {FlagNames.InvestigateFromStatus} is off."), await TestAsync(console, "test-ticket"));
        Assert.Single(console.Sandbox.FreeScout.Conversations);
    }

    [Fact]
    [Trait("Pitfall", "T-12")]
    public async Task A_test_ticket_whose_answer_was_lost_is_found_later_and_closed()
    {
        var clock = new StillClock();
        await using var console = await DiagnosedConsole.StartAsync(clock: clock);
        console.Sandbox.Faults.Add(new Fault(FaultKind.StatusAfter) { Match = FaultMatch.FreeScoutCreate, Times = 1 });
        // No error: with other calls, errors could open the circuit before the post.
        var stale = console.Sandbox.Faults.Add(Fault.EmptyLists());

        var (passed, message) = await TestAsync(console, "test-ticket");
        stale.Dispose();

        Assert.False(passed);
        Assert.StartsWith("It is not certain whether the test ticket was filed: ", message, StringComparison.Ordinal);
        await EventuallyClosedAsync(console, clock);
    }

    [Fact]
    [Trait("Pitfall", "T-12")]
    public async Task A_test_ticket_whose_lost_answer_another_process_looks_up_is_not_called_unfiled()
    {
        var clock = new StillClock();
        await using var console = await DiagnosedConsole.StartAsync(clock: clock);
        console.Sandbox.Faults.Add(new Fault(FaultKind.StatusAfter) { Match = FaultMatch.FreeScoutCreate, Times = 1 });
        await using (var db = console.Database.Open())
        {
            // As another process that takes the row over before this one can, and is slow.
            await db.Database.ExecuteSqlRawAsync(
                """
                CREATE TRIGGER another_is_first AFTER UPDATE OF state ON tickets WHEN NEW.state = 'unconfirmed' AND NEW.attempt < 2
                BEGIN UPDATE tickets SET state = 'filing', attempt = 2 WHERE id = NEW.id; END
                """
            );
        }

        var test = TestAsync(console, "test-ticket");
        await clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(0.5),
            () => Task.FromResult(test.IsCompleted),
            "the test has ended",
            TimeSpan.FromSeconds(0.3)
        );

        var (passed, message) = await test;
        Assert.False(passed);
        Assert.StartsWith("It is not certain whether the test ticket was filed: ", message, StringComparison.Ordinal);
    }

    /// <summary>As when the process is killed after the post.</summary>
    [Fact]
    public async Task A_test_ticket_that_could_not_be_closed_is_closed_later()
    {
        var clock = new StillClock();
        await using var console = await DiagnosedConsole.StartAsync(clock: clock);
        var refusing = console.Sandbox.Faults.Add(
            new Fault(FaultKind.Status)
            {
                Match = new FaultMatch("PUT", FreeScoutStandIn.ApiPath + "/conversations/*", Whole: true),
                StatusCode = 503,
            }
        );

        var (passed, message) = await TestAsync(console, "test-ticket");
        refusing.Dispose();

        Assert.False(passed);
        Assert.Contains("was filed, but may still be open", message, StringComparison.Ordinal);
        await EventuallyClosedAsync(console, clock);

        // One that a person opens again stays open.
        var id = Assert.Single(console.Sandbox.FreeScout.Conversations).Id;
        console.Sandbox.FreeScout.Reopen(id);
        await clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(5),
            async () => await RowAsync(console) is { State: TicketState.Open, ReopenedAt: { } at } && clock.GetUtcNow() > at.AddMinutes(2),
            "the console has known for two minutes that it is open again",
            TimeSpan.FromSeconds(0.3)
        );
        Assert.NotEqual("closed", console.Sandbox.FreeScout.Find(id)!.Status);
    }

    private static Task EventuallyClosedAsync(DiagnosedConsole console, StillClock clock) =>
        // In steps shorter than the lease.
        clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(5),
            async () =>
                await RowAsync(console) is { State: TicketState.Closed }
                && Assert.Single(console.Sandbox.FreeScout.Conversations).Status == "closed",
            "the test ticket is closed",
            TimeSpan.FromSeconds(0.3)
        );

    private static async Task<Ticket> RowAsync(DiagnosedConsole console)
    {
        await using var db = console.Database.Open();
        return await db.Tickets.AsNoTracking().SingleAsync();
    }

    private static async Task<(bool, string)> TestAsync(DiagnosedConsole console, string name)
    {
        using var answer = await console.Host.Http.PostAsJsonAsync($"/api/diagnostics/{name}", new { });
        answer.EnsureSuccessStatusCode();
        var result = await answer.Content.ReadFromJsonAsync<JsonElement>();
        return (result.GetProperty("passed").GetBoolean(), result.GetProperty("message").GetString()!);
    }
}
