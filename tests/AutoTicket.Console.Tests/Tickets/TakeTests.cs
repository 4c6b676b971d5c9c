using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using AutoTicket.Audit;
using AutoTicket.Mailbox;
using AutoTicket.Sandbox;
using AutoTicket.Security;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Tickets;

/// <summary>Taking a ticket assigns it in FreeScout to the signed-in operator. FreeScout is asked before and, after a lost answer,
/// again.</summary>
public sealed class TakeTests
{
    private const int Sam = 3;
    private const int Dana = 4;

    [Theory, BothDatabases]
    public async Task A_ticket_is_assigned_in_the_name_of_the_operators_agent_and_audited(Database kind)
    {
        await using var driver = await StartAsync(kind);
        var pay = await FileAsync(driver);

        Assert.Equal((HttpStatusCode.OK, "taken"), await TakeAsync(driver, pay));

        Assert.Equal(Dana, driver.FreeScout.Find(pay)!.AssignedTo);
        var line = driver.FreeScout.Find(pay)!.Threads[0];
        Assert.Equal(("changed-ticket-assignee", Dana), (line.Action, line.UserId));
        Assert.Equal(
            [
                (AuditActions.TicketTaking, "developer", null, "Dana Developer"),
                (AuditActions.TicketTaken, "developer", null, "Dana Developer"),
            ],
            await AuditedAsync(driver)
        );
        // The sync comes in an hour.
        await Eventually.TrueAsync(() => Shown(driver, pay)?.Id == Dana, "it is shown at once");

        Assert.Equal((HttpStatusCode.OK, "already_yours"), await TakeAsync(driver, pay));
        Assert.Single(driver.Requests("PUT", $"/conversations/{pay}"));
        Assert.Single(driver.Requests("GET", "/users"));
        Assert.Equal(2, (await AuditedAsync(driver)).Count);
    }

    [Fact]
    public async Task Another_agents_ticket_is_taken_over_only_after_the_operator_named_that_agent()
    {
        await using var driver = await StartAsync();
        var pay = await FileAsync(driver);
        driver.FreeScout.Assign(pay, Sam);

        using var asked = await PostAsync(driver, pay);

        Assert.Equal(HttpStatusCode.Conflict, asked.StatusCode);
        var problem = await asked.Content.ReadFromJsonAsync<JsonElement>();
        Assert.StartsWith("Sam Support has it.", problem.GetProperty("title").GetString(), StringComparison.Ordinal);
        Assert.Equal(Sam, problem.GetProperty("assignee").GetProperty("id").GetInt32());
        Assert.Equal(Sam, driver.FreeScout.Find(pay)!.AssignedTo);
        Assert.Empty(await AuditedAsync(driver));

        // Meanwhile another agent took it.
        driver.FreeScout.Assign(pay, 1);
        Assert.Equal((HttpStatusCode.Conflict, null), await TakeAsync(driver, pay, from: Sam));
        Assert.Equal((HttpStatusCode.OK, "taken"), await TakeAsync(driver, pay, from: 1));
        Assert.Equal(Dana, driver.FreeScout.Find(pay)!.AssignedTo);
        Assert.Equal((AuditActions.TicketTaken, "developer", "Ada Admin", "Dana Developer"), (await AuditedAsync(driver))[^1]);
    }

    [Theory]
    [InlineData(FaultKind.CloseAfter, true)]
    [InlineData(FaultKind.StatusAfter, true)]
    [InlineData(FaultKind.CloseBefore, false)]
    public async Task After_a_lost_answer_FreeScout_is_asked_and_nothing_is_sent_again(FaultKind fault, bool wasAssigned)
    {
        await using var driver = await StartAsync();
        var pay = await FileAsync(driver);
        using var lost = driver.Sandbox.Faults.Add(
            new Fault(fault) { Match = new FaultMatch("PUT", $"{FreeScoutStandIn.ApiPath}/conversations/{pay}", Whole: true) }
        );

        var (status, _) = await TakeAsync(driver, pay);

        Assert.Equal(wasAssigned ? HttpStatusCode.OK : HttpStatusCode.ServiceUnavailable, status);
        Assert.Equal(wasAssigned ? Dana : null, driver.FreeScout.Find(pay)!.AssignedTo);
        Assert.Equal(1, lost.Hits);
        Assert.Equal(
            wasAssigned ? [AuditActions.TicketTaking, AuditActions.TicketTaken] : [AuditActions.TicketTaking],
            (await AuditedAsync(driver)).Select(entry => entry.Action)
        );
    }

    [Fact]
    public async Task A_sync_that_hangs_does_not_keep_a_taker_waiting()
    {
        await using var driver = await StartAsync(settings: new() { ["FreeScout:CallTimeout"] = "00:01:00" });
        var pay = await FileAsync(driver);
        await driver.WaitForFirstSyncAsync();
        var hanging = driver.Sandbox.Faults.Add(new Fault(FaultKind.Delay) { Match = FaultMatch.FreeScoutList });
        var syncing = driver.Console.Get<MailboxWatch>().RefreshAsync(default);
        await Eventually.TrueAsync(() => hanging.Hits > 0, "the list is being read");

        var taken = await TakeAsync(driver, pay);

        Assert.Equal((HttpStatusCode.OK, "taken"), taken);
        Assert.False(syncing.IsCompleted, "the taker waited for the sync");
        hanging.Dispose();
        await Eventually.TrueAsync(() => Shown(driver, pay)?.Id == Dana, "it is shown after the sync");
        await syncing;
    }

    /// <summary>Two consoles ask FreeScout before either has assigned the ticket.</summary>
    [Fact]
    public async Task Of_two_operators_who_take_a_ticket_at_the_same_moment_the_first_is_told_that_the_other_has_it()
    {
        await using var driver = await StartAsync();
        var pay = await FileAsync(driver);
        var path = $"{FreeScoutStandIn.ApiPath}/conversations/{pay}";
        var assigning = driver.Sandbox.Faults.Add(new Fault(FaultKind.Delay) { Match = new FaultMatch("PUT", path, Whole: true) });
        var taking = TakeAsync(driver, pay);
        await Eventually.TrueAsync(() => assigning.Hits == 1, "FreeScout has the assignment");
        var checking = driver.Sandbox.Faults.Add(new Fault(FaultKind.Delay) { Match = new FaultMatch("GET", path, Whole: true) });
        assigning.Dispose();
        await Eventually.TrueAsync(() => checking.Hits >= 1, "the console reads the ticket again");
        Assert.Equal(Dana, driver.FreeScout.Find(pay)!.AssignedTo);
        driver.FreeScout.Assign(pay, Sam);
        checking.Dispose();

        Assert.Equal((HttpStatusCode.Conflict, null), await taking);
        Assert.Equal([AuditActions.TicketTaking], (await AuditedAsync(driver)).Select(entry => entry.Action));
        await Eventually.TrueAsync(() => Shown(driver, pay)?.Id == Sam, "the other is shown");
    }

    /// <summary>The slower one asks FreeScout before the faster one has assigned the ticket, and assigns it after that.</summary>
    [Fact]
    public async Task Of_two_operators_at_two_consoles_only_the_one_who_has_the_ticket_is_told_so()
    {
        await using var driver = await StartAsync(Database.Postgres);
        var pay = await FileAsync(driver);
        var slow = driver.Console.Get<TicketTaker>();
        await driver.StartConsoleAsync();
        var fast = driver.Console.Get<TicketTaker>();
        await Eventually.TrueAsync(
            () => driver.Console.Get<OpenTickets>().Current.Tickets.Any(ticket => ticket.Id == pay),
            "the second console shows the ticket"
        );
        var assigning = driver.Sandbox.Faults.Add(
            new Fault(FaultKind.Delay)
            {
                Match = new FaultMatch("PUT", $"{FreeScoutStandIn.ApiPath}/conversations/{pay}", Whole: true),
                Times = 1,
            }
        );
        var taking = slow.TakeAsync(pay, new("user:sam", "sam@sandbox.example"), new());
        await Eventually.TrueAsync(() => assigning.Hits == 1, "the first assignment is under way");

        var refused = await fast.TakeAsync(pay, new("developer", Schemes.DeveloperEmail), new());
        assigning.Dispose();
        var taken = await taking;

        Assert.Equal((TakeResult.Failed, "Somebody is taking it right now. Look again in a moment."), (refused.Result, refused.Message));
        Assert.Equal((TakeResult.Taken, Sam), (taken.Result, driver.FreeScout.Find(pay)!.AssignedTo));
        // The next click asks FreeScout again.
        var held = await fast.TakeAsync(pay, new("developer", Schemes.DeveloperEmail), new());
        Assert.Equal((TakeResult.HeldByAnother, "Sam Support has it."), (held.Result, held.Message));
        await using var db = driver.Database.Open();
        Assert.DoesNotContain(
            await db.Leases.Select(lease => lease.Name).ToListAsync(),
            name => name.StartsWith("ticket_taking", StringComparison.Ordinal)
        );
    }

    [Fact]
    [Trait("Pitfall", "T-28")]
    public async Task A_closed_ticket_is_not_assigned_and_leaves_the_list()
    {
        await using var driver = await StartAsync();
        var pay = await FileAsync(driver);
        driver.FreeScout.Close(pay);

        using var answer = await PostAsync(driver, pay);

        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        Assert.Contains("It was closed already, by Olga Operator.", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Null(driver.FreeScout.Find(pay)!.AssignedTo);
        Assert.Empty(await AuditedAsync(driver));
        await Eventually.TrueAsync(async () => (await driver.ListedAsync()).Count == 0, "the closed ticket leaves the list");

        // Neither is one that the console does not show.
        var foreign = driver.FreeScout.CreateByHand("A customer's question", mailboxId: 1).Id;
        Assert.Equal((HttpStatusCode.NotFound, null), await TakeAsync(driver, foreign));
        Assert.Null(driver.FreeScout.Find(foreign)!.AssignedTo);
    }

    [Fact]
    public async Task Who_is_no_agent_is_told_what_to_change_and_a_viewer_may_not_take()
    {
        const string Operator = "canary-operator-token-of-32-characters-and-more";
        const string Viewer = "canary-viewer-token-of-32-characters-and-more-x";
        await using var driver = await StartAsync(
            settings: new() { ["CONSOLE_API_TOKENS"] = $"bot:operator:{Operator},wall:viewer:{Viewer}" }
        );
        var pay = await FileAsync(driver);

        using var bot = await PostAsync(driver, pay, token: Operator);
        Assert.Equal(HttpStatusCode.Forbidden, bot.StatusCode);
        Assert.Contains("Your sign-in has no e-mail address", await bot.Content.ReadAsStringAsync(), StringComparison.Ordinal);

        using var wall = await PostAsync(driver, pay, token: Viewer);
        Assert.Equal(HttpStatusCode.Forbidden, wall.StatusCode);
        Assert.DoesNotContain("e-mail", await wall.Content.ReadAsStringAsync(), StringComparison.Ordinal);

        var taker = driver.Console.Get<TicketTaker>();
        var nobody = await taker.TakeAsync(pay, new("user:nora", "nora@example.org"), new());
        Assert.Equal(TakeResult.NoAgent, nobody.Result);
        Assert.StartsWith("FreeScout has no agent with your e-mail address nora@example.org.", nobody.Message, StringComparison.Ordinal);
        Assert.Null(driver.FreeScout.Find(pay)!.AssignedTo);
        // Once FreeScout has the agent, the next click works: what is missing is not remembered.
        Assert.Equal(TakeResult.Taken, (await taker.TakeAsync(pay, new("user:sam", "SAM@sandbox.example"), new())).Result);
        Assert.Equal(Sam, driver.FreeScout.Find(pay)!.AssignedTo);
    }

    [Theory]
    [InlineData(FaultKind.Unauthorized, "FREESCOUT_API_KEY")]
    [InlineData(FaultKind.Status, "FreeScout")]
    public async Task While_FreeScout_is_down_nothing_is_taken_and_the_failure_has_its_words(FaultKind kind, string words)
    {
        await using var driver = await StartAsync();
        var pay = await FileAsync(driver);
        using var down = driver.Sandbox.Faults.Add(new Fault(kind) { Match = FaultMatch.FreeScout, StatusCode = 503 });

        using var answer = await PostAsync(driver, pay);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Contains(words, await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Empty(await AuditedAsync(driver));
        Assert.Contains(driver.Console.Log, line => line.Contains($"ticket taking failed conversation={pay}", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Without_the_database_nothing_is_taken()
    {
        await using var sandbox = await SandboxServer.StartAsync();
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var line = TcpProxy.To(database.Location);
        await using var console = await ConsoleHost.StartAsync(
            database,
            sandbox,
            new Dictionary<string, string?> { ["DATABASE_URL"] = line.Through(database.Location) }
        );
        var ticket = sandbox.FreeScout.CreateByHand("Pay is odd", ["auto:status", "surface:pay"]).Id;
        await console.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);
        await Eventually.TrueAsync(() => console.Get<OpenTickets>().Current.Tickets.Count == 1, "the ticket is listed");
        line.Cut();

        var outcome = await console.Get<TicketTaker>().TakeAsync(ticket, new("developer", Schemes.DeveloperEmail), new());

        Assert.Equal(TakeResult.Failed, outcome.Result);
        Assert.Contains("the console's database can't be reached", outcome.Message, StringComparison.Ordinal);
        Assert.Null(sandbox.FreeScout.Find(ticket)!.AssignedTo);
    }

    private static Task<InvestigateDriver> StartAsync(Database kind = Database.Sqlite, Dictionary<string, string?>? settings = null) =>
        InvestigateDriver.StartAsync(
            kind,
            new Dictionary<string, string?>(settings ?? [])
            {
                ["Ticketing:SyncInterval"] = "01:00:00",
                ["Ticketing:ReconcileInterval"] = "01:00:00",
            }
        );

    /// <summary>Files a ticket and waits for its tags, which are set in a second call: without them a look does not know the
    /// ticket.</summary>
    private static async Task<long> FileAsync(InvestigateDriver driver)
    {
        var id = (await driver.ClickAsync()).Ticket!.Id;
        await Eventually.TrueAsync(async () => (await driver.RowsAsync()).All(row => !row.TagsPending), "the ticket is tagged");
        return id;
    }

    private static TicketAssignee? Shown(InvestigateDriver driver, long id) =>
        driver.Console.Get<OpenTickets>().Current.Tickets.Single(ticket => ticket.Id == id).Assignee;

    private static async Task<HttpResponseMessage> PostAsync(InvestigateDriver driver, long id, long? from = null, string? token = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri($"/api/tickets/{id}/take", UriKind.Relative));
        request.Content = JsonContent.Create(new { from });
        if (token is not null)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }

        return await driver.Console.Http.SendAsync(request);
    }

    private static async Task<(HttpStatusCode Status, string? Result)> TakeAsync(InvestigateDriver driver, long id, long? from = null)
    {
        using var answer = await PostAsync(driver, id, from);
        var body = await answer.Content.ReadFromJsonAsync<JsonElement>();
        return (answer.StatusCode, body.TryGetProperty("result", out var result) ? result.GetString() : null);
    }

    private static async Task<IReadOnlyList<(string Action, string Actor, string? From, string? To)>> AuditedAsync(InvestigateDriver driver)
    {
        await using var db = driver.Database.Open();
        var entries = await db
            .AuditLog.AsNoTracking()
            .Where(entry => entry.Action == AuditActions.TicketTaking || entry.Action == AuditActions.TicketTaken)
            .OrderBy(entry => entry.Id)
            .ToListAsync();
        return entries.ConvertAll(entry =>
        {
            var payload = JsonSerializer.Deserialize<JsonElement>(entry.Payload);
            return (entry.Action, entry.Actor, payload.GetProperty("from").GetString(), payload.GetProperty("to").GetString());
        });
    }
}
