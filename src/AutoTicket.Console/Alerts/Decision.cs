using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace AutoTicket.Alerts;

/// <summary>Why a ticket was filed or not, or a DM sent or not: a row of <c>decisions</c>. A repeated decision about an episode is one
/// row with a count.</summary>
internal sealed record Decision
{
    public long Id { get; init; }

    public required string AlertId { get; init; }

    /// <summary>The episode. Zero for the canary and, except for a change of severity, the intake, so that repeats share a row. Null for a
    /// click, which gets a row of its own.</summary>
    public long? AlertRow { get; init; }

    /// <summary>What decided: a hook's name, <c>click</c> or <c>intake</c>.</summary>
    public required string Path { get; init; }

    public required DecisionWord Word { get; init; }

    /// <summary>One sentence for the operator, from the latest of these decisions.</summary>
    public string? Detail { get; init; }

    /// <summary>Who clicked.</summary>
    public string? Actor { get; init; }

    public int Count { get; init; } = 1;

    public required DateTimeOffset FirstAt { get; init; }

    public required DateTimeOffset LastAt { get; init; }

    public long? TicketNumber { get; init; }

    public string? TicketUrl { get; init; }

    /// <summary>Decisions of clicks and of the intake name no episode: they belong to the episode that was open at the time.</summary>
    public bool IsAbout(Alert alert) =>
        AlertRow == alert.Id
        || (
            AlertRow is null or 0
            && LastAt >= (alert.StartedAt < alert.OpenedAt ? alert.StartedAt : alert.OpenedAt)
            && (alert.EndedAt is not { } endedAt || FirstAt <= endedAt)
        );
}

internal sealed class DecisionMapping : IEntityTypeConfiguration<Decision>
{
    public void Configure(EntityTypeBuilder<Decision> builder)
    {
        builder.ToTable("decisions");
        builder.Property(decision => decision.Word).HasConversion(word => word.Text, text => DecisionWord.Stored(text));
        builder
            .HasIndex(decision => new
            {
                decision.AlertId,
                decision.AlertRow,
                decision.Path,
                decision.Word,
            })
            .IsUnique();
        builder.HasIndex(decision => new { decision.AlertId, decision.LastAt });
        builder.HasIndex(decision => decision.LastAt);
    }
}
