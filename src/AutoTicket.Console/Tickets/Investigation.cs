namespace AutoTicket.Tickets;

/// <summary>How a click on Investigate ended. The names are the contract's words.</summary>
public enum InvestigationDisposition
{
    Filed,
    AlreadyOpen,

    /// <summary>FreeScout, or the console's database, could not do its part; nothing is lost and no second ticket will come of trying again.</summary>
    Degraded,

    /// <summary>The surface is operational: there is nothing to investigate.</summary>
    SurfaceOperational,
    FlagOff,
    UnknownSurface,

    /// <summary>The console's database can't be reached, so nothing was sent.</summary>
    Unavailable,
}

/// <summary>What a click on Investigate came to, with a sentence for the operator.</summary>
public sealed record Investigation(InvestigationDisposition Disposition, TicketLink? Ticket, string Message);
