using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.FreeScout;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Mailbox;

/// <summary>
/// Audits tickets that are resolved in the console: one entry before FreeScout is changed, another at the end. If the end entry is
/// missing, the next comparison asks FreeScout and writes it.
/// </summary>
internal sealed partial class ResolutionLog(
    FreeScoutClient freeScout,
    IDbContextFactory<AutoTicketDbContext> contexts,
    TimeProvider clock,
    ILogger<ResolutionLog> logger
)
{
    /// <summary>Longer than any resolution takes.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(1);

    /// <summary>How long a write that a busy database refuses is tried again. It refuses after 5 s (SQLite) or 2 s (PostgreSQL).</summary>
    private static readonly TimeSpan BusyFor = TimeSpan.FromSeconds(8);

    private static readonly Backoff Retries = new(TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(1));

    private readonly OutageNotice _busy = new();

    /// <returns>The audit entry of the beginning, and null; or why it could not be written.</returns>
    public async Task<(AuditEntry Begun, string? Problem)> BeginAsync(OpenTicket ticket, string actor)
    {
        var begun = new AuditEntry
        {
            CreatedAt = clock.GetUtcNow(),
            Action = AuditActions.TicketResolving,
            Actor = actor,
            Payload = JsonSerializer.Serialize(
                new
                {
                    alert_key = ticket.AlertId is { } alert ? AlertIdentity.KeyOf(alert) : null,
                    surface = ticket.Surface,
                    conversation_id = ticket.Id,
                    ticket_number = ticket.Number,
                    url = ticket.Url,
                }
            ),
        };
        var problem = await WriteAsync(
            ticket.Id,
            begun.Actor,
            async db =>
            {
                db.AuditLog.Add(begun);
                await db.SaveChangesAsync();
            }
        );
        return (begun, problem);
    }

    /// <returns>Null: written; else why not. The next comparison writes the entry.</returns>
    public async Task<string?> EndAsync(AuditEntry begun, bool isResolved)
    {
        var (id, surface) = About(begun);
        var problem = await WriteAsync(
            id,
            begun.Actor,
            async db =>
            {
                if (isResolved)
                {
                    // FreeScout's webhook may have closed it first, but only the console knows the operator.
                    await CloseAsync(db, id, begun.Actor, evenClosed: true);
                }

                db.AuditLog.Add(
                    new AuditEntry
                    {
                        CreatedAt = clock.GetUtcNow(),
                        Action = isResolved ? AuditActions.TicketResolved : AuditActions.TicketNotResolved,
                        Actor = begun.Actor,
                        Payload = begun.Payload,
                    }
                );
                await db.SaveChangesAsync();
            }
        );
        if (problem is null && isResolved)
        {
            Log.Resolved(logger, id, surface, begun.Actor);
        }

        return problem;
    }

    /// <summary>Records a ticket that was closed outside the console. It needs no audit entry.</summary>
    public Task ClosedElsewhereAsync(OpenTicket ticket, string? by) =>
        WriteAsync(ticket.Id, by, db => CloseAsync(db, ticket.Id, by, evenClosed: false));

    /// <summary>Asks FreeScout how each resolution without an end entry ended.</summary>
    /// <returns>FreeScout's failure; null when it answered. A ticket that it refuses to show is left for the next time.</returns>
    public async Task<FreeScoutFailure?> SettleAsync(CancellationToken cancellationToken)
    {
        foreach (var begun in await UnendedAsync(cancellationToken))
        {
            var (found, failure) = await freeScout.FindAsync(About(begun).Conversation, cancellationToken, withThreads: true);
            if (failure is { IsOfRequest: true })
            {
                continue;
            }

            if (failure is not null)
            {
                return failure;
            }

            // The console writes its note just before it closes the ticket. Without the note, another person closed it.
            await EndAsync(
                begun,
                found is { IsOpen: false }
                    && found.Bodies.Any(body => body.Contains(ResolutionNote.Signature(begun.Actor), StringComparison.Ordinal))
            );
        }

        return null;
    }

    /// <summary>The last begin entry of each ticket, if no end entry follows it.</summary>
    private async Task<IReadOnlyList<AuditEntry>> UnendedAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var now = clock.GetUtcNow();
        var since = now - FindingStore.Memory;
        var entries = await db
            .AuditLog.AsNoTracking()
            .Where(entry =>
                (
                    entry.Action == AuditActions.TicketResolving
                    || entry.Action == AuditActions.TicketResolved
                    || entry.Action == AuditActions.TicketNotResolved
                )
                && entry.CreatedAt > since
            )
            .OrderBy(entry => entry.Id)
            .ToListAsync(cancellationToken);
        return
        [
            .. entries
                .GroupBy(entry => About(entry).Conversation)
                .Select(its => its.Last())
                .Where(last => last.Action == AuditActions.TicketResolving && last.CreatedAt < now - Longest),
        ];
    }

    private async Task CloseAsync(AutoTicketDbContext db, long id, string? by, bool evenClosed)
    {
        await TicketStore.CloseAsync(db, id, by, evenClosed, clock.GetUtcNow());
        await db.OpenConversations.Where(row => row.Id == id).ExecuteDeleteAsync();
    }

    /// <returns>Null: written; else why not, in a clause for the operator.</returns>
    private async Task<string?> WriteAsync(long id, string? actor, Func<AutoTicketDbContext, Task> write)
    {
        var begun = clock.GetTimestamp();
        for (var failures = 1; ; failures++)
        {
            try
            {
                await using var db = await contexts.CreateDbContextAsync(CancellationToken.None);
                await using var transaction = await db.BeginAsync(CancellationToken.None);
                await db.LimitLockWaitAsync(CancellationToken.None);
                await write(db);
                await transaction.CommitAsync();
                _busy.End();
                return null;
            }
            catch (Exception exception) when (Outages.IsBusy(exception) && clock.GetElapsedTime(begun) < BusyFor)
            {
                if (_busy.Begin())
                {
                    Log.Busy(logger, id, exception.GetBaseException().Message);
                }
            }
            catch (Exception exception) when (Outages.IsOutage(exception))
            {
                Log.NotRecorded(logger, id, actor, exception.GetBaseException().Message);
                return Outages.IsBusy(exception) ? "the database was busy" : "the console's database can't be reached";
            }

            await Task.Delay(Retries.After(failures), clock);
        }
    }

    private static (long Conversation, string? Surface) About(AuditEntry entry)
    {
        using var json = JsonDocument.Parse(entry.Payload);
        return (json.RootElement.GetProperty("conversation_id").GetInt64(), json.RootElement.GetProperty("surface").GetString());
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "ticket_resolved conversation={Conversation} surface={Surface} by={Actor}")]
        public static partial void Resolved(ILogger logger, long conversation, string? surface, string actor);

        [LoggerMessage(LogLevel.Warning, "ticket resolving waits for a busy database conversation={Conversation}: {Problem}")]
        public static partial void Busy(ILogger logger, long conversation, string problem);

        [LoggerMessage(LogLevel.Warning, "ticket resolving could not be recorded yet conversation={Conversation} by={Actor}: {Problem}")]
        public static partial void NotRecorded(ILogger logger, long conversation, string? actor, string problem);
    }
}
