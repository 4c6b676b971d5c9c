using AutoTicket.Data;
using AutoTicket.FreeScout;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Diagnostics;

/// <summary>Tickets that FreeScout confirmed and now says it never had. Of the newest ones FreeScout is asked now and then.</summary>
internal sealed class GhostTickets(FreeScoutClient freeScout, IDbContextFactory<AutoTicketDbContext> contexts, TimeProvider clock)
{
    private const int Most = 5;
    private static readonly TimeSpan Recent = TimeSpan.FromHours(24);
    private static readonly TimeSpan AskEvery = TimeSpan.FromMinutes(5);

    private IReadOnlyList<long>? _found;
    private DateTimeOffset? _askedAt;

    /// <returns>Their numbers; null: FreeScout could not be asked for all of them.</returns>
    public async Task<IReadOnlyList<long>?> FindAsync(CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        if (now - _askedAt < AskEvery)
        {
            return _found;
        }

        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var since = now - Recent;
        var recent = await db.Tickets.AsNoTracking().Where(ticket => ticket.ConversationId != null && ticket.ConfirmedAt > since)
            .OrderByDescending(ticket => ticket.ConfirmedAt).Take(Most).Select(ticket => new { Id = ticket.ConversationId!.Value, ticket.Number }).ToListAsync(cancellationToken);
        var ghosts = new List<long>();
        _askedAt = now;
        foreach (var ticket in recent)
        {
            var (conversation, failure) = await freeScout.FindAsync(ticket.Id, cancellationToken);
            if (failure is not null)
            {
                return _found = null;
            }

            if (conversation is null)
            {
                ghosts.Add(ticket.Number ?? ticket.Id);
            }
        }

        return _found = ghosts;
    }
}
