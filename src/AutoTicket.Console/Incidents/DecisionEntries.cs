using AutoTicket.Alerts;
using AutoTicket.FreeScout;

namespace AutoTicket.Incidents;

/// <summary>The entries of the decisions about an incident. A decision that was repeated is one entry with a count.</summary>
internal static class DecisionEntries
{
    /// <summary>The record of a delivery is written at most this long after the decision.</summary>
    private static readonly TimeSpan AMoment = TimeSpan.FromSeconds(10);

    /// <summary>Words of the ticket hook that say in the timeline what they say in the list of decisions.</summary>
    private static readonly Dictionary<DecisionWord, IncidentEntryKind> TicketWords = new()
    {
        [DecisionWord.Filed] = IncidentEntryKind.TicketFiled,
        [DecisionWord.Adopted] = IncidentEntryKind.TicketAdopted,
        [DecisionWord.AlreadyOpen] = IncidentEntryKind.TicketReused,
        [DecisionWord.SeverityNoted] = IncidentEntryKind.Note,
        [DecisionWord.EndNoted] = IncidentEntryKind.Note,
    };

    public static IEnumerable<IncidentEntry> Of(IncidentRows rows)
    {
        // The rows of these tickets say when they were filed and by whom.
        var known = rows
            .Tickets.Where(ticket => ticket is { ConversationId: not null, ConfirmedAt: not null })
            .Select(ticket => FreeScoutOptions.ConversationPath(ticket.ConversationId!.Value))
            .ToList();
        return rows
            .Decisions.SelectMany(decision => decision.Path == DecisionSources.Slack ? OfSlack(decision, rows) : [OfOther(decision)])
            .OfType<IncidentEntry>()
            .Where(entry =>
                entry.Kind is not (IncidentEntryKind.TicketFiled or IncidentEntryKind.TicketAdopted)
                || !known.Exists(path => entry.Url?.EndsWith(path, StringComparison.Ordinal) == true)
            );
    }

    private static IncidentEntry OfOther(Decision decision) =>
        decision.Path switch
        {
            DecisionSources.Click when decision.Word == DecisionWord.Filed || decision.Word == DecisionWord.Adopted => Entry(
                decision,
                TicketWords[decision.Word],
                decision.Word == DecisionWord.Filed ? "Ticket filed" : "Ticket adopted"
            ),
            DecisionSources.Click => Entry(decision, IncidentEntryKind.Investigated, $"Investigate: {decision.Word}"),
            DecisionSources.Ticket when TicketWords.TryGetValue(decision.Word, out var kind) => Entry(
                decision,
                kind,
                kind switch
                {
                    IncidentEntryKind.TicketFiled => "Ticket filed",
                    IncidentEntryKind.TicketAdopted => "Ticket adopted",
                    IncidentEntryKind.TicketReused => "No new ticket: one is open already",
                    _ when decision.Word == DecisionWord.SeverityNoted => "Severity change noted on the ticket",
                    _ => "End noted on the ticket",
                }
            ),
            DecisionSources.Ticket when IsAboutNote(decision.Word) => Entry(
                decision,
                IncidentEntryKind.Decision,
                $"Note on the ticket: {decision.Word}"
            ),
            DecisionSources.Ticket => Entry(
                decision,
                IncidentEntryKind.Decision,
                $"No ticket: {WithoutPrefix(decision.Word, "no ticket: ")}"
            ),
            DecisionSources.Intake when decision.Word.IsSeverityChange => Entry(
                decision,
                IncidentEntryKind.SeverityChanged,
                $"Severity {WithoutPrefix(decision.Word, "severity ")}"
            ),
            DecisionSources.Intake => Entry(decision, IncidentEntryKind.Decision, $"Intake: {decision.Word}"),
            var path => Entry(decision, IncidentEntryKind.Decision, $"{path}: {decision.Word}"),
        };

    /// <summary>One row counts all messages of one kind. Its first time is the first message; the last one is the end, if the end was
    /// delivered then.</summary>
    private static IEnumerable<IncidentEntry> OfSlack(Decision decision, IncidentRows rows)
    {
        if (decision.Word != DecisionWord.Sent && decision.Word != DecisionWord.InDigest)
        {
            yield return Entry(decision, IncidentEntryKind.Decision, $"No DM: {WithoutPrefix(decision.Word, "no DM: ")}");
            yield break;
        }

        var inDigest = decision.Word == DecisionWord.InDigest ? " in a digest" : "";
        var endedAt = rows.Deliveries.FirstOrDefault(delivery => delivery is { Hook: DecisionSources.Slack, Kind: DeliveryKind.Ended })?.At;
        var isLastOfEnd = endedAt is { } end && rows.Alert.EndedAt <= decision.LastAt && (end - decision.LastAt).Duration() < AMoment;
        if (decision.Count == 1)
        {
            yield return Entry(
                decision,
                IncidentEntryKind.DmSent,
                isLastOfEnd && rows.Alert.OpenedAt < decision.FirstAt && HasEarlierMessage(rows, decision)
                    ? $"DM about the end sent{inDigest}"
                    : $"DM sent{inDigest}"
            );
            yield break;
        }

        var between = decision.Count - 2;
        yield return new(decision.FirstAt, IncidentEntryKind.DmSent, $"DM sent{inDigest}");
        yield return new(
            decision.LastAt,
            IncidentEntryKind.DmSent,
            isLastOfEnd ? $"DM about the end sent{inDigest}" : $"DM sent again{inDigest}",
            between > 0 ? $"{between} more in between." : null
        );
    }

    private static bool HasEarlierMessage(IncidentRows rows, Decision decision) =>
        rows.Decisions.Any(other =>
            other.Path == DecisionSources.Slack
            && (other.Word == DecisionWord.Sent || other.Word == DecisionWord.InDigest)
            && other.FirstAt < decision.FirstAt
        );

    private static bool IsAboutNote(DecisionWord word) =>
        word == DecisionWord.NoteRefused
        || word == DecisionWord.NoNote
        || word == DecisionWord.NoTicket
        || word == DecisionWord.TicketClosed;

    private static string WithoutPrefix(DecisionWord word, string prefix) =>
        word.Text.StartsWith(prefix, StringComparison.Ordinal) ? word.Text[prefix.Length..] : word.Text;

    private static IncidentEntry Entry(Decision decision, IncidentEntryKind kind, string text) =>
        new(
            decision.FirstAt,
            kind,
            text,
            decision.Detail,
            decision.Actor,
            decision.Count,
            decision.LastAt > decision.FirstAt ? decision.LastAt : null,
            decision.TicketUrl
        );
}
