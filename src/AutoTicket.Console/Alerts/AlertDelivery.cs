using AutoTicket.Surfaces;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace AutoTicket.Alerts;

internal enum DeliveryKind
{
    Firing,
    Ended,
}

/// <summary>One delivery: a row of <c>alert_deliveries</c>, written after success.</summary>
internal sealed record AlertDelivery
{
    public required long AlertRow { get; init; }

    public required string Hook { get; init; }

    public required DeliveryKind Kind { get; init; }

    public required DateTimeOffset At { get; init; }

    /// <summary>The severity that was delivered.</summary>
    public required Severity Severity { get; init; }

    /// <summary>The <see cref="Alert.Reopened"/> that was delivered.</summary>
    public int Reopened { get; init; }

    public long? TicketId { get; init; }

    public long? TicketNumber { get; init; }

    public string? TicketUrl { get; init; }
}

internal sealed class AlertDeliveryMapping : IEntityTypeConfiguration<AlertDelivery>
{
    public void Configure(EntityTypeBuilder<AlertDelivery> builder)
    {
        builder.ToTable("alert_deliveries");
        builder.HasKey(delivery => new
        {
            delivery.AlertRow,
            delivery.Hook,
            delivery.Kind,
        });
    }
}
