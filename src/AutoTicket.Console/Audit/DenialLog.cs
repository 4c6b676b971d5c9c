using System.Collections.Concurrent;
using System.Text.Json;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Audit;

/// <summary>Writes what was denied to the audit log. Entries that the database does not take now wait in memory until it
/// answers.</summary>
internal sealed class DenialLog(IDbContextFactory<AutoTicketDbContext> contexts, TimeProvider clock, ILogger<DenialLog> logger)
    : Loop(clock, logger)
{
    /// <summary>Further entries are dropped. Each of them is also a line of the log.</summary>
    private const int MostWaiting = 1000;

    private readonly ConcurrentQueue<AuditEntry> _waiting = new();

    /// <param name="actor">Who was denied, as in <see cref="AuditEntry.Actor"/>.</param>
    /// <param name="payload">What was tried and why it was denied, with snake_case names.</param>
    public async Task RecordAsync(string actor, object payload)
    {
        var entry = new AuditEntry
        {
            CreatedAt = Clock.GetUtcNow(),
            Action = AuditActions.Denied,
            Actor = actor,
            Payload = JsonSerializer.Serialize(payload),
        };
        try
        {
            await WriteAsync([entry], CancellationToken.None);
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
        var entries = _waiting.ToArray();
        if (entries.Length > 0)
        {
            await WriteAsync(entries, stoppingToken);
            foreach (var _ in entries)
            {
                _waiting.TryDequeue(out var _);
            }
        }

        return Timeout.InfiniteTimeSpan;
    }

    private async Task WriteAsync(AuditEntry[] entries, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        db.AuditLog.AddRange(entries);
        await db.SaveChangesAsync(cancellationToken);
    }
}
