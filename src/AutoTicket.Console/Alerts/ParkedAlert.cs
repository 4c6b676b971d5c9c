namespace AutoTicket.Alerts;

/// <summary>An alert that could not be taken, kept with the reason until somebody looks: a row of <c>parked_alerts</c>.</summary>
public sealed class ParkedAlert
{
    public long Id { get; init; }

    public required DateTimeOffset ReceivedAt { get; init; }

    /// <summary>Which intake: <c>generic</c>, <c>prometheus</c>, <c>alertmanager</c>.</summary>
    public required string Intake { get; init; }

    /// <summary>What is wrong with it, and what to change.</summary>
    public required string Reason { get; init; }

    /// <summary>As it came, cut at 16,000 characters.</summary>
    public required string Text { get; init; }

    /// <summary><see cref="Text"/> is all of it, so it can be tried again.</summary>
    public required bool IsWhole { get; init; }
}
