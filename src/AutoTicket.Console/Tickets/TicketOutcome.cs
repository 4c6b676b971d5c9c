using AutoTicket.Alerts;
using AutoTicket.FreeScout;

namespace AutoTicket.Tickets;

/// <summary>How a filing ended.</summary>
internal enum TicketDisposition
{
    /// <summary>A new ticket was filed.</summary>
    Filed,

    /// <summary>An open ticket blocked a new one.</summary>
    AlreadyOpen,

    /// <summary>FreeScout failed or was too slow, or its answer was lost.</summary>
    Degraded,

    /// <summary>The database can't be reached.</summary>
    Unavailable,
}

/// <param name="Ticket">The ticket, when there is one to show.</param>
/// <param name="Message">One sentence for the operator.</param>
/// <param name="Failure">FreeScout's failure; null: it did not fail, or its lost answer is being looked up.</param>
internal sealed record TicketOutcome(
    TicketDisposition Disposition,
    TicketLink? Ticket,
    string Message,
    DecisionWord Decision,
    FreeScoutFailureKind? Failure = null
);
