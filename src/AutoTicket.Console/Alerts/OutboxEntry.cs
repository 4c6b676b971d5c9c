using AutoTicket.Surfaces;

namespace AutoTicket.Alerts;

/// <summary>The outbox: a row of <c>alert_outbox</c> for each hook that is to look at an alert, written with the change that it is to look
/// at and taken out with the record of what came of it. Rows are only added and taken out, never changed: so nobody who writes one
/// waits for who takes one out, and a change that comes while a hook is at work is looked at next.</summary>
internal sealed record OutboxEntry
{
    public long Id { get; init; }

    public required string Hook { get; init; }

    public required long AlertRow { get; init; }

    /// <summary>The alert's source and severity at the change, by which entries take their turn.</summary>
    public required string Source { get; init; }

    /// <inheritdoc cref="Source"/>
    public required Surfaces.Severity Severity { get; init; }

    /// <summary>Not before.</summary>
    public required DateTimeOffset DueAt { get; init; }
}
