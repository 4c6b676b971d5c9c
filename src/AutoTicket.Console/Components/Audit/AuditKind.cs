using AutoTicket.Audit;

namespace AutoTicket.Components.Audit;

/// <summary>A kind of audited action, as the filter offers it.</summary>
/// <param name="Prefix">What the names of its actions begin with.</param>
internal sealed record AuditKind(string Title, string Prefix)
{
    public static readonly IReadOnlyList<AuditKind> All =
    [
        new("Tickets", "console.tickets"),
        new("Investigate", "console.status"),
        new("Alerts", "console.alerts"),
        new("Maintenance", "console.maintenance"),
        new("Flags", "console.flags"),
        new("Tests", "console.diagnostics"),
        new("Access", "console.auth"),
    ];
}
