using System.Globalization;

namespace AutoTicket.Sandbox;

/// <summary>Converts rows to the JSON of FreeScout's API.</summary>
internal sealed class FreeScoutJson(FreeScoutStore store)
{
    private const int PreviewLength = 255;

    /// <param name="embed">Any of threads, tags and timelogs, to include.</param>
    public Dictionary<string, object?> Conversation(SandboxConversation conversation, IReadOnlyCollection<string> embed)
    {
        var customer = store.FindCustomer(conversation.CustomerId);
        var json = new Dictionary<string, object?>
        {
            ["id"] = conversation.Id,
            ["number"] = conversation.Number,
            ["threadsCount"] = conversation.ThreadsCount,
            ["type"] = conversation.Type,
            ["folderId"] = FolderId(conversation.MailboxId, Folder(conversation)),
            ["status"] = conversation.Status,
            ["state"] = conversation.State,
            ["subject"] = conversation.Subject,
            ["preview"] = Preview(conversation),
            ["mailboxId"] = conversation.MailboxId,
            ["assignee"] = conversation.AssignedTo is { } assignee ? Person(FreeScoutSeed.FindUser(assignee)) : null,
            ["createdBy"] = Person(customer),
            ["createdAt"] = Date(conversation.CreatedAt),
            ["updatedAt"] = Date(conversation.UpdatedAt),
            ["closedBy"] = conversation.ClosedBy,
            ["closedByUser"] = conversation.ClosedBy is { } closer ? Person(FreeScoutSeed.FindUser(closer)) : null,
            ["closedAt"] = Date(conversation.ClosedAt),
            // Any thread that is not a customer's moves it: also notes and line items.
            ["userUpdatedAt"] = Date(conversation.Threads.FirstOrDefault(thread => thread.Type != "customer")?.CreatedAt),
            ["customerWaitingSince"] = new
            {
                time = Date(conversation.LastReply?.CreatedAt ?? conversation.CreatedAt),
                friendly = "",
                latestReplyFrom = conversation.LastReply?.UserId is null ? "customer" : "user",
            },
            ["source"] = new { type = "api", via = "customer" },
            ["cc"] = Array.Empty<string>(),
            ["bcc"] = Array.Empty<string>(),
            ["customer"] = Person(customer),
            ["customFields"] = Array.Empty<object>(),
        };
        var embedded = new Dictionary<string, object>();
        if (embed.Contains("threads"))
        {
            embedded["threads"] = conversation.Threads.Select(Thread).ToArray();
        }

        if (embed.Contains("timelogs"))
        {
            embedded["timelogs"] = Array.Empty<object>();
        }

        if (embed.Contains("tags"))
        {
            embedded["tags"] = conversation.Tags.Select(tag => new { id = store.TagId(tag), name = tag }).ToArray();
        }

        if (embedded.Count > 0)
        {
            json["_embedded"] = embedded;
        }

        return json;
    }

    public static object Customer(SandboxCustomer customer) =>
        new
        {
            id = customer.Id,
            firstName = customer.FirstName,
            lastName = customer.LastName,
            company = (string?)null,
            photoUrl = (string?)null,
            createdAt = Date(customer.CreatedAt),
            updatedAt = Date(customer.CreatedAt),
            _embedded = new
            {
                emails = customer.Email is null
                    ? []
                    : new[]
                    {
                        new
                        {
                            id = customer.Id,
                            value = customer.Email,
                            type = "home",
                        },
                    },
            },
        };

    public static object User(SandboxUser user) =>
        new
        {
            id = user.Id,
            firstName = user.FirstName,
            lastName = user.LastName,
            email = user.Email,
            role = user.Role,
            timezone = "UTC",
            language = "en",
            createdAt = "2020-08-09T10:09:00Z",
            updatedAt = "2020-08-09T10:09:00Z",
        };

    // Dashes in the time, as in the documentation's mailbox examples; clients must accept them.
    public static object Mailbox(SandboxMailbox mailbox) =>
        new
        {
            id = mailbox.Id,
            name = mailbox.Name,
            email = mailbox.Email,
            createdAt = "2020-08-09T10-09-00Z",
            updatedAt = "2020-08-09T10-09-00Z",
        };

    public IEnumerable<object> Folders(int mailbox)
    {
        var inside = store.Conversations.Where(conversation => conversation.MailboxId == mailbox).ToLookup(Folder);
        return new[]
        {
            (1, "Unassigned"),
            (20, "Mine"),
            (25, "Starred"),
            (30, "Drafts"),
            (40, "Assigned"),
            (60, "Closed"),
            (80, "Spam"),
            (110, "Deleted"),
        }.Select(folder =>
            (object)
                new
                {
                    id = FolderId(mailbox, folder.Item1),
                    name = folder.Item2,
                    type = folder.Item1,
                    userId = (int?)null,
                    totalCount = inside[folder.Item1].Count(),
                    activeCount = inside[folder.Item1].Count(conversation => conversation.Status == "active"),
                    meta = (object?)null,
                }
        );
    }

    public static object Webhook(SandboxWebhook hook) =>
        new
        {
            id = hook.Id,
            url = hook.Url.OriginalString,
            events = hook.Events,
            mailboxes = hook.Mailboxes,
            lastRunTime = Date(hook.LastRunTime),
            lastRunError = hook.LastRunError,
        };

    public static string? Date(DateTimeOffset? date) =>
        date?.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private object Thread(SandboxThread thread) =>
        new
        {
            id = thread.Id,
            type = thread.Type,
            status = thread.Status ?? "active",
            state = "published",
            action = thread.Action is null
                ? null
                : new
                {
                    type = thread.Action,
                    text = "",
                    associatedEntities = Array.Empty<object>(),
                },
            body = thread.Body,
            source = new { type = "api", via = thread.UserId is null ? "customer" : "user" },
            customer = thread.CustomerId is { } customer ? Person(store.FindCustomer(customer)) : null,
            createdBy = thread.UserId is { } user
                ? Person(FreeScoutSeed.FindUser(user))
                : Person(store.FindCustomer(thread.CustomerId ?? 0)),
            assignedTo = thread.AssignedTo is { } assignee ? Person(FreeScoutSeed.FindUser(assignee)) : null,
            to = Array.Empty<string>(),
            cc = Array.Empty<string>(),
            bcc = Array.Empty<string>(),
            createdAt = Date(thread.CreatedAt),
            openedAt = (string?)null,
            _embedded = new { attachments = Array.Empty<object>() },
        };

    private static object? Person(SandboxUser? user) =>
        user is null
            ? null
            : new
            {
                id = user.Id,
                type = "user",
                firstName = user.FirstName,
                lastName = user.LastName,
                photoUrl = (string?)null,
                email = user.Email,
            };

    private static object? Person(SandboxCustomer? customer) =>
        customer is null
            ? null
            : new
            {
                id = customer.Id,
                type = "customer",
                firstName = customer.FirstName,
                lastName = customer.LastName,
                photoUrl = (string?)null,
                email = customer.Email,
            };

    private static int Folder(SandboxConversation conversation) =>
        conversation switch
        {
            { State: "deleted" } => 110,
            { Status: "closed" } => 60,
            { Status: "spam" } => 80,
            { AssignedTo: not null } => 40,
            _ => 1,
        };

    private static int FolderId(int mailbox, int type) => (mailbox * 1000) + type;

    private static string Preview(SandboxConversation conversation)
    {
        var body = conversation.Threads.FirstOrDefault(thread => thread.Type != "lineitem")?.Body ?? "";
        var text = System
            .Net.WebUtility.HtmlDecode(
                System.Text.RegularExpressions.Regex.Replace(
                    body,
                    "<[^>]*>",
                    " ",
                    System.Text.RegularExpressions.RegexOptions.None,
                    TimeSpan.FromSeconds(1)
                )
            )
            .Trim();
        return text.Length > PreviewLength ? text[..PreviewLength] : text;
    }
}
