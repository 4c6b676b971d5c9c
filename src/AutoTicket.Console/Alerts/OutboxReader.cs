using System.Collections.Concurrent;
using System.Data.Common;
using System.Runtime.CompilerServices;
using AutoTicket.Data;
using AutoTicket.Surfaces;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Alerts;

/// <summary>Reads what each hook still has to deliver, and in which order.</summary>
internal sealed class OutboxReader(
    IDbContextFactory<AutoTicketDbContext> contexts,
    IOptions<AlertsOptions> options,
    AlertMutes mutes,
    TimeProvider clock
)
{
    /// <summary>The most outbox entries of one pass.</summary>
    private const int MostAtOnce = 1_000;

    /// <summary>An alert that ended undelivered longer ago than this is dropped. Of one that expired in a mute, the time begins after the
    /// mute: nobody reported a recovery.</summary>
    private static readonly TimeSpan DropEndedAfter = TimeSpan.FromHours(24);

    // {0} the hook, {1} the present; {2} the latest plausible wait: an entry that is due later was written before the clock was set back,
    // and is read at once; {3} how many.
    private const string IsDue = "hook = {0} AND (due_at <= {1} OR due_at > {2})";

    private const string SelectEntries = $$"""
        SELECT {{AlertStore.ColumnsForHooks}}, substr(alerts.full_text, 1, 1) AS full_text, alerts.url, alerts.labels,
          fired.at AS last_at, fired.severity AS last_severity, fired.reopened AS last_reopened, ended.reopened AS end_reopened,
          filed.ticket_id, filed.ticket_number, filed.ticket_url,
          entry.id AS entry_id, entry.turn AS entry_turn, entry.source AS entry_source, entry.severity AS entry_severity
        FROM entry JOIN alerts ON alerts.id = entry.alert_row
          LEFT JOIN alert_deliveries fired ON fired.alert_row = alerts.id AND fired.hook = {0} AND fired.kind = 'firing'
          LEFT JOIN alert_deliveries ended ON ended.alert_row = alerts.id AND ended.hook = {0} AND ended.kind = 'ended'
          LEFT JOIN alert_deliveries filed ON filed.alert_row = alerts.id AND filed.kind = 'firing' AND filed.ticket_id IS NOT NULL
        """;

    private const string Any = $$"""
        WITH entry AS (SELECT id, alert_row, source, severity, 0 AS turn FROM alert_outbox WHERE {{IsDue}} LIMIT {3})
        {{SelectEntries}}
        """;

    // {4}, {5} and {6} the source, severity and id at which the last round-robin stopped.
    // place: rank within its source. turn: rank in the round-robin, counted from the last pass's stop. A row's order is the
    // smaller of the two; of equals, the worst goes first, then the next in the round-robin. The very next one is always taken. Each is
    // read in the order of an index: sorting a flood takes long.
    private const string InTurn = $$"""
        WITH due AS NOT MATERIALIZED (
          SELECT id, alert_row, source, severity, CASE WHEN (source, severity, id) > ({4}, {5}, {6}) THEN 0 ELSE 1 END AS lap
          FROM alert_outbox WHERE {{IsDue}}
        ), placed AS (
          SELECT *, row_number() OVER (PARTITION BY source ORDER BY severity, id) AS place FROM due
        ), turned AS (
          SELECT *, row_number() OVER (ORDER BY lap, source, severity, id) AS turn FROM (
            SELECT * FROM (SELECT * FROM due
              WHERE (source, severity, id) > ({4}, {5}, {6}) ORDER BY source, severity, id LIMIT {3}) AS ahead
            UNION ALL
            SELECT * FROM (SELECT * FROM due
              WHERE (source, severity, id) <= ({4}, {5}, {6}) ORDER BY source, severity, id LIMIT {3}) AS behind
          ) AS laps
        ), entry AS (
          SELECT id, alert_row, source, severity, max(turn) AS turn FROM (
            SELECT id, alert_row, source, severity, lap, place AS rank, 0 AS turn FROM placed WHERE place <= {3}
            UNION ALL
            SELECT id, alert_row, source, severity, lap, turn, turn FROM turned
          ) AS ranked
          GROUP BY id, alert_row, source, severity, lap
          ORDER BY CASE WHEN max(turn) = 1 THEN 0 ELSE 1 END, min(rank), severity, lap, source, id LIMIT {3}
        )
        {{SelectEntries}}
        """;

    private static readonly RowBatch<long> Entries = new(("entry", "bigint", id => id));

    /// <summary>Where the round-robin stopped, for each hook with more due than one pass takes. A new process starts from the
    /// beginning.</summary>
    private readonly ConcurrentDictionary<string, Cursor> _cursors = new();

    /// <param name="Turn">The rank in the round-robin; 0 when it is far behind.</param>
    private sealed record Cursor(long Turn, string Source, string Severity, long Id);

    /// <param name="EndDeliveredFor">The <see cref="Alert.Reopened"/> whose end was delivered.</param>
    private sealed record Entry(
        long Id,
        Alert Alert,
        AlertDelivery? LastDelivery,
        int? EndDeliveredFor,
        AlertTicket? Ticket,
        Cursor Cursor
    );

    /// <summary>Reads the undelivered alerts for one pass; a hook has one pass at a time. If more than 1,000 are due, the pass takes each
    /// source's worst first, and one entry in turn for each round of sources. So no source starves, and every entry has its turn.</summary>
    /// <returns>Worst and oldest first.</returns>
    public async Task<List<AlertNotice>> DueAsync(IAlertHook hook, CancellationToken cancellationToken)
    {
        while (true)
        {
            await using var db = await contexts.CreateDbContextAsync(cancellationToken);
            var entries = await ReadAsync(db, hook.Name, cancellationToken);
            var notices = new List<AlertNotice>();
            var obsolete = new List<long>();
            foreach (var sameAlert in entries.GroupBy(entry => entry.Alert.Id))
            {
                var entry = sameAlert.First();
                var ids = sameAlert.Select(one => one.Id).ToList();
                if (KindOf(hook, entry) is not { } kind)
                {
                    obsolete.AddRange(ids);
                    continue;
                }

                // The query decides by the due time of each entry. An entry of an earlier change can be due before the end is.
                if (
                    kind == NoticeKind.Ended
                    && options.Value.EndHeldUntil(entry.Alert) is { } heldUntil
                    && options.Value.MustWait(heldUntil, clock.GetUtcNow())
                )
                {
                    continue;
                }

                notices.Add(
                    new AlertNotice(entry.Alert, kind, entry.LastDelivery, entry.Ticket)
                    {
                        Entries = ids,
                        IsWorse = entry.Alert.Severity < entry.LastDelivery?.Severity && options.Value.ReachesHooks(entry.Alert.Severity),
                        IsEndDelivered = entry.EndDeliveredFor >= entry.LastDelivery?.Reopened,
                    }
                );
            }

            if (obsolete.Count > 0)
            {
                await db.ExecuteAsync(Deleted(obsolete), cancellationToken);
            }

            if (notices.Count > 0 || obsolete.Count == 0 || entries.Count < MostAtOnce)
            {
                return
                [
                    .. notices
                        .OrderBy(notice => notice.Alert.Severity)
                        .ThenBy(notice => notice.Alert.OpenedAt)
                        .ThenBy(notice => notice.Alert.Id),
                ];
            }
        }
    }

    private async Task<List<Entry>> ReadAsync(AutoTicketDbContext db, string hook, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var latestPlausibleWait = now + options.Value.QuietPeriod;

        Task<List<Entry>> QueryAsync(string sql, params object[] cursor) =>
            db.QueryAsync(
                FormattableStringFactory.Create(sql, [hook, now, latestPlausibleWait, MostAtOnce, .. cursor]),
                row => Read(db, row, hook),
                cancellationToken
            );

        if (!_cursors.TryGetValue(hook, out var last))
        {
            var all = await QueryAsync(Any);
            if (all.Count < MostAtOnce)
            {
                return all;
            }

            last = new Cursor(0, "", "", 0);
        }

        var entries = await QueryAsync(InTurn, last.Source, last.Severity, last.Id);
        if (entries.Count < MostAtOnce)
        {
            _cursors.TryRemove(hook, out _);
        }
        else
        {
            // Up to the first that was not taken.
            _cursors[hook] = entries
                .Select(entry => entry.Cursor)
                .Where(cursor => cursor.Turn > 0)
                .OrderBy(cursor => cursor.Turn)
                .TakeWhile((cursor, before) => cursor.Turn == before + 1)
                .Last();
        }

        return entries;
    }

    private static Entry Read(AutoTicketDbContext db, DbDataReader row, string hook)
    {
        var alert = AlertStore.Read(db, row) with { Url = row.TextOrNull("url"), Labels = row.Text("labels") };
        var lastDelivery = db.TimeOrNull(row, "last_at") is { } at
            ? new AlertDelivery
            {
                AlertRow = alert.Id,
                Hook = hook,
                Kind = DeliveryKind.Firing,
                At = at,
                Severity = Words.Parse<Severity>(row.Text("last_severity")),
                Reopened = row.Int("last_reopened"),
            }
            : null;
        var ticket = row.LongOrNull("ticket_id") is { } ticketId
            ? new AlertTicket(ticketId, row.LongOrNull("ticket_number"), row.Text("ticket_url"))
            : null;
        var cursor = new Cursor(row.Long("entry_turn"), row.Text("entry_source"), row.Text("entry_severity"), row.Long("entry_id"));
        return new Entry(cursor.Id, alert, lastDelivery, row.IntOrNull("end_reopened"), ticket, cursor);
    }

    /// <returns>Null when the hook has nothing to deliver.</returns>
    private NoticeKind? KindOf(IAlertHook hook, Entry entry)
    {
        var alert = entry.Alert;
        if (entry.LastDelivery is not { } last)
        {
            var isWanted =
                alert.IsFiring
                || (
                    hook.WantsEndedAlerts
                    && alert.EndedAt is { } endedAt
                    && (
                        endedAt > clock.GetUtcNow() - DropEndedAfter
                        || (alert.Status == AlertStatus.Expired && mutes.At(alert, endedAt) is not null)
                    )
                );
            return isWanted && options.Value.ReachesHooks(alert.Severity) ? NoticeKind.Firing : null;
        }

        if (!alert.IsFiring)
        {
            return entry.EndDeliveredFor >= alert.Reopened ? null : NoticeKind.Ended;
        }

        if (last.Reopened < alert.Reopened)
        {
            return NoticeKind.FiringAgain;
        }

        return last.Severity != alert.Severity ? NoticeKind.SeverityChanged : null;
    }

    /// <summary>The statement that deletes outbox entries.</summary>
    public static FormattableString Deleted(IEnumerable<long> entries) =>
        $"DELETE FROM alert_outbox WHERE id IN (SELECT entry FROM {Entries.Of([.. entries])})";
}
