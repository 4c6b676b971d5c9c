using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Flags;
using AutoTicket.FreeScout;
using AutoTicket.Mailbox;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Incidents;

/// <summary>Reads incidents. Each page takes a fixed number of queries, and each query has a limit.</summary>
internal sealed class IncidentQueries(
    IDbContextFactory<AutoTicketDbContext> contexts,
    StatusBoard board,
    FlagWatch flags,
    IOptions<FreeScoutOptions> freeScout,
    TimeProvider clock
)
{
    private const int MostDecisions = 100;
    private const int MostTickets = 10;
    private const int MostEarlier = 10;

    /// <returns>Null when the database can't be reached.</returns>
    public Task<IncidentList?> ListAsync(IncidentQuery query, int count, CancellationToken cancellationToken) =>
        contexts.OrNullAsync<IncidentList>(
            async db =>
            {
                var alerts = db.Alerts.AsNoTracking();
                // Every ended alert has the time of its end, by which the database finds the indexes.
                alerts = query.IsOpen
                    ? alerts.WhereFiring()
                    : alerts.Where(alert => alert.Status != AlertStatus.Firing && alert.EndedAt != null);
                alerts = query.Surface is { } surface ? alerts.Where(alert => alert.Surface == surface) : alerts;
                alerts = query.Severity is { } severity ? alerts.Where(alert => alert.Severity == severity) : alerts;
                alerts = query.Since is { } since ? alerts.Where(alert => alert.OpenedAt >= since) : alerts;
                alerts = query.Until is { } until ? alerts.Where(alert => alert.OpenedAt <= until) : alerts;
                if (query.Group is { } group)
                {
                    var keys = board.All().Where(one => one.Surface.Group == group).Select(one => one.Key).ToList();
                    alerts = alerts.Where(alert => keys.Contains(alert.Surface!));
                }

                if (query.Before is { } row)
                {
                    var at = await db
                        .Alerts.Where(alert => alert.Id == row)
                        .Select(alert => (DateTimeOffset?)alert.OpenedAt)
                        .SingleOrDefaultAsync(cancellationToken);
                    // The first condition alone could use the index; the second one keeps apart what was opened at the same time.
                    alerts = alerts.Where(alert => alert.OpenedAt <= at && (alert.OpenedAt < at || alert.Id < row));
                }

                var page = await alerts
                    .OrderByDescending(alert => alert.OpenedAt)
                    .ThenByDescending(alert => alert.Id)
                    // One extra row shows whether there are older ones.
                    .Take(count + 1)
                    .ToListAsync(cancellationToken);
                return new(await SummarizeAsync(db, page.Take(count).ToList(), cancellationToken), page.Count > count);
            },
            cancellationToken
        );

    /// <returns>The rows about the incident, null when there is none with this key; and whether the database could not be
    /// reached.</returns>
    public async Task<(IncidentRows? Rows, bool IsLost)> ReadAsync(IncidentKey key, CancellationToken cancellationToken)
    {
        var answer = await contexts.OrNullAsync<Found>(
            async db =>
            {
                var alerts = db.Alerts.AsNoTracking();
                var alert = key.Row is { } row
                    ? await alerts.SingleOrDefaultAsync(alert => alert.Id == row, cancellationToken)
                    : await alerts.WhereKey(key.AlertKey).OrderByDescending(alert => alert.Id).FirstOrDefaultAsync(cancellationToken);
                return new(alert is null || alert.AlertKey != key.AlertKey ? null : await CompleteAsync(db, alert, cancellationToken));
            },
            cancellationToken
        );
        return (answer?.Rows, answer is null);
    }

    /// <returns>The rows about the newest incident of the alert that was open together with the ticket; null when there is none, or the
    /// database can't be reached.</returns>
    public async Task<IncidentRows?> OfTicketAsync(OpenTicket ticket, CancellationToken cancellationToken) =>
        ticket.AlertId is not { } alertId
            ? null
            : (
                await contexts.OrNullAsync<Found>(
                    async db =>
                        await db
                            .Alerts.AsNoTracking()
                            .Where(alert => alert.AlertId == alertId && (alert.EndedAt == null || alert.EndedAt >= ticket.OpenedAt))
                            .OrderByDescending(alert => alert.Id)
                            .FirstOrDefaultAsync(cancellationToken)
                            is { } alert
                            ? new(await CompleteAsync(db, alert, cancellationToken))
                            : null,
                    cancellationToken
                )
            )?.Rows;

    /// <returns>The newest tickets that name the surface, newest first; null when the database can't be reached.</returns>
    public Task<IReadOnlyList<IncidentTicket>?> TicketsAsync(string surface, int count, CancellationToken cancellationToken) =>
        contexts.OrNullAsync<IReadOnlyList<IncidentTicket>>(
            async db =>
                [
                    .. (
                        await db
                            .Tickets.AsNoTracking()
                            .Where(ticket => ticket.SurfaceKey == surface)
                            .OrderByDescending(ticket => ticket.PostedAt)
                            .Take(count)
                            .ToListAsync(cancellationToken)
                    ).Select(ticket => IncidentRows.TicketOf(ticket, freeScout.Value.TicketUrl)),
                ],
            cancellationToken
        );

    /// <returns>The alerts opened and the tickets filed about the surface since then, the newest <paramref name="count"/> of each; null
    /// when the database can't be reached.</returns>
    public Task<IReadOnlyList<SurfaceEvent>?> EventsAsync(
        string surface,
        DateTimeOffset since,
        int count,
        CancellationToken cancellationToken
    ) =>
        contexts.OrNullAsync<IReadOnlyList<SurfaceEvent>>(
            async db =>
            {
                var opened = db.Alerts.AsNoTracking().Where(alert => alert.Surface == surface && alert.OpenedAt >= since);
                var firing = await NewestAsync(opened.WhereFiring());
                // The condition by which the database finds the index.
                var ended = await NewestAsync(opened.Where(alert => alert.EndedAt != null));
                var tickets = await db
                    .Tickets.AsNoTracking()
                    .Where(ticket => ticket.SurfaceKey == surface && ticket.PostedAt >= since && ticket.ConfirmedAt != null)
                    .OrderByDescending(ticket => ticket.PostedAt)
                    .Take(count)
                    .ToListAsync(cancellationToken);
                return
                [
                    .. firing
                        .Concat(ended)
                        .OrderByDescending(alert => alert.OpenedAt)
                        .Take(count)
                        .Select(alert => new SurfaceEvent(
                            alert.OpenedAt,
                            SurfaceEventKind.Alert,
                            $"{alert.Severity} alert opened: {TitleOf(alert, board.Find(surface)?.Surface.Name)}"
                        )),
                    .. tickets.Select(ticket => new SurfaceEvent(
                        ticket.PostedAt,
                        SurfaceEventKind.Ticket,
                        $"Ticket {TicketNumber.Of(ticket.Number)} filed"
                    )),
                ];

                Task<List<Alert>> NewestAsync(IQueryable<Alert> alerts) =>
                    alerts.OrderByDescending(alert => alert.OpenedAt).Take(count).ToListAsync(cancellationToken);
            },
            cancellationToken
        );

    private static string TitleOf(Alert alert, string? surfaceName) =>
        alert.IsSurfaceOutage ? SurfaceAlerts.TitleIn(alert.Summary, surfaceName) : alert.Name;

    private sealed record Found(IncidentRows? Rows);

    private async Task<IncidentRows> CompleteAsync(AutoTicketDbContext db, Alert alert, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var until = alert.EndedAt ?? now;
        var tickets = await db
            .Tickets.AsNoTracking()
            .Where(ticket =>
                ticket.DedupKey == alert.AlertId
                && ticket.PostedAt <= until
                && (ticket.State != TicketState.Closed || ticket.ClosedAt >= alert.OpenedAt)
            )
            .OrderByDescending(ticket => ticket.PostedAt)
            .Take(MostTickets)
            .ToListAsync(cancellationToken);
        var episodes = db.Alerts.AsNoTracking().Where(other => other.AlertId == alert.AlertId);
        var earlier = await episodes
            .Where(other => other.Id < alert.Id)
            .OrderByDescending(other => other.Id)
            .Take(MostEarlier)
            .ToListAsync(cancellationToken);
        var summaries = await SummarizeAsync(db, [alert, .. earlier], cancellationToken);
        var conversations = tickets.Select(ticket => ticket.ConversationId).OfType<long>().ToList();
        var (before, changes) = alert.IsSurfaceOutage ? await IncidentReadings.ReadAsync(db, alert, until, cancellationToken) : ([], []);
        var decisions = await db
            .Decisions.AsNoTracking()
            .Where(decision => decision.AlertId == alert.AlertId && decision.LastAt >= alert.OpenedAt)
            .OrderBy(decision => decision.LastAt)
            .Take(MostDecisions)
            .ToListAsync(cancellationToken);
        var flagChanges = await db
            .AuditLog.AsNoTracking()
            .Where(entry => entry.Action == AuditActions.FlagChanged && entry.CreatedAt <= until)
            .OrderByDescending(entry => entry.CreatedAt)
            .Take(IncidentAudit.Most)
            .ToListAsync(cancellationToken);
        return new(alert, summaries[0], freeScout.Value.TicketUrl)
        {
            ReadingsBefore = before,
            StatusChanges = changes,
            Deliveries = await db
                .AlertDeliveries.AsNoTracking()
                .Where(delivery => delivery.AlertRow == alert.Id)
                .ToListAsync(cancellationToken),
            Decisions = [.. decisions.Where(decision => decision.IsAbout(alert))],
            Tickets = [.. tickets.AsEnumerable().Reverse()],
            Findings =
                conversations.Count == 0
                    ? []
                    : await db
                        .TicketFindings.AsNoTracking()
                        .Where(finding => conversations.Contains(finding.ConversationId))
                        .ToListAsync(cancellationToken),
            Audit = await IncidentAudit.ReadAsync(db, alert, tickets, until, now, cancellationToken),
            FlagChanges = [.. flagChanges.AsEnumerable().Reverse()],
            FlagsNow = flags.Current.Flags.ToDictionary(flag => flag.Name, flag => flag.Enabled),
            NextOpenedAt = await episodes
                .Where(other => other.Id > alert.Id)
                .OrderBy(other => other.Id)
                .Select(other => (DateTimeOffset?)other.OpenedAt)
                .FirstOrDefaultAsync(cancellationToken),
            Earlier = [.. summaries.Skip(1)],
        };
    }

    /// <summary>The alerts as rows of the list, in their order. One query reads their tickets.</summary>
    private async Task<IReadOnlyList<IncidentSummary>> SummarizeAsync(
        AutoTicketDbContext db,
        List<Alert> alerts,
        CancellationToken cancellationToken
    )
    {
        if (alerts.Count == 0)
        {
            return [];
        }

        var ids = alerts.Select(alert => alert.AlertId).Distinct().ToList();
        var (oldest, now) = (alerts.Min(alert => alert.OpenedAt), clock.GetUtcNow());
        // Tickets of later incidents must not use up the limit.
        var newest = alerts.Max(alert => alert.EndedAt ?? now);
        var tickets = (
            await db
                .Tickets.AsNoTracking()
                .Where(ticket => ids.Contains(ticket.DedupKey) && ticket.PostedAt <= newest)
                .Where(ticket => ticket.State != TicketState.Closed || ticket.ClosedAt >= oldest)
                .OrderByDescending(ticket => ticket.PostedAt)
                .Take(MostTickets * alerts.Count)
                .ToListAsync(cancellationToken)
        ).ToLookup(ticket => ticket.DedupKey);
        return alerts.ConvertAll(alert =>
        {
            var surface = alert.Surface is { } key ? board.Find(key)?.Surface : null;
            return new IncidentSummary(
                alert.Id,
                alert.IncidentKey.ToString(),
                alert.AlertKey,
                TitleOf(alert, surface?.Name),
                alert.Summary,
                alert.Name,
                alert.Source,
                alert.Surface,
                surface?.Name,
                surface?.Group is { Length: > 0 } group ? group : null,
                alert.Severity,
                alert.Status,
                alert.OpenedAt,
                alert.EndedAt,
                alert.Reopened,
                tickets[alert.AlertId]
                    .Where(ticket =>
                        ticket.PostedAt <= (alert.EndedAt ?? DateTimeOffset.MaxValue)
                        && (ticket.State != TicketState.Closed || ticket.ClosedAt >= alert.OpenedAt)
                    )
                    .Select(ticket => IncidentRows.TicketOf(ticket, freeScout.Value.TicketUrl))
                    .FirstOrDefault()
            );
        });
    }
}
