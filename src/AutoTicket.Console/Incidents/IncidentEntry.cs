using System.Text.Json.Serialization;

namespace AutoTicket.Incidents;

/// <summary>What an entry of the timeline is about. Entries of the same time are shown in this order.</summary>
public enum IncidentEntryKind
{
    FirstBadReading,

    /// <summary>Enough readings confirmed that the surface is down or degraded, or changed from one to the other.</summary>
    Confirmed,

    /// <summary>The beginning, as the sender says.</summary>
    Began,
    Opened,

    /// <summary>The feature flags in force when the alert was opened.</summary>
    Flags,

    /// <summary>A decision for or against a ticket or a DM that has no entry of its own.</summary>
    Decision,
    TicketClaimed,

    /// <summary>An operator clicked Investigate.</summary>
    Investigated,
    TicketFiled,

    /// <summary>FreeScout's answer was lost, and a look-up found the ticket.</summary>
    TicketAdopted,

    /// <summary>A ticket that was open already serves this incident.</summary>
    TicketReused,
    Recovered,
    Expired,
    DmSent,
    FlagChanged,
    SeverityChanged,

    /// <summary>A maintenance or snooze began, changed or ended.</summary>
    Maintenance,
    Assigned,
    Replied,
    NoteByPerson,
    StatusChanged,
    FiredAgain,

    /// <summary>A difference between the console and FreeScout.</summary>
    Finding,

    /// <summary>The console wrote a note on the ticket.</summary>
    Note,
    TicketResolved,
    TicketReopened,
}

/// <summary>One entry of the timeline.</summary>
/// <param name="Text">One sentence without a period. Text from outside: never markup.</param>
/// <param name="Detail">More about it; text from outside, too.</param>
/// <param name="By">The person who did it; null: the console, a sender or FreeScout did.</param>
/// <param name="Count">How often it happened between <paramref name="At"/> and <paramref name="LastAt"/>.</param>
/// <param name="Url">The ticket that it is about.</param>
public sealed record IncidentEntry(
    DateTimeOffset At,
    IncidentEntryKind Kind,
    string Text,
    string? Detail = null,
    string? By = null,
    int Count = 1,
    DateTimeOffset? LastAt = null,
    string? Url = null
)
{
    /// <summary>The first act of a person: from here on the incident is acknowledged.</summary>
    [JsonPropertyName("acknowledgment")]
    public bool IsAcknowledgment { get; init; }
}
