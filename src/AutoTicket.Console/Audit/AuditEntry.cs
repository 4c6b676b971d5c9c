namespace AutoTicket.Audit;

/// <summary>One row of <c>audit_log</c>: who did what. Rows are written in the transaction of what they tell of, and never changed.</summary>
public sealed class AuditEntry
{
    public long Id { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>One of <see cref="AuditActions"/>.</summary>
    public required string Action { get; init; }

    /// <summary>Who: an operator's name, <c>environment</c>, or a part of the console as <c>console:poller</c>.</summary>
    public required string Actor { get; init; }

    /// <summary>A JSON object with snake_case names.</summary>
    public required string Payload { get; init; }
}
