using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Channels;

namespace AutoTicket.Sandbox;

/// <summary>One delivery attempt; <see cref="Status"/> is null without a response.</summary>
public sealed record WebhookDelivery(long WebhookId, string Event, long ConversationId, int Try, int? Status);

/// <summary>Delivers events to webhooks at least once, with the disorder that is switched on.</summary>
public sealed class FreeScoutWebhooks : IAsyncDisposable
{
    internal static readonly string[] All =
    [
        "convo.assigned",
        "convo.created",
        "convo.deleted",
        "convo.deleted_forever",
        "convo.restored",
        "convo.moved",
        "convo.status",
        "convo.customer.reply.created",
        "convo.agent.reply.created",
        "convo.note.created",
        "customer.created",
        "customer.updated",
    ];

    private static readonly string[] Embedded = ["threads", "tags"];
    private readonly CancellationTokenSource _stopping = new();
    private readonly Channel<(SandboxWebhook Hook, string Event, long Conversation, byte[] Body)> _queue = Channel.CreateUnbounded<(
        SandboxWebhook,
        string,
        long,
        byte[]
    )>();
    private readonly ConcurrentQueue<WebhookDelivery> _deliveries = new();
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false })
    {
        Timeout = TimeSpan.FromSeconds(10),
    };
    private readonly FreeScoutStore _store;
    private readonly FreeScoutJson _json;
    private readonly TimeProvider _clock;
    private readonly CancellationToken _stop;
    private readonly Task _sending;

    internal FreeScoutWebhooks(FreeScoutStore store, TimeProvider clock)
    {
        (_store, _json, _clock) = (store, new FreeScoutJson(store), clock);
        _stop = _stopping.Token;
        _sending = Task.Run(SendOnAsync);
    }

    /// <summary>Signs the deliveries of all webhooks: 32 hex digits, used as text.</summary>
    public string Secret { get; set; } = "5f1b2ad0c8e94f7fb3a6d17e20c49b85";

    /// <summary>Number of attempts; FreeScout makes ten, over two hours.</summary>
    public int Tries { get; set; } = 10;

    /// <summary>Pause after the first failed attempt; it doubles each time.</summary>
    public TimeSpan RetryPause { get; set; } = TimeSpan.FromMilliseconds(50);

    /// <summary>Sends every event twice.</summary>
    public bool Duplicates { get; set; }

    /// <summary>Sends each event after its successor.</summary>
    public bool Reorders { get; set; }

    /// <summary>Uses <c>application/hal+json</c>, as FreeScout did before mid-2022.</summary>
    public bool HalJson { get; set; }

    /// <summary>All attempts so far, oldest first.</summary>
    public IReadOnlyList<WebhookDelivery> Deliveries => [.. _deliveries];

    /// <summary>FreeScout's signature of the bytes of <paramref name="body"/>.</summary>
    public static string Sign(string secret, ReadOnlySpan<byte> body) =>
#pragma warning disable CA5350 // HMAC-SHA1 is what FreeScout uses.
        Convert.ToBase64String(HMACSHA1.HashData(Encoding.UTF8.GetBytes(secret), body));
#pragma warning restore CA5350

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _http.Dispose();
        _stopping.Dispose();
    }

    /// <summary>Unknown events are silently dropped.</summary>
    internal static string[] Known(JsonNode? events) => [.. (events as JsonArray ?? []).Select(name => $"{name}").Intersect(All)];

    internal static int[] Numbers(JsonNode? ids) =>
        [.. (ids as JsonArray ?? []).Select(id => int.TryParse($"{id}", out var number) ? number : 0)];

    /// <summary>Captures the conversation now; a retry sends the same content.</summary>
    internal void Announce(string name, SandboxConversation conversation)
    {
        var hooks = _store
            .Webhooks.Where(hook =>
                hook.Events.Contains(name) && (hook.Mailboxes.Count == 0 || hook.Mailboxes.Contains(conversation.MailboxId))
            )
            .ToArray();
        if (hooks.Length == 0)
        {
            return;
        }

        var body = Answer.Php(_json.Conversation(conversation, Embedded));
        foreach (var hook in hooks.Concat(Duplicates ? hooks : []))
        {
            _queue.Writer.TryWrite((hook, name, conversation.Id, body));
        }
    }

    private async Task SendOnAsync()
    {
        while (await _queue.Reader.WaitToReadAsync(_stop))
        {
            var next = await _queue.Reader.ReadAsync(_stop);
            if (Reorders)
            {
                var overtaking = await _queue.Reader.ReadAsync(_stop);
                await DeliverAsync(overtaking.Hook, overtaking.Event, overtaking.Conversation, overtaking.Body);
            }

            await DeliverAsync(next.Hook, next.Event, next.Conversation, next.Body);
        }
    }

    // Only first attempts are sent in order, so that a hanging webhook does not block the others.
    private async Task DeliverAsync(SandboxWebhook hook, string name, long conversation, byte[] body)
    {
        if (!await TryOnceAsync(hook, name, conversation, body, 1))
        {
            _ = Task.Run(async () =>
            {
                var pause = RetryPause;
                for (var attempt = 2; attempt <= Tries; attempt++, pause *= 2)
                {
                    await Task.Delay(pause, _clock, _stop);
                    if (await TryOnceAsync(hook, name, conversation, body, attempt))
                    {
                        break;
                    }
                }
            });
        }
    }

    private async Task<bool> TryOnceAsync(SandboxWebhook hook, string name, long conversation, byte[] body, int attempt)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, hook.Url) { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue(HalJson ? "application/hal+json" : "application/json");
        request.Headers.Add("X-FreeScout-Event", name);
        request.Headers.Add("X-FreeScout-Signature", Sign(Secret, body));
        int? status = null;
        string? error = null;
        try
        {
            using var response = await _http.SendAsync(request, _stop);
            status = (int)response.StatusCode;
            error = response.IsSuccessStatusCode ? null : $"HTTP {status}";
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            error = e.Message;
        }

        _deliveries.Enqueue(new WebhookDelivery(hook.Id, name, conversation, attempt, status));
        _store.ChangeWebhook(hook.Id, known => known with { LastRunTime = _store.Now, LastRunError = error });
        return error is null;
    }
}
