using System.Collections.Concurrent;
using System.Text.Json;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Audit;

/// <summary>Writes denied actions to the audit log. Entries that can't be written wait in memory and are retried.</summary>
internal sealed class DenialLog(IDbContextFactory<AutoTicketDbContext> contexts, TimeProvider clock, ILogger<DenialLog> logger)
    : Loop(clock, logger)
{
    /// <summary>Further entries are dropped. Each of them is also a line of the log.</summary>
    private const int MostWaiting = 1000;

    private readonly ConcurrentQueue<AuditEntry> _waiting = new();

    /// <param name="actor">The denied user, password or token, as in <see cref="AuditEntry.Actor"/>.</param>
    /// <param name="payload">What was tried and why it was denied, with snake_case names.</param>
    public async Task RecordAsync(string actor, object payload)
    {
        var now = Clock.GetUtcNow();
        var entry = new AuditEntry
        {
            // Whole microseconds, as PostgreSQL stores them: a retry finds the entry by its time.
            CreatedAt = now.AddTicks(-(now.Ticks % TimeSpan.TicksPerMicrosecond)),
            Action = AuditActions.Denied,
            Actor = actor,
            Payload = JsonSerializer.Serialize(payload),
        };
        try
        {
            await using var db = await contexts.CreateDbContextAsync();
            db.AuditLog.Add(entry);
            await db.SaveChangesAsync();
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            if (_waiting.Count < MostWaiting)
            {
                _waiting.Enqueue(entry);
                Wake();
            }
        }
    }

    protected override async Task<TimeSpan> TurnAsync(CancellationToken stoppingToken)
    {
        await WriteWaitingAsync(stoppingToken);
        return Timeout.InfiniteTimeSpan;
    }

    protected override async Task FinishAsync()
    {
        try
        {
            await WriteWaitingAsync(CancellationToken.None);
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            // The log has a line for each entry.
        }
    }

    private async Task WriteWaitingAsync(CancellationToken cancellationToken)
    {
        var entries = _waiting.ToArray();
        if (entries.Length == 0)
        {
            return;
        }

        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        await db.AddMissingAuditAsync(entries, cancellationToken);
        foreach (var _ in entries)
        {
            _waiting.TryDequeue(out var _);
        }
    }
}
