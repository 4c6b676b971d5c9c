using AutoTicket.Surfaces;

namespace AutoTicket.Alerts;

/// <summary>Where an episode stands. Stored as the lower-case word.</summary>
public enum AlertStatus
{
    Firing,
    Resolved,

    /// <summary>Its source fell silent. That is not a recovery.</summary>
    Expired,
}

/// <summary>
/// One episode of an alert, from its first firing to its end: a row of <c>alerts</c>. At most one of a
/// (<see cref="LogicalId"/>, <see cref="Slot"/>) fires at a time, across processes, by a partial unique index.
/// </summary>
internal sealed record Alert
{
    /// <summary>Zero until the episode is stored.</summary>
    public long Id { get; init; }

    /// <summary>The dedup key: see <see cref="AlertIdentity"/>.</summary>
    public required string AlertId { get; init; }

    /// <summary>The identity without the producer's own id: what several ids of one producer have in common.</summary>
    public required string LogicalId { get; init; }

    /// <summary>Empty, or the producer's id that proved to stand beside others of the same <see cref="LogicalId"/>.</summary>
    public string Slot { get; init; } = "";

    public required AlertStatus Status { get; init; }

    /// <summary>Who says so: <c>console</c>, <c>prometheus</c>, <c>alertmanager</c>, or what a sender of <c>POST /api/alerts</c> calls itself.</summary>
    public required string Source { get; init; }

    public required string Name { get; init; }

    /// <summary>The key of a surface, where the alert names one.</summary>
    public string? Surface { get; init; }

    /// <summary>The worst of those of its <see cref="Members"/> that fire.</summary>
    public required Severity Severity { get; init; }

    /// <summary>One line of at most <see cref="LongestSummary"/> characters. Text from outside: never markup.</summary>
    public required string Summary { get; init; }

    /// <summary>The whole text where <see cref="Summary"/> had to be cut; null: it is whole.</summary>
    public string? FullText { get; init; }

    /// <summary>Where the producer tells more: an absolute http or https address.</summary>
    public string? Url { get; init; }

    /// <summary>A JSON object of all labels that it came with.</summary>
    public string Labels { get; init; } = "{}";

    /// <summary>What this episode was reported as: producer's ids, or the labels that don't count for the identity.</summary>
    public IReadOnlyList<AlertMember> Members { get; init; } = [];

    /// <summary>How many ids of the producer were folded into it besides the first.</summary>
    public int FoldedIds { get; init; }

    /// <summary>Since when, by its producer.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>When the console took it.</summary>
    public required DateTimeOffset OpenedAt { get; init; }

    /// <summary>When it was last heard of, to the minute.</summary>
    public required DateTimeOffset SeenAt { get; init; }

    /// <summary>When it expires unless it is heard of again; null: never by itself.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>How often it fired again within the quiet period after its end.</summary>
    public int Reopened { get; init; }

    /// <summary>From when on the hooks are to look at it, because it changed in a way that they may have to tell of; null: it did not. Goes to
    /// the outbox (<see cref="OutboxEntry"/>) with the change; a new one goes there anyway.</summary>
    public DateTimeOffset? NewsAt { get; init; }

    /// <summary>Counts the changes: each is a compare-and-swap.</summary>
    public int Version { get; init; }

    public const int LongestSummary = 500;

    /// <summary>The <see cref="FoldedIds"/> of a producer that makes up ids: the third id of one logical alert.</summary>
    public const int UnstableFrom = 2;

    public string AlertKey => AlertIdentity.KeyOf(AlertId);

    /// <summary>It is the outage of a surface itself, and shares its identity with Investigate.</summary>
    public bool IsSurfaceOutage => Source == Observation.Console && Name == Observation.SurfaceOutage;

    public bool IsEscalation => Source == Observation.Console && Name == Observation.Escalation;

    public bool IsOwnNetworkLost => Source == Observation.Console && Name == Observation.OwnNetworkLost;

    public bool IsStored => Id != 0;

    public bool IsFiring => Status == AlertStatus.Firing;

    /// <summary>A third id of one logical alert: its producer makes up new ones (failure mode 1 of the runbook).</summary>
    public bool IsUnstable => FoldedIds >= UnstableFrom;
}

/// <summary>One of the reports that make up an episode.</summary>
/// <param name="Key">The producer's id after <c>id:</c>; or the labels that don't count for the identity, as <c>severity=critical</c>.</param>
/// <param name="ExpiresAt">When its producer no longer stands by it; null: it does until it says otherwise.</param>
internal sealed record AlertMember(
    string Key,
    DateTimeOffset FirstSeen,
    DateTimeOffset LastSeen,
    bool IsFiring,
    Severity Severity,
    DateTimeOffset? ExpiresAt
)
{
    /// <summary>It is known by a producer's id, of which there should be one an alert.</summary>
    public bool HasProducerId => Key.StartsWith(Observation.IdPrefix, StringComparison.Ordinal);
}
