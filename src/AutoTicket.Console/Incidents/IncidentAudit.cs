using System.Runtime.CompilerServices;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Tickets;

namespace AutoTicket.Incidents;

/// <summary>The audit entries that an incident shows, and their payloads.</summary>
internal static class IncidentAudit
{
    /// <summary>The most entries of each kind.</summary>
    public const int Most = 100;

    /// <summary>How long before an incident a maintenance that covers it may have begun.</summary>
    private static readonly TimeSpan MaintenanceBefore = TimeSpan.FromDays(30);

    private static readonly RowBatch<DateTimeOffset> Times = new(("wanted_at", "timestamptz", at => at));

    /// <summary>Actions about tickets that no row of <c>tickets</c> remembers.</summary>
    public static readonly IReadOnlyList<string> OfTickets =
    [
        AuditActions.TicketResolved,
        AuditActions.TicketNotResolved,
        AuditActions.TicketReconciled,
        AuditActions.FindingDismissed,
    ];

    /// <summary>Maintenance of a surface and snoozing of an alert.</summary>
    public static readonly IReadOnlyList<string> OfMaintenance =
    [
        AuditActions.AlertSnoozed,
        AuditActions.AlertUnsnoozed,
        AuditActions.MaintenanceStarted,
        AuditActions.MaintenanceScheduled,
        AuditActions.MaintenanceRecorded,
        AuditActions.MaintenanceEnded,
        AuditActions.MaintenanceCanceled,
    ];

    /// <summary>Maintenance begins up to 90 days after it was planned, and lasts up to 30. A weekly one may be in force for
    /// years.</summary>
    private static readonly TimeSpan PlanBefore = TimeSpan.FromDays(120);

    private static readonly IReadOnlyList<string> OfPlans = [AuditActions.MaintenanceScheduled, AuditActions.MaintenanceCanceled];

    /// <summary>The audit entries about the alert and its tickets. The entries of its opening and of filings have the times of the rows
    /// that were written with them; the others are searched by action and time.</summary>
    public static async Task<IReadOnlyList<AuditEntry>> ReadAsync(
        AutoTicketDbContext db,
        Alert alert,
        List<Ticket> tickets,
        DateTimeOffset until,
        DateTimeOffset now,
        CancellationToken cancellationToken
    )
    {
        const string columns = "created_at, action, actor, CAST(payload AS text) AS payload";
        List<DateTimeOffset> times = [alert.OpenedAt, .. tickets.Select(ticket => ticket.ConfirmedAt).OfType<DateTimeOffset>()];
        var last = tickets.Exists(ticket => ticket.State != TicketState.Closed)
            ? now
            : tickets.Select(ticket => ticket.ClosedAt).OfType<DateTimeOffset>().Append(until).Max() + TimeSpan.FromMinutes(1);
        // {1} to {7} are times, the alert's key and the text of a weekly plan; the tickets' conversations and the surface follow.
        List<object?> arguments =
        [
            Times.Of([.. times.Distinct()]),
            alert.OpenedAt,
            last,
            $"%{alert.AlertKey}%",
            alert.OpenedAt - MaintenanceBefore,
            alert.OpenedAt - PlanBefore,
            // PostgreSQL writes a space after the colon.
            "%\"weekly_days\":\"%",
            "%\"weekly_days\": \"%",
        ];
        var mentions = new List<string> { Mentions(3) };
        foreach (var id in tickets.Select(ticket => ticket.ConversationId).OfType<long>())
        {
            mentions.Add(Mentions(arguments.Count));
            arguments.Add($"%\"conversation_id\":%{id}%");
        }

        var ofSurface = "";
        if (alert.Surface is { } surface)
        {
            ofSurface = $" OR {Mentions(arguments.Count)}";
            arguments.Add($"%\"surface\":%\"{LikeText(surface)}\"%");
        }

        // Each part has its own limit, so that a script that sets maintenance every few minutes hides no ticket.
        var union = $$"""
            SELECT {{columns}} FROM {0} JOIN audit_log ON created_at = wanted_at WHERE {{Mentions(3)}}
            UNION ALL
            SELECT * FROM (
              SELECT {{columns}} FROM audit_log
              WHERE action IN ({{List(OfTickets)}}) AND created_at > {1} AND created_at <= {2} AND ({{string.Join(" OR ", mentions)}})
              ORDER BY created_at LIMIT {{Most}}) AS of_tickets
            UNION ALL
            SELECT * FROM (
              SELECT {{columns}} FROM audit_log
              WHERE action IN ({{List(OfPlans)}}) AND (created_at > {5} OR CAST(payload AS text) LIKE {6} OR CAST(payload AS text) LIKE {7})
                AND created_at <= {2} AND ({{Mentions(3)}}{{ofSurface}})
              ORDER BY created_at DESC LIMIT {{Most}}) AS of_plans
            UNION ALL
            SELECT * FROM (
              SELECT {{columns}} FROM audit_log
              WHERE action IN ({{List(OfMaintenance.Except(OfPlans))}}) AND created_at > {4} AND created_at <= {2} AND ({{Mentions(
                3
            )}}{{ofSurface}})
              ORDER BY created_at DESC LIMIT {{Most}}) AS of_maintenance
            """;

        return await db.QueryAsync(
            FormattableStringFactory.Create($"SELECT * FROM ({union}) AS entries ORDER BY created_at", [.. arguments]),
            row => new AuditEntry
            {
                CreatedAt = db.TimeOf(row, "created_at"),
                Action = row.Text("action"),
                Actor = row.Text("actor"),
                Payload = row.Text("payload"),
            },
            cancellationToken
        );

        static string Mentions(int argument) => $"CAST(payload AS text) LIKE {{{argument}}} ESCAPE '!'";

        // A sender may call its surface "%".
        static string LikeText(string text) =>
            text.Replace("!", "!!", StringComparison.Ordinal)
                .Replace("%", "!%", StringComparison.Ordinal)
                .Replace("_", "!_", StringComparison.Ordinal);

        static string List(IEnumerable<string> actions) => string.Join(", ", actions.Select(action => $"'{action}'"));
    }
}
