using System.Net;
using System.Net.Http.Json;
using AutoTicket.Sandbox;
using AutoTicket.Tickets;
using Microsoft.Extensions.Time.Testing;

namespace AutoTicket.Tests.Sandbox;

public sealed class FreeScoutListTests : SandboxTest
{
    private readonly FakeTimeProvider _clock = new(new DateTimeOffset(2026, 11, 23, 12, 0, 0, TimeSpan.Zero));

    protected override SandboxSettings Settings => new() { Clock = _clock };

    [Fact]
    public async Task Without_state_deleted_conversations_are_listed()
    {
        var (kept, deleted) = (await CreatedIdAsync(), await CreatedIdAsync());
        FreeScout.Delete(deleted);

        Assert.Equal([deleted, kept], await ListAsync("mailboxId=3"));
        Assert.Equal([kept], await ListAsync("mailboxId=3&state=published"));
        Assert.Equal([deleted], await ListAsync("mailboxId=3&state=deleted"));
    }

    [Fact]
    public async Task A_list_that_lags_leaves_out_what_was_just_created()
    {
        FreeScout.Behavior.ListLag = TimeSpan.FromSeconds(2);
        var created = await CreatedIdAsync();

        Assert.Empty(await ListAsync("mailboxId=3"));
        _clock.Advance(FreeScout.Behavior.ListLag);
        Assert.Equal([created], await ListAsync("mailboxId=3"));
    }

    [Fact]
    public async Task An_unknown_status_does_not_filter()
    {
        var (open, closed) = (await CreatedIdAsync(), await CreatedIdAsync());
        FreeScout.Close(closed);

        Assert.Equal([closed, open], await ListAsync("status=open"));
        Assert.Equal([open], await ListAsync("status=active,pending"));
        Assert.Equal([closed], await ListAsync("status=closed,spam"));
    }

    [Fact]
    [Trait("Pitfall", "T-43")]
    public async Task One_tag_filters_and_tags_come_only_when_embedded()
    {
        var (status, alert) = (await CreatedIdAsync(), await CreatedIdAsync());
        FreeScout.SetTags(status, "auto:status", "sev:p1");
        FreeScout.SetTags(alert, "auto:alert");

        Assert.Equal([status], await ListAsync("tag=auto:status"));
        Assert.Empty(await ListAsync("tag=auto:status,auto:alert"));

        var bare = await GetAsync("conversations?tag=auto:status");
        Assert.Null(bare["_embedded"]!["conversations"]![0]!["_embedded"]);
        var embedded = await GetAsync("conversations?tag=auto:status&embed=tags");
        var row = embedded["_embedded"]!["conversations"]![0]!["_embedded"]!;
        Assert.Equal(["auto:status", "sev:p1"], row["tags"]!.AsArray().Select(tag => tag!["name"]!.GetValue<string>()));
        Assert.Null(row["threads"]);
    }

    [Fact]
    public async Task Subject_is_searched_for_as_part_of_it_in_any_case()
    {
        var id = await CreatedIdAsync(Draft("[alert] Checkout #K7Q2"));
        await CreatedIdAsync(Draft("[alert] Checkout #K7Q3"));

        Assert.Equal([id], await ListAsync("subject=%23k7q2"));
    }

    [Fact]
    public async Task Pages_hold_fifty_and_one_past_the_end_is_empty()
    {
        for (var i = 0; i < 51; i++)
        {
            FreeScout.CreateByHand($"Ticket {i}");
        }

        var first = await GetAsync("conversations");
        Assert.Equal((50, 51, 2, 1), PageOf(first));
        Assert.Equal(50, first["_embedded"]!["conversations"]!.AsArray().Count);
        Assert.Single(await ListAsync("page=2"));
        Assert.Empty(await ListAsync("page=3"));
        Assert.Equal((20, 51, 3, 2), PageOf(await GetAsync("conversations?page=2&pageSize=20")));
    }

    [Fact]
    public async Task An_empty_list_has_one_page() => Assert.Equal((50, 0, 1, 1), PageOf(await GetAsync("conversations?tag=nobody")));

    [Fact]
    public async Task Rows_come_newest_first_unless_asked_otherwise()
    {
        var (first, second) = (FreeScout.CreateByHand("b").Id, FreeScout.CreateByHand("a").Id);

        Assert.Equal([second, first], await ListAsync(""));
        Assert.Equal([first, second], await ListAsync("sortOrder=asc"));
        Assert.Equal([second, first], await ListAsync("sortField=subject&sortOrder=asc"));
    }

    [Fact]
    public async Task Customer_mailbox_and_dates_filter()
    {
        var id = await CreatedIdAsync();
        var moved = FreeScout.CreateByHand("Elsewhere", mailboxId: 1).Id;

        Assert.Equal([id], await ListAsync("customerEmail=ops-console@sandbox.example"));
        Assert.Equal([moved], await ListAsync("mailboxId=1,2"));

        _clock.Advance(TimeSpan.FromMinutes(1));
        FreeScout.Close(id);
        Assert.Empty(await ListAsync("createdSince=2026-11-23T12:01:00Z"));
        Assert.Equal([id], await ListAsync("updatedSince=2026-11-23T12:01:00Z"));
        Assert.Equal([id, moved], await ListAsync("sortField=updatedAt"));
    }

    [Fact]
    [Trait("Pitfall", "T-42")]
    public async Task Putting_tags_replaces_them_all_and_leaves_no_trace_in_updatedAt()
    {
        var id = await CreatedIdAsync();
        FreeScout.SetTags(id, "by-hand");
        var before = FreeScout.Find(id)!.UpdatedAt;
        _clock.Advance(TimeSpan.FromMinutes(1));

        using var response = await Http.PutAsJsonAsync($"conversations/{id}/tags", new { tags = new[] { "auto:alert", "sev:p1" } });

        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        Assert.Equal(["auto:alert", "sev:p1"], FreeScout.Find(id)!.Tags);
        Assert.Equal(before, FreeScout.Find(id)!.UpdatedAt);
        Assert.Equal(3, (await GetAsync("tags"))["page"]!["totalElements"]!.GetValue<int>());
        Assert.Equal(2, (await GetAsync($"tags?conversationId={id}"))["page"]!["totalElements"]!.GetValue<int>());
    }

    [Fact]
    public async Task Without_the_Tags_module_tags_are_refused()
    {
        FreeScout.Behavior.TagsModule = false;
        var id = await CreatedIdAsync();

        using var response = await Http.PutAsJsonAsync($"conversations/{id}/tags", new { tags = new[] { "x" } });

        Assert.Equal("tags", await ErrorPathAsync(response));
    }

    [Fact]
    public async Task A_mailbox_is_found_by_paging_and_not_by_its_id()
    {
        FreeScout.Behavior.MaxPageSize = 2;

        using var byId = await Http.GetAsync(new Uri("mailboxes/3", UriKind.Relative));
        Assert.Equal(HttpStatusCode.MethodNotAllowed, byId.StatusCode);
        Assert.Equal("""{"message":""}""", await byId.Content.ReadAsStringAsync());

        var second = await GetAsync("mailboxes?page=2&pageSize=50");
        Assert.Equal((2, 5, 3, 2), PageOf(second));
        Assert.Equal("Operations", second["_embedded"]!["mailboxes"]![0]!["name"]!.GetValue<string>());
        Assert.Equal(FreeScout.MailboxId, second["_embedded"]!["mailboxes"]![0]!["id"]!.GetValue<int>());
    }

    [Fact]
    public async Task A_mailbox_is_found_by_its_id_if_that_route_is_switched_on()
    {
        FreeScout.Behavior.MailboxById = true;
        var id = await CreatedIdAsync();
        Assert.Equal("Operations", (await GetAsync("mailboxes/3"))["name"]!.GetValue<string>());

        FreeScout.RemoveMailbox(3);

        using var gone = await Http.GetAsync(new Uri("mailboxes/3", UriKind.Relative));
        Assert.Equal(HttpStatusCode.NotFound, gone.StatusCode);
        Assert.Equal(4, (await GetAsync("mailboxes"))["page"]!["totalElements"]!.GetValue<int>());
        Assert.Null(FreeScout.Find(id));
    }

    [Fact]
    public async Task A_list_says_who_has_a_conversation_and_whose_the_last_reply_is()
    {
        var id = FreeScout.CreateByHand("Pay is down").Id;
        Assert.Equal((null, "customer", null), await OwnerAsync(id));

        FreeScout.Assign(id, 3);
        var assignedAt = FreeScout.Find(id)!.Threads[0].CreatedAt;
        Assert.Equal((3, "customer", assignedAt), await OwnerAsync(id));

        FreeScout.AddNote(id, 3, "<p>A note is no reply.</p>");
        Assert.Equal("customer", (await OwnerAsync(id)).From);
        FreeScout.Answer(id, 3, "<p>On it.</p>");
        Assert.Equal("user", (await OwnerAsync(id)).From);
        FreeScout.Reply(id, "<p>Thanks.</p>");
        Assert.Equal("customer", (await OwnerAsync(id)).From);

        async Task<(int? Assignee, string? From, DateTimeOffset? UserUpdatedAt)> OwnerAsync(long id)
        {
            var row = (await GetAsync("conversations?state=published"))["_embedded"]!["conversations"]!
                .AsArray()
                .Single(row => row!["id"]!.GetValue<long>() == id)!;
            return (
                row["assignee"]?["id"]!.GetValue<int>(),
                row["customerWaitingSince"]!["latestReplyFrom"]!.GetValue<string>(),
                row["userUpdatedAt"]?.GetValue<DateTimeOffset>()
            );
        }
    }

    [Fact]
    public async Task Folders_users_and_unknown_routes_answer_as_documented()
    {
        Assert.Equal(8, (await GetAsync("mailboxes/3/folders"))["page"]!["totalElements"]!.GetValue<int>());
        Assert.Equal(2, (await GetAsync("users?email=olga@sandbox.example"))["_embedded"]!["users"]![0]!["id"]!.GetValue<int>());
        Assert.Equal("Olga", (await GetAsync("users/2"))["firstName"]!.GetValue<string>());
        foreach (
            var (path, status) in new[]
            {
                ("mailboxes/99/folders", 404),
                ("users/99", 404),
                ("conversations/1", 404),
                ("nonsense", 405),
                ("conversations/1/timelogs/2", 405),
            }
        )
        {
            using var response = await Http.GetAsync(new Uri(path, UriKind.Relative));
            Assert.Equal(status, (int)response.StatusCode);
            Assert.Equal("application/json", response.Content.Headers.ContentType!.MediaType);
        }
    }

    private static (int, int, int, int) PageOf(System.Text.Json.Nodes.JsonObject list)
    {
        var page = list["page"]!;
        return (
            page["size"]!.GetValue<int>(),
            page["totalElements"]!.GetValue<int>(),
            page["totalPages"]!.GetValue<int>(),
            page["number"]!.GetValue<int>()
        );
    }
}
