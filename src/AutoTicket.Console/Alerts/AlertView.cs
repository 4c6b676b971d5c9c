using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Serialization;
using AutoTicket.Surfaces;

namespace AutoTicket.Alerts;

/// <summary>An episode with its ticket, its DM and its decisions, as pages and the API show it.</summary>
/// <param name="Row">The id of the episode; a newer one has a larger id.</param>
/// <param name="Since">When it began.</param>
/// <param name="DmSentAt">When the DM was sent; null when none was.</param>
/// <param name="Decisions">Why there is a ticket and a DM, or none; newest last.</param>
/// <param name="IsUnstable">Its producer sends a new id each time.</param>
public sealed record AlertView(
    long Row,
    string AlertId,
    string AlertKey,
    string Source,
    string Name,
    string? Surface,
    Severity Severity,
    AlertStatus Status,
    DateTimeOffset Since,
    DateTimeOffset? EndedAt,
    string Summary,
    string? Url,
    int Reopened,
    bool IsUnstable,
    AlertTicket? Ticket,
    DateTimeOffset? DmSentAt,
    IReadOnlyList<AlertDecision> Decisions
)
{
    /// <summary>What happened, in a few words: the <see cref="Name"/>, or <c>Checkout is down</c> for an outage of a surface.</summary>
    [AllowNull]
    public string Title
    {
        get => field ?? Name;
        init;
    }

    /// <summary>Names this episode's incident: <c>/console/incidents/{incident_key}</c>.</summary>
    public string IncidentKey => new IncidentKey(AlertKey, Row).ToString();

    /// <summary>Why nothing is filed or sent for it now; null: it is not muted, or not active.</summary>
    public AlertMute? Mute { get; init; }

    /// <summary>It is severe enough for a ticket and a DM.</summary>
    [JsonIgnore]
    public bool ReachesHooks { get; init; }

    /// <summary>The DM and the ticket in one sentence (step 4 of the runbook's chain).</summary>
    public string Verdict => AlertVerdict.Of(this);
}

/// <param name="Path">What decided: <c>ticket</c>, <c>slack</c>, <c>click</c> or <c>intake</c>.</param>
/// <param name="Count">How often this decision was made between <paramref name="FirstAt"/> and <paramref name="LastAt"/>.</param>
public sealed record AlertDecision(
    string Path,
    string Word,
    string? Detail,
    string? Actor,
    int Count,
    DateTimeOffset FirstAt,
    DateTimeOffset LastAt,
    long? TicketNumber,
    string? TicketUrl
);

/// <summary>An episode with the fields that a list leaves out.</summary>
/// <param name="Members">The ids or labels under which it was reported.</param>
public sealed record AlertDetails(AlertView Episode, string FullText, string Labels, IReadOnlyList<string> Members);
