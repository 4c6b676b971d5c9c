using AutoTicket.Mailbox;

namespace AutoTicket.Components.Tickets;

/// <summary>A user's attempt to take a ticket.</summary>
/// <param name="Email">The user's e-mail address, by which their own tickets are known; null: the sign-in has none.</param>
/// <param name="Outcome">The result of the last click; null: none.</param>
public sealed record TakeState(string? Email, bool IsBusy = false, TakeOutcome? Outcome = null);
