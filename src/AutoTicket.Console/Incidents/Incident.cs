using System.Text.Json.Serialization;
using AutoTicket.Alerts;
using AutoTicket.FreeScout;
using AutoTicket.Surfaces;

namespace AutoTicket.Incidents;

/// <summary>One row of the list of incidents. An incident is one episode of an alert, whoever sent it.</summary>
/// <param name="Key">Names this episode for good; see <see cref="IncidentKey"/>.</param>
/// <param name="Title"><c>Payments API is down</c>, or the name of the alert.</param>
/// <param name="Surface">The surface's key; senders choose it freely.</param>
/// <param name="SurfaceName">Null when there is no such surface in the configuration.</param>
/// <param name="OpenedAt">When the console first observed the alert.</param>
/// <param name="Ticket">The newest ticket of the incident; null when it has none.</param>
public sealed record IncidentSummary(
    long Row,
    string Key,
    string AlertKey,
    string Title,
    string Summary,
    string Name,
    string Source,
    string? Surface,
    string? SurfaceName,
    string? Group,
    Severity Severity,
    AlertStatus Status,
    DateTimeOffset OpenedAt,
    DateTimeOffset? EndedAt,
    int Reopened,
    IncidentTicket? Ticket
)
{
    public string Path => $"/console/incidents/{Key}";

    public bool IsOpen => Status == AlertStatus.Firing;
}

/// <param name="Id">FreeScout's conversation; null until it is known.</param>
/// <param name="Url">Null until the conversation is known.</param>
/// <param name="FiledAt">When it was posted to FreeScout.</param>
/// <param name="ResolvedBy">Who closed it; null when it is open or FreeScout names nobody.</param>
public sealed record IncidentTicket(
    long? Id,
    long? Number,
    string? Url,
    [property: JsonPropertyName("open")] bool IsOpen,
    string FiledBy,
    DateTimeOffset FiledAt,
    DateTimeOffset? ClosedAt,
    string? ResolvedBy
);

/// <summary>One page of the list.</summary>
/// <param name="HasOlder">There are older ones.</param>
public sealed record IncidentList(IReadOnlyList<IncidentSummary> Incidents, bool HasOlder);

/// <summary>Everything about one incident, derived from the stored rows and from FreeScout.</summary>
/// <param name="BeganAt">The first bad reading, or the time that the sender names; else when the alert was opened.</param>
/// <param name="Tickets">Newest first.</param>
/// <param name="Timeline">Oldest first.</param>
/// <param name="Earlier">Earlier incidents of the same alert, newest first.</param>
/// <param name="FreeScoutProblem">Why the timeline lacks what only FreeScout knows, in one sentence; null when it lacks nothing.</param>
public sealed record Incident(
    IncidentSummary Summary,
    DateTimeOffset BeganAt,
    IReadOnlyList<IncidentTicket> Tickets,
    IReadOnlyList<IncidentFigure> Figures,
    IReadOnlyList<IncidentEntry> Timeline,
    IReadOnlyList<IncidentSummary> Earlier,
    string? FreeScoutProblem
)
{
    /// <summary>Something may still happen: the alert fires, or a ticket is open.</summary>
    public bool IsLive => Summary.IsOpen || Tickets.Any(ticket => ticket.IsOpen);

    /// <param name="activity">What FreeScout says about the tickets; null: it was not asked yet.</param>
    internal static Incident Of(IncidentRows rows, TicketActivity? activity)
    {
        var timeline = IncidentTimeline.Of(rows, activity ?? TicketActivity.None);
        var figures = IncidentFigures.Of(rows, timeline);
        return new(
            rows.Summary,
            IncidentFigures.BeganAt(rows, timeline),
            [.. rows.Tickets.Reverse().Select(rows.TicketOf)],
            figures,
            timeline,
            rows.Earlier,
            activity?.Problem
        );
    }
}

/// <summary>What FreeScout alone knows about the tickets of an incident.</summary>
/// <param name="Threads">By conversation. A conversation that FreeScout did not show is missing.</param>
/// <param name="ConsoleUser">The agent on whose behalf the console writes; not a person.</param>
/// <param name="Problem">Why something is missing, in one sentence; null when nothing is.</param>
internal sealed record TicketActivity(
    IReadOnlyDictionary<long, IReadOnlyList<ConversationThread>> Threads,
    long? ConsoleUser,
    string? Problem
)
{
    public static readonly TicketActivity None = new(new Dictionary<long, IReadOnlyList<ConversationThread>>(), null, null);
}
