namespace AutoTicket.Components.Audit;

/// <summary>Which rows of the audit log are asked for; null: all.</summary>
/// <param name="From">Inclusive.</param>
/// <param name="To">Exclusive.</param>
public sealed record AuditFilter(string? Action = null, string? Actor = null, DateTimeOffset? From = null, DateTimeOffset? To = null);
