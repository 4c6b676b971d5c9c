using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Maintenance;

/// <summary>Reads and writes snoozes: the only writer of <c>snoozes</c>. Each change is one commit with its audit entry.</summary>
internal sealed class SnoozeStore(IDbContextFactory<AutoTicketDbContext> contexts)
{
    public static readonly Expiry Expiry = new(
        "DELETE FROM snoozes WHERE id IN (SELECT id FROM snoozes WHERE ends_at < {0} ORDER BY ends_at LIMIT {1})"
    );

    /// <returns>The snoozes that ended after <paramref name="since"/> or are in force. Those that end with their alert are left out once
    /// it has fired again.</returns>
    public async Task<List<Snooze>> ReadAsync(DateTimeOffset since, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var alerts = db.Alerts;
        var rows = await db
            .Snoozes.AsNoTracking()
            .Where(snooze => snooze.EndsAt > since && (snooze.EndedAt == null || snooze.EndedAt > since))
            .OrderBy(snooze => snooze.Id)
            .Select(snooze => new
            {
                Snooze = snooze,
                Alert = alerts
                    .Where(alert => alert.Id == snooze.AlertRow && alert.Reopened == snooze.Reopened)
                    .Select(alert => new { alert.EndedAt })
                    .FirstOrDefault(),
            })
            .ToListAsync(cancellationToken);
        return
        [
            .. rows.Where(row => row is { Snooze.UntilRecovery: false } or { Alert: not null })
                .Select(row => row.Snooze.UntilRecovery ? row.Snooze with { RecoveredAt = row.Alert!.EndedAt } : row.Snooze),
        ];
    }

    /// <returns>False: too many snoozes are in force.</returns>
    public async Task<bool> AddAsync(Snooze snooze, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var inForce = db.Snoozes.Where(other => other.EndsAt > snooze.CreatedAt && other.EndedAt == null);
        if (await inForce.CountAsync(cancellationToken) >= MaintenanceRules.MostSnoozes)
        {
            return false;
        }

        db.Snoozes.Add(snooze with { });
        db.AuditLog.Add(Audit(snooze, AuditActions.AlertSnoozed, snooze.Actor, snooze.CreatedAt));
        await db.SaveChangesAsync(cancellationToken);
        return true;
    }

    /// <returns>False: somebody else ended it first.</returns>
    public async Task<bool> EndAsync(Snooze snooze, string actor, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        return await db.UpdateWithAuditAsync(
            $"UPDATE snoozes SET ended_at = {now}, ended_by = {actor} WHERE id = {snooze.Id} AND ended_at IS NULL",
            Audit(snooze, AuditActions.AlertUnsnoozed, actor, now),
            cancellationToken
        );
    }

    private static AuditEntry Audit(Snooze snooze, string action, string actor, DateTimeOffset now) =>
        new()
        {
            CreatedAt = now,
            Action = action,
            Actor = actor,
            Payload = JsonSerializer.Serialize(
                new
                {
                    alert_key = AlertIdentity.KeyOf(snooze.AlertId),
                    alert_id = snooze.AlertId,
                    ends_at = snooze.EndsAt,
                    until_recovery = snooze.UntilRecovery,
                    reason = snooze.Reason,
                    set_by = snooze.Actor,
                }
            ),
        };
}
