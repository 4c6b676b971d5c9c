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
    public const string AlertSnoozed = "console.alerts.snoozed";
    public const string AlertUnsnoozed = "console.alerts.unsnoozed";
    public const string MaintenanceStarted = "console.maintenance.started";
    public const string MaintenanceScheduled = "console.maintenance.scheduled";

    /// <summary>An operator recorded a past maintenance, so that availability leaves it out.</summary>
    public const string MaintenanceRecorded = "console.maintenance.recorded";
    public const string MaintenanceEnded = "console.maintenance.ended";

    /// <summary>An operator canceled a planned or weekly maintenance.</summary>
    public const string MaintenanceCanceled = "console.maintenance.canceled";
    public const string InvestigateFiled = "console.status.investigate_filed";
    public const string InvestigateReused = "console.status.investigate_reused";
    public const string TicketReconciled = "console.tickets.reconciled";
    public const string FindingDismissed = "console.tickets.finding_dismissed";

    /// <summary>An operator began to resolve a ticket. <see cref="TicketResolved"/> or <see cref="TicketNotResolved"/> follows.</summary>
    public const string TicketResolving = "console.tickets.resolving";
    public const string TicketResolved = "console.tickets.resolved";
    public const string TicketNotResolved = "console.tickets.not_resolved";

    /// <summary>An operator began to take a ticket. <see cref="TicketTaken"/> follows if FreeScout assigned it.</summary>
    public const string TicketTaking = "console.tickets.taking";
    public const string TicketTaken = "console.tickets.taken";
    public const string FlagChanged = "console.flags.changed";
    public const string TestDmSent = "console.diagnostics.test_dm_sent";
    public const string TestTicketFiled = "console.diagnostics.test_ticket_filed";
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
        AlertSnoozed,
        AlertUnsnoozed,
        MaintenanceStarted,
        MaintenanceScheduled,
        MaintenanceRecorded,
        MaintenanceEnded,
        MaintenanceCanceled,
        InvestigateFiled,
        InvestigateReused,
        TicketResolving,
        TicketResolved,
        TicketNotResolved,
        TicketTaking,
        TicketTaken,
        TicketReconciled,
        FindingDismissed,
        FlagChanged,
        TestDmSent,
        TestTicketFiled,
        SignedIn,
        SignedOut,
        Denied,
    ];

    /// <param name="name">An action, or a kind of action: <c>console.flags</c> stands for all actions on flags.</param>
    public static IReadOnlyList<string> Named(string name) =>
        All.Where(action => action.StartsWith($"{name}.", StringComparison.Ordinal)).ToList() is { Count: > 0 } ofKind ? ofKind : [name];
}
