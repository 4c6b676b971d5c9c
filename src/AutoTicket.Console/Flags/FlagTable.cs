using System.Text.Json;
using AutoTicket.Audit;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Flags;

/// <summary>The flags' rows in the database: every change is a compare-and-swap, and carries its audit entry.</summary>
internal sealed class FlagTable(IDbContextFactory<AutoTicketDbContext> contexts, FlagEnvironment environment, TimeProvider clock)
{
    /// <summary>A process that has not said what it has in force for this long is gone.</summary>
    private static readonly TimeSpan AckLives = TimeSpan.FromSeconds(30);

    public async Task<(List<FlagRow> Rows, List<FlagAckRow> Acks)> ReadAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var alive = clock.GetUtcNow() - AckLives;
        return (
            await db.FeatureFlags.AsNoTracking().ToListAsync(cancellationToken),
            await db.FlagAcks.AsNoTracking().Where(ack => ack.At > alive).OrderBy(ack => ack.Instance).ToListAsync(cancellationToken)
        );
    }

    /// <summary>Applies <paramref name="change"/> to the flag's row as it is at the moment of writing.</summary>
    /// <param name="change">Changes the row; false: there is nothing to change any more.</param>
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
            // By what the environment said when the row was last written: its own change is one of those that are audited.
            var before = environment.IsOn(row.Environment, row.Enabled);
            var version = row.Version;
            if (!change(row))
            {
                return;
            }

            var audit = new AuditEntry
            {
                CreatedAt = clock.GetUtcNow(),
                Action = AuditActions.FlagChanged,
                Actor = actor,
                Payload = JsonSerializer.Serialize(
                    new
                    {
                        flag = name,
                        before,
                        after = environment.IsOn(row.Environment, row.Enabled),
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

            // Somebody else changed it in between: look again.
        }
    }

    /// <summary>Says what this process has in force.</summary>
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
