using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Mailbox;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;

namespace AutoTicket.Incidents;

/// <summary>The stored rows about one incident.</summary>
internal sealed record IncidentRows(Alert Alert, IncidentSummary Summary, Func<long, string> TicketUrl)
{
    /// <summary>The surface's readings up to the opening of the alert, newest first; of a surface's outage only.</summary>
    public IReadOnlyList<SurfaceReading> ReadingsBefore { get; init; } = [];

    /// <summary>The readings after the opening that changed the surface's status, oldest first.</summary>
    public IReadOnlyList<SurfaceReading> StatusChanges { get; init; } = [];

    public IReadOnlyList<AlertDelivery> Deliveries { get; init; } = [];

    public IReadOnlyList<Decision> Decisions { get; init; } = [];

    /// <summary>The alert's tickets that were open at some time of the episode, oldest first.</summary>
    public IReadOnlyList<Ticket> Tickets { get; init; } = [];

    public IReadOnlyList<FindingRow> Findings { get; init; } = [];

    /// <summary>The audit entries about the alert and its tickets, oldest first.</summary>
    public IReadOnlyList<AuditEntry> Audit { get; init; } = [];

    /// <summary>The changes of feature flags up to the end of the episode, oldest first.</summary>
    public IReadOnlyList<AuditEntry> FlagChanges { get; init; } = [];

    /// <summary>The flags that are in force now, by name.</summary>
    public IReadOnlyDictionary<string, bool> FlagsNow { get; init; } = new Dictionary<string, bool>();

    /// <summary>When the alert's next episode was opened; null: this is the newest.</summary>
    public DateTimeOffset? NextOpenedAt { get; init; }

    /// <summary>Earlier incidents of the same alert, newest first.</summary>
    public IReadOnlyList<IncidentSummary> Earlier { get; init; } = [];

    /// <summary>The tickets' conversations that are known, newest first.</summary>
    public IReadOnlyList<long> Conversations => [.. Tickets.Select(ticket => ticket.ConversationId).OfType<long>().Distinct().Reverse()];

    public IncidentTicket TicketOf(Ticket ticket) => TicketOf(ticket, TicketUrl);

    public static IncidentTicket TicketOf(Ticket ticket, Func<long, string> url) =>
        new(
            ticket.ConversationId,
            ticket.Number,
            ticket.ConversationId is { } id ? url(id) : null,
            ticket.State != TicketState.Closed,
            ticket.FiledBy,
            ticket.PostedAt,
            ticket.ClosedAt,
            ticket.ResolvedBy
        );
}
