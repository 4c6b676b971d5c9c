namespace AutoTicket.Components.Flags;

/// <summary>What an operator asks of a flag.</summary>
/// <param name="Reason">3 to 500 characters, trimmed.</param>
/// <param name="At">When it is to take effect, in UTC; null: now.</param>
public sealed record FlagChangeRequest(bool Enabled, string Reason, DateTimeOffset? At);
