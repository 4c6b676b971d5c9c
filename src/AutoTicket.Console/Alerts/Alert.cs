using System.Text.Json;
using AutoTicket.Data;
using AutoTicket.Surfaces;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace AutoTicket.Alerts;

/// <summary>The status of an episode. Stored as the lower-case word.</summary>
public enum AlertStatus
{
    Firing,
    Resolved,

    /// <summary>Its source stopped reporting it. That is not a recovery.</summary>
    Expired,
}

/// <summary>
/// One episode of an alert, from its first firing to its end: a row of <c>alerts</c>. A partial unique index allows one firing
/// episode for each <see cref="LogicalId"/> and <see cref="Slot"/>, across processes.
/// </summary>
internal sealed record Alert
{
    /// <summary>Zero until the episode is stored.</summary>
    public long Id { get; init; }

    /// <summary>The dedup key: see <see cref="AlertIdentity"/>.</summary>
    public required string AlertId { get; init; }

    /// <summary>The identity without the producer's own id.</summary>
    public required string LogicalId { get; init; }

    /// <summary>The producer's id, if two ids of this <see cref="LogicalId"/> were seen side by side; else empty.</summary>
    public string Slot { get; init; } = "";

    public required AlertStatus Status { get; init; }

    /// <summary><c>console</c>, <c>prometheus</c>, <c>alertmanager</c>, or as a sender of <c>POST /api/alerts</c> says.</summary>
    public required string Source { get; init; }

    public required string Name { get; init; }

    /// <summary>The key of a surface, where the alert names one.</summary>
    public string? Surface { get; init; }

    /// <summary>The worst severity of its firing <see cref="Members"/>.</summary>
    public required Severity Severity { get; init; }

    /// <summary>One line of at most <see cref="LongestSummary"/> characters. Text from outside: never markup.</summary>
    public required string Summary { get; init; }

    /// <summary>The whole text; null when <see cref="Summary"/> is not cut.</summary>
    public string? FullText { get; init; }

    /// <summary>The producer's page about it: an absolute http or https URL.</summary>
    public string? Url { get; init; }

    /// <summary>All labels, as a JSON object.</summary>
    public string Labels { get; init; } = "{}";

    /// <summary>The members of this episode, one for each producer's id or set of ignored labels.</summary>
    public IReadOnlyList<AlertMember> Members { get; init; } = [];

    /// <summary>How many further ids of the producer were folded into it.</summary>
    public int FoldedIds { get; init; }

    /// <summary>When it began, as its producer says.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>When the console first observed it.</summary>
    public required DateTimeOffset OpenedAt { get; init; }

    /// <summary>When it was last observed, to the minute.</summary>
    public required DateTimeOffset SeenAt { get; init; }

    /// <summary>When it expires unless it is observed again; null when it does not expire.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>How often it fired again within the quiet period after its end.</summary>
    public int Reopened { get; init; }

    /// <summary>When the hooks may be called with this change; null when they need not be called. Not stored: it becomes
    /// <see cref="OutboxEntry.DueAt"/>. A new episode always gets entries.</summary>
    public DateTimeOffset? NotifyAt { get; init; }

    /// <summary>Counts the changes. Every update is a compare-and-swap on it.</summary>
    public int Version { get; init; }

    /// <summary>A firing episode of an observation, without members.</summary>
    public static Alert From(Observation o, DateTimeOffset now) =>
        new()
        {
            AlertId = o.AlertId,
            LogicalId = o.LogicalId,
            Status = AlertStatus.Firing,
            Source = o.Source,
            Name = o.Name,
            Surface = o.Surface,
            Severity = o.Severity,
            Summary = o.Summary,
            FullText = o.FullText,
            Url = o.Url,
            Labels = o.AllLabels,
            StartedAt = o.StartsAt ?? now,
            OpenedAt = now,
            SeenAt = now,
        };

    public const int LongestSummary = 500;

    /// <summary>Folded ids from which the producer counts as unstable: this is its third id for one alert.</summary>
    public const int UnstableFrom = 2;

    public string AlertKey => AlertIdentity.KeyOf(AlertId);

    /// <summary>Of an episode that is not stored yet, the key without a row: it names the episode once it is stored.</summary>
    public IncidentKey IncidentKey => new(AlertKey, IsStored ? Id : null);

    /// <summary>The outage of a surface. Investigate files under the same identity.</summary>
    public bool IsSurfaceOutage => Source == Observation.Console && Name == Observation.SurfaceOutage;

    public bool IsP1 => Severity == Severity.P1;

    public bool IsEscalation => Source == Observation.Console && Name == Observation.Escalation;

    public bool IsOwnNetworkLost => Source == Observation.Console && Name == Observation.OwnNetworkLost;

    /// <summary>It is sent only by DM: <see cref="AlertFilters.WhereGetsTicket"/>.</summary>
    public bool HasNoTicket => IsEscalation || IsOwnNetworkLost;

    public bool IsStored => Id != 0;

    public bool IsFiring => Status == AlertStatus.Firing;

    /// <summary>Its producer sends a new id each time (failure mode 1 of the runbook).</summary>
    public bool IsUnstable => FoldedIds >= UnstableFrom;
}

internal sealed class AlertMapping : IEntityTypeConfiguration<Alert>
{
    public void Configure(EntityTypeBuilder<Alert> builder)
    {
        builder.ToTable("alerts");
        // One episode at a time, across processes.
        builder
            .HasIndex(alert => new { alert.LogicalId, alert.Slot })
            .HasDatabaseName("ix_alerts_firing")
            .IsUnique()
            .HasFilter("status = 'firing'");
        builder.HasIndex(alert => new { alert.LogicalId, alert.EndedAt });
        builder.HasIndex(alert => alert.ExpiresAt).HasFilter("status = 'firing'");
        builder.HasIndex(alert => alert.EndedAt).HasFilter("ended_at IS NOT NULL");
        builder.HasIndex(alert => alert.AlertId);
        // For the list of ended incidents. Alerts that fire have no entries, so that a flood does not pay for them.
        builder.HasIndex(alert => new { alert.OpenedAt, alert.Id }).HasFilter("ended_at IS NOT NULL");
        builder
            .HasIndex(alert => new
            {
                alert.Surface,
                alert.OpenedAt,
                alert.Id,
            })
            .HasFilter("ended_at IS NOT NULL");
        builder
            .HasIndex(alert => new
            {
                alert.Severity,
                alert.OpenedAt,
                alert.Id,
            })
            .HasFilter("ended_at IS NOT NULL");
        builder.Ignore(alert => alert.NotifyAt);
        builder.Ignore(alert => alert.IncidentKey);
        // JSON, because it is only read and written as a whole. Compared by reference, because a list is replaced and never changed.
        builder
            .Property(alert => alert.Members)
            .HasConversion(
                members => JsonSerializer.Serialize(members, JsonSerializerOptions.Web),
                text => JsonSerializer.Deserialize<IReadOnlyList<AlertMember>>(text, JsonSerializerOptions.Web)!,
                new ValueComparer<IReadOnlyList<AlertMember>>((one, other) => ReferenceEquals(one, other), _ => 0)
            );
    }
}

internal static class AlertDbSets
{
    extension(AutoTicketDbContext db)
    {
        public DbSet<Alert> Alerts => db.Set<Alert>();
        public DbSet<OutboxEntry> AlertOutbox => db.Set<OutboxEntry>();
        public DbSet<AlertDelivery> AlertDeliveries => db.Set<AlertDelivery>();
        public DbSet<Decision> Decisions => db.Set<Decision>();
    }
}

/// <summary>A member of an episode: what its producer reports under one id or one set of ignored labels.</summary>
/// <param name="Key">The producer's id after <c>id:</c>; without one the ignored labels, as <c>severity=critical</c>.</param>
/// <param name="ExpiresAt">When it ends unless it is observed again; null when it does not expire.</param>
internal sealed record AlertMember(
    string Key,
    DateTimeOffset FirstSeen,
    DateTimeOffset LastSeen,
    bool IsFiring,
    Severity Severity,
    DateTimeOffset? ExpiresAt
)
{
    /// <summary>It was reported under an id of the producer.</summary>
    public bool HasProducerId => Key.StartsWith(Observation.IdPrefix, StringComparison.Ordinal);
}
