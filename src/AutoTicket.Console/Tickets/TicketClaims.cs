using System.Security.Cryptography;
using System.Text.Json;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.FreeScout;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tickets;

/// <summary>
/// The claim row: who may file a ticket for a dedup key, across processes and restarts. A partial unique index lets exactly one
/// row of a key be <c>filing</c> or <c>unconfirmed</c>; every step is one compare-and-swap on (id, attempt), so who lost a claim
/// changes nothing. No step holds a transaction open over a call to FreeScout.
/// </summary>
internal sealed class TicketClaims(IDbContextFactory<AutoTicketDbContext> contexts, IOptions<TicketingOptions> options, TimeProvider clock)
{
    /// <summary>No letters or digits that are mistaken for one another: people read markers aloud.</summary>
    private const string MarkerAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";

    /// <summary>All rows of a key that a new filing must heed, newest first: the one that holds the claim, and those filed inside the window.</summary>
    /// <param name="anyAge">Open ones count however old.</param>
    public async Task<List<Ticket>> ReadAsync(string dedupKey, bool anyAge, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var windowStart = clock.GetUtcNow() - options.Value.Window;
        return await db.Tickets.AsNoTracking()
            .Where(ticket => ticket.DedupKey == dedupKey
                && (ticket.State == TicketState.Filing || ticket.State == TicketState.Unconfirmed
                    || (ticket.ConversationId != null && ((anyAge && ticket.State == TicketState.Open)
                        || (ticket.PostedAt > windowStart && (ticket.State == TicketState.Open || ticket.State == TicketState.Closed))))))
            .OrderByDescending(ticket => ticket.Id)
            .ToListAsync(cancellationToken);
    }

    /// <summary>The newest ticket of a key that FreeScout ever confirmed.</summary>
    public async Task<Ticket?> LatestAsync(string dedupKey, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        return await db.Tickets.AsNoTracking().Where(ticket => ticket.DedupKey == dedupKey && ticket.ConversationId != null)
            .OrderByDescending(ticket => ticket.Id).FirstOrDefaultAsync(cancellationToken);
    }

    /// <summary>Takes the claim of the draft's key.</summary>
    /// <returns>Null when somebody else holds it.</returns>
    public async Task<Ticket?> ClaimAsync(TicketDraft draft, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var now = clock.GetUtcNow();
        var ticket = new Ticket
        {
            Marker = $"at-{RandomNumberGenerator.GetString(MarkerAlphabet, 10)}",
            DedupKey = draft.DedupKey,
            SurfaceKey = draft.SurfaceKey,
            Severity = draft.Severity,
            State = TicketState.Filing,
            Attempt = 1,
            LeaseUntil = now + options.Value.Lease,
            FiledBy = draft.FiledBy,
            AuditAction = draft.AuditAction,
            Tag = draft.Tag,
            Subject = draft.Subject,
            PostedAt = now,
        };
        var ids = await db.QueryAsync($"""
            INSERT INTO tickets (marker, dedup_key, surface_key, severity, state, attempt, lease_until, filed_by, audit_action, tag, subject, posted_at, tags_pending, empty_lookups)
            VALUES ({ticket.Marker}, {ticket.DedupKey}, {ticket.SurfaceKey}, {Words.Of(ticket.Severity)}, {Words.Of(ticket.State)}, {ticket.Attempt}, {ticket.LeaseUntil},
              {ticket.FiledBy}, {ticket.AuditAction}, {ticket.Tag}, {ticket.Subject}, {ticket.PostedAt}, {false}, {0})
            ON CONFLICT (dedup_key) WHERE state IN ('filing', 'unconfirmed') DO NOTHING
            RETURNING id
            """, row => row.GetInt64(0), cancellationToken);
        return ids is [var id] ? ticket with { Id = id } : null;
    }

    /// <summary>Takes over a claim whose owner is gone, or whose answer was lost, in order to look it up.</summary>
    /// <returns>The claim as it is now ours; null when somebody else was faster.</returns>
    public async Task<Ticket?> TakeOverAsync(Ticket ticket, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var now = clock.GetUtcNow();
        var ours = ticket with { State = TicketState.Filing, Attempt = ticket.Attempt + 1, LeaseUntil = now + options.Value.Lease };
        var taken = await db.Tickets
            .Where(t => t.Id == ticket.Id && t.Attempt == ticket.Attempt
                && (t.State == TicketState.Unconfirmed || (t.State == TicketState.Filing && t.LeaseUntil <= now)))
            .ExecuteUpdateAsync(set => set
                .SetProperty(t => t.State, ours.State)
                .SetProperty(t => t.Attempt, ours.Attempt)
                .SetProperty(t => t.LeaseUntil, ours.LeaseUntil), cancellationToken);
        return taken == 1 ? ours : null;
    }

    /// <summary>Notes that it is about to be posted again, with the same marker.</summary>
    public async Task<Ticket?> RepostAsync(Ticket ticket, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var again = ticket with { PostedAt = now, LeaseUntil = now + options.Value.Lease, EmptyLookups = 0, LookedUpAt = null };
        return await UpdateOwnAsync(ticket, set => set
            .SetProperty(t => t.PostedAt, again.PostedAt)
            .SetProperty(t => t.LeaseUntil, again.LeaseUntil)
            .SetProperty(t => t.EmptyLookups, 0)
            .SetProperty(t => t.LookedUpAt, (DateTimeOffset?)null), cancellationToken) ? again : null;
    }

    /// <summary>FreeScout has it: records the conversation and its one audit row, both or neither.</summary>
    /// <param name="adopted">It was found by its marker after its answer was lost.</param>
    /// <returns>False when another process had confirmed it already.</returns>
    public async Task<bool> ConfirmAsync(Ticket ticket, TicketLink link, bool isOpen, bool adopted, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var now = clock.GetUtcNow();
        var audit = new AuditEntry
        {
            CreatedAt = now,
            // Of one that was confirmed before, its filing is written down already.
            Action = ticket.ConfirmedAt is null ? ticket.AuditAction : AuditActions.TicketReconciled,
            Actor = ticket.FiledBy,
            Payload = JsonSerializer.Serialize(new
            {
                alert_key = Alerts.AlertIdentity.KeyOf(ticket.DedupKey),
                alert_id = ticket.DedupKey,
                severity = Words.Of(ticket.Severity),
                surface = ticket.SurfaceKey,
                conversation_id = link.Id,
                ticket_number = link.Number,
                url = link.Url,
                adopted,
            }),
        };
        // Without the attempt: who got FreeScout's answer knows the ticket, even if another has taken the claim over meanwhile.
        return await db.UpdateWithAuditAsync($"""
            UPDATE tickets SET state = {Words.Of(isOpen ? TicketState.Open : TicketState.Closed)}, conversation_id = {link.Id}, number = {link.Number},
              tags_pending = {true}, problem = NULL, confirmed_at = {now}, closed_at = {(isOpen ? (DateTimeOffset?)null : now)}
            WHERE id = {ticket.Id} AND conversation_id IS NULL
            """, audit, cancellationToken);
    }

    /// <summary>Nothing was filed, for certain: frees the key.</summary>
    public Task<bool> ReleaseAsync(Ticket ticket, string problem, CancellationToken cancellationToken) =>
        UpdateOwnAsync(ticket, set => set
            .SetProperty(t => t.State, TicketState.Released)
            .SetProperty(t => t.Problem, problem), cancellationToken);

    /// <summary>The answer was lost: keeps the key until the ticket is found, or certain not to exist.</summary>
    /// <param name="lookupWasEmpty">FreeScout was asked for the marker and does not have it, so far.</param>
    public Task<bool> LeaveUnconfirmedAsync(Ticket ticket, string problem, bool lookupWasEmpty, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var counts = lookupWasEmpty && (ticket.LookedUpAt is not { } last || now - last >= options.Value.LookupSpacing);
        var lookups = ticket.EmptyLookups + (counts ? 1 : 0);
        var lookedUpAt = counts ? now : ticket.LookedUpAt;
        return UpdateOwnAsync(ticket, set => set
            .SetProperty(t => t.State, TicketState.Unconfirmed)
            .SetProperty(t => t.Problem, problem)
            .SetProperty(t => t.EmptyLookups, lookups)
            .SetProperty(t => t.LookedUpAt, lookedUpAt), cancellationToken);
    }

    /// <summary>The books lost which ticket it is: it is looked up by its marker. Not while another filing holds its key.</summary>
    public static Task ForgotAsync(AutoTicketDbContext db, Ticket ticket, CancellationToken cancellationToken) => db.ExecuteAsync($"""
        UPDATE tickets SET state = {Words.Of(TicketState.Unconfirmed)}, problem = {"The books lost it."}
        WHERE id = {ticket.Id} AND state = {Words.Of(TicketState.Open)} AND conversation_id IS NULL
          AND NOT EXISTS (SELECT 1 FROM tickets other WHERE other.dedup_key = {ticket.DedupKey} AND other.state IN ('filing', 'unconfirmed'))
        """, cancellationToken);

    /// <summary>Takes over what FreeScout says of a ticket that we knew otherwise.</summary>
    /// <param name="found">Null: FreeScout has it no more.</param>
    public async Task SetOpenAsync(Ticket ticket, Conversation? found, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        await SetOpenAsync(db, ticket, found, clock.GetUtcNow(), cancellationToken);
        if (found?.IsOpen != true)
        {
            // The dashboard's copy need not wait for the next sync to know.
            await db.OpenConversations.Where(c => c.Id == ticket.ConversationId).ExecuteDeleteAsync(cancellationToken);
        }
    }

    /// <returns>What it is now; null when we knew that.</returns>
    public static async Task<TicketState?> SetOpenAsync(AutoTicketDbContext db, Ticket ticket, Conversation? found, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var isOpen = found?.IsOpen == true;
        var state = isOpen ? TicketState.Open : TicketState.Closed;
        if (ticket.State == state)
        {
            return null;
        }

        DateTimeOffset? closedAt = isOpen ? null : now, reopenedAt = isOpen ? now : null;
        var resolvedBy = isOpen ? ticket.ResolvedBy : found?.ClosedByName;
        // By compare-and-swap: what was closed here meanwhile is better known, and by whom.
        return await db.Tickets.Where(t => t.Id == ticket.Id && t.State == ticket.State && (t.State == TicketState.Open || t.State == TicketState.Closed))
            .ExecuteUpdateAsync(
                set => set.SetProperty(t => t.State, state).SetProperty(t => t.ClosedAt, closedAt).SetProperty(t => t.ReopenedAt, reopenedAt).SetProperty(t => t.ResolvedBy, resolvedBy),
                cancellationToken) == 1 ? state : null;
    }

    /// <summary>The ticket's alert has another severity now: its tag is to follow.</summary>
    public async Task SetSeverityAsync(long conversationId, Surfaces.Severity severity, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        await db.Tickets.Where(t => t.ConversationId == conversationId && t.Severity != severity)
            .ExecuteUpdateAsync(set => set.SetProperty(t => t.Severity, severity).SetProperty(t => t.TagsPending, true), cancellationToken);
    }

    /// <summary>The claim may still be posted under: its lease holds for longer than the post can take.</summary>
    public bool MayPost(Ticket ticket) => clock.GetUtcNow() < ticket.LeaseUntil - options.Value.ClickBudget;

    private async Task<bool> UpdateOwnAsync(Ticket ticket, Action<Microsoft.EntityFrameworkCore.Query.UpdateSettersBuilder<Ticket>> set, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        return await db.Tickets
            .Where(t => t.Id == ticket.Id && t.Attempt == ticket.Attempt && t.State == TicketState.Filing)
            .ExecuteUpdateAsync(set, cancellationToken) == 1;
    }
}
