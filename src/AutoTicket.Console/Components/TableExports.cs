using AutoTicket.Alerts;
using AutoTicket.Components.Alerts;
using AutoTicket.Components.Incidents;
using AutoTicket.Components.Tickets;
using AutoTicket.Incidents;
using AutoTicket.Intake;
using AutoTicket.Mailbox;
using AutoTicket.Security;
using AutoTicket.Surfaces;

namespace AutoTicket.Components;

/// <summary>The exports of the pages' tables, with the filters of the pages: <c>/api/tickets.csv</c>, <c>.json</c>, and so on.</summary>
internal sealed class TableExports(
    OpenTickets open,
    RecoveredTickets recovered,
    StatusBoard board,
    AlertQueries alerts,
    IncidentQueries incidents,
    FindingStore findings,
    ParkedAlerts parked
)
{
    /// <summary>A ticket with the age of the list, because a downloaded file does not show that FreeScout was away.</summary>
    internal record ExportedTicket : TicketEndpoints.TicketAnswer
    {
        public ExportedTicket(TicketEndpoints.TicketAnswer ticket)
            : base(ticket) { }

        public required DateTimeOffset SyncedAt { get; init; }

        public required bool Stale { get; init; }
    }

    /// <summary>A ticket of the worklist, as <see cref="RecoveredTicket"/>.</summary>
    internal sealed record ExportedRecoveredTicket : ExportedTicket
    {
        public ExportedRecoveredTicket(TicketEndpoints.TicketAnswer ticket)
            : base(ticket) { }

        public required string SurfaceName { get; init; }

        public required DateTimeOffset RecoveredAt { get; init; }

        public required double? DownForSeconds { get; init; }

        public required int? EarlierIncidents { get; init; }

        public required string? LastResolver { get; init; }
    }

    /// <summary>A difference with the age of the comparison.</summary>
    internal sealed record ExportedFinding : TicketEndpoints.FindingAnswer
    {
        public ExportedFinding(TicketEndpoints.FindingAnswer finding)
            : base(finding) { }

        public required DateTimeOffset ReconciledAt { get; init; }

        public required bool Stale { get; init; }
    }

    /// <param name="Whole">It was not cut, so it can be retried.</param>
    internal sealed record ParkedAnswer(
        long Id,
        DateTimeOffset ReceivedAt,
        DateTimeOffset FirstReceivedAt,
        int Count,
        string Intake,
        string Reason,
        bool Whole,
        string Text
    );

    private static readonly TableExport<ExportedTicket> Tickets = new(
        "tickets",
        [
            ("id", ticket => ticket.Id),
            ("number", ticket => ticket.Number),
            ("severity", ticket => ticket.Severity),
            ("subject", ticket => ticket.Subject),
            ("kind", ticket => ticket.Kind),
            ("surface", ticket => ticket.Surface),
            ("surface_status", ticket => ticket.SurfaceStatus),
            ("opened_at", ticket => ticket.OpenedAt),
            ("assignee", ticket => ticket.Assignee?.Name),
            ("last_reply_at", ticket => ticket.LastReplyAt),
            ("filed_by", ticket => ticket.FiledBy),
            ("status", ticket => ticket.Status),
            ("recovered", ticket => ticket.Recovered),
            ("alert_key", ticket => ticket.AlertKey),
            ("tags", ticket => ticket.Tags),
            ("url", ticket => ticket.Url),
            ("synced_at", ticket => ticket.SyncedAt),
            ("stale", ticket => ticket.Stale),
        ],
        ticket => ticket
    );

    private static readonly TableExport<ExportedRecoveredTicket> Recovered = new(
        "ready-to-close",
        [
            ("id", ticket => ticket.Id),
            ("number", ticket => ticket.Number),
            ("subject", ticket => ticket.Subject),
            ("surface", ticket => ticket.Surface),
            ("surface_name", ticket => ticket.SurfaceName),
            ("recovered_at", ticket => ticket.RecoveredAt),
            ("opened_at", ticket => ticket.OpenedAt),
            ("assignee", ticket => ticket.Assignee?.Name),
            ("filed_by", ticket => ticket.FiledBy),
            ("down_for_seconds", ticket => ticket.DownForSeconds),
            ("earlier_incidents", ticket => ticket.EarlierIncidents),
            ("last_resolver", ticket => ticket.LastResolver),
            ("url", ticket => ticket.Url),
            ("synced_at", ticket => ticket.SyncedAt),
            ("stale", ticket => ticket.Stale),
        ],
        ticket => ticket
    );

    private static readonly TableExport<ExportedFinding> Findings = new(
        "findings",
        [
            ("class", finding => finding.Class),
            ("kind", finding => finding.Kind),
            ("conversation_id", finding => finding.ConversationId),
            ("number", finding => finding.Number),
            ("subject", finding => finding.Subject),
            ("detail", finding => finding.Detail),
            ("first_seen_at", finding => finding.FirstSeenAt),
            ("seen_at", finding => finding.SeenAt),
            ("repaired", finding => finding.Repaired),
            ("dismissed_by", finding => finding.Dismissed?.By),
            ("dismissed_reason", finding => finding.Dismissed?.Reason),
            ("url", finding => finding.Url),
            ("reconciled_at", finding => finding.ReconciledAt),
            ("stale", finding => finding.Stale),
        ],
        finding => finding
    );

    private static readonly TableExport<ParkedAlert> Parked = new(
        "parked-alerts",
        [
            ("id", alert => alert.Id),
            ("received_at", alert => alert.ReceivedAt),
            ("first_received_at", alert => alert.FirstReceivedAt),
            ("count", alert => alert.Count),
            ("intake", alert => alert.Intake),
            ("reason", alert => alert.Reason),
            ("whole", alert => alert.IsWhole),
            ("text", alert => alert.Text),
        ],
        alert => new ParkedAnswer(
            alert.Id,
            alert.ReceivedAt,
            alert.FirstReceivedAt,
            alert.Count,
            alert.Intake,
            alert.Reason,
            alert.IsWhole,
            alert.Text
        )
    );

    private static readonly TableExport<AlertView> Alerts = new(
        "alerts",
        [
            ("alert_key", alert => alert.AlertKey),
            ("severity", alert => alert.Severity),
            ("title", alert => alert.Title),
            ("status", alert => alert.Status),
            ("since", alert => alert.Since),
            ("ended_at", alert => alert.EndedAt),
            ("source", alert => alert.Source),
            ("name", alert => alert.Name),
            ("surface", alert => alert.Surface),
            ("summary", alert => alert.Summary),
            ("reopened", alert => alert.Reopened),
            ("ticket_number", alert => alert.Ticket?.Number),
            ("ticket_url", alert => alert.Ticket?.Url),
            ("dm_sent_at", alert => alert.DmSentAt),
            ("verdict", alert => alert.Verdict),
            ("url", alert => alert.Url),
        ],
        alert => alert
    );

    private static readonly TableExport<IncidentSummary> Incidents = new(
        "incidents",
        [
            ("key", incident => incident.Key),
            ("severity", incident => incident.Severity),
            ("title", incident => incident.Title),
            ("status", incident => incident.Status),
            ("opened_at", incident => incident.OpenedAt),
            ("ended_at", incident => incident.EndedAt),
            ("source", incident => incident.Source),
            ("name", incident => incident.Name),
            ("surface", incident => incident.Surface),
            ("group", incident => incident.Group),
            ("summary", incident => incident.Summary),
            ("reopened", incident => incident.Reopened),
            ("ticket_number", incident => incident.Ticket?.Number),
            ("ticket_url", incident => incident.Ticket?.Url),
        ],
        IncidentEndpoints.Answer
    );

    private async Task<IReadOnlyList<AlertView>?> ReadAlertsAsync(AlertFilter filter, long? before, CancellationToken cancellationToken)
    {
        var query = filter.ToQueryOfAlerts() with { Sort = AlertSort.Newest, Before = before };
        return await alerts.ReadAsync(query, TableExport.PageRows, cancellationToken) is { } page
            ? [.. page.Select(open.WithTicket)]
            : null;
    }

    private async Task<IReadOnlyList<IncidentSummary>?> ReadIncidentsAsync(
        IncidentFilter filter,
        long? before,
        CancellationToken cancellationToken
    ) => (await incidents.ListAsync(filter.ToQueryOfRows() with { Before = before }, TableExport.PageRows, cancellationToken))?.Incidents;

    private Task<IResult> TicketsAsync(HttpContext context, string format, string? kind, string? search, string? assignee)
    {
        var filter = TicketFilter.FromQuery(kind, search, null, null, assignee);
        var email = Schemes.EmailOf(context.User);
        return OfListAsync(copy =>
        {
            var worklist = recovered.Current.Select(one => one.Ticket.Id).ToHashSet();
            return Tickets.SendWholeAsync(
                format,
                [
                    .. copy
                        .Tickets.Where(ticket => filter.Matches(TicketRow.Of(ticket, board, recovered), email))
                        .Select(ticket => new ExportedTicket(TicketEndpoints.Answer(ticket, board, worklist.Contains(ticket.Id)))
                        {
                            SyncedAt = copy.SyncedAt!.Value,
                            Stale = copy.IsStale,
                        }),
                ],
                context
            );
        });
    }

    private Task<IResult> RecoveredAsync(HttpContext context, string format) =>
        OfListAsync(async copy =>
            await Recovered.SendWholeAsync(
                format,
                [
                    .. (await recovered.ReadAsync(context.RequestAborted)).Select(one => new ExportedRecoveredTicket(
                        TicketEndpoints.Answer(one.Ticket, board, isRecovered: true)
                    )
                    {
                        SyncedAt = copy.SyncedAt!.Value,
                        Stale = copy.IsStale,
                        SurfaceName = one.SurfaceName,
                        RecoveredAt = one.RecoveredAt,
                        DownForSeconds = one.DownFor?.TotalSeconds,
                        EarlierIncidents = one.EarlierIncidents,
                        LastResolver = one.LastResolver,
                    }),
                ],
                context
            )
        );

    /// <summary>Sends what follows from the list of open tickets, once it has been read.</summary>
    private async Task<IResult> OfListAsync(Func<OpenTicketsCopy, Task<IResult>> send) =>
        open.Current is { SyncedAt: not null } copy
            ? await send(copy)
            : Results.Problem(title: "The tickets have not been read from FreeScout yet.", detail: open.Current.Problem, statusCode: 503);

    private async Task<IResult> FindingsAsync(HttpContext context, string format)
    {
        var known = await findings.ReadAsync(context.RequestAborted);
        return known.ReconciledAt is { } at
            ? await Findings.SendWholeAsync(
                format,
                [
                    .. known.Findings.Select(finding => new ExportedFinding(TicketEndpoints.Answer(finding))
                    {
                        ReconciledAt = at,
                        Stale = known.Problem is not null,
                    }),
                ],
                context
            )
            : Results.Problem(title: "The console and FreeScout have not been compared yet.", detail: known.Problem, statusCode: 503);
    }

    private Task<IResult> ParkedAsync(HttpContext context, string format) =>
        Parked.SendAsync(format, (last, cancellation) => parked.PageAsync(last?.Id, cancellation), context);

    private Task<IResult> AlertsAsync(HttpContext context, string format, string? show, string? search, string? severity)
    {
        var filter = AlertFilter.FromQuery(show, search, severity, null, null, null, null);
        return Alerts.SendAsync(format, (last, cancellation) => ReadAlertsAsync(filter, last?.Row, cancellation), context);
    }

    private Task<IResult> IncidentsAsync(HttpContext context, string format, IncidentFilter filter) =>
        Incidents.SendAsync(format, (last, cancellation) => ReadIncidentsAsync(filter, last?.Row, cancellation), context);

    public static void Map(IEndpointRouteBuilder app)
    {
        var api = app.MapGroup("/api").RequireAuthorization(Rights.Operate).WithMetadata(RequestLimits.Exports);
        foreach (var format in TableExport.Formats)
        {
            api.MapGet(
                    TableExport.PathOf("/tickets", format),
                    (TableExports exports, HttpContext context, string? kind, string? q, string? assignee) =>
                        exports.TicketsAsync(context, format, kind, q, assignee)
                )
                .Describe<ExportedTicket>(format, "Tickets", "The open tickets that the page shows");
            api.MapGet(
                    TableExport.PathOf("/tickets/recovered", format),
                    (TableExports exports, HttpContext context) => exports.RecoveredAsync(context, format)
                )
                .Describe<ExportedRecoveredTicket>(format, "RecoveredTickets", "The open tickets of recovered surfaces");
            api.MapGet(
                    TableExport.PathOf("/tickets/findings", format),
                    (TableExports exports, HttpContext context) => exports.FindingsAsync(context, format)
                )
                .Describe<ExportedFinding>(format, "Findings", "The differences between the console and FreeScout");
            api.MapGet(
                    TableExport.PathOf("/alerts/parked", format),
                    (TableExports exports, HttpContext context) => exports.ParkedAsync(context, format)
                )
                .Describe<ParkedAnswer>(format, "ParkedAlerts", "The parked alerts, newest first");
            api.MapGet(
                    TableExport.PathOf("/alerts", format),
                    (TableExports exports, HttpContext context, string? show, string? q, string? severity) =>
                        exports.AlertsAsync(context, format, show, q, severity)
                )
                .Describe<AlertView>(format, "Alerts", "The alerts that the page shows, newest first");
            api.MapGet(
                    TableExport.PathOf("/incidents", format),
                    (
                        TableExports exports,
                        HttpContext context,
                        string? state,
                        string? surface,
                        string? group,
                        string? severity,
                        string? since,
                        string? until
                    ) =>
                        exports.IncidentsAsync(
                            context,
                            format,
                            IncidentFilter.FromQuery(state, surface, group, severity, since, until, null)
                        )
                )
                .Describe<IncidentEndpoints.IncidentAnswer>(format, "Incidents", "The incidents that the page shows, newest first");
        }
    }
}
