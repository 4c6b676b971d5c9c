using System.Text;
using System.Text.Json;
using AutoTicket.FreeScout;
using AutoTicket.Sandbox;

namespace AutoTicket.Tests.FreeScout;

/// <summary>Another server answers at FreeScout's address: the client trusts no answer, follows no redirect, and reads only up to a
/// limit.</summary>
public sealed class FreeScoutAnswersTests
{
    private static readonly ConversationDraft Draft = new("Checkout is down [at-0123456789]", "<p>503</p>");

    [Fact]
    public void Threads_that_can_not_be_read_are_left_out()
    {
        const string json = """
            {"id":7,"_embedded":{"threads":[
              {"id":5,"type":"lineitem","status":"closed","state":"published","action":{"type":"changed-ticket-status"},
                "createdBy":{"id":3,"type":"user","firstName":"Sam","lastName":"S\u0000upport"},"createdAt":"2026-03-01T02:00:05Z"},
              {"id":4,"type":"message","state":"draft","createdBy":{"id":1,"type":"user"},"createdAt":"2026-03-01T02:00:04Z"},
              {"id":3,"type":"note","state":"published","createdBy":{"id":1,"type":"user","email":"ada@example.org"},
                "createdAt":"2026-03-01T02-00-03Z","assignedTo":[]},
              {"id":2,"type":"lineitem","action":{"type":"merged"},"createdAt":"2026-03-01T02:00:02Z"},
              {"id":"x","type":"message","createdBy":null,"createdAt":"2026-03-01T02:00:01Z"},
              {"id":1,"type":"message","createdBy":{"id":1},"createdAt":"soon"},
              {"id":0,"type":"customer","createdBy":{"id":9,"type":"customer","firstName":"Eve"},"createdAt":"2026-03-01 02:00:00"},
              null, 5, "text", []
            ]}}
            """;

        Assert.Equal(
            ["Customer 0   ", "Reply 1   ", "Note 3 1 ada@example.org ", "StatusChanged 5 3 Sam S upport closed"],
            JsonSerializer
                .Deserialize<Conversation>(json, JsonSerializerOptions.Web)!
                .Threads.Select(thread => $"{thread.Kind} {thread.CreatedAt.Second} {thread.UserId} {thread.By} {thread.Status}")
        );
    }

    [Theory]
    [Trait("Pitfall", "T-31")]
    [InlineData("HTTP/1.1 200 OK\nContent-Type: application/json\n\n[\"")]
    [InlineData("HTTP/1.1 500 Oh no\nContent-Type: text/html\n\n<html>")]
    [InlineData("HTTP/1.1 200 OK\nContent-Type: application/json\nTransfer-Encoding: chunked\n\nFFFFFFF\n")]
    public async Task An_endless_body_is_read_up_to_a_limit(string head)
    {
        await using var server = new RawServer(head.ReplaceLineEndings("\r\n"), Encoding.ASCII.GetBytes(new string('x', 64 * 1024)));
        await using var console = await StartAsync(server.Url);

        var failure = (await console.Get<FreeScoutClient>().CreateAsync(Draft, DateTimeOffset.MaxValue, default)).Failure!;

        Assert.Equal((FreeScoutFailureKind.BadAnswer, true), (failure.Kind, failure.MayHaveCreated));
        await Eventually.TrueAsync(() => server.IsIdle, "the client leaves");
        // The bytes read plus the kernel's buffers when the client disconnected. Each request of the sync adds as many.
        Assert.InRange(server.Sent / server.Requests, 0, AnswerReader.Limit + (14 * 1024 * 1024));
    }

    [Theory]
    [Trait("Pitfall", "T-31")]
    [InlineData("301 Moved")]
    [InlineData("302 Found")]
    [InlineData("303 See other")]
    [InlineData("307 Temporary")]
    [InlineData("308 Permanent")]
    public async Task No_redirect_is_followed_with_the_key(string status)
    {
        await using var other = new RawServer("HTTP/1.1 200 OK\nContent-Length: 2\nContent-Type: application/json\n\n{}");
        await using var server = new RawServer($"HTTP/1.1 {status}\nLocation: {other.Url}\nContent-Length: 0\nConnection: close\n\n");
        await using var console = await StartAsync(server.Url);
        var client = console.Get<FreeScoutClient>();

        var get = (await client.FindAsync(7, default)).Failure!;
        var post = (await client.CreateAsync(Draft, DateTimeOffset.MaxValue, default)).Failure!;

        Assert.Equal((FreeScoutFailureKind.BadAnswer, FreeScoutFailureKind.BadAnswer), (get.Kind, post.Kind));
        Assert.Contains("FREESCOUT_BASE_URL", get.Message, StringComparison.Ordinal);
        Assert.Equal(0, other.Requests);
    }

    [Fact]
    public void A_subject_can_not_reverse_other_text_of_the_page() =>
        Assert.Equal("Invoice gpj. exe", new Conversation { Id = 1, Subject = "Invoice gpj.\u202eexe" }.Subject);

    [Fact]
    public void Names_of_agents_and_tags_contain_no_bidirectional_controls()
    {
        var read = JsonSerializer.Deserialize<Conversation>(
            """
            {"id":1,"status":"act\u202eive","createdBy":{"firstName":"Ada\u202e","lastName":"x\u0007y"},
             "closedByUser":{"email":"a\u2066@example.org"},
             "_embedded":{"tags":[{"name":"surface:p\u200fay"}],"threads":[{"body":"<p>a\u200e b</p>"}]}}
            """,
            JsonSerializerOptions.Web
        )!;

        Assert.Equal(("act ive", "Ada  x y", "a @example.org"), (read.Status, read.CreatedByName, read.ClosedByName));
        Assert.Equal("surface:p ay", Assert.Single(read.Tags));
        // The console finds its own note with such characters, and does not write it again.
        Assert.True(read.Holds("<p>a\u200e b</p>"));
    }

    [Fact]
    public async Task Without_the_Resource_ID_header_the_id_is_read_from_Location()
    {
        await using var server = new RawServer(
            "HTTP/1.1 201 Created\nLocation: /api/conversations/4711\nContent-Length: 0\nConnection: close\n\n"
        );
        await using var console = await StartAsync(server.Url);

        Assert.Equal(4711, (await console.Get<FreeScoutClient>().CreateAsync(Draft, DateTimeOffset.MaxValue, default)).Value!.Id);
    }

    [Theory]
    [Trait("Pitfall", "T-34")]
    [InlineData("answer-403-cloudflare-1010.http", "“error code: 1010”")]
    [InlineData("answer-403-cloudflare-html.http", "“Just a moment...”")]
    public async Task A_firewalls_refusal_is_reported_in_its_words_and_not_as_a_key_error(string answer, string words)
    {
        await using var server = new RawServer(Case(answer));
        await using var console = await StartAsync(server.Url);

        var failure = (await console.Get<FreeScoutClient>().FindByMarkerAsync("at-0123456789", default)).Failure!;

        Assert.Equal((FreeScoutFailureKind.Blocked, false), (failure.Kind, failure.IsOfRequest));
        Assert.Contains("proxy or firewall in front of FreeScout", failure.Message, StringComparison.Ordinal);
        Assert.Contains(words, failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("key", failure.Message, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_block_page_counts_only_for_its_request(bool isOneTicket)
    {
        var page = Encoding.UTF8.GetBytes("<html><head><title>\r\n ERROR &amp; \ud83d\ude80</title></head></html>");

        var failure = FreeScoutRefusals.Read(403, isJson: false, page, null, HttpMethod.Get, text => text, isOneTicket)!;

        Assert.Equal(isOneTicket, failure.IsOfRequest);
        Assert.Contains("(403, “ERROR & \ud83d\ude80”)", failure.Message, StringComparison.Ordinal);
        var create = FreeScoutRefusals.Read(403, isJson: false, page, null, HttpMethod.Post, text => text)!;
        Assert.True(create.IsOfRequest, "a firewall may dislike the text of one ticket");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_untrusted_host_is_reported_in_FreeScouts_words(bool isJson)
    {
        await using var driver = await InvestigateDriver.StartAsync(surfaces: []);
        driver.FreeScout.AppHost = "tickets.example.org";
        if (!isJson)
        {
            const string page = "<html><body><p>Untrusted Host: 127.0.0.1. Add the following to your .env file</p></body></html>";
            driver.Sandbox.Faults.Add(new Fault(FaultKind.Forbidden) { Body = page });
        }

        var failure = (await driver.Console.Get<FreeScoutClient>().FindByMarkerAsync("at-0123456789", default)).Failure!;

        Assert.Equal((FreeScoutFailureKind.UntrustedHost, true), (failure.Kind, failure.NeedsPerson));
        Assert.Contains("APP_URL", failure.Message, StringComparison.Ordinal);
        Assert.Equal(isJson, failure.Message.Contains("“Untrusted Host: 127.0.0.1.", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_create_without_a_body_has_an_id_and_no_number()
    {
        await using var server = new RawServer(Case("answer-201-create-no-body.http"));
        await using var console = await StartAsync(server.Url);

        var made = (await console.Get<FreeScoutClient>().CreateAsync(Draft, DateTimeOffset.MaxValue, default)).Value!;

        Assert.Equal((2064, null), (made.Id, made.Number));
    }

    [Theory]
    [InlineData("conversation-nulls-old-dates.json")]
    [InlineData("conversation-number-is-not-id.json")]
    public async Task Conversations_of_old_and_new_FreeScout_versions_are_read(string answer)
    {
        await using var driver = await InvestigateDriver.StartAsync(surfaces: []);
        driver.Sandbox.Faults.Add(new Fault(FaultKind.WrongJson) { Match = InvestigateDriver.OneConversation, Body = Case(answer) });

        var found = (await driver.Console.Get<FreeScoutClient>().FindAsync(2064, default)).Value!;

        Assert.Equal((2064, 2043, 1, true), (found.Id, found.Number, found.ThreadsCount, found.IsOpen));
        Assert.Equal(new DateTimeOffset(2026, 11, 28, 2, 14, 3, TimeSpan.Zero), found.UpdatedAt);
        Assert.Contains("auto:status", found.Tags);
    }

    private static string Case(string name) =>
        File.ReadAllText(Path.Combine(ContentRoot.Find(), "tests", "AutoTicket.Console.Tests", "Cases", "freescout", name));

    [Fact]
    public async Task FreeScouts_own_words_are_shown_on_one_short_line_and_no_log_has_the_key()
    {
        await using var driver = await InvestigateDriver.StartAsync();
        // The key stands where the message is cut.
        var words = new string('x', 120) + driver.FreeScout.ApiKey + new string('x', 5000);
        driver.Sandbox.Faults.Add(
            new Fault(FaultKind.Status)
            {
                Match = FaultMatch.FreeScoutCreate,
                StatusCode = 422,
                Body = $$"""{"message":"a\r\nERROR forged line {{words}}"}""",
            }
        );

        var click = await driver.ClickAsync();

        Assert.InRange(click.Message.Length, 1, 300);
        Assert.DoesNotContain(click.Message, char.IsControl);
        Assert.DoesNotContain(driver.FreeScout.ApiKey[..4], click.Message, StringComparison.Ordinal);
        Assert.All(
            driver.Console.Log,
            line =>
            {
                Assert.DoesNotContain(driver.FreeScout.ApiKey[..4], line, StringComparison.Ordinal);
                Assert.DoesNotContain('\n', line);
            }
        );
    }

    /// <summary>The sandbox's FreeScout runs in a subdirectory, so all tests with it cover that case.</summary>
    private static Task<ConsoleHost> StartAsync(Uri freeScout) =>
        ConsoleHost.StartAsync(
            settings: new Dictionary<string, string?>
            {
                ["FREESCOUT_BASE_URL"] = freeScout.AbsoluteUri,
                ["FreeScout:RetryDelay"] = "00:00:00.02",
            }
        );
}
