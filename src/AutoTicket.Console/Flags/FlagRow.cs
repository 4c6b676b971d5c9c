using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace AutoTicket.Flags;

/// <summary>The decisions of people about a flag: a row of <c>feature_flags</c>.</summary>
internal sealed class FlagRow
{
    public required string Name { get; init; }

    /// <summary>Null: not decided, so that the environment or the default applies.</summary>
    public bool? Enabled { get; set; }

    public string? ChangedBy { get; set; }

    public DateTimeOffset? ChangedAt { get; set; }

    public string? Reason { get; set; }

    public bool? ScheduledEnabled { get; set; }

    public DateTimeOffset? ScheduledAt { get; set; }

    public string? ScheduledBy { get; set; }

    public string? ScheduledReason { get; set; }

    /// <summary>When the flag was last switched off, by a person or the environment; null: it is on, or was never on.</summary>
    public DateTimeOffset? OffSince { get; set; }

    public string? OffBy { get; set; }

    public string? OffReason { get; set; }

    /// <summary>The environment's last known value (<c>on</c>, <c>off</c> or null), so that its changes are audited, too.</summary>
    public string? Environment { get; set; }

    /// <summary>Counts the changes, for compare-and-swap.</summary>
    public int Version { get; set; }
}

internal sealed class FlagMapping : IEntityTypeConfiguration<FlagRow>
{
    public void Configure(EntityTypeBuilder<FlagRow> builder)
    {
        builder.ToTable("feature_flags");
        builder.HasKey(flag => flag.Name);
    }
}

internal static class FlagDbSets
{
    extension(AutoTicketDbContext db)
    {
        public DbSet<FlagRow> FeatureFlags => db.Set<FlagRow>();
        public DbSet<FlagAckRow> FlagAcks => db.Set<FlagAckRow>();
    }
}

/// <summary>The effective value of a flag in one process: a row of <c>flag_acks</c>.</summary>
internal sealed class FlagAckRow
{
    public required string Instance { get; init; }

    public required string Name { get; init; }

    public bool Enabled { get; set; }

    public DateTimeOffset At { get; set; }
}

internal sealed class FlagAckMapping : IEntityTypeConfiguration<FlagAckRow>
{
    public void Configure(EntityTypeBuilder<FlagAckRow> builder)
    {
        builder.ToTable("flag_acks");
        builder.HasKey(ack => new { ack.Instance, ack.Name });
    }
}
