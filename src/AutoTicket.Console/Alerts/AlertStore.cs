using System.Data.Common;
using System.Runtime.CompilerServices;
using System.Text.Json;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Surfaces;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Alerts;

/// <summary>Reads and writes episodes. A batch takes three round trips, whatever its size.</summary>
internal sealed class AlertStore(
    IDbContextFactory<AutoTicketDbContext> contexts,
    IOptions<AlertsOptions> options,
    IEnumerable<IAlertHook> hooks
)
{
    private static readonly RowBatch<Alert> New = RowBatch.Of<Alert>(
        a => a.AlertId,
        a => a.LogicalId,
        a => a.Slot,
        a => a.Status,
        a => a.Source,
        a => a.Name,
        a => a.Surface,
        a => a.Severity,
        a => a.Summary,
        a => a.FullText,
        a => a.Url,
        a => a.Labels,
        a => a.Members,
        a => a.FoldedIds,
        a => a.StartedAt,
        a => a.OpenedAt,
        a => a.ExpiresAt,
        a => a.EndedAt,
        a => a.Reopened
    );

    private static readonly RowBatch<Alert> Changed = RowBatch.Of<Alert>(
        a => a.Id,
        a => a.Version,
        a => a.Status,
        a => a.Severity,
        a => a.Summary,
        a => a.FullText,
        a => a.Members,
        a => a.FoldedIds,
        a => a.StartedAt,
        a => a.SeenAt,
        a => a.ExpiresAt,
        a => a.EndedAt,
        a => a.Reopened
    );

    private static readonly RowBatch<Alert> ToNotify = RowBatch
        .Of<Alert>(a => a.Id, a => a.Version)
        .And(("notify_at", "timestamptz", a => a.NotifyAt));

    /// <summary>The columns that <see cref="Read"/> needs: all but the labels and the URL, which only hooks use.</summary>
    public const string Columns = $"{ColumnsForHooks}, alerts.full_text";

    /// <summary><see cref="Columns"/> without the full text, which may be long. A hook asks only whether there is one.</summary>
    public const string ColumnsForHooks = """
        alerts.id, alerts.alert_id, alerts.logical_id, alerts.slot, alerts.status, alerts.source, alerts.name, alerts.surface,
        alerts.severity, alerts.summary, alerts.members, alerts.folded_ids, alerts.started_at, alerts.opened_at,
        alerts.seen_at, alerts.expires_at, alerts.ended_at, alerts.reopened, alerts.version
        """;

    private const string Outbox = "INSERT INTO alert_outbox (hook, alert_row, source, severity, due_at) SELECT hook,";

    /// <summary>One row for each registered hook. The empty first SELECT keeps it valid SQL without any hook.</summary>
    private readonly string _forEachHook =
        $"CROSS JOIN (SELECT '' AS hook WHERE 1 = 0{string.Concat(hooks.Select(hook => $" UNION ALL SELECT '{hook.Name}'"))}) AS hooks";

    private static readonly RowBatch<string> Wanted = new(("wanted", "text", id => id));

    /// <summary>The firing episodes of these logical alerts, and those that ended after <paramref name="endedSince"/>.</summary>
    public async Task<List<Alert>> ReadAsync(
        IReadOnlyCollection<string> logicalIds,
        DateTimeOffset endedSince,
        CancellationToken cancellationToken
    )
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        return await db.QueryAsync(
            FormattableStringFactory.Create($"SELECT {Columns} FROM {Known(0, 1)}", Wanted.Of(logicalIds), endedSince),
            row => Read(db, row),
            cancellationToken
        );
    }

    /// <summary>Opens episodes, unless <see cref="ReadAsync"/> would find one of their logical alerts: then it opens none.</summary>
    /// <returns>How many were opened. Fewer than given: another process opened the others first.</returns>
    public async Task<int> OpenUnknownAsync(
        IReadOnlyList<Alert> opened,
        IReadOnlyCollection<string> logicalIds,
        DateTimeOffset endedSince,
        CancellationToken cancellationToken
    )
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        return await InsertAsync(
            db,
            opened,
            // Not NOT EXISTS: PostgreSQL would plan it for a first row that is never found.
            $"(SELECT count(*) FROM {Known(1, 2)}) = 0",
            [],
            cancellationToken,
            Wanted.Of(logicalIds),
            endedSince
        );
    }

    // IS NOT FALSE makes PostgreSQL use the index on the identity. In a flood its statistics are stale, and it would otherwise scan all
    // firing alerts.
    private static string Known(int wanted, int endedSince) =>
        $"{{{wanted}}} JOIN alerts ON alerts.logical_id = wanted AND (alerts.ended_at > {{{endedSince}}}) IS NOT FALSE";

    /// <summary>The alert of a row that holds <see cref="Columns"/>.</summary>
    public static Alert Read(AutoTicketDbContext db, DbDataReader row) =>
        new()
        {
            Id = row.Long("id"),
            AlertId = row.Text("alert_id"),
            LogicalId = row.Text("logical_id"),
            Slot = row.Text("slot"),
            Status = Words.Parse<AlertStatus>(row.Text("status")),
            Source = row.Text("source"),
            Name = row.Text("name"),
            Surface = row.TextOrNull("surface"),
            Severity = Words.Parse<Severity>(row.Text("severity")),
            Summary = row.Text("summary"),
            FullText = row.TextOrNull("full_text"),
            Members = JsonSerializer.Deserialize<IReadOnlyList<AlertMember>>(row.Text("members"), JsonSerializerOptions.Web)!,
            FoldedIds = row.Int("folded_ids"),
            StartedAt = db.TimeOf(row, "started_at"),
            OpenedAt = db.TimeOf(row, "opened_at"),
            SeenAt = db.TimeOf(row, "seen_at"),
            ExpiresAt = db.TimeOrNull(row, "expires_at"),
            EndedAt = db.TimeOrNull(row, "ended_at"),
            Reopened = row.Int("reopened"),
            Version = row.Int("version"),
        };

    /// <summary>Firing alerts that have expired before a time, or whose surface is no longer configured.</summary>
    public async Task<List<Alert>> ReadAbandonedAsync(
        DateTimeOffset expiredBefore,
        IReadOnlyCollection<string> surfaces,
        CancellationToken cancellationToken
    )
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        return await db.QueryAsync(
            FormattableStringFactory.Create(
                $$"""
                SELECT {{Columns}} FROM alerts
                WHERE status = 'firing' AND (expires_at < {0} OR (
                  source = '{{Observation.Console}}' AND name = '{{Observation.SurfaceOutage}}'
                  AND surface NOT IN (SELECT wanted FROM {1})))
                ORDER BY id LIMIT 1000
                """,
                expiredBefore,
                Wanted.Of(surfaces)
            ),
            row => Read(db, row),
            cancellationToken
        );
    }

    /// <summary>Deletes episodes that ended before this time, with their deliveries and outbox entries.</summary>
    public async Task DeleteAsync(DateTimeOffset before, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var ended = db.Alerts.Where(alert => alert.EndedAt < before).OrderBy(alert => alert.EndedAt).Select(alert => alert.Id);
        while (await ended.Take(Expiry.MostAtOnce).ToListAsync(cancellationToken) is { Count: > 0 } rows)
        {
            await DeliveryStore.DeleteAsync(db, rows, cancellationToken);
            await db.Alerts.Where(alert => rows.Contains(alert.Id)).ExecuteDeleteAsync(cancellationToken);
        }
    }

    /// <summary>Queues the firing alerts that a hook neither delivered nor waits to deliver, as after a change of the threshold.</summary>
    public async Task QueueUndeliveredAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        // EXCEPT, because it takes linear time whatever the planner expects of the outbox.
        await db.ExecuteAsync(
            FormattableStringFactory.Create(
                $"""
                {Outbox} alerts.id, source, severity, opened_at FROM (
                  SELECT id, hook FROM alerts {_forEachHook} WHERE status = 'firing' AND severity IN ({NotifySeveritiesSql})
                  EXCEPT SELECT alert_row, hook FROM alert_outbox
                  EXCEPT SELECT alert_row, hook FROM alert_deliveries JOIN alerts ON alerts.id = alert_row
                    WHERE status = 'firing' AND kind = 'firing'
                ) AS missing JOIN alerts ON alerts.id = missing.id
                """
            ),
            cancellationToken
        );
    }

    /// <returns>How many were written. Fewer than given: another process changed the others first. Read again and repeat.</returns>
    public async Task<int> WriteAsync(IReadOnlyList<Alert> opened, IReadOnlyList<Alert> changed, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var written = opened.Count > 0 ? await InsertAsync(db, opened, "true", [], cancellationToken) : 0;

        if (changed.Count > 0)
        {
            var update = FormattableStringFactory.Create(
                $$"""
                UPDATE alerts SET {{Changed.AssignmentsIn(db, "id", "version")}}, version = alerts.version + 1
                FROM {0} WHERE alerts.id = r.id AND alerts.version = r.version
                """,
                Changed.Of([.. changed.OrderBy(alert => alert.Id)])
            );
            var queue = FormattableStringFactory.Create(
                $$"""
                {{Outbox}} alerts.id, source, severity, notify_at
                FROM alerts JOIN {0} ON alerts.id = r.id AND alerts.version = r.version + 1 {{_forEachHook}}
                """,
                ToNotify.Of([.. changed.Where(alert => alert.NotifyAt is not null)])
            );
            try
            {
                written += (await db.ExecuteTogetherAsync([update, queue], cancellationToken))[0];
            }
            catch (Exception exception) when (Outages.IsDuplicate(exception))
            {
                // Another process opened an episode instead of the one that is reopened here. None of the changes is written.
            }
        }

        return written;
    }

    /// <summary>Inserts an episode that has ended, and whose beginning and end were delivered by these hooks.</summary>
    public async Task WriteDeliveredAsync(Alert ended, IEnumerable<string> by, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        // In the same commit: otherwise another leader would find the episode undelivered and deliver it again.
        var delivered = DeliveryStore.InsertWholeEpisode(by);
        // If the answer to an earlier try was lost, the episode is stored already.
        const string isNew = "NOT EXISTS (SELECT 1 FROM alerts a WHERE a.logical_id = r.logical_id AND a.opened_at = r.opened_at)";
        await InsertAsync(db, [ended], isNew, [delivered], cancellationToken);
    }

    /// <param name="where">Which rows are inserted. {1} is the first of <paramref name="arguments"/>.</param>
    private Task<int> InsertAsync(
        AutoTicketDbContext db,
        IReadOnlyList<Alert> opened,
        string where,
        IReadOnlyList<string> then,
        CancellationToken cancellationToken,
        params object[] arguments
    ) =>
        db.InsertAsync(
            "alerts",
            $$"""
            ({{New.NamesIn(db)}}, seen_at, version)
            SELECT {{New.NamesIn(db)}}, opened_at, 0 FROM {0} WHERE {{where}}
            ON CONFLICT (logical_id, slot) WHERE status = 'firing' DO NOTHING
            """,
            "id, alert_id, source, name, surface, severity, opened_at, ended_at",
            [
                $"""
                INSERT INTO audit_log (created_at, action, actor, payload)
                SELECT opened_at, '{AuditActions.AlertOpened}', source, {db.JsonObject}(
                  'alert_key', substr(alert_id, 1, {AlertIdentity.KeyLength}), 'alert_id', alert_id, 'severity', severity,
                  'surface', surface, 'name', name)
                FROM inserted
                """,
                $"{Outbox} id, source, severity, opened_at FROM inserted {_forEachHook} WHERE severity IN ({NotifySeveritiesSql})",
                .. then,
            ],
            New.Of(Sorted(opened)),
            cancellationToken,
            arguments
        );

    /// <summary>The severities that reach the hooks, as an SQL list: <c>'p1', 'p2'</c>.</summary>
    private string NotifySeveritiesSql => string.Join(", ", options.Value.NotifySeverities.Select(severity => $"'{Words.Of(severity)}'"));

    /// <summary>All processes use one order, so that two batches can't deadlock.</summary>
    private static List<Alert> Sorted(IEnumerable<Alert> alerts) =>
        [.. alerts.OrderBy(alert => alert.LogicalId, StringComparer.Ordinal).ThenBy(alert => alert.Slot, StringComparer.Ordinal)];
}
