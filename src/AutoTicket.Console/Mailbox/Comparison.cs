using AutoTicket.Audit;
using AutoTicket.FreeScout;
using AutoTicket.Tickets;

namespace AutoTicket.Mailbox;

/// <summary>A filing of the books: a row of <c>tickets</c>, or of the audit log alone.</summary>
/// <param name="Row">Null: only the audit log tells of it.</param>
internal sealed record Filing(long ConversationId, long? Number, string Subject, Ticket? Row);

/// <summary>A difference as it was seen in one comparison.</summary>
internal sealed record Difference(FindingKind Kind, long ConversationId, long? Number, string Subject, string Detail);

/// <summary>Judges a ticket of the books by what FreeScout holds, and one of FreeScout's by the books. Asks and changes nothing.</summary>
internal static class Comparison
{
    /// <param name="found">What FreeScout has under the filing's id; null: it has nothing.</param>
    public static IEnumerable<Difference> Of(Filing filing, Conversation? found, long? mailbox)
    {
        Difference Is(FindingKind kind, string detail) =>
            new(kind, filing.ConversationId, found?.Number ?? filing.Number, filing.Subject, detail);

        if (found is null)
        {
            yield return Is(FindingKind.Ghost, "It was filed, and FreeScout has no such ticket (404): it was deleted for good, or lost.");
            yield break;
        }

        if (found.State == "deleted")
        {
            yield return found.IsMerged
                ? Is(
                    FindingKind.Merged,
                    "Somebody merged it into another ticket. For the console it is closed: what degrades again gets a fresh ticket."
                )
                : Is(
                    FindingKind.Deleted,
                    "It lies in FreeScout's folder of deleted tickets. For the console it is closed: what degrades again gets a fresh ticket."
                );
        }

        if (!found.IsOpen || filing.Row is not { } row)
        {
            yield break;
        }

        if (found.MailboxId is { } elsewhere && elsewhere != mailbox)
        {
            yield return Is(FindingKind.Moved, $"It is open in mailbox {elsewhere}, and no longer in the operations mailbox ({mailbox}).");
        }

        if (!row.TagsPending && MissingTags(row, found) is { Count: > 0 } missing)
        {
            yield return Is(FindingKind.TagsGone, $"It lost {string.Join(" and ", missing)}.");
        }

        if (row.State == TicketState.Closed || row.ReopenedAt is not null)
        {
            yield return Is(
                FindingKind.Reopened,
                $"It was closed{(row.ResolvedBy is { } who ? $" by {who}" : "")}, and is open again: a click finds it, and an alert needs no other."
            );
        }
    }

    /// <summary>Open tickets about the same that the console filed within one window of each other: all but the first of each. What people make by
    /// hand is theirs.</summary>
    public static IEnumerable<Difference> Duplicates(IEnumerable<Ticket> open, TimeSpan window) =>
        from its in open.Where(ticket => ticket.AuditAction != AuditActions.TicketReconciled).GroupBy(ticket => ticket.DedupKey)
        let sorted = its.OrderBy(ticket => ticket.PostedAt).ThenBy(ticket => ticket.ConversationId).ToList()
        from pair in sorted.Zip(sorted.Skip(1))
        where FilingRules.IsInWindow(pair.First.PostedAt, pair.Second.PostedAt, window)
        select new Difference(
            FindingKind.Duplicate,
            pair.Second.ConversationId!.Value,
            pair.Second.Number,
            pair.Second.Subject,
            $"It is about the same as ticket {TicketNumber.Of(pair.First.Number)}, and both are open. Close one of them."
        );

    /// <summary>The tags by which a ticket is found. The one of the severity is an ornament: who takes it away is left alone.</summary>
    public static IReadOnlyList<string> MissingTags(Ticket row, Conversation found) =>
        [
            .. TicketDraft
                .TagsOf(row.Tag, row.Severity, row.SurfaceKey)
                .Where(tag => !tag.StartsWith(TicketDraft.SeverityTag, StringComparison.Ordinal))
                .Except(found.Tags, StringComparer.OrdinalIgnoreCase),
        ];

    /// <summary>The one surface that the tags name; null: none, or several.</summary>
    public static string? SurfaceIn(IEnumerable<string> tags) =>
        tags.Where(tag => tag.StartsWith(TicketDraft.SurfaceTag, StringComparison.OrdinalIgnoreCase))
            .Select(tag => tag[TicketDraft.SurfaceTag.Length..].ToLowerInvariant())
            .Distinct()
            .ToList()
            is [var only]
            ? only
            : null;
}
