namespace AutoTicket.Alerts;

/// <summary>Why a ticket was or wasn't filed, or a DM sent: a row of <c>decisions</c>. The same decision for the same episode is one row
/// with a count.</summary>
internal sealed record Decision
{
    public long Id { get; init; }

    /// <summary>The <c>alert_id</c> that it is about.</summary>
    public required string AlertId { get; init; }

    /// <summary>The episode; zero for what was decided before there was one; null for a click, each of which is a row of its own.</summary>
    public long? AlertRow { get; init; }

    /// <summary>What decided: a hook's name, <c>click</c> or <c>intake</c>.</summary>
    public required string Path { get; init; }

    public required DecisionWord Word { get; init; }

    /// <summary>The last time's sentence.</summary>
    public string? Detail { get; init; }

    /// <summary>Who clicked.</summary>
    public string? Actor { get; init; }

    public int Count { get; init; } = 1;

    public required DateTimeOffset FirstAt { get; init; }

    public required DateTimeOffset LastAt { get; init; }

    public long? TicketNumber { get; init; }

    public string? TicketUrl { get; init; }
}
