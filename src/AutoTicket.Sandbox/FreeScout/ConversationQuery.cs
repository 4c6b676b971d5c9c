using System.Globalization;

namespace AutoTicket.Sandbox;

/// <summary>Filters and sorts <c>GET /api/conversations</c>, including the gaps that break clients.</summary>
internal static class ConversationQuery
{
    private static readonly string[] Statuses = ["active", "pending", "closed", "spam"];
    private static readonly string[] States = ["draft", "published", "deleted"];

    public static IEnumerable<SandboxConversation> Select(RecordedRequest request, FreeScoutStore store, FreeScoutBehavior behavior)
    {
        var (mailboxes, statuses, states) = (
            List(request, "mailboxId"),
            Known(request, "status", Statuses),
            Known(request, "state", States)
        );
        var (tag, subject, email) = (request.Query("tag"), request.Query("subject"), request.Query("customerEmail"));
        var (number, created, updated) = (request.Query("number"), Date(request, "createdSince"), Date(request, "updatedSince"));
        var shown = store.Now - behavior.ListLag;
        var customer = email is null
            ? null
            : store.Customers.FirstOrDefault(known => email.Equals(known.Email, StringComparison.OrdinalIgnoreCase));

        var found = store.Conversations.Where(row =>
            row.CreatedAt <= shown
            && (mailboxes.Length == 0 || mailboxes.Contains($"{row.MailboxId}") || !behavior.KnowsFilters)
            && (statuses.Length == 0 || statuses.Contains(row.Status) || (statuses.Length > 1 && !behavior.KnowsFilters))
            && (states.Length == 0 || states.Contains(row.State) || !behavior.KnowsFilters)
            && (tag is null || !behavior.KnowsFilters || row.Tags.Any(known => FreeScoutStore.SameTag(known, tag)))
            && (subject is null || row.Subject.Contains(subject, StringComparison.OrdinalIgnoreCase))
            && (email is null || row.CustomerId == customer?.Id)
            && (number is null || number == $"{row.Number}")
            && (created is null || row.CreatedAt >= created)
            && (updated is null || row.UpdatedAt >= updated)
        );
        return Sort(found, request);
    }

    private static IEnumerable<SandboxConversation> Sort(IEnumerable<SandboxConversation> rows, RecordedRequest request)
    {
        Func<SandboxConversation, IComparable> key = request.Query("sortField") switch
        {
            "mailboxId" => row => row.MailboxId,
            "number" => row => row.Number,
            "subject" => row => row.Subject,
            "updatedAt" => row => row.UpdatedAt,
            _ => row => row.CreatedAt,
        };
        return request.Query("sortOrder") == "asc"
            ? rows.OrderBy(key).ThenBy(row => row.Id)
            : rows.OrderByDescending(key).ThenByDescending(row => row.Id);
    }

    // FreeScout ignores unknown names, and the whole filter when no name is left.
    private static string[] Known(RecordedRequest request, string name, string[] names) => [.. List(request, name).Intersect(names)];

    private static string[] List(RecordedRequest request, string name) =>
        request.Query(name)?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? [];

    private static DateTimeOffset? Date(RecordedRequest request, string name) =>
        DateTimeOffset.TryParse(request.Query(name), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var date)
            ? date
            : null;
}
