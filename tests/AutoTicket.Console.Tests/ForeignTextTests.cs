using System.Net;
using System.Text;
using System.Text.Json;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Flags;
using AutoTicket.Mailbox;
using AutoTicket.Sandbox;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests;

/// <summary>PostgreSQL rejects U+0000 and half surrogate pairs. Wherever text enters, they cause no 500 and stop no loop.</summary>
public sealed class ForeignTextTests
{
    [Theory, BothDatabases]
    public async Task A_rejection_text_cut_within_an_emoji_leaves_no_claim_behind(Database kind)
    {
        await using var driver = await InvestigateDriver.StartAsync(kind);
        await driver.WaitForFirstSyncAsync();
        using (
            driver.Sandbox.Faults.Add(
                new(FaultKind.Status)
                {
                    Match = FaultMatch.FreeScoutCreate,
                    StatusCode = 422,
                    Body = JsonSerializer.Serialize(new { message = $"{new string('x', 159)}😀 \0" }),
                }
            )
        )
        {
            Assert.True((await driver.ClickAsync()).Degraded);
            Assert.DoesNotContain(await driver.RowsAsync(), row => row.State is TicketState.Filing or TicketState.Unconfirmed);
        }

        Assert.Equal("filed", (await driver.ClickUntilThereIsATicketAsync()).Disposition);
    }

    [Theory, BothDatabases]
    public async Task A_ticket_with_U_0000_in_its_subject_is_listed_and_hides_no_other(Database kind)
    {
        await using var driver = await InvestigateDriver.StartAsync(kind, surfaces: []);
        var odd = driver.FreeScout.CreateByHand("a\0b", ["auto:status", "surface:p\0ay"]);
        var plain = driver.FreeScout.CreateByHand("plain", ["auto:status"]);

        await driver.Console.Get<MailboxWatch>().RefreshAsync(default);

        await Eventually.TrueAsync(async () => (await driver.ListedAsync()).SequenceEqual([odd.Id, plain.Id]), "both are listed");
        var tickets = (await driver.TicketsAsync()).GetProperty("tickets").EnumerateArray();
        Assert.Equal("a b", tickets.Single(ticket => ticket.GetProperty("id").GetInt64() == odd.Id).GetProperty("subject").GetString());
    }

    [Theory, BothDatabases]
    public async Task Reasons_notes_and_filters_are_cleaned_or_refused(Database kind)
    {
        await using var driver = await InvestigateDriver.StartAsync(kind);
        var http = driver.Console.Http;
        var ticket = (await driver.ClickAsync()).Ticket!;

        foreach (
            var (method, path, json, status) in new[]
            {
                ("PUT", $"/api/flags/{FlagNames.AlertsAutoTicket}", """{"enabled":true,"reason":"be\u0000cause"}""", 200),
                ("PUT", $"/api/flags/{FlagNames.AlertsAutoTicket}", """{"enabled":false,"reason":"half \ud83d"}""", 400),
                ("PUT", $"/api/flags/{FlagNames.AlertsAutoTicket}", """{"enabled":false,"reason":"\u0000\u0000\u0000"}""", 400),
                ("POST", "/api/flood/reset", """{"scope":"a\u0000","reason":"b\u0000"}""", 409),
                ("POST", "/api/flood/reset", """{"scope":"","reason":"\u0000"}""", 400),
                ("POST", $"/api/tickets/findings/{ticket.Id}/dismiss", """{"kind":"ghost","reason":"be\u0000cause"}""", 404),
                ("POST", "/api/tickets/resolve", $$"""{"ids":[{{ticket.Id}}],"note":"no\u0000te"}""", 200),
            }
        )
        {
            using var request = new HttpRequestMessage(new HttpMethod(method), path);
            request.Content = new StringContent(json, Encoding.UTF8, "application/json");
            using var answer = await http.SendAsync(request);
            Assert.Equal((json, status), (json, (int)answer.StatusCode));
        }

        var threads = driver.FreeScout.Conversations.Single(one => one.Id == ticket.Id).Threads;
        Assert.Contains(threads, thread => thread.Body.Contains("no te", StringComparison.Ordinal));

        // Reads to the end: a filter that the database rejects would cut the export off.
        Assert.Equal("id,created_at,action,actor,payload\r\n", await http.GetStringAsync("/api/audit.csv?actor=%00"));
        Assert.Equal("id,created_at,action,actor,payload\r\n", await http.GetStringAsync("/api/audit.csv?action=x%00"));
        foreach (
            var address in new[]
            {
                "/api/tickets?tag=%00",
                "/console/alerts?q=%00&show=all",
                "/console/status?q=%00&show=%00&by=%00&view=%00",
                "/login?returnUrl=/%00&wait=%00&wrong=%00",
                "/console/audit?actor=%00",
                "/console/incidents?surface=%00&group=%00&severity=%00&since=%00&before=%00",
                "/console/incidents?state=ended&surface=%00",
                "/api/incidents?surface=%00&group=%00",
            }
        )
        {
            Assert.Equal((address, HttpStatusCode.OK), (address, (await http.GetAsync(address)).StatusCode));
        }

        Assert.DoesNotContain(driver.Console.Log, line => line.StartsWith("ERROR", StringComparison.Ordinal));
        await using var db = driver.Database.Open();
        Assert.Equal("be cause", (await db.FeatureFlags.SingleAsync(flag => flag.Name == FlagNames.AlertsAutoTicket)).Reason);
    }

    [Theory, BothDatabases]
    public async Task Text_that_was_not_cleaned_at_the_entry_is_cleaned_before_it_is_stored(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await using var db = database.Open();
        const string dirty = "a\0\ud83d";

        db.AuditLog.Add(
            new AuditEntry
            {
                CreatedAt = DateTimeOffset.UnixEpoch,
                Action = dirty,
                Actor = dirty,
                Payload = "{}",
            }
        );
        await db.SaveChangesAsync();
        await db.ExecuteAsync(
            $"INSERT INTO leases (name, owner, fence, until) VALUES ({dirty}, {dirty}, {1L}, {DateTimeOffset.UnixEpoch})",
            default
        );
        // Also in a batch, where one unclean row would stop all of them.
        var rows = new RowBatch<string>(("name", "text", name => name), ("payload", "jsonb", _ => """{"a":"b"}"""));
        await db.ExecuteAsync(
            $"""
            INSERT INTO audit_log (created_at, action, actor, payload)
            SELECT {DateTimeOffset.UnixEpoch}, name, name, payload FROM {rows.Of([$"{dirty}1", $"{dirty}2"])}
            """,
            default
        );

        var entries = db.AuditLog.AsNoTracking();
        Assert.Equal("a \uFFFD", (await entries.SingleAsync(entry => entry.Actor == dirty && entry.Action.StartsWith(dirty))).Actor);
        Assert.Equal(
            ["a \uFFFD1", "a \uFFFD2"],
            await entries.Where(entry => entry.Actor != dirty).OrderBy(entry => entry.Actor).Select(entry => entry.Actor).ToListAsync()
        );
        Assert.Equal("a \uFFFD", (await db.Leases.AsNoTracking().SingleAsync(lease => lease.Name == dirty)).Owner);
    }
}
