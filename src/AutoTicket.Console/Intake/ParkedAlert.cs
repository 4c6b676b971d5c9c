using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace AutoTicket.Intake;

/// <summary>An alert that could not be read, with the reason. A row of <c>parked_alerts</c>, kept until a person retries or discards it, or
/// until 10,000 newer ones displace it. Repetitions are counted in the same row.</summary>
public sealed record ParkedAlert
{
    public long Id { get; init; }

    /// <summary>A hash of the fields that identify an alert, or of the whole text if it has none. Repetitions have the same.</summary>
    public string Fingerprint { get; init; } = "";

    public DateTimeOffset FirstReceivedAt { get; init; }

    /// <summary>When it was received last.</summary>
    public required DateTimeOffset ReceivedAt { get; init; }

    public int Count { get; init; } = 1;

    /// <summary>The format: <c>generic</c>, <c>prometheus</c> or <c>alertmanager</c>.</summary>
    public required string Intake { get; init; }

    /// <summary>What is wrong with it, and what to change.</summary>
    public required string Reason { get; init; }

    /// <summary>The alert as last received, cut at <see cref="AlertFormat.LongestKept"/> characters.</summary>
    public required string Text { get; init; }

    /// <summary><see cref="Text"/> was not cut, so it can be retried.</summary>
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
