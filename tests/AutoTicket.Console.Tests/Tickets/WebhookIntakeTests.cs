using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using AutoTicket.Sandbox;
using AutoTicket.Tickets;

namespace AutoTicket.Tests.Tickets;

/// <summary>FreeScout's webhook events are authenticated by their signature and are only hints. Order and format may vary.</summary>
public sealed class WebhookIntakeTests
{
    /// <summary>The sync interval is long, so that only an event can show a change.</summary>
    private static readonly Dictionary<string, string?> Settings = new()
    {
        ["Ticketing:SyncInterval"] = "01:00:00",
        ["Ticketing:ReconcileInterval"] = "01:00:00",
    };

    [Theory]
    [InlineData(false, false, false)]
    [InlineData(true, false, false)]
    [InlineData(false, true, false)]
    [InlineData(false, false, true)]
    [InlineData(true, true, true)]
    public async Task A_change_in_FreeScout_shows_without_a_poll(bool duplicates, bool reorders, bool halJson)
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Settings);
        var hooks = driver.FreeScout.Webhooks;
        var ticket = (await driver.ClickAsync()).Ticket!.Id;
        await Eventually.TrueAsync(
            async () => (await driver.ListedAsync()).SequenceEqual([ticket]) && !(await driver.RowsAsync()).Single().TagsPending,
            "the ticket is shown and tagged"
        );
        driver.FreeScout.AnnounceTo(new Uri(driver.Console.Address, "/api/freescout/webhook"));
        (hooks.Duplicates, hooks.Reorders, hooks.HalJson) = (duplicates, reorders, halJson);

        driver.FreeScout.Close(ticket);
        driver.FreeScout.Reopen(ticket);
        driver.FreeScout.Close(ticket);
        driver.FreeScout.Close(driver.FreeScout.CreateByHand("Somebody else's", mailboxId: 1).Id);
        await Eventually.TrueAsync(async () => (await driver.ListedAsync()).Count == 0, "the ticket is gone from the list");
        Assert.Equal(
            (TicketState.Closed, "Olga Operator"),
            ((await driver.RowsAsync()).Single() is var row ? row.State : default, row.ResolvedBy)
        );

        hooks.Reorders = false;
        driver.FreeScout.Reopen(ticket);
        await Eventually.TrueAsync(async () => (await driver.ListedAsync()).SequenceEqual([ticket]), "the ticket is back");

        driver.FreeScout.DeleteForever(ticket);
        await Eventually.TrueAsync(async () => (await driver.ListedAsync()).Count == 0, "the ticket is gone again");
        Assert.All(hooks.Deliveries, delivery => Assert.Equal(204, delivery.Status));
        Assert.Equal(1, driver.FreeScout.CreatedCount);
    }

    [Fact]
    public async Task An_event_is_a_hint_and_its_content_is_not_trusted()
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Settings);
        var ticket = (await driver.ClickAsync()).Ticket!.Id;
        await Eventually.TrueAsync(
            async () => (await driver.ListedAsync()).SequenceEqual([ticket]) && !(await driver.RowsAsync()).Single().TagsPending,
            "the ticket is shown and tagged"
        );
        var asked = driver.Requests("GET", $"/conversations/{ticket}").Count;

        // An outdated event, such as a retry after hours.
        Assert.Equal(HttpStatusCode.NoContent, await PostAsync(driver, $$"""{"id":{{ticket}},"status":"closed","state":"deleted"}"""));

        await Eventually.TrueAsync(() => driver.Requests("GET", $"/conversations/{ticket}").Count > asked, "the ticket is read again");
        Assert.Equal([ticket], await driver.ListedAsync());
        Assert.Equal(TicketState.Open, (await driver.RowsAsync()).Single().State);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_event_whose_reading_failed_is_read_again_until_it_works(bool saysWhich)
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Settings, surfaces: []);
        await Eventually.TrueAsync(async () => !(await driver.TicketsAsync()).GetProperty("stale").GetBoolean(), "the first sync is done");
        var made = driver.FreeScout.CreateByHand("By hand", ["auto:status"]);
        var match = saysWhich ? InvestigateDriver.OneConversation : FaultMatch.FreeScoutList;
        using (driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = match, StatusCode = 503 }))
        {
            Assert.Equal(HttpStatusCode.NoContent, await PostAsync(driver, saysWhich ? $$"""{"id":{{made.Id}}}""" : "[]"));
            await Eventually.TrueAsync(
                () => driver.Console.Log.Any(line => line.Contains("freescout degraded", StringComparison.Ordinal)),
                "reading failed"
            );
        }

        await Eventually.TrueAsync(async () => (await driver.ListedAsync()).SequenceEqual([made.Id]), "the ticket is shown");
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("")]
    [InlineData("{\"id\":")]
    [InlineData("{\"id\":\"7\"}")]
    [InlineData("{\"id\":-1}")]
    [InlineData("{\"id\":1e300}")]
    public async Task An_event_without_a_conversation_id_triggers_a_read_of_the_whole_list(string body)
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Settings, surfaces: []);
        await Eventually.TrueAsync(async () => !(await driver.TicketsAsync()).GetProperty("stale").GetBoolean(), "the first sync is done");
        var made = driver.FreeScout.CreateByHand("By hand", ["auto:status"]);

        Assert.Equal(HttpStatusCode.NoContent, await PostAsync(driver, body));

        await Eventually.TrueAsync(async () => (await driver.ListedAsync()).SequenceEqual([made.Id]), "the ticket is shown");
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("nonsense!")]
    [InlineData("7/zfauXrL6LSdBbV8YTfnCWafHk=")]
    [InlineData("AAAA")]
    [InlineData("of another body")]
    [InlineData("of another secret")]
    public async Task Without_the_right_signature_nothing_is_read(string? signature)
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Settings, surfaces: []);
        var body = Encoding.UTF8.GetBytes("""{"id":1001}""");
        signature = signature switch
        {
            "of another body" => FreeScoutWebhooks.Sign(driver.FreeScout.WebhookSecret, Encoding.UTF8.GetBytes("""{"id":1002}""")),
            "of another secret" => FreeScoutWebhooks.Sign("another", body),
            _ => signature,
        };

        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/freescout/webhook") { Content = new ByteArrayContent(body) };
        request.Headers.TryAddWithoutValidation("X-FreeScout-Signature", signature);
        using var answer = await driver.Console.Http.SendAsync(request);

        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        Assert.DoesNotContain(driver.FreeScout.WebhookSecret, await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Empty(driver.Requests("GET", "/conversations/1001"));
        // Anyone who reaches the console can send unsigned requests, so only the first one is logged.
        using var again = await driver.Console.Http.PostAsync("/api/freescout/webhook", null);
        Assert.Equal(HttpStatusCode.Unauthorized, again.StatusCode);
        Assert.Single(
            driver.Console.Log,
            line =>
                line.StartsWith("WARNING", StringComparison.Ordinal) && line.Contains("freescout webhook refused", StringComparison.Ordinal)
        );
    }

    [Theory]
    [InlineData("")]
    [InlineData("X-FreeScout-Signature: nonsense!\r\n")]
    [InlineData("X-FreeScout-Signature: AAAA\r\n")]
    public async Task An_impossible_signature_is_refused_before_the_body_is_read(string header)
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Settings, surfaces: []);
        Assert.StartsWith("HTTP/1.1 401", await AnswerAsync(await BeginAsync(driver, header)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_address_has_at_most_eight_events_at_a_time()
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Settings, surfaces: []);
        var begun = new List<TcpClient>();
        await Eventually.TrueAsync(
            async () =>
            {
                // Kestrel ends a body that stands still for five seconds. A busy machine may need longer here: then begin again.
                begun.ForEach(client => client.Dispose());
                begun.Clear();
                for (var i = 0; i < 8; i++)
                {
                    begun.Add(await BeginAsync(driver, "X-FreeScout-Signature: 7/zfauXrL6LSdBbV8YTfnCWafHk=\r\n"));
                }

                return await PostAsync(driver, "[]") == HttpStatusCode.TooManyRequests;
            },
            "the ninth is refused"
        );
        begun.ForEach(client => client.Dispose());
        await Eventually.TrueAsync(async () => await PostAsync(driver, "[]") == HttpStatusCode.NoContent, "the next event is accepted");
    }

    [Fact]
    public async Task The_changed_conversation_is_known_however_long_its_threads_are()
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Settings, surfaces: []);
        await Eventually.TrueAsync(async () => !(await driver.TicketsAsync()).GetProperty("stale").GetBoolean(), "the first sync is done");

        Assert.Equal(
            HttpStatusCode.NoContent,
            await PostAsync(driver, $$"""{"customer":{"id":5},"id":4711,"threads":"{{new string('x', 1024 * 1024)}}"}""")
        );

        await Eventually.TrueAsync(() => driver.Requests("GET", "/conversations/4711").Count > 0, "the ticket is read");
        Assert.Empty(driver.Requests("GET", "/conversations/5"));
    }

    [Fact]
    public async Task A_body_that_is_too_long_is_refused_before_it_is_hashed()
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Settings, surfaces: []);
        var longest = new string(' ', (2 * 1024 * 1024) - 2) + "[]";

        Assert.Equal(HttpStatusCode.NoContent, await PostAsync(driver, longest));
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, await PostAsync(driver, longest + " "));
    }

    [Fact]
    public async Task Without_a_secret_every_event_is_refused()
    {
        await using var driver = await InvestigateDriver.StartAsync(
            surfaces: [],
            settings: new Dictionary<string, string?> { ["FREESCOUT_WEBHOOK_SECRET"] = null }
        );

        Assert.Equal(HttpStatusCode.ServiceUnavailable, await PostAsync(driver, "[]"));
    }

    [Fact]
    public async Task A_storm_of_events_causes_few_calls_to_FreeScout()
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Settings, surfaces: []);
        await Eventually.TrueAsync(async () => !(await driver.TicketsAsync()).GetProperty("stale").GetBoolean(), "the first sync is done");
        var made = driver.FreeScout.CreateByHand("By hand", ["auto:status"]);

        // All other events come while FreeScout answers the first call.
        using (
            driver.Sandbox.Faults.Add(
                new Fault(FaultKind.HangBefore) { Match = new FaultMatch("GET", "/freescout/api/conversations/*", Whole: true) }
            )
        )
        {
            for (var time = 0; time < 200; time++)
            {
                Assert.Equal(HttpStatusCode.NoContent, await PostAsync(driver, $$"""{"id":{{made.Id}}}"""));
            }
        }

        await Eventually.TrueAsync(async () => (await driver.ListedAsync()).SequenceEqual([made.Id]), "the ticket is shown");
        Assert.InRange(driver.Requests("GET", $"/conversations/{made.Id}").Count, 1, 20);
    }

    /// <summary>Sends the headers of an event without its body.</summary>
    private static async Task<TcpClient> BeginAsync(InvestigateDriver driver, string header)
    {
        var client = new TcpClient();
        await client.ConnectAsync(driver.Console.Address.Host, driver.Console.Address.Port);
        await client
            .GetStream()
            .WriteAsync(
                Encoding.ASCII.GetBytes($"POST /api/freescout/webhook HTTP/1.1\r\nHost: localhost\r\n{header}Content-Length: 2000\r\n\r\n")
            );
        return client;
    }

    private static async Task<string> AnswerAsync(TcpClient client)
    {
        using (client)
        {
            var buffer = new byte[100];
            return Encoding.ASCII.GetString(buffer, 0, await client.GetStream().ReadAsync(buffer).AsTask().WaitAsync(Eventually.Patience));
        }
    }

    private static async Task<HttpStatusCode> PostAsync(InvestigateDriver driver, string body)
    {
        var bytes = Encoding.UTF8.GetBytes(body);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/freescout/webhook") { Content = new ByteArrayContent(bytes) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.Add("X-FreeScout-Event", "convo.status");
        request.Headers.Add("X-FreeScout-Signature", FreeScoutWebhooks.Sign(driver.FreeScout.WebhookSecret, bytes));
        using var answer = await driver.Console.Http.SendAsync(request);
        return answer.StatusCode;
    }
}
