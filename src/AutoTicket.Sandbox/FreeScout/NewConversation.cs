using System.Text.Json.Nodes;

namespace AutoTicket.Sandbox;

/// <summary>A validation error in FreeScout's format, which reports one at a time.</summary>
internal sealed record ApiError(string Path, string Message)
{
    public Answer ToAnswer() =>
        Answer.Json(
            400,
            new
            {
                message = "Error occurred",
                _embedded = new
                {
                    errors = new[]
                    {
                        new
                        {
                            path = Path,
                            message = Message,
                            source = "JSON",
                        },
                    },
                },
            }
        );
}

/// <summary>A new thread. <see cref="Status"/> is null if the thread's type decides.</summary>
internal sealed record NewThread(string Type, string Body, int? UserId, bool Imported, string? Status)
{
    public static ApiError? Read(JsonNode? node, string path, FreeScoutStore store, out NewThread? thread)
    {
        thread = null;
        if (node is not JsonObject body)
        {
            return new ApiError(path, "Thread must be an object.");
        }

        var (type, user) = (body.Text("type"), body.Number("user"));
        if (type is not ("customer" or "message" or "note"))
        {
            return new ApiError(path + "type", "Thread type is required: customer, message or note.");
        }

        if (body.Text("text") is not { Length: > 0 } text)
        {
            return new ApiError(path + "text", "Thread text is required.");
        }

        // Must be a number; an object is the mistake of freescout-help-desk/freescout issue 4971.
        if (type != "customer" && (user is null || FreeScoutSeed.FindUser(user.Value) is null))
        {
            return new ApiError(path + "user", "User is required for threads of type message and note.");
        }

        thread = new NewThread(type, text, type == "customer" ? null : (int)user!, body.Flag("imported"), body.Text("status"));
        return null;
    }
}

/// <summary>A new conversation, validated in the same order as in FreeScout.</summary>
internal sealed record NewConversation(
    string Type,
    int MailboxId,
    string Subject,
    JsonObject Customer,
    IReadOnlyList<NewThread> Threads,
    string Status,
    bool Imported,
    int? AssignTo
)
{
    private const int SubjectLength = 998;
    private static readonly string[] IdentifyingFields = ["email", "firstName", "phone"];

    public static ApiError? Read(JsonObject body, FreeScoutStore store, out NewConversation? draft)
    {
        draft = null;
        var (type, mailbox, subject) = (body.Text("type"), body.Number("mailboxId"), body.Text("subject"));
        if (type is not ("email" or "phone" or "chat"))
        {
            return new ApiError("type", "Conversation type is required: email, phone or chat.");
        }

        if (mailbox is null)
        {
            return new ApiError("mailboxId", "Mailbox is required.");
        }

        if (store.FindMailbox(mailbox.Value) is null)
        {
            return new ApiError("mailboxId", "Mailbox not found.");
        }

        if (string.IsNullOrWhiteSpace(subject))
        {
            return new ApiError("subject", "Subject is required.");
        }

        if (body["customer"] is not JsonObject customer)
        {
            return new ApiError("customer", "Customer is required.");
        }

        if (
            customer.Number("id") is { } id
                ? store.FindCustomer(id) is null
                : !IdentifyingFields.Any(name => customer.Text(name) is { Length: > 0 })
        )
        {
            return new ApiError("customer.first_name", "Customer first name or email is required.");
        }

        if (body["threads"] is not JsonArray { Count: > 0 } nodes)
        {
            return new ApiError("threads", "At least one thread is required.");
        }

        var threads = new List<NewThread>();
        foreach (var node in nodes)
        {
            if (NewThread.Read(node, $"threads.{threads.Count}.", store, out var thread) is { } error)
            {
                return error;
            }

            threads.Add(thread!);
        }

        var status = body.Text("status");
        if (status is not (null or "active" or "pending" or "closed"))
        {
            return new ApiError("status", "Status must be active, pending or closed.");
        }

        draft = new NewConversation(
            type,
            (int)mailbox,
            Cut(subject),
            customer,
            threads,
            status ?? DefaultStatus(type, threads[^1]),
            body.Flag("imported"),
            (int?)body.Number("assignTo")
        );
        return null;
    }

    private static string Cut(string subject) => subject.Length > SubjectLength ? subject[..SubjectLength] : subject;

    private static string DefaultStatus(string type, NewThread first) => type == "phone" || first.Type == "message" ? "pending" : "active";
}
