using System.Text.Json;

namespace AutoTicket.FreeScout;

/// <summary>What one thread of a conversation says that somebody did, and when. Never its text.</summary>
internal enum ThreadKind
{
    /// <summary>A reply of an agent, which goes to the customer.</summary>
    Reply,

    /// <summary>A note, which only agents see.</summary>
    Note,

    /// <summary>A message of the customer. The first one is the ticket's own text.</summary>
    Customer,

    /// <summary>It was assigned to <see cref="ConversationThread.AssignedTo"/>.</summary>
    Assigned,

    /// <summary>Its status became <see cref="ConversationThread.Status"/>.</summary>
    StatusChanged,
}

/// <param name="CreatedAt">To the second, as FreeScout stores it.</param>
/// <param name="UserId">The agent who did it; null: not an agent.</param>
/// <param name="By">The agent's name; null: FreeScout names none.</param>
/// <param name="AssignedTo">The agent's name; null: nobody, or FreeScout does not say.</param>
internal sealed record ConversationThread(
    long Id,
    ThreadKind Kind,
    DateTimeOffset CreatedAt,
    long? UserId,
    string? By,
    string? AssignedTo,
    string? Status
)
{
    /// <summary>The text without HTML; empty for a line item.</summary>
    public string Text { get; init; } = "";

    /// <returns>Null: it is of another kind, or has no readable time.</returns>
    public static ConversationThread? Read(JsonElement thread)
    {
        if (KindOf(thread) is not { } kind || LenientDate.Parse(thread.Text("createdAt")) is not { } at)
        {
            return null;
        }

        var author = Member(thread, "createdBy");
        var isUser = author.Text("type") is not "customer";
        return new(
            Member(thread, "id") is { ValueKind: JsonValueKind.Number } number && number.TryGetInt64(out var id) ? id : 0,
            kind,
            at,
            isUser && Member(author, "id") is { ValueKind: JsonValueKind.Number } user && user.TryGetInt64(out var userId) ? userId : null,
            isUser ? Conversation.NameOf(author) : null,
            Conversation.NameOf(Member(thread, "assignedTo")),
            thread.Text("status")
        )
        {
            Text = Conversation.TextOf(thread.Text("body") ?? ""),
        };
    }

    private static ThreadKind? KindOf(JsonElement thread) =>
        (thread.Text("type"), Member(thread, "action").Text("type")) switch
        {
            ("message", _) => ThreadKind.Reply,
            ("note", _) => ThreadKind.Note,
            ("customer", _) => ThreadKind.Customer,
            ("lineitem", "changed-ticket-assignee") => ThreadKind.Assigned,
            ("lineitem", "changed-ticket-status") => ThreadKind.StatusChanged,
            _ => null,
        };

    private static JsonElement Member(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var member) ? member : default;
}
