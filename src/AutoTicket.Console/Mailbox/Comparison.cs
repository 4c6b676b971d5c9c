using AutoTicket.Audit;
using AutoTicket.FreeScout;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;

namespace AutoTicket.Mailbox;

/// <summary>A ticket that the console filed, as its row or its audit entry says.</summary>
/// <param name="Row">The row of <c>tickets</c>; null when only the audit log knows the ticket.</param>
internal sealed record Filing(long ConversationId, long? Number, string Subject, Ticket? Row);

/// <summary>A difference that one comparison saw.</summary>
internal sealed record Difference(FindingKind Kind, long ConversationId, long? Number, string Subject, string Detail);

/// <summary>Compares the console's tickets with FreeScout's. Pure.</summary>
internal static class Comparison
{
    /// <param name="found">The filing's conversation in FreeScout; null when FreeScout has none.</param>
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
                    "An agent merged it into another ticket. For the console it is closed: the next problem gets a new ticket."
                )
                : Is(
                    FindingKind.Deleted,
                    "It is in FreeScout's folder of deleted tickets. For the console it is closed: the next problem gets a new ticket."
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
                $"It was closed{(row.ResolvedBy is { } who ? $" by {who}" : "")}, and is open again: "
                    + "a click finds it, and an alert needs no other."
            );
        }
    }

    /// <summary>Open tickets of one key that the console filed within one window: all but the first. Tickets that people made by hand
    /// don't count.</summary>
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

    /// <summary>The missing ones of the tags that find a ticket. The severity's tag is not among them: people may remove it.</summary>
    public static IReadOnlyList<string> MissingTags(Ticket row, Conversation found) =>
        [
            .. TicketDraft
                .TagsOf(row.Tag, row.Severity, row.SurfaceKey)
                .Where(tag => !tag.StartsWith(TicketDraft.SeverityTag, StringComparison.Ordinal))
                .Except(found.Tags, StringComparer.OrdinalIgnoreCase),
        ];

    /// <summary>The one surface that the tags name; null when they name none or several.</summary>
    public static string? SurfaceIn(IEnumerable<string> tags) =>
        tags.Where(tag => tag.StartsWith(TicketDraft.SurfaceTag, StringComparison.OrdinalIgnoreCase))
            .Select(tag => tag[TicketDraft.SurfaceTag.Length..].ToLowerInvariant())
            .Distinct()
            .ToList()
            is [var only]
            ? only
            : null;

    /// <summary>The worst severity that the tags name; null when they name none.</summary>
    public static Severity? SeverityIn(IEnumerable<string> tags) =>
        Enum.GetValues<Severity>()
            .Cast<Severity?>()
            .FirstOrDefault(severity => tags.Contains($"{TicketDraft.SeverityTag}{severity}", StringComparer.OrdinalIgnoreCase));
}
