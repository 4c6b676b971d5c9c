using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Channels;

namespace AutoTicket.Sandbox;

/// <summary>One try to deliver an event; <see cref="Status"/> is null when nobody answered.</summary>
public sealed record WebhookDelivery(long WebhookId, string Event, long ConversationId, int Try, int? Status);

/// <summary>Announces events to those who registered: at least once, and in the bad habits that are switched on.</summary>
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

    /// <summary>Signs every delivery, for all hooks alike: 32 hex digits used as text.</summary>
    public string Secret { get; set; } = "5f1b2ad0c8e94f7fb3a6d17e20c49b85";

    /// <summary>Tries in all; FreeScout makes ten, over two hours.</summary>
    public int Tries { get; set; } = 10;

    /// <summary>The pause after a failed try; each further one is twice as long.</summary>
    public TimeSpan RetryPause { get; set; } = TimeSpan.FromMilliseconds(50);

    /// <summary>Sends everything twice.</summary>
    public bool Duplicates { get; set; }

    /// <summary>Holds an event back until the one after it has been sent.</summary>
    public bool Reorders { get; set; }

    /// <summary><c>application/hal+json</c>, as before mid-2022.</summary>
    public bool HalJson { get; set; }

    /// <summary>Every try made so far, oldest first.</summary>
    public IReadOnlyList<WebhookDelivery> Deliveries => [.. _deliveries];

    /// <summary>The signature FreeScout puts on <paramref name="body"/>, over its bytes as they are sent.</summary>
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

    /// <summary>Events that FreeScout does not know are dropped without a word.</summary>
    internal static string[] Known(JsonNode? events) => [.. (events as JsonArray ?? []).Select(name => $"{name}").Intersect(All)];

    internal static int[] Numbers(JsonNode? ids) =>
        [.. (ids as JsonArray ?? []).Select(id => int.TryParse($"{id}", out var number) ? number : 0)];

    /// <summary>Takes the conversation as it is now: a retry repeats this, however old it has become.</summary>
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

    // Only the first try keeps the order: a hook that does not answer must not hold up the others.
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
