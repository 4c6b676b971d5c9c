using System.Text.Json;
using AutoTicket.Surfaces;

namespace AutoTicket.Alerts;

/// <summary>A report about an alert at one moment, from the console's poller or from a producer at the intake. The intake has checked and
/// cut its text.</summary>
/// <param name="Source">Part of the identity.</param>
/// <param name="Labels">The labels of the identity: without severity, priority and the ignored ones.</param>
/// <param name="Variant">The ignored labels, as <c>severity=critical</c>; may be empty.</param>
/// <param name="ProducerId">The producer's own id; null when it sends none.</param>
/// <param name="AllLabels">All labels as a JSON object, for people to read; null for those of the identity.</param>
/// <param name="ExpiresAt">When it ends unless it is observed again; null when it does not expire.</param>
/// <param name="HasExactStart">Its sender repeats the same <paramref name="StartsAt"/> while the alert fires: a later one means that it
/// ended in between.</param>
/// <param name="IsNamed">False when the name is no part of the identity.</param>
/// <param name="Remark">Which field the intake read in another way than it was sent, in one sentence.</param>
internal sealed record Observation(
    string Source,
    string Name,
    string? Surface,
    Severity Severity,
    string Summary,
    bool IsFiring,
    IReadOnlyDictionary<string, string> Labels,
    string Variant = "",
    string? ProducerId = null,
    string? FullText = null,
    string? Url = null,
    string? AllLabels = null,
    DateTimeOffset? StartsAt = null,
    DateTimeOffset? ExpiresAt = null,
    bool HasExactStart = false,
    bool IsNamed = true,
    string? Remark = null
)
{
    internal const string IdPrefix = "id:";

    public const string Console = "console";
    public const string SurfaceOutage = "surface_outage";

    /// <summary>Needs a person now. It is sent by DM and never filed, because FreeScout may be the cause.</summary>
    public const string Escalation = "escalation";

    /// <summary>None of the surfaces can be reached from here.</summary>
    public const string OwnNetworkLost = "own_network_lost";

    public string AllLabels { get; init; } = AllLabels ?? JsonSerializer.Serialize(Labels);

    /// <summary>Computed once, because a batch asks for it several times.</summary>
    public string LogicalId { get; } = AlertIdentity.Of(Source, IsNamed ? Name : "", Surface, Labels);

    public string AlertId => ProducerId is null ? LogicalId : AlertIdentity.Of(Source, IsNamed ? Name : "", Surface, Labels, ProducerId);

    public string MemberKey => ProducerId is null ? Variant : IdPrefix + ProducerId;
}

/// <summary>The result of an observation.</summary>
internal enum ObservationResult
{
    /// <summary>An episode was opened, or one that had just ended was reopened.</summary>
    Opened,

    /// <summary>It belongs to a firing episode.</summary>
    Known,

    /// <summary>Its id is new and was folded into a firing episode.</summary>
    Folded,
    Resolved,

    /// <summary>It reports the end of an alert that does not fire.</summary>
    NotOpen,
}

/// <param name="AlertId">The identity of the episode that it belongs to.</param>
internal sealed record Observed(string AlertId, ObservationResult Result);
