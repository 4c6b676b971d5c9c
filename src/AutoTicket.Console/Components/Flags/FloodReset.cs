namespace AutoTicket.Components.Flags;

/// <summary>What an operator asks of the flood breaker.</summary>
/// <param name="Anyway">Although a producer still makes up ids.</param>
public sealed record FloodReset(string Scope, string Reason, bool Anyway);
