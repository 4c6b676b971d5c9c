using System.Text.Json;
using AutoTicket.Surfaces;

namespace AutoTicket.Alerts;

/// <summary>What somebody says of an alert at one moment: our poller of a surface, or a producer at the intake. All text is as it came,
/// checked and cut by the intake.</summary>
/// <param name="Source">Who says so; part of the identity.</param>
/// <param name="Labels">Those that make up the identity: without severity, priority and the volatile ones.</param>
/// <param name="Variant">The labels that don't, as <c>severity=critical</c>; empty: there are none.</param>
/// <param name="ProducerId">The producer's own id; null: it sends none.</param>
/// <param name="AllLabels">A JSON object of all labels, for people to read; null: those of the identity are all.</param>
/// <param name="ExpiresAt">When it ends unless it is heard of again; null: never by itself.</param>
/// <param name="IsNamed">False: the name is only what it is called, and its labels alone are the identity.</param>
/// <param name="Remark">What the intake took otherwise than it was sent.</param>
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
    bool IsNamed = true,
    string? Remark = null
)
{
    internal const string IdPrefix = "id:";

    public const string Console = "console";
    public const string SurfaceOutage = "surface_outage";

    /// <summary>Something for a person, now: told by direct message, and never filed, because FreeScout may be what fails.</summary>
    public const string Escalation = "escalation";

    /// <summary>The name of the alert that none of the surfaces can be reached from here.</summary>
    public const string OwnNetworkLost = "own_network_lost";

    public string AllLabels { get; init; } = AllLabels ?? JsonSerializer.Serialize(Labels);

    /// <summary>Computed once: a batch asks for it several times.</summary>
    public string LogicalId { get; } = AlertIdentity.Of(Source, IsNamed ? Name : "", Surface, Labels);

    public string AlertId => ProducerId is null ? LogicalId : AlertIdentity.Of(Source, IsNamed ? Name : "", Surface, Labels, ProducerId);

    public string MemberKey => ProducerId is null ? Variant : IdPrefix + ProducerId;
}

/// <summary>What became of an observation.</summary>
internal enum ObservationResult
{
    /// <summary>A new episode was opened, or one that had just ended was opened again.</summary>
    Opened,

    /// <summary>It belongs to an episode that is known.</summary>
    Known,

    /// <summary>Its id is new, but its alert is not: it was folded into the episode that is open.</summary>
    Folded,
    Resolved,

    /// <summary>It says that something ended that was not open.</summary>
    NotOpen,
}

/// <param name="AlertId">Of the episode that it belongs to now.</param>
internal sealed record Observed(string AlertId, ObservationResult Result);
