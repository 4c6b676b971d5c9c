using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using AutoTicket.Sandbox;

namespace AutoTicket.Tests.Sandbox;

public sealed class FreeScoutWebhookTests : SandboxTest
{
    private static readonly string[] Wanted = ["convo.created", "convo.status", "convo.deleted", "convo.nonsense"];
    private WebhookReceiver _receiver = null!;

    public override async Task InitializeAsync()
    {
        await base.InitializeAsync();
        _receiver = await WebhookReceiver.StartAsync();
        using var response = await Http.PostAsJsonAsync("webhooks", new { url = _receiver.Url, events = Wanted });
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        Assert.Equal("1", response.Headers.GetValues("Resource-ID").Single());
    }

    public override async Task DisposeAsync()
    {
        await _receiver.DisposeAsync();
        await base.DisposeAsync();
    }

    [Fact]
    public async Task An_event_is_the_bare_conversation_with_two_headers()
    {
        var id = await CreatedIdAsync(Draft("España ñ <b>"));

        var hook = (await _receiver.ReceivedAsync(1)).Single();

        Assert.Equal("convo.created", hook.Event);
        Assert.Equal("application/json", hook.ContentType);
        Assert.Equal(FreeScoutWebhooks.Sign(FreeScout.WebhookSecret, hook.Body), hook.Signature);
        var conversation = JsonNode.Parse(hook.Body)!;
        Assert.Equal(id, conversation["id"]!.GetValue<long>());
        Assert.Equal("España ñ <b>", conversation["subject"]!.GetValue<string>());
    }

    [Fact]
    public void The_signature_matches_a_known_vector() =>
        // RFC 2202, test case 2, in base64.
        Assert.Equal(
            "7/zfauXrL6LSdBbV8YTfnCWafHk=",
            FreeScoutWebhooks.Sign("Jefe", Encoding.ASCII.GetBytes("what do ya want for nothing?"))
        );

    [Fact]
    public async Task A_refused_event_is_sent_again_unchanged()
    {
        _receiver.Refuse(2);

        var id = await CreatedIdAsync();

        var tries = await _receiver.ReceivedAsync(3);
        Assert.All(tries, again => Assert.Equal(tries[0].Body, again.Body));
        await EventuallyAsync(() => FreeScout.Webhooks.Deliveries.Count == 3);
        Assert.Equal(
            [(1, 500), (2, 500), (3, 200)],
            FreeScout.Webhooks.Deliveries.Select(delivery => (delivery.Try, delivery.Status!.Value))
        );
        Assert.All(FreeScout.Webhooks.Deliveries, delivery => Assert.Equal(id, delivery.ConversationId));
    }

    [Fact]
    public async Task A_change_without_effect_sends_no_event()
    {
        var id = await CreatedIdAsync();
        foreach (var status in new[] { "active", "closed", "closed" })
        {
            using var response = await Http.PutAsJsonAsync($"conversations/{id}", new { byUser = 2, status });
        }

        using var tags = await Http.PutAsJsonAsync($"conversations/{id}/tags", new { tags = Wanted });
        FreeScout.Delete(id);

        var hooks = await _receiver.ReceivedAsync(3);
        Assert.Equal(["convo.created", "convo.status", "convo.deleted"], hooks.Select(hook => hook.Event));
    }

    [Fact]
    public async Task Duplicate_and_reordered_events_can_be_switched_on()
    {
        FreeScout.Webhooks.Duplicates = true;
        FreeScout.Webhooks.HalJson = true;
        var id = await CreatedIdAsync();
        var twice = await _receiver.ReceivedAsync(2);
        Assert.Equal(twice[0].Body, twice[1].Body);
        Assert.Equal("application/hal+json", twice[0].ContentType);

        FreeScout.Webhooks.Duplicates = false;
        FreeScout.Webhooks.Reorders = true;
        FreeScout.Close(id);
        FreeScout.Delete(id);
        var reordered = (await _receiver.ReceivedAsync(4)).Skip(2);
        Assert.Equal(["convo.deleted", "convo.status"], reordered.Select(hook => hook.Event));
    }

    [Fact]
    public async Task Hooks_are_listed_without_unknown_events_and_can_be_removed()
    {
        var list = await GetAsync("webhooks");
        var hook = list["_embedded"]!["webhooks"]![0]!;
        Assert.Equal(_receiver.Url.OriginalString, hook["url"]!.GetValue<string>());
        Assert.Equal(
            ["convo.created", "convo.status", "convo.deleted"],
            hook["events"]!.AsArray().Select(name => name!.GetValue<string>())
        );

        using var removed = await Http.DeleteAsync(new Uri("webhooks/1", UriKind.Relative));
        Assert.Equal(HttpStatusCode.NoContent, removed.StatusCode);
        Assert.Equal(0, (await GetAsync("webhooks"))["page"]!["totalElements"]!.GetValue<int>());
    }

    [Fact]
    public async Task After_a_note_alone_the_next_thread_sends_the_created_event_again()
    {
        var body = Draft();
        body["threads"] = new JsonArray(
            new JsonObject
            {
                ["type"] = "note",
                ["text"] = "x",
                ["user"] = 2,
            }
        );
        var id = await CreatedIdAsync(body);
        using var note = await Http.PostAsJsonAsync(
            $"conversations/{id}/threads",
            new
            {
                type = "note",
                text = "y",
                user = 2,
            }
        );

        var hooks = await _receiver.ReceivedAsync(2);

        Assert.Equal(["convo.created", "convo.created"], hooks.Select(hook => hook.Event));
    }
}
