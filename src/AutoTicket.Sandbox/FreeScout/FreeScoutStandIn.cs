using System.Collections.Concurrent;
using System.Text.Json.Nodes;

namespace AutoTicket.Sandbox;

/// <summary>A simulated FreeScout: its REST API, its webhooks, and changes that people make in FreeScout itself.</summary>
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
        _store.NumberOf = id => Behavior.CustomNumbers ? id + 70_000 : id;
        Api = new FreeScoutApi(this, _store, _actions);
    }

    /// <summary>FreeScout's base URL, in a subdirectory; the API is under <c>api</c>.</summary>
    public Uri BaseUrl { get; }

    /// <summary>The host of <c>APP_URL</c>; requests to other hosts get 403, whatever the key.</summary>
    public string AppHost
    {
        get => _appHost ?? BaseUrl.Host;
        set => _appHost = value;
    }

    /// <summary>The only valid key.</summary>
    public string ApiKey { get; set; } = "a3f0c9d27b6e41588c1d5e90f7b264aa";

    /// <summary>The mailbox Operations.</summary>
    public int MailboxId { get; } = FreeScoutSeed.OperationsMailbox;

    /// <summary>The agent for the console's notes.</summary>
    public int UserId { get; } = FreeScoutSeed.Operator;

    public string WebhookSecret => Webhooks.Secret;

    public FreeScoutBehavior Behavior { get; } = new();

    public FreeScoutWebhooks Webhooks { get; }

    /// <summary>All conversations by id, including deleted ones.</summary>
    public IReadOnlyList<SandboxConversation> Conversations => _store.Conversations;

    public IReadOnlyList<SandboxCustomer> Customers => _store.Customers;

    /// <summary>The mails that FreeScout would have sent.</summary>
    public IReadOnlyList<SandboxMail> Mails => [.. _mails];

    /// <summary>All API requests, including rejected and faulty ones.</summary>
    public IReadOnlyList<RecordedRequest> RecordedRequests => _log.Under(ApiPath);

    public int RequestCount => RecordedRequests.Count;

    /// <summary>Number of conversations created by the API since the start.</summary>
    public int CreatedCount => Volatile.Read(ref _created);

    /// <summary>Number of creates in progress, including hanging ones.</summary>
    public int CreatesInFlight => Volatile.Read(ref _createsInFlight);

    /// <summary>Highest number of concurrent creates so far.</summary>
    public int PeakCreatesInFlight => Volatile.Read(ref _peakCreatesInFlight);

    /// <summary>Raised when the API has created a conversation. Handlers must return at once and not throw.</summary>
    public event Action? Created;

    internal FreeScoutApi Api { get; }

    public SandboxConversation? Find(long id) => _store.Find(id);

    /// <param name="by">The agent; null: the one of the console.</param>
    public bool Close(long id, int? by = null) => _actions.SetStatus(id, "closed", by ?? UserId);

    public bool Reopen(long id) => _actions.Restore(id) && _actions.SetStatus(id, "active", UserId);

    public bool Spam(long id) => _actions.SetStatus(id, "spam", UserId);

    /// <summary>Moves it to the deleted folder; GET still returns it with state <c>deleted</c>.</summary>
    public bool Delete(long id) => _actions.Delete(id);

    /// <summary>Deletes it permanently; GET returns 404.</summary>
    public bool DeleteForever(long id) => _store.Remove(id);

    public bool Move(long id, int mailboxId) => _actions.Move(id, mailboxId, UserId);

    /// <summary>Assigns it like an agent on the web page.</summary>
    /// <param name="agent">Null: nobody.</param>
    public bool Assign(long id, int? agent) => _actions.Assign(id, agent, agent ?? UserId);

    /// <summary>Adds a reply of an agent, which makes the conversation pending.</summary>
    public bool Answer(long id, int agent, string html) =>
        _actions.AddThread(id, new NewThread("message", html, agent, Imported: true, null)) is not null;

    /// <summary>Adds a note, which only agents see.</summary>
    public bool AddNote(long id, int agent, string html) =>
        _actions.AddThread(id, new NewThread("note", html, agent, Imported: true, null)) is not null;

    public bool Rename(long id, string subject) => _actions.Rename(id, subject);

    public bool SetTags(long id, params IReadOnlyList<string> tags) => _store.SetTags(id, tags);

    public bool Merge(long id, long into) => _actions.Merge(id, into);

    /// <summary>Adds a reply of the customer, which makes the conversation active again, even if deleted.</summary>
    public bool Reply(long id, string html) => _actions.AddThread(id, new NewThread("customer", html, null, false, null)) is not null;

    /// <summary>An agent assigns it; to nobody, if <paramref name="assignee"/> is null.</summary>
    public bool Assign(long id, int? assignee, int by) => _actions.Assign(id, assignee, by);

    /// <summary>An agent replies to the customer.</summary>
    public bool ReplyByAgent(long id, string html, int by) =>
        _actions.AddThread(id, new NewThread("message", html, by, false, null)) is not null;

    /// <summary>An agent writes a note.</summary>
    public bool NoteByAgent(long id, string html, int by) =>
        _actions.AddThread(id, new NewThread("note", html, by, false, null)) is not null;

    /// <summary>Creates a conversation like an agent on the web page; it does not count as created by the API.</summary>
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

    /// <summary>Sends all events to one console; replaces earlier webhooks with the same path.</summary>
    public void AnnounceTo(Uri url)
    {
        foreach (var hook in _store.Webhooks.Where(hook => hook.Url.AbsolutePath == url.AbsolutePath))
        {
            _store.RemoveWebhook(hook.Id);
        }

        _store.AddWebhook(url, FreeScoutWebhooks.All, []);
    }

    public void AddMailbox(int id, string name) => _store.AddMailbox(new SandboxMailbox(id, name, $"{id}@sandbox.example"));

    /// <summary>Deletes a mailbox with all its conversations, like the web page.</summary>
    public bool RemoveMailbox(int id) => _store.RemoveMailbox(id);

    public async ValueTask DisposeAsync()
    {
        await Webhooks.DisposeAsync();
        await _store.DisposeAsync();
    }

    /// <summary>Simulates PHP being killed after it wrote the conversation and before its thread.</summary>
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
