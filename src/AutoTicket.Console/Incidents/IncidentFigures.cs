using AutoTicket.Alerts;

namespace AutoTicket.Incidents;

/// <summary>How long after the beginning something happened.</summary>
/// <param name="Key">In the API: <c>detect</c>.</param>
/// <param name="Name">On the page: <c>Detected</c>.</param>
/// <param name="After">Null: it did not happen, or it is not known when.</param>
/// <param name="IsPending">It did not happen yet, but may.</param>
public sealed record IncidentFigure(string Key, string Name, TimeSpan? After, bool IsPending)
{
    /// <summary><c>12 min</c>, <c>not yet</c> or <c>–</c>.</summary>
    public string Text =>
        After is { } after ? UtcTime.Age(after)
        : IsPending ? "not yet"
        : "–";
}

/// <summary>The figures of an incident: how long after its beginning each step happened. Pure.</summary>
internal static class IncidentFigures
{
    public const string Detect = "detect";
    public const string Notify = "notify";
    public const string Ticket = "ticket";
    public const string Person = "person";
    public const string Recover = "recover";
    public const string Resolve = "resolve";

    /// <summary>The first bad reading, or the time that the sender names; else when the alert was opened.</summary>
    public static DateTimeOffset BeganAt(IncidentRows rows, IReadOnlyList<IncidentEntry> timeline) =>
        timeline
            .FirstOrDefault(entry =>
                entry.Kind is IncidentEntryKind.FirstBadReading or IncidentEntryKind.Confirmed or IncidentEntryKind.Began
            )
            ?.At
            is { } at
        && at < rows.Alert.OpenedAt
            ? at
            : rows.Alert.OpenedAt;

    public static IReadOnlyList<IncidentFigure> Of(IncidentRows rows, IReadOnlyList<IncidentEntry> timeline)
    {
        var alert = rows.Alert;
        var beganAt = BeganAt(rows, timeline);
        var isWanted = !rows.Decisions.Any(decision => decision.Word == DecisionWord.BelowSeverity);
        var hasOpenTicket = rows.Tickets.Any(ticket => ticket.State != Tickets.TicketState.Closed);
        return
        [
            // Without an earlier time, nobody knows how long it took.
            Figure(Detect, "Detected", beganAt < alert.OpenedAt ? alert.OpenedAt : null, false),
            Figure(Notify, "DM sent", First(IncidentEntryKind.DmSent), alert.IsFiring && isWanted),
            Figure(Ticket, "Ticket", timeline.Select(TicketAt).Min(), alert.IsFiring && isWanted && !alert.HasNoTicket),
            Figure(Person, "First response", timeline.FirstOrDefault(entry => entry.IsAcknowledgment)?.At, alert.IsFiring || hasOpenTicket),
            Figure(Recover, "Recovered", alert.Status == AlertStatus.Resolved ? alert.EndedAt : null, alert.IsFiring),
            Figure(
                Resolve,
                "Ticket resolved",
                hasOpenTicket ? null : timeline.LastOrDefault(entry => entry.Kind == IncidentEntryKind.TicketResolved)?.At,
                hasOpenTicket || (alert.IsFiring && isWanted && !alert.HasNoTicket)
            ),
        ];

        DateTimeOffset? First(IncidentEntryKind kind) => timeline.FirstOrDefault(entry => entry.Kind == kind)?.At;

        // People see a ticket in FreeScout long before the console adopts it.
        DateTimeOffset? TicketAt(IncidentEntry entry) =>
            entry.Kind switch
            {
                IncidentEntryKind.TicketFiled or IncidentEntryKind.TicketReused => entry.At,
                IncidentEntryKind.TicketAdopted => rows.Tickets.FirstOrDefault(ticket => rows.TicketOf(ticket).Url == entry.Url)?.PostedAt
                    ?? entry.At,
                _ => null,
            };

        IncidentFigure Figure(string key, string name, DateTimeOffset? at, bool isPending) =>
            new(key, name, at is { } known ? (known > beganAt ? known - beganAt : TimeSpan.Zero) : null, isPending);
    }
}
