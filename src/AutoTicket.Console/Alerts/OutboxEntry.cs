using AutoTicket.Surfaces;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace AutoTicket.Alerts;

/// <summary>One outbox entry: a row of <c>alert_outbox</c>, inserted with the change and deleted with the record of its outcome.</summary>
/// <remarks>Never updated, so no writer waits for another, and a change during a delivery has its own row.</remarks>
internal sealed record OutboxEntry
{
    public long Id { get; init; }

    public required string Hook { get; init; }

    public required long AlertRow { get; init; }

    /// <summary>The alert's source at the change. Entries take turns by source and severity.</summary>
    public required string Source { get; init; }

    public required Severity Severity { get; init; }

    /// <summary>The earliest time to call the hook.</summary>
    public required DateTimeOffset DueAt { get; init; }
}

internal sealed class OutboxEntryMapping : IEntityTypeConfiguration<OutboxEntry>
{
    public void Configure(EntityTypeBuilder<OutboxEntry> builder)
    {
        builder.ToTable("alert_outbox");
        builder.HasIndex(entry => new
        {
            entry.Hook,
            entry.Source,
            entry.Severity,
            entry.Id,
        });
    }
}
