using System.Text.Json.Nodes;
using AutoTicket.FreeScout;
using AutoTicket.Mailbox;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;

namespace AutoTicket.Tests.FreeScout;

/// <summary>The client's requests to FreeScout, and how it reads answers that differ between versions.</summary>
public sealed class FreeScoutClientTests : IAsyncLifetime
{
    private static readonly ConversationDraft Draft = new("Checkout is down [at-0123456789]", "<p>503</p>");
    private readonly StillClock _clock = new();
    private InvestigateDriver _driver = null!;

    private FreeScoutClient Client => _driver.Console.Get<FreeScoutClient>();

    private FreeScoutStandIn FreeScout => _driver.FreeScout;

    public async Task InitializeAsync()
    {
        _driver = await InvestigateDriver.StartAsync(clock: _clock, surfaces: []);
        // The first sync and comparison are done, and the clock stands still: every later request is the test's.
        await Eventually.TrueAsync(
            async () => (await _driver.Console.Get<FindingStore>().ReadAsync(default)).ReconciledAt is not null,
            "the open tickets were read and compared"
        );
    }

    public async Task DisposeAsync() => await _driver.DisposeAsync();

    [Fact]
    [Trait("Pitfall", "T-40")]
    [Trait("Pitfall", "T-41")]
    public async Task A_create_matches_the_documentation()
    {
        var (made, failure) = await Client.CreateAsync(Draft, DateTimeOffset.MaxValue, default);

        Assert.Null(failure);
        var sent = Assert.Single(_driver.Creates).Body;
        var documented = """
            {"type":"email","mailboxId":3,"subject":"Checkout is down [at-0123456789]",
            "customer":{"email":"ops-console@127.0.0.1","firstName":"Ops","lastName":"Console"},
             "threads":[{"type":"customer","text":"<p>503</p>"}],"imported":true,"status":"active"}
            """;
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(documented), JsonNode.Parse(sent)), sent);
        Assert.Equal("application/json; charset=utf-8", _driver.Creates[0].Header("Content-Type"));
        var kept = FreeScout.Find(made!.Id)!;
        Assert.Equal((true, "active", "customer", 1), (kept.Imported, kept.Status, kept.Threads.Single().Type, kept.ThreadsCount));
        Assert.Empty(FreeScout.Mails);
    }

    [Theory]
    [InlineData("shop", "ops-console+shop@127.0.0.1", "Console shop")]
    [InlineData("Not a key", "ops-console@127.0.0.1", "Console")]
    [InlineData(null, "ops-console@127.0.0.1", "Console")]
    public async Task Each_surface_has_its_own_customer(string? surface, string email, string lastName)
    {
        await Client.CreateAsync(Draft with { Surface = surface }, DateTimeOffset.MaxValue, default);

        var customer = JsonNode.Parse(Assert.Single(_driver.Creates).Body)!["customer"]!;
        Assert.Equal((email, lastName), ((string)customer["email"]!, (string)customer["lastName"]!));
    }

    [Fact]
    public async Task A_call_that_the_console_cancels_does_not_change_the_health()
    {
        using var hanging = _driver.Sandbox.Faults.Add(new Fault(FaultKind.HangBefore) { Match = FaultMatch.FreeScout });
        using var stop = new CancellationTokenSource();
        var before = FreeScout.RequestCount;
        var call = Client.FindAsync(1, stop.Token);
        await Eventually.TrueAsync(() => FreeScout.RequestCount > before, "FreeScout is called");

        await stop.CancelAsync();

        Assert.Equal(FreeScoutFailureKind.TimedOut, (await call).Failure?.Kind);
        Assert.Null(_driver.Console.Get<FreeScoutHealth>().Failure);
        Assert.DoesNotContain(_driver.Console.Log, line => line.Contains("freescout degraded", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_failure_is_logged_once_a_minute_and_a_refusal_once_a_minute_for_each_request()
    {
        using (_driver.Sandbox.Faults.Add(new Fault(FaultKind.Unauthorized) { Match = FaultMatch.FreeScout }))
        {
            for (var call = 0; call < 3; call++)
            {
                await Client.FindAsync(1, default);
            }

            Assert.Equal(1, Lines("KeyRejected"));
            // The console's own calls go on: one at the same moment as the test's may be logged too.
            _clock.Advance(TimeSpan.FromMinutes(1));
            for (var call = 0; call < 5; call++)
            {
                await Client.FindAsync(1, default);
            }

            Assert.InRange(Lines("KeyRejected"), 2, 3);
        }

        using var refusal = _driver.Sandbox.Faults.Add(
            new Fault(FaultKind.Status) { Match = new("POST", FreeScoutStandIn.ApiPath + "/conversations/*/threads"), StatusCode = 422 }
        );
        foreach (var id in (long[])[1, 1, 2])
        {
            await Client.AddNoteAsync(id, 1, "<p>x</p>", default);
        }

        Assert.Equal(2, Lines("Refused"));

        int Lines(string cause) =>
            _driver.Console.Log.Count(line => line.Contains($"freescout degraded cause={cause} ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_deleted_conversation_is_neither_a_missing_mailbox_nor_a_missing_module()
    {
        foreach (var body in (string[])["""{"message":"Not Found"}""", """{"message":""}"""])
        {
            using var gone = _driver.Sandbox.Faults.Add(
                new Fault(FaultKind.Status)
                {
                    Match = FaultMatch.FreeScout,
                    StatusCode = 404,
                    Body = body,
                }
            );

            FreeScoutFailure?[] failures =
            [
                await Client.AddNoteAsync(999, 1, "<p>x</p>", default),
                await Client.CloseAsync(999, 1, default),
            ];

            Assert.All(
                failures,
                failure =>
                    Assert.Equal(
                        (FreeScoutFailureKind.Refused, "FreeScout no longer has conversation 999 (404)."),
                        (failure!.Kind, failure.Message)
                    )
            );
            Assert.Null(_driver.Console.Get<FreeScoutHealth>().Failure);
        }
    }

    [Theory]
    [InlineData("""{"message":"Not Found"}""", true)]
    [InlineData("""{"message":""}""", true)]
    [InlineData("""{"message":"Mailbox not found"}""", false)]
    public async Task A_404_to_a_create_may_mean_that_a_workflow_moved_the_ticket(string body, bool mayHaveCreated)
    {
        using var fault = _driver.Sandbox.Faults.Add(
            new Fault(FaultKind.Status)
            {
                Match = FaultMatch.FreeScoutCreate,
                StatusCode = 404,
                Body = body,
            }
        );

        Assert.Equal(mayHaveCreated, (await Client.CreateAsync(Draft, DateTimeOffset.MaxValue, default)).Failure!.MayHaveCreated);
    }

    [Fact]
    public async Task One_conversation_that_is_too_large_says_nothing_about_the_others()
    {
        var made = (await Client.CreateAsync(Draft, DateTimeOffset.MaxValue, default)).Value!;
        FreeScout.Reply(made.Id, new string('x', AnswerReader.Limit));

        var failure = (await Client.FindAsync(made.Id, default, withThreads: true)).Failure!;

        Assert.True(failure.IsOfRequest, failure.Message);
        Assert.Contains("this ticket", failure.Message, StringComparison.Ordinal);
        Assert.Null(_driver.Console.Get<FreeScoutHealth>().Failure);
        Assert.Equal(made.Id, (await Client.FindAsync(made.Id, default)).Value!.Id);
    }

    [Fact]
    public async Task Every_call_carries_the_key_in_both_headers_and_never_in_the_address()
    {
        var made = (await Client.CreateAsync(Draft, DateTimeOffset.MaxValue, default)).Value!;
        await Client.FindAsync(made.Id, default);
        await Client.FindAsync(999, default);
        await Client.FindByMarkerAsync("at-0123456789", default);
        await Client.ListTaggedAsync("auto:status", _clock.GetUtcNow(), default);
        await Client.AddTagsAsync(made.Id, ["auto:status"], default);

        Assert.Equal(["GET", "POST", "PUT"], FreeScout.RecordedRequests.Select(request => request.Method).Distinct().Order());
        Assert.All(
            FreeScout.RecordedRequests,
            request =>
            {
                Assert.Equal(FreeScout.ApiKey, request.Header("X-FreeScout-API-Key"));
                Assert.Equal($"Bearer {FreeScout.ApiKey}", request.Header("Authorization"));
                Assert.Equal("application/json", request.Header("Accept"));
                Assert.Equal($"AutoTicket-Console/{ProductVersion.Short}", request.Header("User-Agent"));
                Assert.DoesNotContain(FreeScout.ApiKey, request.PathAndQuery, StringComparison.Ordinal);
            }
        );
    }

    [Theory]
    [Trait("Pitfall", "T-43")]
    [InlineData(null, 3)]
    [InlineData(50, 5)]
    public async Task A_list_filtered_by_one_tag_is_read_to_its_last_page(int? mostRows, int pages)
    {
        FreeScout.Behavior.MaxPageSize = mostRows;
        foreach (var number in Enumerable.Range(0, 250))
        {
            FreeScout.CreateByHand($"Made by hand {number}", ["auto:status", $"surface:s{number}"]);
        }

        FreeScout.CreateByHand("Another mailbox", ["auto:status"], mailboxId: 1);
        FreeScout.Delete(FreeScout.CreateByHand("Deleted", ["auto:status"]).Id);
        var before = _driver.Lists.Count;

        var found = (await Client.ListTaggedAsync("auto:status", null, default)).Value!;

        Assert.Equal(250, found.Select(conversation => conversation.Id).Distinct().Count());
        Assert.All(found, conversation => Assert.Contains(conversation.Tags, tag => tag.StartsWith("surface:s", StringComparison.Ordinal)));
        var requests = _driver.Lists.Skip(before).ToList();
        Assert.Equal(pages, requests.Count);
        Assert.All(
            requests,
            request =>
                Assert.Equal(
                    ("auto:status", "3", "published", "active,pending", "tags"),
                    (
                        request.Query("tag"),
                        request.Query("mailboxId"),
                        request.Query("state"),
                        request.Query("status"),
                        request.Query("embed")
                    )
                )
        );
    }

    [Fact]
    [Trait("Pitfall", "T-44")]
    public async Task A_hundred_tickets_have_one_customer()
    {
        await Task.WhenAll(
            Enumerable
                .Range(0, 100)
                .Select(number => Client.CreateAsync(Draft with { Subject = $"Number {number}" }, DateTimeOffset.MaxValue, default))
        );

        Assert.Equal(100, FreeScout.CreatedCount);
        Assert.Equal("ops-console@127.0.0.1", Assert.Single(FreeScout.Customers).Email);
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public async Task The_id_comes_from_the_header_and_the_number_from_the_body_or_a_GET(bool hasBody, bool customNumbers)
    {
        FreeScout.Behavior.CreateAnswersWithBody = hasBody;
        FreeScout.Behavior.CustomNumbers = customNumbers;

        var made = (await Client.CreateAsync(Draft, DateTimeOffset.MaxValue, default)).Value!;

        var kept = FreeScout.Conversations.Single();
        Assert.Equal((kept.Id, kept.Number), (made.Id, made.Number));
    }

    [Theory]
    [InlineData("""{"id":4711,"number":9}""", 4711L)]
    [InlineData("""{"id":"4711","number":"9","_embedded":[],"customFields":[],"createdBy":[]}""", 4711L)]
    [InlineData("""{"id":0}""", null)]
    [InlineData("""{"id":-1}""", null)]
    [InlineData("""{"conversation":{"id":4711}}""", null)]
    [InlineData("[]", null)]
    [InlineData("null", null)]
    public async Task Without_the_header_the_id_is_read_from_the_body(string body, long? id)
    {
        _driver.Sandbox.Faults.Add(new Fault(FaultKind.WrongJson) { Match = FaultMatch.FreeScoutCreate, Body = body });

        var (made, failure) = await Client.CreateAsync(Draft, DateTimeOffset.MaxValue, default);

        Assert.Equal((id, id is null), (made?.Id, failure?.MayHaveCreated == true));
        Assert.True(id is null || made!.Number == 9);
    }

    [Theory]
    [InlineData("\"2026-11-23T10:09:08Z\"", true)]
    [InlineData("\"2026-11-23T10-09-08Z\"", true)]
    [InlineData("\"2026-11-23 10:09:08\"", true)]
    [InlineData("\"2026-11-23T12:09:08+02:00\"", true)]
    [InlineData("null", false)]
    [InlineData("\"\"", false)]
    [InlineData("\"yesterday\"", false)]
    [InlineData("[]", false)]
    [InlineData("{\"date\":1}", false)]
    public async Task Known_date_formats_are_read_and_an_invalid_date_loses_only_itself(string json, bool isReadable)
    {
        _driver.Sandbox.Faults.Add(
            new Fault(FaultKind.WrongJson)
            {
                Match = InvestigateDriver.OneConversation,
                Body = $$"""
                {"id":7,"createdAt":{{json}},"updatedAt":{{json}},
                 "status":"active","_embedded":[],"assignee":[],"subject":null}
                """,
            }
        );

        var (found, failure) = await Client.FindAsync(7, default);

        Assert.Null(failure);
        Assert.Equal(isReadable ? new DateTimeOffset(2026, 11, 23, 10, 9, 8, TimeSpan.Zero) : null, found!.CreatedAt);
        Assert.Equal((found.CreatedAt, true, 0), (found.UpdatedAt, found.IsOpen, found.Tags.Count));
    }

    [Fact]
    public async Task An_unreadable_row_of_a_list_loses_only_itself()
    {
        _driver.Sandbox.Faults.Add(
            new Fault(FaultKind.WrongJson)
            {
                Match = FaultMatch.FreeScoutList,
                Body = """
                {"_embedded":{"conversations":[{"id":1,"subject":"[at-x]"},{"id":{}},7,{"id":3,"subject":"[AT-X]"}]},
                 "page":{"totalPages":1}}
                """,
            }
        );

        Assert.Equal([1L, 3], (await Client.FindByMarkerAsync("at-x", default)).Value!.Select(conversation => conversation.Id));
    }

    [Fact]
    public async Task A_404_means_a_deleted_ticket_only_while_the_API_works()
    {
        Assert.Equal((null, null), ((await Client.FindAsync(999, default)) is var gone ? gone.Value : new(), gone.Failure));

        using (_driver.Sandbox.Faults.Add(new Fault(FaultKind.ModuleOff)))
        {
            Assert.Equal(FreeScoutFailureKind.ApiOff, (await Client.FindAsync(999, default)).Failure?.Kind);
        }

        using (_driver.Sandbox.Faults.Add(new Fault(FaultKind.ModuleOffHtml)))
        {
            Assert.Equal(FreeScoutFailureKind.ApiOff, (await Client.FindAsync(999, default)).Failure?.Kind);
        }
    }

    [Fact]
    public async Task A_create_that_is_no_longer_allowed_is_not_sent_and_counts_as_unsent()
    {
        var (_, failure) = await Client.CreateAsync(Draft, DateTimeOffset.MinValue, default);

        Assert.Equal((false, false), (failure!.WasSent, failure.MayHaveCreated));
        Assert.Equal(0, FreeScout.CreatedCount);
    }
}
