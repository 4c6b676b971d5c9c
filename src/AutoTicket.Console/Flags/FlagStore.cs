using System.Text.Json;
using AutoTicket.Audit;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Flags;

/// <summary>Reads and writes the flags' rows. Every change is a compare-and-swap together with its audit entry.</summary>
internal sealed class FlagStore(IDbContextFactory<AutoTicketDbContext> contexts, FlagEnvironment environment, TimeProvider clock)
{
    /// <summary>A process that has not acknowledged for this long has ended.</summary>
    private static readonly TimeSpan AckLifetime = TimeSpan.FromSeconds(30);

    public async Task<(List<FlagRow> Rows, List<FlagAckRow> Acks)> ReadAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var alive = clock.GetUtcNow() - AckLifetime;
        return (
            await db.FeatureFlags.AsNoTracking().ToListAsync(cancellationToken),
            await db.FlagAcks.AsNoTracking().Where(ack => ack.At > alive).OrderBy(ack => ack.Instance).ToListAsync(cancellationToken)
        );
    }

    /// <summary>Applies <paramref name="change"/> to the current row, and retries if another process changed it meanwhile.</summary>
    /// <param name="change">Changes the row; false: there is nothing to change.</param>
    public async Task ChangeAsync(string name, string actor, string reason, Func<FlagRow, bool> change, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        while (true)
        {
            await db.ExecuteAsync(
                $"INSERT INTO feature_flags (name, version) VALUES ({name}, 0) ON CONFLICT DO NOTHING",
                cancellationToken
            );
            var row = await db.FeatureFlags.AsNoTracking().SingleAsync(flag => flag.Name == name, cancellationToken);
            // With the environment's value of the last write, because its change is audited, too.
            var before = environment.IsOn(row.Environment, row.Enabled);
            var version = row.Version;
            if (!change(row))
            {
                return;
            }

            var (now, after) = (clock.GetUtcNow(), environment.IsOn(row.Environment, row.Enabled));
            if (before != after)
            {
                // The audit entry expires.
                (row.OffSince, row.OffBy, row.OffReason) = (after ? null : now, after ? null : actor, after ? null : reason);
            }

            var audit = new AuditEntry
            {
                CreatedAt = now,
                Action = AuditActions.FlagChanged,
                Actor = actor,
                Payload = JsonSerializer.Serialize(
                    new
                    {
                        flag = name,
                        before,
                        after,
                        reason,
                        environment = row.Environment,
                        scheduled_for = row.ScheduledAt,
                        scheduled_to = row.ScheduledEnabled,
                    }
                ),
            };
            if (
                await db.UpdateWithAuditAsync(
                    $"""
                    UPDATE feature_flags SET enabled = {row.Enabled}, changed_by = {row.ChangedBy}, changed_at = {row.ChangedAt},
                      reason = {row.Reason}, scheduled_enabled = {row.ScheduledEnabled}, scheduled_at = {row.ScheduledAt},
                      scheduled_by = {row.ScheduledBy}, scheduled_reason = {row.ScheduledReason},
                      off_since = {row.OffSince}, off_by = {row.OffBy}, off_reason = {row.OffReason},
                      environment = {row.Environment}, version = {version + 1}
                    WHERE name = {name} AND version = {version}
                    """,
                    audit,
                    cancellationToken
                )
            )
            {
                return;
            }
        }
    }

    /// <summary>Stores the values that are in force in this process.</summary>
    public async Task AcknowledgeAsync(string instance, IEnumerable<FlagState> flags, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var now = clock.GetUtcNow();
        foreach (var flag in flags)
        {
            await db.ExecuteAsync(
                $"""
                INSERT INTO flag_acks (instance, name, enabled, at) VALUES ({instance}, {flag.Name}, {flag.Enabled}, {now})
                ON CONFLICT (instance, name) DO UPDATE SET enabled = excluded.enabled, at = excluded.at
                """,
                cancellationToken
            );
        }

        var gone = now - TimeSpan.FromMinutes(10);
        await db.FlagAcks.Where(ack => ack.At < gone).ExecuteDeleteAsync(cancellationToken);
    }
}
