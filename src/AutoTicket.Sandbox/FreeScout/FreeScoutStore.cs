using System.Text.Json;
using System.Text.Json.Nodes;

namespace AutoTicket.Sandbox;

/// <summary>FreeScout's tables under one lock. Rows are immutable, so results are snapshots.</summary>
/// <remarks>Every change goes through <see cref="Change"/>, which announces events in order.</remarks>
internal sealed class FreeScoutStore : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly FreeScoutState _state;
    private readonly StateFile? _file;
    private readonly TimeProvider _clock;
    private readonly List<SandboxMailbox> _mailboxes = [.. FreeScoutSeed.Mailboxes];

    public FreeScoutStore(TimeProvider clock, string? statePath)
    {
        _clock = clock;
        _state = statePath is null ? new FreeScoutState() : StateFile.Load(statePath);
        _file = statePath is null ? null : new StateFile(statePath, Serialize);
    }

    /// <summary>Called under the lock with the event name and the conversation.</summary>
    public Action<string, SandboxConversation> Announce { get; set; } = (_, _) => { };

    public Func<long, long> NumberOf { get; set; } = id => id;

    public IReadOnlyList<SandboxConversation> Conversations => Read(() => _state.Conversations.Values.ToArray());

    public IReadOnlyList<SandboxCustomer> Customers => Read(() => _state.Customers.ToArray());

    public IReadOnlyList<SandboxMailbox> Mailboxes => Read(() => _mailboxes.ToArray());

    public IReadOnlyList<string> Tags => Read(() => _state.Tags.ToArray());

    public IReadOnlyList<SandboxWebhook> Webhooks => Read(() => _state.Webhooks.ToArray());

    public SandboxConversation? Find(long id) => Read(() => _state.Conversations.GetValueOrDefault(id));

    public SandboxMailbox? FindMailbox(long id) => Read(() => _mailboxes.Find(mailbox => mailbox.Id == id));

    public SandboxCustomer? FindCustomer(long id) => Read(() => _state.Customers.Find(customer => customer.Id == id));

    public long TagId(string tag) => Read(() => _state.Tags.FindIndex(known => SameTag(known, tag)) + 1);

    public static bool SameTag(string one, string other) => one.Equals(other, StringComparison.OrdinalIgnoreCase);

    public SandboxConversation Create(NewConversation draft) =>
        Write(now =>
        {
            var id = ++_state.LastConversationId;
            var customer = FindOrAddCustomer(draft.Customer, now);
            var conversation = new SandboxConversation
            {
                Id = id,
                Number = NumberOf(id),
                Type = draft.Type,
                MailboxId = draft.MailboxId,
                Subject = draft.Subject,
                Status = draft.Status,
                CustomerId = customer.Id,
                Imported = draft.Imported,
                AssignedTo = draft.AssignTo,
                Threads = [.. draft.Threads.Select(thread => ToRow(thread, customer.Id, now))],
                CreatedAt = now,
                UpdatedAt = now,
                ClosedAt = draft.Status == "closed" ? now : null,
            };
            _state.Conversations.Add(id, conversation);
            Announce("convo.created", conversation);
            return conversation;
        });

    /// <summary>The changed conversation; null if it does not exist. No event and no new date if nothing changed.</summary>
    public SandboxConversation? Change(long id, string? happening, Func<SandboxConversation, SandboxConversation> edit) =>
        Write(now =>
        {
            if (!_state.Conversations.TryGetValue(id, out var before))
            {
                return null;
            }

            var after = edit(before);
            if (ReferenceEquals(after, before))
            {
                return before;
            }

            after = after with { UpdatedAt = now };
            _state.Conversations[id] = after;
            if (happening is not null)
            {
                Announce(happening, after);
            }

            return after;
        });

    /// <summary>Replaces all tags, without an event or a new date, as in FreeScout.</summary>
    public bool SetTags(long id, IEnumerable<string> tags) =>
        Write(_ =>
        {
            if (!_state.Conversations.TryGetValue(id, out var conversation))
            {
                return false;
            }

            var distinct = tags.Select(tag => tag.Trim()).Where(tag => tag.Length > 0).Distinct(StringComparer.OrdinalIgnoreCase).ToArray();
            _state.Tags.AddRange(distinct.Where(tag => !_state.Tags.Exists(known => SameTag(known, tag))));
            _state.Conversations[id] = conversation with { Tags = distinct };
            return true;
        });

    public bool Remove(long id) =>
        Write(_ =>
        {
            if (!_state.Conversations.Remove(id, out var gone))
            {
                return false;
            }

            Announce("convo.deleted_forever", gone);
            return true;
        });

    public SandboxThread ToRow(NewThread thread, long customer, DateTimeOffset now) =>
        new()
        {
            Id = ++_state.LastThreadId,
            Type = thread.Type,
            Body = thread.Body,
            UserId = thread.UserId,
            CustomerId = thread.Type == "customer" ? customer : null,
            CreatedAt = now,
        };

    /// <summary>A change of the conversation, with its assignee and status after the change, as in FreeScout.</summary>
    public SandboxThread LineItem(string action, int? user, int? assignedTo, string status) =>
        new()
        {
            Id = ++_state.LastThreadId,
            Type = "lineitem",
            Body = "",
            Action = action,
            UserId = user,
            AssignedTo = assignedTo,
            Status = status,
            CreatedAt = Now,
        };

    public SandboxWebhook AddWebhook(Uri url, IReadOnlyList<string> events, IReadOnlyList<int> mailboxes) =>
        Write(_ =>
        {
            var hook = new SandboxWebhook(++_state.LastWebhookId, url, events, mailboxes);
            _state.Webhooks.Add(hook);
            return hook;
        });

    public void ChangeWebhook(long id, Func<SandboxWebhook, SandboxWebhook> edit) =>
        Write(_ =>
        {
            var place = _state.Webhooks.FindIndex(hook => hook.Id == id);
            if (place >= 0)
            {
                _state.Webhooks[place] = edit(_state.Webhooks[place]);
            }

            return place;
        });

    public bool RemoveWebhook(long id) => Write(_ => _state.Webhooks.RemoveAll(hook => hook.Id == id) > 0);

    public void AddMailbox(SandboxMailbox mailbox) =>
        Write(_ =>
        {
            _mailboxes.Add(mailbox);
            return true;
        });

    public bool RemoveMailbox(int id) =>
        Write(_ =>
        {
            foreach (var conversation in _state.Conversations.Values.Where(conversation => conversation.MailboxId == id).ToList())
            {
                _state.Conversations.Remove(conversation.Id);
            }

            return _mailboxes.RemoveAll(mailbox => mailbox.Id == id) > 0;
        });

    public async ValueTask DisposeAsync()
    {
        if (_file is not null)
        {
            await _file.DisposeAsync();
        }
    }

    // Whole seconds, as in FreeScout; a date read back must equal the stored one.
    public DateTimeOffset Now => DateTimeOffset.FromUnixTimeSeconds(_clock.GetUtcNow().ToUnixTimeSeconds());

    // An existing customer, found by e-mail, keeps the name of the first ticket.
    private SandboxCustomer FindOrAddCustomer(JsonObject wanted, DateTimeOffset now)
    {
        var (id, email) = (wanted.Number("id"), wanted.Text("email"));
        var known =
            id is not null ? _state.Customers.Find(customer => customer.Id == id)
            : email is null ? null
            : _state.Customers.Find(customer => email.Equals(customer.Email, StringComparison.OrdinalIgnoreCase));
        if (known is null)
        {
            known = new SandboxCustomer(
                _state.Customers.Count + 1,
                wanted.Text("firstName") ?? "",
                wanted.Text("lastName") ?? "",
                email,
                wanted.Text("phone"),
                now
            );
            _state.Customers.Add(known);
        }

        return known;
    }

    private byte[] Serialize() => Read(() => JsonSerializer.SerializeToUtf8Bytes(_state, Answer.JsonOptions));

    private T Read<T>(Func<T> read)
    {
        lock (_gate)
        {
            return read();
        }
    }

    private T Write<T>(Func<DateTimeOffset, T> write)
    {
        lock (_gate)
        {
            var result = write(Now);
            _file?.Touch();
            return result;
        }
    }
}
