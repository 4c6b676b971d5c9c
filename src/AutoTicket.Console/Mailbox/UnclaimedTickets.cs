using System.ComponentModel.DataAnnotations;
using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Mailbox;

/// <summary>Settings under <c>Escalation__*</c>: how long a ticket may wait for a person before the operator is told again.</summary>
internal sealed class UnclaimedOptions
{
    /// <summary>Null: never.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "30.00:00:00")]
    public TimeSpan? UnclaimedAfterP1 { get; set; } = TimeSpan.FromMinutes(15);

    /// <inheritdoc cref="UnclaimedAfterP1"/>
    [Range(typeof(TimeSpan), "00:00:01", "30.00:00:00")]
    public TimeSpan? UnclaimedAfterP2 { get; set; } = TimeSpan.FromMinutes(60);
}

/// <summary>The P1 and P2 tickets that have waited too long: open, assigned to nobody, answered by nobody, while their alert fires and is
/// not muted. They come from the copy of FreeScout's list, which must be current.</summary>
internal sealed class UnclaimedTickets(
    OpenTickets tickets,
    MailboxWatch mailbox,
    AlertMutes mutes,
    IDbContextFactory<AutoTicketDbContext> contexts,
    IOptions<UnclaimedOptions> options,
    TimeProvider clock
)
{
    /// <summary>How many tickets are read from FreeScout before the operator is told of them.</summary>
    public const int MostRead = 20;

    /// <summary>Rows of tickets that could not be read the last time. They are read last, so that they hold back no other.</summary>
    private HashSet<long> _unreadable = [];

    /// <summary>Called by one loop.</summary>
    /// <returns>The tickets of which the operator was not told yet, the worst first. Null: FreeScout's state is not known.</returns>
    public async Task<IReadOnlyList<Ticket>?> ReadDueAsync(CancellationToken cancellationToken)
    {
        var due = await FromCopyAsync(cancellationToken);
        _unreadable = [.. due.Select(ticket => ticket.Id).Where(_unreadable.Contains)];
        if (due.Count == 0)
        {
            return due;
        }

        // A list does not show an agent's note, so the tickets are read before the console says that nobody answered.
        var read = new HashSet<long>();
        foreach (var ticket in due.OrderBy(ticket => _unreadable.Contains(ticket.Id)).Take(MostRead))
        {
            if (tickets.Current.IsStale)
            {
                return null;
            }

            if (!await mailbox.LookAtAsync(ticket.ConversationId!.Value, cancellationToken))
            {
                _unreadable.Add(ticket.Id);
                var known = (await FromCopyAsync(cancellationToken)).Where(ticket => read.Contains(ticket.Id)).ToList();
                return known.Count > 0 ? known : null;
            }

            _unreadable.Remove(ticket.Id);
            read.Add(ticket.Id);
        }

        return await FromCopyAsync(cancellationToken);
    }

    private async Task<IReadOnlyList<Ticket>> FromCopyAsync(CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var (p1, p2) = (now - options.Value.UnclaimedAfterP1, now - options.Value.UnclaimedAfterP2);
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var alerts = db.Alerts.WhereFiring().WhereNotMuted(mutes);
        var waiting = await (
            from ticket in db.Tickets.AsNoTracking()
            join listed in db.OpenConversations on ticket.ConversationId equals listed.Id
            where
                ticket.State == TicketState.Open
                && ticket.UnclaimedToldAt == null
                && listed.AssigneeId == null
                && listed.LastReplyAt == null
                && ((ticket.Severity == Severity.P1 && ticket.PostedAt <= p1) || (ticket.Severity == Severity.P2 && ticket.PostedAt <= p2))
                && alerts.Any(alert => alert.AlertId == ticket.DedupKey)
            select ticket
        ).ToListAsync(cancellationToken);
        return [.. waiting.OrderBy(ticket => ticket.Severity).ThenBy(ticket => ticket.PostedAt)];
    }
}
