using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace AutoTicket.Diagnostics;

/// <summary>When the operator must be told whatever else goes on: the runbook's five conditions, and alerts that reach nobody. The names
/// are the contract's words.</summary>
public enum EscalationCondition
{
    /// <summary>The flood can't be stopped, because a flag's flip is not in force everywhere.</summary>
    FlagNotEffective,
    KeyInvalid,
    FreescoutDown,
    HookMissing,

    /// <summary>The audit log says <c>ticket_filed</c>, and FreeScout has no such ticket.</summary>
    GhostTickets,

    /// <summary>Alerts came that the intake could not take.</summary>
    AlertsParked,
}

public enum EscalationState
{
    /// <summary>The condition does not hold.</summary>
    Idle,

    /// <summary>It holds, and there is time left.</summary>
    Running,

    /// <summary>Its time is up, and the DM has not gone out yet.</summary>
    Due,
    Told,

    /// <summary>The database can't be reached.</summary>
    NotKnown,
}

/// <summary>One condition as a clock.</summary>
/// <param name="Since">Since when it holds.</param>
/// <param name="DueAt">When the operator is told, unless it ends before.</param>
/// <param name="Evidence">What it is told by.</param>
/// <param name="ToldAt">When the escalation's DM went out: the proof.</param>
/// <param name="NotTold">Why it did not, so far.</param>
/// <param name="AlertKey">The alert by which it is told; null: it is not due.</param>
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

/// <summary>A condition that holds: a row of <c>escalations</c>, so that a restart does not start its clock again.</summary>
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
