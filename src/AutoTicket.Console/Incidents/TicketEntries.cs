using AutoTicket.Audit;
using AutoTicket.FreeScout;
using AutoTicket.Mailbox;
using AutoTicket.Tickets;

namespace AutoTicket.Incidents;

/// <summary>The entries of an incident's tickets: from the claim to the end, with what FreeScout knows about people.</summary>
internal static class TicketEntries
{
    /// <summary>FreeScout, the audit log and the row of a ticket may tell the same closing within this time.</summary>
    private static readonly TimeSpan SameClosing = TimeSpan.FromMinutes(2);

    public static IEnumerable<IncidentEntry> Of(IncidentRows rows, TicketActivity activity, DateTimeOffset beganAt) =>
        rows
            .Tickets.SelectMany(ticket =>
            {
                var threads = ticket.ConversationId is { } id ? activity.Threads.GetValueOrDefault(id, []) : [];
                return FilingEntries(rows, ticket, beganAt)
                    .Concat(PeopleEntries(rows, ticket, threads, activity.ConsoleUser, beganAt))
                    .Concat(EndEntries(rows, ticket, threads, activity.ConsoleUser, beganAt));
            })
            .Concat(FindingEntries(rows, beganAt));

    private static IEnumerable<IncidentEntry> FilingEntries(IncidentRows rows, Ticket ticket, DateTimeOffset beganAt)
    {
        var its = rows.TicketOf(ticket);
        var name = $"Ticket {TicketNumber.Of(ticket.Number)}";
        if (ticket.PostedAt < beganAt)
        {
            // Usually the decision to file no new one says so.
            if (!rows.Decisions.Any(decision => decision.Word == Alerts.DecisionWord.AlreadyOpen && decision.TicketUrl == its.Url))
            {
                yield return new(
                    rows.Alert.OpenedAt,
                    IncidentEntryKind.TicketReused,
                    $"{name} was open already",
                    $"Filed {UtcTime.Stamp(ticket.PostedAt)}.",
                    Url: its.Url
                );
            }

            yield break;
        }

        // FreeScout had it, and the console had no row of it.
        var wasUnknown =
            ticket.AuditAction == AuditActions.TicketReconciled
            || rows.Audit.Any(entry =>
                entry.Action == AuditActions.TicketReconciled
                && entry.Value("repair") == Reconciler.Adopted
                && entry.Value("conversation_id") == $"{ticket.ConversationId}"
            );
        var isAdopted =
            wasUnknown
            || rows.Audit.Any(entry =>
                entry.CreatedAt == ticket.ConfirmedAt
                && entry.Action is AuditActions.AlertTicketFiled or AuditActions.InvestigateFiled
                && entry.Value("adopted") == "true"
            );
        yield return new(
            ticket.PostedAt,
            IncidentEntryKind.TicketClaimed,
            wasUnknown ? $"{name} created in FreeScout"
                : ticket.RepostedAt is null ? "Ticket claimed"
                : "Ticket posted again: FreeScout did not have the first post",
            // The adoption is no act of a person.
            By: isAdopted ? PersonOf(ticket) : null
        );
        if (ticket.ConfirmedAt is not { } confirmedAt)
        {
            yield break;
        }

        yield return isAdopted
            ? new(
                confirmedAt,
                IncidentEntryKind.TicketAdopted,
                $"{name} adopted",
                wasUnknown ? "The console did not know it." : "FreeScout's answer was lost, and a look-up found the ticket.",
                Url: its.Url
            )
            : new(confirmedAt, IncidentEntryKind.TicketFiled, $"{name} filed", By: PersonOf(ticket), Url: its.Url);
    }

    /// <summary>What people did on the ticket, by FreeScout.</summary>
    private static IEnumerable<IncidentEntry> PeopleEntries(
        IncidentRows rows,
        Ticket ticket,
        IReadOnlyList<ConversationThread> threads,
        long? consoleUser,
        DateTimeOffset beganAt
    )
    {
        var url = rows.TicketOf(ticket).Url;
        foreach (var thread in threads)
        {
            var at = TimeOf(thread, ticket);
            if (at < beganAt || at >= rows.NextOpenedAt || thread.UserId is null)
            {
                continue;
            }

            var by = thread.By ?? "an agent";
            var isPerson = thread.UserId != consoleUser;
            var entry = thread.Kind switch
            {
                ThreadKind.Assigned when thread.AssignedTo is { } assignee => new IncidentEntry(
                    at,
                    IncidentEntryKind.Assigned,
                    $"Assigned to {assignee}",
                    By: isPerson ? by : assignee
                ),
                ThreadKind.Assigned => new IncidentEntry(at, IncidentEntryKind.Assigned, "Assignee changed", By: isPerson ? by : null),
                ThreadKind.Reply => new IncidentEntry(at, IncidentEntryKind.Replied, "Reply", By: by),
                ThreadKind.Note when isPerson => new IncidentEntry(at, IncidentEntryKind.NoteByPerson, "Note", By: by),
                ThreadKind.StatusChanged when thread.Status == "pending" => new IncidentEntry(
                    at,
                    IncidentEntryKind.StatusChanged,
                    "Ticket set to pending",
                    By: isPerson ? by : null
                ),
                _ => null,
            };
            if (entry is not null)
            {
                yield return entry with
                {
                    Url = url,
                };
            }
        }
    }

    /// <summary>Each closing of the ticket once, and each reopening.</summary>
    private static IEnumerable<IncidentEntry> EndEntries(
        IncidentRows rows,
        Ticket ticket,
        IReadOnlyList<ConversationThread> threads,
        long? consoleUser,
        DateTimeOffset beganAt
    )
    {
        var url = rows.TicketOf(ticket).Url;
        var name = $"Ticket {TicketNumber.Of(ticket.Number)}";
        // Of several accounts of one closing, the first gives the time and the last the name: only the console knows its operator.
        var accounts = new List<(DateTimeOffset At, string? By)>();
        var reopenings = new List<(DateTimeOffset At, string? By)>();
        var isClosed = false;
        foreach (var thread in threads.Where(thread => thread.Kind == ThreadKind.StatusChanged))
        {
            var person = thread.UserId is null || thread.UserId == consoleUser ? null : thread.By;
            if (thread.Status is "closed" or "spam")
            {
                accounts.Add((TimeOf(thread, ticket), person));
            }
            else if (isClosed)
            {
                reopenings.Add((TimeOf(thread, ticket), person));
            }

            isClosed = thread.Status is "closed" or "spam";
        }

        accounts.AddRange(
            rows.Audit.Where(entry =>
                    entry.Action == AuditActions.TicketResolved && entry.Value("conversation_id") == $"{ticket.ConversationId}"
                )
                .Select(entry => (entry.CreatedAt, (string?)entry.Actor))
        );
        if (ticket.ClosedAt is { } closedAt)
        {
            accounts.Add((closedAt, ticket.ResolvedBy));
        }

        if (reopenings.Count == 0 && ticket.ReopenedAt is { } reopenedAt)
        {
            reopenings.Add((reopenedAt, null));
        }

        IncidentEntry? last = null;
        var lastAccountAt = DateTimeOffset.MinValue;
        foreach (var (at, by) in accounts.OrderBy(account => account.At))
        {
            var isSame =
                last is not null && at - lastAccountAt < SameClosing && !reopenings.Exists(again => again.At > last.At && again.At < at);
            if (!isSame && last is not null && last.At >= beganAt)
            {
                yield return last;
            }

            last = isSame
                ? last! with
                {
                    By = by ?? last.By,
                }
                : new(at, IncidentEntryKind.TicketResolved, $"{name} resolved", By: by, Url: url);
            lastAccountAt = at;
        }

        if (last is not null && last.At >= beganAt)
        {
            yield return last;
        }

        foreach (var (at, by) in reopenings.Where(again => again.At >= beganAt))
        {
            yield return new(at, IncidentEntryKind.TicketReopened, $"{name} reopened", By: by, Url: url);
        }
    }

    private static IEnumerable<IncidentEntry> FindingEntries(IncidentRows rows, DateTimeOffset beganAt) =>
        from finding in rows.Findings
        // Other entries tell of a reopened ticket and of a lost answer.
        where finding.Kind is not (FindingKind.Reopened or FindingKind.Unconfirmed) && finding.FirstSeenAt >= beganAt
        select new IncidentEntry(
            finding.FirstSeenAt,
            IncidentEntryKind.Finding,
            "Difference between the console and FreeScout",
            finding.Detail,
            Url: rows.TicketUrl(finding.ConversationId)
        );

    /// <summary>FreeScout stores whole seconds: what happened in the second of the filing came after it.</summary>
    private static DateTimeOffset TimeOf(ConversationThread thread, Ticket ticket) =>
        ticket.ConfirmedAt is { } filed && thread.CreatedAt < filed && filed - thread.CreatedAt < TimeSpan.FromSeconds(1)
            ? filed
            : thread.CreatedAt;

    private static string? PersonOf(Ticket ticket) =>
        ticket.FiledBy is FloodBreaker.Actor or Reconciler.NobodyKnown
        || ticket.FiledBy.StartsWith(FloodBudget.FiledByAlert, StringComparison.Ordinal)
            ? null
            : ticket.FiledBy;
}
