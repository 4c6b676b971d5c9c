using System.Collections.Concurrent;
using System.Text.Json.Nodes;

namespace AutoTicket.Sandbox;

/// <summary>A FreeScout: its REST API, its webhooks, and what people do to tickets behind the console's back.</summary>
public sealed class FreeScoutStandIn : IAsyncDisposable
{
    internal const string BasePath = "/freescout";
    internal const string ApiPath = BasePath + "/api";

    private readonly FreeScoutStore _store;
    private readonly FreeScoutActions _actions;
    private readonly RequestLog _log;
    private readonly ConcurrentQueue<SandboxMail> _mails = new();
    private string? _appHost;
    private int _created;
    private int _createsInFlight;
    private int _peakCreatesInFlight;

    internal FreeScoutStandIn(SandboxSettings settings, RequestLog log, Uri baseUrl)
    {
        (_log, BaseUrl) = (log, baseUrl);
        _store = new FreeScoutStore(settings.Clock, settings.StatePath);
        _actions = new FreeScoutActions(_store, _mails.Enqueue);
        Webhooks = new FreeScoutWebhooks(_store, settings.Clock);
        _store.Announce = Webhooks.Announce;
        _store.NumberOf = id => Behaviour.CustomNumbers ? id + 70_000 : id;
        Api = new FreeScoutApi(this, _store, _actions);
    }

    /// <summary>FreeScout's own URL, with a subdirectory; the API is under <c>api</c>.</summary>
    public Uri BaseUrl { get; }

    /// <summary><c>APP_URL</c>'s host: requests to any other are refused with 403, whatever the key.</summary>
    public string AppHost
    {
        get => _appHost ?? BaseUrl.Host;
        set => _appHost = value;
    }

    /// <summary>The one valid key; setting another makes the old one worthless.</summary>
    public string ApiKey { get; set; } = "a3f0c9d27b6e41588c1d5e90f7b264aa";

    /// <summary>The mailbox called Operations.</summary>
    public int MailboxId { get; } = FreeScoutSeed.OperationsMailbox;

    /// <summary>The agent the console acts for.</summary>
    public int UserId { get; } = FreeScoutSeed.Operator;

    public string WebhookSecret => Webhooks.Secret;

    public FreeScoutBehaviour Behaviour { get; } = new();

    public FreeScoutWebhooks Webhooks { get; }

    /// <summary>All conversations, deleted ones included, by id.</summary>
    public IReadOnlyList<SandboxConversation> Conversations => _store.Conversations;

    public IReadOnlyList<SandboxCustomer> Customers => _store.Customers;

    /// <summary>The mails FreeScout would have sent.</summary>
    public IReadOnlyList<SandboxMail> Mails => [.. _mails];

    /// <summary>What came to the API, refused and spoilt requests included.</summary>
    public IReadOnlyList<RecordedRequest> RecordedRequests => _log.Under(ApiPath);

    public int RequestCount => RecordedRequests.Count;

    /// <summary>How many conversations the API has created since the start.</summary>
    public int CreatedCount => Volatile.Read(ref _created);

    /// <summary>How many creates are being served at this moment, hanging ones included.</summary>
    public int CreatesInFlight => Volatile.Read(ref _createsInFlight);

    /// <summary>The most creates that were ever served at once.</summary>
    public int PeakCreatesInFlight => Volatile.Read(ref _peakCreatesInFlight);

    /// <summary>Raised when the API has created one. Handlers return at once and never throw.</summary>
    public event Action? Created;

    internal FreeScoutApi Api { get; }

    public SandboxConversation? Find(long id) => _store.Find(id);

    public bool Close(long id) => _actions.SetStatus(id, "closed", UserId);

    public bool Reopen(long id) => _actions.Restore(id) && _actions.SetStatus(id, "active", UserId);

    public bool Spam(long id) => _actions.SetStatus(id, "spam", UserId);

    /// <summary>To the folder of deleted ones: GET still finds it, with state <c>deleted</c>.</summary>
    public bool Delete(long id) => _actions.Delete(id);

    /// <summary>For good: 404 from now on.</summary>
    public bool DeleteForever(long id) => _store.Remove(id);

    public bool Move(long id, int mailboxId) => _actions.Move(id, mailboxId, UserId);

    public bool Rename(long id, string subject) => _actions.Rename(id, subject);

    public bool SetTags(long id, params IReadOnlyList<string> tags) => _store.SetTags(id, tags);

    public bool Merge(long id, long into) => _actions.Merge(id, into);

    /// <summary>The customer answers: the conversation is active again, deleted or not.</summary>
    public bool Reply(long id, string html) => _actions.AddThread(id, new NewThread("customer", html, null, false, null)) is not null;

    /// <summary>A conversation that an agent made in the web page; it counts as none of the API's.</summary>
    public SandboxConversation CreateByHand(
        string subject,
        IReadOnlyList<string>? tags = null,
        string status = "active",
        int? mailboxId = null
    )
    {
        var customer = new JsonObject { ["email"] = "someone@customer.example", ["firstName"] = "Someone" };
        var thread = new NewThread("customer", "<p>Made by hand.</p>", null, true, null);
        var made = _actions.Create(new NewConversation("email", mailboxId ?? MailboxId, subject, customer, [thread], status, true, null));
        _store.SetTags(made.Id, tags ?? []);
        return Find(made.Id)!;
    }

    /// <summary>Announces all that happens to one console: in place of where it, or another of this path, was before.</summary>
    public void AnnounceTo(Uri url)
    {
        foreach (var hook in _store.Webhooks.Where(hook => hook.Url.AbsolutePath == url.AbsolutePath))
        {
            _store.RemoveWebhook(hook.Id);
        }

        _store.AddWebhook(url, FreeScoutWebhooks.All, []);
    }

    public void AddMailbox(int id, string name) => _store.AddMailbox(new SandboxMailbox(id, name, $"{id}@sandbox.example"));

    /// <summary>With all its conversations, as the web page does.</summary>
    public bool RemoveMailbox(int id) => _store.RemoveMailbox(id);

    public async ValueTask DisposeAsync()
    {
        await Webhooks.DisposeAsync();
        await _store.DisposeAsync();
    }

    /// <summary>PHP was killed after it had written the conversation and before its thread.</summary>
    internal void LoseThreads(Answer created)
    {
        if (long.TryParse(created.Headers.FirstOrDefault(header => header.Name == "Resource-ID").Value, out var id))
        {
            _store.Change(id, null, conversation => conversation with { Threads = [] });
        }
    }

    internal void CountCreated()
    {
        Interlocked.Increment(ref _created);
        Created?.Invoke();
    }

    internal async Task CountingAsync(RecordedRequest request, Func<Task> serve)
    {
        if (!FaultMatch.FreeScoutCreate.Covers(request.Method, request.Path))
        {
            await serve();
            return;
        }

        var inFlight = Interlocked.Increment(ref _createsInFlight);
        for (var peak = _peakCreatesInFlight; inFlight > peak; )
        {
            peak = Interlocked.CompareExchange(ref _peakCreatesInFlight, inFlight, peak);
        }

        try
        {
            await serve();
        }
        finally
        {
            Interlocked.Decrement(ref _createsInFlight);
        }
    }
}
