namespace AutoTicket.Audit;

/// <summary>The actions of the audit log. They are a contract, because operators query by them.</summary>
public static class AuditActions
{
    public const string AlertTicketFiled = "console.alerts.ticket_filed";
    public const string AlertOpened = "console.alerts.opened";
    public const string ParkedRetried = "console.alerts.parked_retried";
    public const string ParkedDiscarded = "console.alerts.parked_discarded";
    public const string FloodTripped = "console.alerts.flood_tripped";
    public const string FloodReset = "console.alerts.flood_reset";
    public const string InvestigateFiled = "console.status.investigate_filed";
    public const string InvestigateReused = "console.status.investigate_reused";
    public const string TicketReconciled = "console.tickets.reconciled";
    public const string FindingDismissed = "console.tickets.finding_dismissed";

    /// <summary>An operator began to resolve a ticket. <see cref="TicketResolved"/> or <see cref="TicketNotResolved"/> follows.</summary>
    public const string TicketResolving = "console.tickets.resolving";
    public const string TicketResolved = "console.tickets.resolved";
    public const string TicketNotResolved = "console.tickets.not_resolved";
    public const string FlagChanged = "console.flags.changed";
    public const string SignedIn = "console.auth.signed_in";
    public const string SignedOut = "console.auth.signed_out";
    public const string Denied = "console.auth.denied";

    public static readonly IReadOnlyList<string> All =
    [
        AlertTicketFiled,
        AlertOpened,
        ParkedRetried,
        ParkedDiscarded,
        FloodTripped,
        FloodReset,
        InvestigateFiled,
        InvestigateReused,
        TicketResolving,
        TicketResolved,
        TicketNotResolved,
        TicketReconciled,
        FindingDismissed,
        FlagChanged,
        SignedIn,
        SignedOut,
        Denied,
    ];
}
