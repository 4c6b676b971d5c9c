using System.Text.Json;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Surfaces;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Alerts;

/// <summary>Episodes in the database. Whatever the number of alerts, reading and writing a batch takes three statements.</summary>
internal sealed class AlertTable(IDbContextFactory<AutoTicketDbContext> contexts)
{
    private static readonly Rows<Alert> New = new(
        ("alert_id", "text", a => a.AlertId),
        ("logical_id", "text", a => a.LogicalId),
        ("slot", "text", a => a.Slot),
        ("source", "text", a => a.Source),
        ("name", "text", a => a.Name),
        ("surface", "text", a => a.Surface),
        ("severity", "text", a => Words.Of(a.Severity)),
        ("summary", "text", a => a.Summary),
        ("full_text", "text", a => a.FullText),
        ("url", "text", a => a.Url),
        ("labels", "text", a => a.Labels),
        ("members", "text", a => JsonSerializer.Serialize(a.Members, JsonSerializerOptions.Web)),
        ("folded_ids", "int", a => a.FoldedIds),
        ("started_at", "timestamptz", a => a.StartedAt),
        ("opened_at", "timestamptz", a => a.OpenedAt),
        ("expires_at", "timestamptz", a => a.ExpiresAt),
        ("is_pending", "boolean", a => a.IsPending),
        ("audit_at", "timestamptz", a => a.OpenedAt),
        ("audit_action", "text", _ => AuditActions.AlertOpened),
        ("audit_actor", "text", a => a.Source),
        ("audit_payload", "jsonb", a => JsonSerializer.Serialize(new { alert_key = a.AlertKey, alert_id = a.AlertId, severity = Words.Of(a.Severity), surface = a.Surface, name = a.Name })));

    private static readonly Rows<Alert> Changed = new(
        ("id", "bigint", a => a.Id),
        ("version", "int", a => a.Version),
        ("status", "text", a => Words.Of(a.Status)),
        ("severity", "text", a => Words.Of(a.Severity)),
        ("summary", "text", a => a.Summary),
        ("full_text", "text", a => a.FullText),
        ("members", "text", a => JsonSerializer.Serialize(a.Members, JsonSerializerOptions.Web)),
        ("folded_ids", "int", a => a.FoldedIds),
        ("started_at", "timestamptz", a => a.StartedAt),
        ("seen_at", "timestamptz", a => a.SeenAt),
        ("expires_at", "timestamptz", a => a.ExpiresAt),
        ("ended_at", "timestamptz", a => a.EndedAt),
        ("reopened", "int", a => a.Reopened),
        ("is_pending", "boolean", a => a.IsPending));

    private static readonly Rows<string> Wanted = new(("wanted", "text", id => id));

    /// <summary>What fires of these logical alerts, and what of them ended since <paramref name="endedSince"/>; without labels and address.</summary>
    public async Task<List<Alert>> ReadAsync(IReadOnlyCollection<string> logicalIds, DateTimeOffset endedSince, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        // Written so that only the index on the identity serves: PostgreSQL would look through all that fires where its statistics say
        // that hardly anything does, and in a flood they say so.
        return await db.QueryAsync($"""
            SELECT id, alert_id, logical_id, slot, status, source, name, surface, severity, summary, full_text, members, folded_ids, started_at, opened_at, seen_at, expires_at, ended_at,
              reopened, is_pending, version
            FROM {Wanted.Of(logicalIds)} JOIN alerts ON logical_id = wanted AND (ended_at > {endedSince}) IS NOT FALSE
            """,
            row => new Alert
            {
                Id = row.GetInt64(0),
                AlertId = row.GetString(1),
                LogicalId = row.GetString(2),
                Slot = row.GetString(3),
                Status = Words.Parse<AlertStatus>(row.GetString(4)),
                Source = row.GetString(5),
                Name = row.GetString(6),
                Surface = row.IsDBNull(7) ? null : row.GetString(7),
                Severity = Words.Parse<Severity>(row.GetString(8)),
                Summary = row.GetString(9),
                FullText = row.IsDBNull(10) ? null : row.GetString(10),
                Members = JsonSerializer.Deserialize<IReadOnlyList<AlertMember>>(row.GetString(11), JsonSerializerOptions.Web)!,
                FoldedIds = row.GetInt32(12),
                StartedAt = db.TimeOf(row, 13),
                OpenedAt = db.TimeOf(row, 14),
                SeenAt = db.TimeOf(row, 15),
                ExpiresAt = row.IsDBNull(16) ? null : db.TimeOf(row, 16),
                EndedAt = row.IsDBNull(17) ? null : db.TimeOf(row, 17),
                Reopened = row.GetInt32(18),
                IsPending = row.GetBoolean(19),
                Version = row.GetInt32(20),
            },
            cancellationToken);
    }

    /// <summary>What fires although its source fell silent, or although its surface is watched no more.</summary>
    public async Task<List<Alert>> ReadAbandonedAsync(DateTimeOffset now, IReadOnlyCollection<string> surfaces, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        return await Brief(db.Alerts
                .Where(alert => alert.Status == AlertStatus.Firing
                    && (alert.ExpiresAt < now || (alert.Source == Observation.Console && alert.Name == Observation.SurfaceOutage && !surfaces.Contains(alert.Surface!))))
                .OrderBy(alert => alert.Id).Take(1000))
            .ToListAsync(cancellationToken);
    }

    /// <summary>Forgets what ended, and what was decided, before <paramref name="before"/>.</summary>
    public async Task DeleteAsync(DateTimeOffset before, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        await db.AlertDeliveries.Where(d => db.Alerts.Any(alert => alert.Id == d.AlertRow && alert.EndedAt < before)).ExecuteDeleteAsync(cancellationToken);
        await db.Alerts.Where(alert => alert.EndedAt < before).ExecuteDeleteAsync(cancellationToken);
        await db.Decisions.Where(decision => decision.LastAt < before).ExecuteDeleteAsync(cancellationToken);
    }

    /// <returns>False: another process changed some of them meanwhile; what it left alone is written. Read again.</returns>
    public async Task<bool> WriteAsync(IReadOnlyList<Alert> opened, IReadOnlyList<Alert> changed, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var complete = true;
        if (opened.Count > 0)
        {
            complete &= await db.InsertWithAuditAsync(
                """
                INSERT INTO alerts (alert_id, logical_id, slot, status, source, name, surface, severity, summary, full_text, url, labels, members, folded_ids, started_at, opened_at, seen_at, expires_at, reopened, is_pending, version)
                SELECT alert_id, logical_id, slot, 'firing', source, name, surface, severity, summary, full_text, url, labels, members, folded_ids, started_at, opened_at, opened_at, expires_at, 0, is_pending, 0
                FROM {0} WHERE true
                ON CONFLICT (logical_id, slot) WHERE status = 'firing' DO NOTHING
                """,
                "logical_id, slot",
                New.Of(Sorted(opened)), cancellationToken) == opened.Count;
        }

        if (changed.Count > 0)
        {
            complete &= await db.ExecuteAsync($"""
                UPDATE alerts SET status = r.status, severity = r.severity, summary = r.summary, full_text = r.full_text, members = r.members, folded_ids = r.folded_ids, started_at = r.started_at,
                  seen_at = r.seen_at, expires_at = r.expires_at, ended_at = r.ended_at, reopened = r.reopened, is_pending = r.is_pending, version = alerts.version + 1
                FROM {Changed.Of(changed)}
                WHERE alerts.id = r.id AND alerts.version = r.version
                """, cancellationToken) == changed.Count;
        }

        return complete;
    }

    /// <summary>One order for all processes, so that two batches can't wait for each other.</summary>
    private static List<Alert> Sorted(IEnumerable<Alert> alerts) => [.. alerts.OrderBy(alert => alert.LogicalId, StringComparer.Ordinal).ThenBy(alert => alert.Slot, StringComparer.Ordinal)];

    private static IQueryable<Alert> Brief(IQueryable<Alert> alerts) => alerts.AsNoTracking().Select(alert => new Alert
    {
        Id = alert.Id,
        AlertId = alert.AlertId,
        LogicalId = alert.LogicalId,
        Slot = alert.Slot,
        Status = alert.Status,
        Source = alert.Source,
        Name = alert.Name,
        Surface = alert.Surface,
        Severity = alert.Severity,
        Summary = alert.Summary,
        FullText = alert.FullText,
        Members = alert.Members,
        FoldedIds = alert.FoldedIds,
        StartedAt = alert.StartedAt,
        OpenedAt = alert.OpenedAt,
        SeenAt = alert.SeenAt,
        ExpiresAt = alert.ExpiresAt,
        EndedAt = alert.EndedAt,
        Reopened = alert.Reopened,
        IsPending = alert.IsPending,
        Version = alert.Version,
    });
}
