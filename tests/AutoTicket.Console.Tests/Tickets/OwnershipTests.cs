using System.Net.Http.Json;
using System.Text.Json;
using AutoTicket.FreeScout;
using AutoTicket.Mailbox;

namespace AutoTicket.Tests.Tickets;

/// <summary>Who has a ticket, and when a person last answered: read from FreeScout with its list, and shown.</summary>
public sealed class OwnershipTests
{
    private const int Sam = 3;

    [Theory, BothDatabases]
    public async Task The_list_brings_the_assignee_and_the_last_reply_without_a_call_for_each_ticket(Database kind)
    {
        await using var driver = await InvestigateDriver.StartAsync(
            kind,
            new Dictionary<string, string?>
            {
                ["Ticketing:SyncInterval"] = "01:00:00",
                ["Ticketing:ReconcileInterval"] = "01:00:00",
                ["FREESCOUT_WEBHOOK_SECRET"] = null,
            }
        );
        await driver.WaitForFirstSyncAsync();
        var pay = (await driver.ClickAsync()).Ticket!.Id;
        await Eventually.TrueAsync(async () => (await driver.RowsAsync()).All(row => !row.TagsPending), "the ticket is tagged");
        await RefreshAsync(driver);
        Assert.Equal((null, null), await ShownAsync(driver, pay));

        driver.FreeScout.Assign(pay, Sam);
        driver.FreeScout.Answer(pay, Sam, "<p>On it.</p>");
        var reads = driver.Requests("GET", $"/conversations/{pay}").Count;
        await RefreshAsync(driver);

        var repliedAt = driver.FreeScout.Find(pay)!.Threads[0].CreatedAt;
        await Eventually.TrueAsync(async () => await ShownAsync(driver, pay) == ("Sam Support", repliedAt), "both are shown");
        Assert.Equal(reads, driver.Requests("GET", $"/conversations/{pay}").Count);
        var onBoard = (await driver.Console.Http.GetFromJsonAsync<JsonElement>(new Uri("/api/status", UriKind.Relative)))
            .GetProperty("surfaces")[0]
            .GetProperty("ticket");
        Assert.Equal(Sam, onBoard.GetProperty("assignee").GetProperty("id").GetInt32());
        Assert.Equal(repliedAt, onBoard.GetProperty("last_reply_at").GetDateTimeOffset());
        Assert.False(onBoard.GetProperty("assignee").TryGetProperty("email", out _));

        // The list then names only the customer's reply, which is no answer of a person of ours.
        driver.FreeScout.Reply(pay, "<p>Still down.</p>");
        driver.FreeScout.Assign(pay, null);
        await RefreshAsync(driver);
        await Eventually.TrueAsync(async () => await ShownAsync(driver, pay) == (null, repliedAt), "the known answer stays");
    }

    [Fact]
    public async Task A_webhook_brings_an_assignment_at_once_and_a_note_of_a_person_too()
    {
        await using var driver = await InvestigateDriver.StartAsync(
            settings: new Dictionary<string, string?>
            {
                ["Ticketing:SyncInterval"] = "01:00:00",
                ["Ticketing:ReconcileInterval"] = "01:00:00",
                ["FREESCOUT_WEBHOOK_SECRET"] = "canary-webhook-secret",
            }
        );
        driver.FreeScout.Webhooks.Secret = "canary-webhook-secret";
        driver.FreeScout.AnnounceTo(new Uri(driver.Console.Address, "/api/freescout/webhook"));
        var pay = (await driver.ClickAsync()).Ticket!.Id;
        // Tags are set in a second call and bring no event. Without them a look does not know the ticket.
        await Eventually.TrueAsync(async () => (await driver.RowsAsync()).All(row => !row.TagsPending), "the ticket is tagged");

        driver.FreeScout.Assign(pay, Sam);
        await Eventually.TrueAsync(async () => (await ShownAsync(driver, pay)).Assignee == "Sam Support", "the assignee is shown");

        driver.FreeScout.AddNote(pay, driver.FreeScout.UserId, "<p>Severity is P1 now.</p>");
        driver.FreeScout.AddNote(pay, Sam, "<p>Restarting it.</p>");
        var notedAt = driver.FreeScout.Find(pay)!.Threads[0].CreatedAt;
        await Eventually.TrueAsync(async () => (await ShownAsync(driver, pay)).LastReplyAt == notedAt, "the note counts as an answer");
    }

    [Theory]
    [InlineData("""{"id":1,"assignee":{"id":4,"type":"user","firstName":"Ana","lastName":null}}""", "Ana")]
    [InlineData("""{"id":1,"assignee":{"id":4,"email":"ana@example.org"}}""", "ana@example.org")]
    [InlineData("""{"id":1,"assignee":{"id":4}}""", "agent 4")]
    [InlineData("""{"id":1,"assignee":[]}""", null)]
    [InlineData("""{"id":1,"assignee":null}""", null)]
    [InlineData("""{"id":1,"assignee":{"id":"x","firstName":"Ana"}}""", null)]
    [InlineData("""{"id":1}""", null)]
    public void An_assignee_is_read_from_what_versions_send(string json, string? name) => Assert.Equal(name, Read(json).AssignedTo?.Name);

    [Theory]
    [InlineData("""{"id":1,"customerWaitingSince":{"time":"2026-11-23T12:00:00Z","latestReplyFrom":"user"}}""", 12)]
    [InlineData("""{"id":1,"customerWaitingSince":{"time":"2026-11-23T12:00:00Z","latestReplyFrom":"customer"}}""", null)]
    [InlineData("""{"id":1,"customerWaitingSince":{"time":null,"latestReplyFrom":"user"}}""", null)]
    [InlineData("""{"id":1,"customerWaitingSince":[],"userUpdatedAt":"2026-11-23T12:00:00Z"}""", null)]
    // A line item is no answer, and neither is a note in the console's name.
    [InlineData(
        """{"id":1,"_embedded":{"threads":[{"type":"lineitem","createdBy":{"id":3,"type":"user"},"createdAt":"2026-11-23T12:00:00Z"}]}}""",
        null
    )]
    [InlineData(
        """{"id":1,"_embedded":{"threads":[{"type":"note","createdBy":{"id":2,"type":"user"},"createdAt":"2026-11-23T12:00:00Z"}]}}""",
        null
    )]
    [InlineData(
        """{"id":1,"_embedded":{"threads":[{"type":"message","createdBy":{"id":2,"type":"user"},"createdAt":"2026-11-23T12:00:00Z"}]}}""",
        12
    )]
    [InlineData(
        """{"id":1,"_embedded":{"threads":[{"type":"note","createdBy":{"id":3,"type":"user"},"createdAt":"2026-11-23T12:00:00Z"}]}}""",
        12
    )]
    public void An_answer_of_a_person_is_read_from_what_versions_send(string json, int? hour) =>
        Assert.Equal(hour, Read(json).AnsweredAt(console: 2)?.Hour);

    private static Conversation Read(string json) => JsonSerializer.Deserialize<Conversation>(json, JsonSerializerOptions.Web)!;

    private static async Task RefreshAsync(InvestigateDriver driver) =>
        Assert.True(await driver.Console.Get<MailboxWatch>().RefreshAsync(CancellationToken.None));

    private static async Task<(string? Assignee, DateTimeOffset? LastReplyAt)> ShownAsync(InvestigateDriver driver, long id)
    {
        var ticket = (await driver.TicketsAsync())
            .GetProperty("tickets")
            .EnumerateArray()
            .Single(ticket => ticket.GetProperty("id").GetInt64() == id);
        return (
            ticket.GetProperty("assignee") is { ValueKind: JsonValueKind.Object } agent ? agent.GetProperty("name").GetString() : null,
            ticket.GetProperty("last_reply_at") is { ValueKind: JsonValueKind.String } at ? at.GetDateTimeOffset() : null
        );
    }
}
