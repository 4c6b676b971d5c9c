using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Alerts;

/// <summary>The notification log in the database: what each hook has still to deliver, and what it has delivered.</summary>
internal sealed class DeliveryLog(IDbContextFactory<AutoTicketDbContext> contexts, IOptions<AlertsOptions> options, TimeProvider clock)
{
    /// <summary>What one hook is given at a time.</summary>
    private const int MostAtOnce = 1_000;

    /// <summary>What ended longer ago than this is told to nobody any more.</summary>
    private static readonly TimeSpan NewsLives = TimeSpan.FromHours(24);

    private static readonly Rows<(HookOutcome Outcome, DeliveryKind Kind)> New = new(
        ("alert_row", "bigint", row => row.Outcome.Notice.Alert.Id),
        ("kind", "text", row => Words.Of(row.Kind)),
        ("severity", "text", row => Words.Of(row.Outcome.Notice.Alert.Severity)),
        ("reopened", "int", row => row.Outcome.Notice.Alert.Reopened),
        ("told_at", "timestamptz", row => row.Outcome.Notice.Told?.At),
        ("ticket_id", "bigint", row => row.Outcome.Ticket?.Id),
        ("ticket_number", "bigint", row => row.Outcome.Ticket?.Number),
        ("ticket_url", "text", row => row.Outcome.Ticket?.Url));

    /// <summary>What the hook has not delivered yet; so much of it as one pass takes. Each source's worst come first, and of the rest those
    /// whose last try lies longest back: a flood of one source, which the hook will not take, keeps nobody else's alert waiting, and
    /// each alert of the flood itself has its turn and its decision.</summary>
    public async Task<List<AlertNotice>> DueAsync(IAlertHook hook, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        // The words are in the order of severity.
        var severe = Words.Of(options.Value.NotifySeverity);
        var newsSince = clock.GetUtcNow() - NewsLives;
        // What flaps is well again only once it was quiet for a while.
        var quietSince = clock.GetUtcNow() - options.Value.QuietPeriod;
        // When a try was last made counts, and is looked up, only where there are more than one pass takes.
        var ids = await db.QueryAsync($"""
            WITH due AS (
              SELECT alerts.id, alerts.alert_id, alerts.source, alerts.severity, alerts.opened_at
              FROM alerts LEFT JOIN alert_deliveries told ON told.alert_row = alerts.id AND told.hook = {hook.Name} AND told.kind = 'firing'
              WHERE alerts.is_pending AND CASE
                WHEN alerts.status = 'firing' AND told.hook IS NULL THEN alerts.severity <= {severe}
                WHEN alerts.status = 'firing' THEN told.severity <> alerts.severity OR told.reopened < alerts.reopened
                WHEN told.hook IS NULL THEN {hook.WantsWhatEnded} AND alerts.severity <= {severe} AND alerts.ended_at > {newsSince}
                ELSE (alerts.reopened = 0 OR alerts.ended_at < {quietSince}) AND NOT EXISTS (
                  SELECT 1 FROM alert_deliveries ended
                  WHERE ended.alert_row = alerts.id AND ended.hook = {hook.Name} AND ended.kind = 'ended' AND ended.reopened >= alerts.reopened) END
            ), tried AS (
              SELECT due.*, CASE WHEN (SELECT count(*) FROM due) > {MostAtOnce} THEN (
                SELECT max(d.last_at) FROM decisions d WHERE d.alert_id = due.alert_id AND d.alert_row = due.id AND d.path = {hook.Name}) END AS tried_at
              FROM due
            ), placed AS (
              SELECT id, row_number() OVER (PARTITION BY source ORDER BY severity, opened_at, id) AS place, row_number() OVER (ORDER BY tried_at NULLS FIRST, severity, id) AS turn
              FROM tried
            )
            SELECT id FROM placed ORDER BY CASE WHEN place < turn THEN place ELSE turn END LIMIT {MostAtOnce}
            """, row => row.GetInt64(0), cancellationToken);
        if (ids.Count == 0)
        {
            return [];
        }

        var due = await (
                from alert in db.Alerts.AsNoTracking()
                where ids.Contains(alert.Id)
                from told in db.AlertDeliveries.Where(d => d.AlertRow == alert.Id && d.Hook == hook.Name && d.Kind == DeliveryKind.Firing).DefaultIfEmpty()
                from filed in db.AlertDeliveries.Where(d => d.AlertRow == alert.Id && d.Hook == AlertPaths.Ticket && d.Kind == DeliveryKind.Firing).DefaultIfEmpty()
                orderby alert.Severity, alert.OpenedAt, alert.Id
                select new { alert, told, filed })
            .ToListAsync(cancellationToken);
        return due.ConvertAll(one => new AlertNotice(
            one.alert,
            one.told is null ? NoticeKind.Firing
                : !one.alert.IsFiring ? NoticeKind.Ended
                : one.told.Reopened < one.alert.Reopened ? NoticeKind.FiringAgain
                : NoticeKind.SeverityChanged,
            one.told,
            one.filed?.TicketId is { } ticket ? new AlertTicket(ticket, one.filed.TicketNumber!.Value, one.filed.TicketUrl!) : null));
    }

    /// <summary>Writes down what a hook has delivered, after it was, and why, with one commit.</summary>
    public async Task RecordAsync(IAlertHook hook, IReadOnlyList<HookOutcome> outcomes, IEnumerable<Decision> decisions)
    {
        if (outcomes.Count == 0)
        {
            return;
        }

        await using var db = await contexts.CreateDbContextAsync();
        // A note leaves the ticket that is recorded as it is. What another leader recorded since the notice was read is newer, and stays.
        FormattableString delivered = $"""
            INSERT INTO alert_deliveries (alert_row, hook, kind, at, severity, reopened, ticket_id, ticket_number, ticket_url)
            SELECT alert_row, {hook.Name}, kind, {clock.GetUtcNow()}, severity, reopened, ticket_id, ticket_number, ticket_url
            FROM {New.Of([.. outcomes.OrderBy(outcome => outcome.Notice.Alert.Id).SelectMany(outcome => KindsOf(outcome.Notice).Select(kind => (outcome, kind)))])}
            WHERE NOT EXISTS (
              SELECT 1 FROM alert_deliveries d WHERE d.alert_row = r.alert_row AND d.hook = {hook.Name} AND d.kind = r.kind
                AND d.at IS DISTINCT FROM r.told_at AND d.reopened >= r.reopened)
            ON CONFLICT (alert_row, hook, kind) DO UPDATE SET at = excluded.at, severity = excluded.severity, reopened = excluded.reopened,
              ticket_id = coalesce(excluded.ticket_id, alert_deliveries.ticket_id), ticket_number = coalesce(excluded.ticket_number, alert_deliveries.ticket_number),
              ticket_url = coalesce(excluded.ticket_url, alert_deliveries.ticket_url)
            """;
        await db.ExecuteTogetherAsync(DecisionLog.Statement(decisions) is { } decided ? [delivered, decided] : [delivered], CancellationToken.None);
    }

    /// <summary>Who is told that something fired and is over need not be told that it is over.</summary>
    private static IEnumerable<DeliveryKind> KindsOf(AlertNotice notice) =>
        notice.Kind == NoticeKind.Ended ? [DeliveryKind.Ended] : notice.Alert.IsFiring ? [DeliveryKind.Firing] : [DeliveryKind.Firing, DeliveryKind.Ended];

    /// <summary>Takes off the list what no hook has anything to do for any more.</summary>
    public async Task SettleAsync(IReadOnlyList<IAlertHook> all)
    {
        await using var db = await contexts.CreateDbContextAsync();
        var hooks = all.Count;
        var wanting = all.Where(hook => hook.WantsWhatEnded).Select(hook => hook.Name).ToList();
        var (levels, newsSince) = (options.Value.NotifySeverities, clock.GetUtcNow() - NewsLives);
        var done = db.Alerts
            .Where(alert => alert.IsPending && (alert.Status == AlertStatus.Firing
                ? db.AlertDeliveries.Count(d => d.AlertRow == alert.Id && d.Kind == DeliveryKind.Firing && d.Severity == alert.Severity && d.Reopened == alert.Reopened) >= hooks
                : !db.AlertDeliveries.Any(d => d.AlertRow == alert.Id && d.Kind == DeliveryKind.Firing
                        && !db.AlertDeliveries.Any(e => e.AlertRow == alert.Id && e.Hook == d.Hook && e.Kind == DeliveryKind.Ended && e.Reopened == alert.Reopened))
                    && (!levels.Contains(alert.Severity) || alert.EndedAt <= newsSince
                        || db.AlertDeliveries.Count(d => d.AlertRow == alert.Id && d.Kind == DeliveryKind.Firing && wanting.Contains(d.Hook)) >= wanting.Count)));
        // Asked first: every UPDATE wakes those that listen, and them we would wake without end.
        if (await done.AnyAsync())
        {
            await done.ExecuteUpdateAsync(set => set.SetProperty(alert => alert.IsPending, false));
        }
    }
}
