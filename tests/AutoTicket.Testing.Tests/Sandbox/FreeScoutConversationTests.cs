using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using AutoTicket.Tickets;

namespace AutoTicket.Tests.Sandbox;

public sealed class FreeScoutConversationTests : SandboxTest
{
    [Fact]
    public async Task A_created_conversation_is_named_by_Resource_ID_and_can_be_read()
    {
        using var response = await CreateAsync();

        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        Assert.Equal("1001", response.Headers.GetValues("Resource-ID").Single());
        var conversation = await GetAsync("conversations/1001");
        Assert.Equal("Checkout is down", conversation["subject"]!.GetValue<string>());
        Assert.Equal("active", conversation["status"]!.GetValue<string>());
        Assert.Equal("published", conversation["state"]!.GetValue<string>());
        Assert.Equal("<p>503</p>", conversation["_embedded"]!["threads"]![0]!["body"]!.GetValue<string>());
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", conversation["createdAt"]!.GetValue<string>());
        Assert.Equal(1, FreeScout.CreatedCount);
    }

    [Fact]
    public async Task The_body_of_a_create_can_be_left_out()
    {
        FreeScout.Behavior.CreateAnswersWithBody = false;

        using var response = await CreateAsync();

        Assert.Equal("1001", response.Headers.GetValues("Resource-ID").Single());
        Assert.Equal("", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task What_agents_do_is_listed_as_FreeScouts_core_names_it()
    {
        var id = await CreatedIdAsync();
        FreeScout.Assign(id, assignee: 1, by: 3);
        FreeScout.ReplyByAgent(id, "<p>We look at it.</p>", by: 1);
        FreeScout.NoteByAgent(id, "<p>Restarted.</p>", by: 1);
        FreeScout.Close(id, by: 3);

        var threads = (await GetAsync($"conversations/{id}?embed=threads"))["_embedded"]!["threads"]!.AsArray();

        // Newest first; a reply sets the ticket to pending.
        Assert.Equal(
            [
                "lineitem changed-ticket-status closed Sam Ada",
                "note  active Ada ",
                "message  active Ada ",
                "lineitem changed-ticket-assignee active Sam Ada",
                "customer  active Ops ",
            ],
            threads.Select(thread =>
                $"{thread!["type"]} {thread["action"]?["type"]} {thread["status"]} {thread["createdBy"]?["firstName"]} "
                + $"{thread["assignedTo"]?["firstName"]}"
            )
        );
    }

    [Fact]
    public async Task Answers_are_written_as_PHP_writes_JSON()
    {
        var id = await CreatedIdAsync(Draft("https://shop.example is \u20ac <b>"));

        var json = await Http.GetStringAsync(new Uri($"conversations/{id}", UriKind.Relative));

        Assert.Contains(
            """
            "subject":"https:\/\/shop.example is \u20ac <b>"
            """,
            json,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Missing_required_fields_are_reported_one_at_a_time_and_in_order()
    {
        var full = Draft();
        var body = new JsonObject();
        foreach (
            var (field, path) in new[]
            {
                ("type", "type"),
                ("mailboxId", "mailboxId"),
                ("subject", "subject"),
                ("customer", "customer"),
                ("threads", "threads"),
            }
        )
        {
            using var refused = await CreateAsync(body);
            Assert.Equal(path, await ErrorPathAsync(refused));
            body[field] = full[field]!.DeepClone();
        }

        Assert.Equal(0, FreeScout.CreatedCount);
        await CreatedIdAsync(body);
    }

    [Theory]
    [InlineData("mailboxId", "99", "mailboxId")]
    [InlineData("customer", "{}", "customer.first_name")]
    [InlineData("threads", "[]", "threads")]
    [InlineData("threads", """[{"type":"note","text":"x"}]""", "threads.0.user")]
    [InlineData("threads", """[{"type":"lineitem","text":"x"}]""", "threads.0.type")]
    public async Task An_invalid_value_is_refused_and_its_field_is_named(string field, string json, string path)
    {
        var body = Draft();
        body[field] = JsonNode.Parse(json);

        using var response = await CreateAsync(body);

        Assert.Equal(path, await ErrorPathAsync(response));
    }

    [Fact]
    [Trait("Pitfall", "T-40")]
    public async Task A_note_takes_its_user_as_a_number_and_not_as_an_object()
    {
        var id = await CreatedIdAsync();

        using var asObject = await Http.PostAsJsonAsync(
            $"conversations/{id}/threads",
            new
            {
                type = "note",
                text = "x",
                user = new { id = 2 },
            }
        );
        Assert.Equal("user", await ErrorPathAsync(asObject));

        using var asNumber = await Http.PostAsJsonAsync(
            $"conversations/{id}/threads",
            new
            {
                type = "note",
                text = "x",
                user = 2,
            }
        );
        Assert.Equal(HttpStatusCode.Created, asNumber.StatusCode);
        Assert.NotEmpty(asNumber.Headers.GetValues("Resource-ID"));
    }

    [Theory]
    [InlineData("email", """{"type":"customer","text":"x"}""", "active")]
    [InlineData("email", """{"type":"message","text":"x","user":2}""", "pending")]
    [InlineData("email", """{"type":"note","text":"x","user":2}""", "active")]
    [InlineData("phone", """{"type":"customer","text":"x"}""", "pending")]
    public async Task Without_a_status_the_first_thread_decides(string type, string thread, string status)
    {
        var body = Draft();
        body.Remove("status");
        body["type"] = type;
        body["threads"] = new JsonArray(JsonNode.Parse(thread));

        var id = await CreatedIdAsync(body);

        Assert.Equal(status, FreeScout.Find(id)!.Status);
    }

    [Fact]
    [Trait("Pitfall", "T-41")]
    public async Task Imported_silences_every_mail_but_only_as_a_boolean()
    {
        await CreatedIdAsync();
        Assert.Empty(FreeScout.Mails);

        var body = Draft();
        body["imported"] = "true";
        var id = await CreatedIdAsync(body);

        Assert.Equal(["agents", "customer"], FreeScout.Mails.Select(mail => mail.To));
        Assert.All(FreeScout.Mails, mail => Assert.Equal(id, mail.ConversationId));
    }

    [Fact]
    [Trait("Pitfall", "T-44")]
    public async Task A_hundred_tickets_have_one_customer_who_is_never_renamed()
    {
        for (var i = 0; i < 100; i++)
        {
            var body = Draft($"Ticket {i}");
            body["customer"]!["firstName"] = $"Name {i}";
            await CreatedIdAsync(body);
        }

        var customers = await GetAsync("customers");
        Assert.Equal(1, customers["page"]!["totalElements"]!.GetValue<int>());
        Assert.Equal("Name 0", Assert.Single(FreeScout.Customers).FirstName);
    }

    [Fact]
    public async Task Numbers_can_differ_from_ids()
    {
        FreeScout.Behavior.CustomNumbers = true;
        var id = await CreatedIdAsync();

        var number = FreeScout.Find(id)!.Number;

        Assert.NotEqual(id, number);
        Assert.Equal([id], await ListAsync($"number={number}"));
        using var byNumber = await Http.GetAsync(new Uri($"conversations/{number}", UriKind.Relative));
        Assert.Equal(HttpStatusCode.NotFound, byNumber.StatusCode);
    }

    [Fact]
    public async Task A_change_of_status_needs_byUser_and_answers_with_empty_html()
    {
        var id = await CreatedIdAsync();

        using var refused = await Http.PutAsJsonAsync($"conversations/{id}", new { status = "closed" });
        Assert.Equal("byUser", await ErrorPathAsync(refused));
        Assert.Equal("active", FreeScout.Find(id)!.Status);

        using var taken = await Http.PutAsJsonAsync($"conversations/{id}", new { byUser = 2, status = "closed" });
        Assert.Equal(HttpStatusCode.NoContent, taken.StatusCode);
        Assert.Equal("text/html", taken.Content.Headers.ContentType!.MediaType);
        Assert.Equal("", await taken.Content.ReadAsStringAsync());
        Assert.Equal("closed", FreeScout.Find(id)!.Status);
        Assert.Equal(2, FreeScout.Find(id)!.ClosedBy);
    }

    [Fact]
    public async Task Deleting_by_the_API_is_for_good_and_by_hand_is_not()
    {
        var (byHand, byApi) = (await CreatedIdAsync(), await CreatedIdAsync());

        FreeScout.Delete(byHand);
        using var deleted = await Http.DeleteAsync(new Uri($"conversations/{byApi}", UriKind.Relative));

        Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
        Assert.Equal("deleted", (await GetAsync($"conversations/{byHand}"))["state"]!.GetValue<string>());
        using var gone = await Http.GetAsync(new Uri($"conversations/{byApi}", UriKind.Relative));
        Assert.Equal(HttpStatusCode.NotFound, gone.StatusCode);
    }

    [Fact]
    public async Task A_merged_conversation_is_deleted_and_says_so_in_a_line_item()
    {
        var (from, into) = (await CreatedIdAsync(), await CreatedIdAsync());

        Assert.True(FreeScout.Merge(from, into));

        var merged = await GetAsync($"conversations/{from}");
        Assert.Equal("deleted", merged["state"]!.GetValue<string>());
        Assert.Equal("merged", merged["_embedded"]!["threads"]![0]!["action"]!["type"]!.GetValue<string>());
        Assert.Equal(2, FreeScout.Find(into)!.ThreadsCount);
    }

    [Fact]
    public async Task A_customers_reply_revives_even_a_deleted_conversation()
    {
        var id = await CreatedIdAsync();
        FreeScout.Close(id);
        FreeScout.Delete(id);

        FreeScout.Reply(id, "<p>Still down</p>");

        Assert.True(FreeScout.Find(id)!.IsOpen);
    }
}
