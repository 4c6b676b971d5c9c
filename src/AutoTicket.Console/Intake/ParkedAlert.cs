using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace AutoTicket.Intake;

/// <summary>An alert that could not be read, with the reason: a row of <c>parked_alerts</c>, kept until somebody looks at it. Repetitions
/// are counted in the same row.</summary>
public sealed class ParkedAlert
{
    public long Id { get; init; }

    /// <summary>What tells it from others: a hash of what it is about, or of the whole where that can't be read.</summary>
    public string Fingerprint { get; init; } = "";

    public DateTimeOffset FirstReceivedAt { get; init; }

    /// <summary>The last time.</summary>
    public required DateTimeOffset ReceivedAt { get; init; }

    public int Count { get; init; } = 1;

    /// <summary>Which intake: <c>generic</c>, <c>prometheus</c>, <c>alertmanager</c>.</summary>
    public required string Intake { get; init; }

    /// <summary>What is wrong with it, and what to change.</summary>
    public required string Reason { get; init; }

    /// <summary>As it came the last time, cut at 16,000 characters.</summary>
    public required string Text { get; init; }

    /// <summary><see cref="Text"/> is all of it, so it can be tried again.</summary>
    public required bool IsWhole { get; init; }
}

internal sealed class ParkedAlertMapping : IEntityTypeConfiguration<ParkedAlert>
{
    public void Configure(EntityTypeBuilder<ParkedAlert> builder)
    {
        builder.ToTable("parked_alerts");
        builder.HasIndex(parked => parked.ReceivedAt);
        builder.HasIndex(parked => parked.Fingerprint).IsUnique();
    }
}

internal static class IntakeDbSets
{
    extension(AutoTicketDbContext db)
    {
        public DbSet<ParkedAlert> ParkedAlerts => db.Set<ParkedAlert>();
    }
}
