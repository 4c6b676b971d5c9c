using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace AutoTicket.Diagnostics;

/// <summary>Conditions that always notify the operator: the runbook's five, and parked alerts. The names in snake case are the words of the
/// API.</summary>
public enum EscalationCondition
{
    /// <summary>A flag's change is not in force in every process, so that it can't stop a flood.</summary>
    FlagNotEffective,
    KeyInvalid,
    FreescoutDown,
    HookMissing,

    /// <summary>The audit log says <c>ticket_filed</c>, but FreeScout does not have the tickets.</summary>
    GhostTickets,

    /// <summary>The intake received alerts that it could not read.</summary>
    AlertsParked,
}

public enum EscalationState
{
    /// <summary>The condition does not hold.</summary>
    Idle,

    /// <summary>It holds, but not yet long enough.</summary>
    Running,

    /// <summary>It holds long enough, but the DM has not been sent yet.</summary>
    Due,

    /// <summary>The DM was sent.</summary>
    Told,

    /// <summary>The database can't be reached.</summary>
    NotKnown,
}

/// <summary>The state of one condition.</summary>
/// <param name="Since">When it began to hold.</param>
/// <param name="DueAt">When the operator is notified, unless it ends before.</param>
/// <param name="Evidence">What shows that it holds.</param>
/// <param name="ToldAt">When the DM was sent.</param>
/// <param name="NotTold">Why the DM was not sent so far.</param>
/// <param name="AlertKey">The escalation's alert; null: it is not due.</param>
public sealed record EscalationClock(
    EscalationCondition Condition,
    string Title,
    EscalationState State,
    int LimitSeconds,
    DateTimeOffset? Since,
    DateTimeOffset? DueAt,
    string? Evidence,
    DateTimeOffset? ToldAt,
    string? NotTold,
    string? AlertKey,
    string NextAction,
    string Runbook
);

/// <summary>A condition that holds: a row of <c>escalations</c>, so that its clock survives restarts.</summary>
internal sealed class EscalationRow
{
    public required EscalationCondition Condition { get; init; }

    public required DateTimeOffset Since { get; init; }

    public required string Evidence { get; set; }
}

internal sealed class EscalationMapping : IEntityTypeConfiguration<EscalationRow>
{
    public void Configure(EntityTypeBuilder<EscalationRow> builder)
    {
        builder.ToTable("escalations");
        builder.HasKey(escalation => escalation.Condition);
        builder.Property(escalation => escalation.Condition).HasMaxLength(32);
    }
}

internal static class DiagnosticsDbSets
{
    extension(AutoTicketDbContext db)
    {
        public DbSet<EscalationRow> Escalations => db.Set<EscalationRow>();
    }
}
