using System.Data.Common;
using System.Runtime.CompilerServices;
using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.FreeScout;
using AutoTicket.Surfaces;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tickets;

/// <summary>What a filing found out about its key.</summary>
/// <param name="Claim">Null when another filing holds the claim, or a ticket blocks it.</param>
/// <param name="Blocking">The other rows that block the filing, newest first.</param>
/// <param name="Latest">The newest ticket of the key that FreeScout ever confirmed.</param>
internal sealed record ClaimedKey(Ticket? Claim, IReadOnlyList<Ticket> Blocking, Ticket? Latest);

/// <summary>
/// The only writer of <c>tickets</c>. A row is also the claim of its key: a partial unique index lets one row per key be <c>filing</c>
/// or <c>unconfirmed</c>. Each step of a filing is a compare-and-swap on (id, attempt), so an owner that lost its claim changes nothing.
/// No transaction stays open during a call to FreeScout. Filings at the same time share statements (group commit).
/// </summary>
internal sealed class TicketStore(IDbContextFactory<AutoTicketDbContext> contexts, IOptions<TicketingOptions> options, TimeProvider clock)
{
    private static readonly RowBatch<long> Ids = new(("wanted", "bigint", id => id));

    /// <summary>The columns of the table that a new row sets.</summary>
    private static readonly RowBatch<NewRow> NewColumns = RowBatch<NewRow>.OfEntity(
        row => row.Ticket,
        t => t.Marker,
        t => t.DedupKey,
        t => t.SurfaceKey,
        t => t.Severity,
        t => t.State,
        t => t.Attempt,
        t => t.LeaseUntil,
        t => t.FiledBy,
        t => t.AuditAction,
        t => t.Tag,
        t => t.Subject,
        t => t.PostedAt,
        t => t.ConversationId,
        t => t.Number,
        t => t.ConfirmedAt
    );

    private static readonly RowBatch<NewRow> NewRows = NewColumns.And(
        ("blocked_at_any_age", "boolean", row => row.BlockedAtAnyAge),
        ("even_if_blocked", "boolean", row => row.EvenIfBlocked)
    );

    /// <summary>The one statement that makes a row. {0}: the <see cref="NewRows"/>.</summary>
    private static string InsertIn(AutoTicketDbContext db) =>
        $$"""
            INSERT INTO tickets ({{NewColumns.NamesIn(db)}}, tags_pending, empty_lookups)
            SELECT {{NewColumns.NamesIn(db)}}, false, 0 FROM {0}
            """;

    private static readonly RowBatch<(Confirmation Confirmation, DateTimeOffset Now)> Confirmations = new(
        (AutoTicketDbContext.RowId, "bigint", row => row.Confirmation.Ticket.Id),
        ("state", "text", row => Words.Of(row.Confirmation.IsOpen ? TicketState.Open : TicketState.Closed)),
        ("conversation_id", "bigint", row => row.Confirmation.Link.Id),
        ("number", "bigint", row => row.Confirmation.Link.Number),
        ("confirmed_at", "timestamptz", row => row.Now),
        ("closed_at", "timestamptz", row => row.Confirmation.IsOpen ? null : row.Now),
        ("audit_at", "timestamptz", row => row.Now),
        // A ticket that was confirmed before already has the audit row of its filing.
        (
            "audit_action",
            "text",
            row => row.Confirmation.Ticket.ConfirmedAt is null ? row.Confirmation.Ticket.AuditAction : AuditActions.TicketReconciled
        ),
        ("audit_actor", "text", row => row.Confirmation.Ticket.FiledBy),
        (
            "audit_payload",
            "jsonb",
            row =>
                JsonSerializer.Serialize(
                    new
                    {
                        alert_key = AlertIdentity.KeyOf(row.Confirmation.Ticket.DedupKey),
                        alert_id = row.Confirmation.Ticket.DedupKey,
                        severity = Words.Of(row.Confirmation.Ticket.Severity),
                        surface = row.Confirmation.Ticket.SurfaceKey,
                        conversation_id = row.Confirmation.Link.Id,
                        ticket_number = row.Confirmation.Link.Number,
                        url = row.Confirmation.Link.Url,
                        adopted = row.Confirmation.Adopted,
                    }
                )
        )
    );

    private static readonly RowBatch<(int Place, TicketDraft Draft)> Drafts = new(
        ("place", "int", row => row.Place),
        ("dedup_key", "text", row => row.Draft.DedupKey),
        ("blocked_at_any_age", "boolean", row => row.Draft.IsForAlert)
    );

    private static readonly RowBatch<Ticket> Tagged = RowBatch
        .Of<Ticket>(ticket => ticket.Id, ticket => ticket.Severity)
        .And(("subject", "text", ticket => TicketDraft.WithSeverity(ticket.Subject, ticket.Severity)));

    public static readonly Expiry Expiry = new(
        """
        DELETE FROM tickets WHERE id IN (
          SELECT id FROM tickets WHERE state = 'closed' AND posted_at < {0} AND (closed_at IS NULL OR closed_at < {0})
          ORDER BY posted_at LIMIT {1})
        """
    );

    /// <summary><see cref="FilingRules.Blocks"/> in SQL, for the ticket t and the row r. {1}: when the window began.</summary>
    private const string BlocksFiling = $$"""
        (t.state IN {{FilingRules.HeldStates}} OR (r.blocked_at_any_age AND t.state = 'open')
          OR (t.posted_at > {1} AND (t.state = 'open' OR (t.state = 'closed' AND t.conversation_id IS NOT NULL))))
        """;

    private readonly CommitGroup<ClaimRequest, ClaimedKey> _claims = new();
    private readonly CommitGroup<Confirmation, bool> _confirmations = new();

    /// <summary>The markers of a batch of claims that the database may have committed without an answer. None was posted.</summary>
    private List<string> _unanswered = [];

    /// <param name="BlockedAtAnyAge">An open ticket of any age blocks it.</param>
    /// <param name="EvenIfBlocked">Insert it even if another ticket blocks it.</param>
    private sealed record NewRow(Ticket Ticket, bool BlockedAtAnyAge, bool EvenIfBlocked);

    private sealed record ClaimRequest(TicketDraft Draft, bool EvenIfBlocked);

    private sealed record Confirmation(Ticket Ticket, TicketLink Link, bool IsOpen, bool Adopted);

    /// <summary>Takes the claim of the draft's key, unless a ticket blocks it, and reads the key's other tickets: one round trip. The claim
    /// comes first: usually no ticket blocks it, and while it is held no other filing changes what is read after it.</summary>
    /// <param name="evenIfBlocked">FreeScout answered that the blocking tickets are closed.</param>
    public Task<ClaimedKey> ClaimAsync(TicketDraft draft, bool evenIfBlocked = false) =>
        _claims.AddAsync(new(draft, evenIfBlocked), ClaimBatchAsync);

    private async Task<List<ClaimedKey>> ClaimBatchAsync(List<ClaimRequest> requests)
    {
        await using var db = await contexts.CreateDbContextAsync();
        if (_unanswered.Count > 0)
        {
            // Otherwise they would keep their keys for the grace period. A process that looks one up meanwhile posts nothing either.
            await db
                .Tickets.Where(row =>
                    (row.State == TicketState.Filing || row.State == TicketState.Unconfirmed)
                    && row.RepostedAt == null
                    && _unanswered.Contains(row.Marker)
                )
                .ExecuteDeleteAsync();
        }

        var now = clock.GetUtcNow();
        var rows = requests.ConvertAll(request => new NewRow(New(request.Draft, now), request.Draft.IsForAlert, request.EvenIfBlocked));
        _unanswered = rows.ConvertAll(row => row.Ticket.Marker);
        var (won, found) = await db.QueryTogetherAsync(
            FormattableStringFactory.Create(
                $$"""
                {{InsertIn(db)}}
                WHERE even_if_blocked OR NOT EXISTS (SELECT 1 FROM tickets t WHERE t.dedup_key = r.dedup_key AND {{BlocksFiling}})
                ON CONFLICT (dedup_key) WHERE state IN {{FilingRules.HeldStates}} DO NOTHING
                RETURNING id, marker
                """,
                // Sorted, so that the batches of two processes can't deadlock.
                NewRows.Of([.. rows.OrderBy(row => row.Ticket.DedupKey, StringComparer.Ordinal)]),
                now - options.Value.Window
            ),
            row => (Id: row.GetInt64(0), Marker: row.GetString(1)),
            OfKeys(requests.Select(request => request.Draft), now),
            ReadFound,
            CancellationToken.None
        );
        var ids = won.ToDictionary(row => row.Marker, row => row.Id);
        var claims = rows.ConvertAll(row => ids.TryGetValue(row.Ticket.Marker, out var id) ? row.Ticket with { Id = id } : null);
        var others = await CompleteAsync(
            db,
            requests.ConvertAll(request => request.Draft),
            found.FindAll(row => row.Id != claims[row.Place]?.Id),
            now
        );
        _unanswered = [];
        return [.. claims.Zip(others, (claim, other) => new ClaimedKey(claim, other.Blocking, other.Latest))];
    }

    /// <summary>Reads the tickets of the draft's key.</summary>
    /// <returns>The rows that block the filing, newest first; and the newest ticket that FreeScout ever confirmed.</returns>
    public async Task<(IReadOnlyList<Ticket> Blocking, Ticket? Latest)> ReadAsync(TicketDraft draft)
    {
        await using var db = await contexts.CreateDbContextAsync();
        var now = clock.GetUtcNow();
        var found = await db.QueryAsync(OfKeys([draft], now), ReadFound, CancellationToken.None);
        return (await CompleteAsync(db, [draft], found, now))[0];
    }

    /// <summary>The query for the rows that block the drafts, and the newest ticket of each key that FreeScout ever confirmed.</summary>
    private FormattableString OfKeys(IEnumerable<TicketDraft> drafts, DateTimeOffset now) =>
        FormattableStringFactory.Create(
            $$"""
            SELECT r.place, t.id FROM {0} JOIN tickets t ON t.dedup_key = r.dedup_key
            WHERE {{BlocksFiling}} OR t.id =
              (SELECT max(other.id) FROM tickets other WHERE other.dedup_key = r.dedup_key AND other.conversation_id IS NOT NULL)
            """,
            Drafts.Of([.. drafts.Select((draft, place) => (place, draft))]),
            now - options.Value.Window
        );

    private static (int Place, long Id) ReadFound(DbDataReader row) => (row.GetInt32(0), row.GetInt64(1));

    /// <summary>Reads the found rows whole. Usually none but the callers' own claims is found: then no query is needed.</summary>
    private async Task<List<(IReadOnlyList<Ticket> Blocking, Ticket? Latest)>> CompleteAsync(
        AutoTicketDbContext db,
        List<TicketDraft> drafts,
        List<(int Place, long Id)> rows,
        DateTimeOffset now
    )
    {
        var ids = rows.Select(row => row.Id).Distinct().ToList();
        var known =
            ids.Count == 0
                ? []
                : await db.Tickets.AsNoTracking().Where(ticket => ids.Contains(ticket.Id)).ToDictionaryAsync(ticket => ticket.Id);
        var found = rows.Where(row => known.ContainsKey(row.Id))
            .OrderByDescending(row => row.Id)
            .ToLookup(row => row.Place, row => known[row.Id]);
        return
        [
            .. drafts.Select(
                (draft, place) =>
                    (
                        // Checked again: a row may have changed between the two queries.
                        (IReadOnlyList<Ticket>)
                            [.. found[place].Where(row => FilingRules.Blocks(row, draft.IsForAlert, now, options.Value.Window))],
                        found[place].FirstOrDefault(row => row.ConversationId is not null)
                    )
            ),
        ];
    }

    private Ticket New(TicketDraft draft, DateTimeOffset now) =>
        new()
        {
            Marker = TicketMarker.New(),
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

    /// <summary>Takes over a claim whose owner is gone or whose answer was lost, so that its marker can be looked up.</summary>
    /// <returns>The claim, now the caller's; null when another was faster.</returns>
    public async Task<Ticket?> TakeOverAsync(Ticket ticket, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var now = clock.GetUtcNow();
        var ours = ticket with { State = TicketState.Filing, Attempt = ticket.Attempt + 1, LeaseUntil = now + options.Value.Lease };
        var taken = await db
            .Tickets.Where(t => t.Id == ticket.Id && t.Attempt == ticket.Attempt)
            .Where(FilingRules.MayBeTakenOver(now, options.Value.Lease))
            .ExecuteUpdateAsync(
                set =>
                    set.SetProperty(t => t.State, ours.State)
                        .SetProperty(t => t.Attempt, ours.Attempt)
                        .SetProperty(t => t.LeaseUntil, ours.LeaseUntil),
                cancellationToken
            );
        return taken == 1 ? ours : null;
    }

    /// <summary>Records that the ticket is about to be posted again with the same marker.</summary>
    /// <returns>Null when the caller no longer owns the claim.</returns>
    public async Task<Ticket?> RepostAsync(Ticket ticket, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var again = ticket with
        {
            PostedAt = now,
            RepostedAt = now,
            LeaseUntil = now + options.Value.Lease,
            EmptyLookups = 0,
            LookedUpAt = null,
        };
        return await UpdateOwnAsync(
            ticket,
            set =>
                set.SetProperty(t => t.PostedAt, again.PostedAt)
                    .SetProperty(t => t.RepostedAt, again.RepostedAt)
                    .SetProperty(t => t.LeaseUntil, again.LeaseUntil)
                    .SetProperty(t => t.EmptyLookups, 0)
                    .SetProperty(t => t.LookedUpAt, (DateTimeOffset?)null),
            cancellationToken
        )
            ? again
            : null;
    }

    /// <summary>Records the conversation that FreeScout made, and its one audit row, in one transaction.</summary>
    /// <param name="adopted">A look-up found it after its answer was lost.</param>
    /// <returns>False when another process confirmed it first, or another row has the conversation.</returns>
    public Task<bool> ConfirmAsync(Ticket ticket, TicketLink link, bool isOpen, bool adopted) =>
        _confirmations.AddAsync(new(ticket, link, isOpen, adopted), ConfirmBatchAsync);

    private async Task<List<bool>> ConfirmBatchAsync(List<Confirmation> all)
    {
        await using var db = await contexts.CreateDbContextAsync();
        var now = clock.GetUtcNow();
        // Without a check of the attempt: FreeScout's answer counts even if another process took the claim over meanwhile. IS TRUE
        // keeps PostgreSQL from scanning all rows without a conversation: each lost answer leaves one.
        var done = await db.UpdateWithAuditAsync(
            """
            UPDATE tickets SET state = r.state, conversation_id = r.conversation_id, number = r.number, tags_pending = true,
              problem = NULL, confirmed_at = r.confirmed_at, closed_at = r.closed_at
            FROM {0} WHERE tickets.id = r.row_id AND (tickets.conversation_id IS NULL) IS TRUE
              AND NOT EXISTS (SELECT 1 FROM tickets other WHERE other.conversation_id = r.conversation_id)
            """,
            Confirmations.Of([.. all.DistinctBy(one => one.Ticket.Id).OrderBy(one => one.Ticket.Id).Select(one => (one, now))]),
            CancellationToken.None
        );
        return all.ConvertAll(one => done.Remove(one.Ticket.Id));
    }

    /// <summary>Frees the key by deleting the caller's claim: its post certainly made no ticket, or another row has the ticket.</summary>
    /// <returns>False when the caller no longer owns the claim.</returns>
    public async Task<bool> DeleteAsync(Ticket claim)
    {
        await using var db = await contexts.CreateDbContextAsync();
        return await Own(db, claim).ExecuteDeleteAsync() == 1;
    }

    /// <summary>Marks the row's answer as lost. The row keeps the key until the ticket is found, or FreeScout certainly never committed
    /// it.</summary>
    /// <param name="lookupWasEmpty">FreeScout was asked for the marker and did not have it.</param>
    public Task<bool> LeaveUnconfirmedAsync(Ticket ticket, string problem, bool lookupWasEmpty, CancellationToken cancellationToken)
    {
        var after = lookupWasEmpty ? FilingRules.AfterEmptyLookup(ticket, clock.GetUtcNow(), options.Value.LookupSpacing) : ticket;
        return UpdateOwnAsync(
            ticket,
            set =>
                set.SetProperty(t => t.State, TicketState.Unconfirmed)
                    .SetProperty(t => t.Problem, problem)
                    .SetProperty(t => t.EmptyLookups, after.EmptyLookups)
                    .SetProperty(t => t.LookedUpAt, after.LookedUpAt),
            cancellationToken
        );
    }

    /// <summary>A newer episode of the alert fires, and its ticket is delivered.</summary>
    public async Task<bool> FiresAgainAsync(Alert alert, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var deliveries = db.AlertDeliveries;
        return await db.Alerts.AnyAsync(
            other =>
                other.AlertId == alert.AlertId
                && other.Id != alert.Id
                && other.Status == AlertStatus.Firing
                && deliveries.Any(d => d.AlertRow == other.Id && d.Hook == DecisionSources.Ticket && d.Kind == DeliveryKind.Firing),
            cancellationToken
        );
    }

    /// <inheritdoc cref="MarkIdLostAsync(AutoTicketDbContext, Ticket, CancellationToken)"/>
    public async Task MarkIdLostAsync(Ticket ticket, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        await MarkIdLostAsync(db, ticket, cancellationToken);
    }

    /// <summary>Marks an open ticket that lost its conversation id as unconfirmed, unless another filing holds its key.</summary>
    public static Task MarkIdLostAsync(AutoTicketDbContext db, Ticket ticket, CancellationToken cancellationToken) =>
        db.ExecuteAsync(
            FormattableStringFactory.Create(
                $$"""
                UPDATE tickets SET state = {0}, problem = {1}
                WHERE id = {2} AND state = {3} AND conversation_id IS NULL AND NOT EXISTS
                  (SELECT 1 FROM tickets other WHERE other.dedup_key = {4} AND other.state IN {{FilingRules.HeldStates}})
                """,
                Words.Of(TicketState.Unconfirmed),
                "The console lost its FreeScout id.",
                ticket.Id,
                Words.Of(TicketState.Open),
                ticket.DedupKey
            ),
            cancellationToken
        );

    /// <summary>Records what FreeScout answered about a ticket that was asked for by its id.</summary>
    /// <param name="found">Null: FreeScout no longer has it.</param>
    public async Task RecordAnswerAsync(Ticket ticket, Conversation? found, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var state = await SetOpenAsync(db, ticket, found, clock.GetUtcNow(), cancellationToken);
        await SetNumberAsync(db, ticket, found?.Number, cancellationToken);
        if (state == TicketState.Closed)
        {
            // So that the dashboard drops the ticket at once, not only after the next sync.
            await db.ExecuteAsync(
                $"""
                DELETE FROM open_conversations WHERE id = {ticket.ConversationId}
                  AND NOT EXISTS (SELECT 1 FROM tickets WHERE conversation_id = open_conversations.id AND state = 'open')
                """,
                cancellationToken
            );
        }
    }

    /// <summary>Records whether FreeScout has the ticket open.</summary>
    /// <returns>The new state; null when it did not change.</returns>
    public static async Task<TicketState?> SetOpenAsync(
        AutoTicketDbContext db,
        Ticket ticket,
        Conversation? found,
        DateTimeOffset now,
        CancellationToken cancellationToken
    )
    {
        var isOpen = found?.IsOpen == true;
        var state = isOpen ? TicketState.Open : TicketState.Closed;
        if (ticket.State == state)
        {
            return null;
        }

        DateTimeOffset? closedAt = isOpen ? null : now,
            reopenedAt = isOpen ? now : null;
        var resolvedBy = isOpen ? ticket.ResolvedBy : found?.ClosedByName;
        // Compare-and-swap: a change since `ticket` was read wins. The times reveal a close and reopen in between.
        return
            await db
                .Tickets.Where(t =>
                    t.Id == ticket.Id
                    && t.State == ticket.State
                    && (t.State == TicketState.Open || t.State == TicketState.Closed)
                    && t.ClosedAt == ticket.ClosedAt
                    && t.ReopenedAt == ticket.ReopenedAt
                )
                .ExecuteUpdateAsync(
                    set =>
                        set.SetProperty(t => t.State, state)
                            .SetProperty(t => t.ClosedAt, closedAt)
                            .SetProperty(t => t.ReopenedAt, reopenedAt)
                            .SetProperty(t => t.ResolvedBy, resolvedBy),
                    cancellationToken
                ) == 1
            ? state
            : null;
    }

    /// <summary>Corrects the ticket's number wherever it is shown.</summary>
    public static async Task SetNumberAsync(AutoTicketDbContext db, Ticket ticket, long? number, CancellationToken cancellationToken)
    {
        if (number is null || number == ticket.Number)
        {
            return;
        }

        await db
            .AlertDeliveries.Where(row => row.TicketId == ticket.ConversationId)
            .ExecuteUpdateAsync(set => set.SetProperty(row => row.TicketNumber, number), cancellationToken);
        var path = FreeScoutOptions.ConversationPath(ticket.ConversationId!.Value);
        await db
            .Decisions.Where(row => row.AlertId == ticket.DedupKey && row.TicketUrl!.EndsWith(path))
            .ExecuteUpdateAsync(set => set.SetProperty(row => row.TicketNumber, number), cancellationToken);
        // Last: while this row has the old number, the next call repeats the corrections above.
        await db
            .Tickets.Where(row => row.Id == ticket.Id)
            .ExecuteUpdateAsync(set => set.SetProperty(row => row.Number, number), cancellationToken);
    }

    /// <summary>Records the alert's new severity on its ticket, whose tag must then be set again.</summary>
    public async Task SetSeverityAsync(long conversationId, Severity severity, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        await db
            .Tickets.Where(t => t.ConversationId == conversationId && t.Severity != severity)
            .ExecuteUpdateAsync(set => set.SetProperty(t => t.Severity, severity).SetProperty(t => t.TagsPending, true), cancellationToken);
    }

    /// <summary>Claims the second message about the tickets, so that two processes never send it.</summary>
    /// <returns>The ids of the tickets whose message was not claimed before.</returns>
    public async Task<IReadOnlySet<long>> ClaimUnclaimedAsync(IReadOnlyCollection<long> ids, DateTimeOffset at)
    {
        await using var db = await contexts.CreateDbContextAsync();
        return (
            await db.QueryAsync(
                $"""
                UPDATE tickets SET unclaimed_told_at = {at}
                WHERE unclaimed_told_at IS NULL AND id IN (SELECT r.wanted FROM {Ids.Of(ids)}) RETURNING id
                """,
                row => row.GetInt64(0),
                CancellationToken.None
            )
        ).ToHashSet();
    }

    /// <summary>Gives back a claim of this time whose message was not sent.</summary>
    public async Task ReturnUnclaimedAsync(IReadOnlyCollection<long> ids, DateTimeOffset at)
    {
        await using var db = await contexts.CreateDbContextAsync();
        await db
            .Tickets.Where(ticket => ids.Contains(ticket.Id) && ticket.UnclaimedToldAt == at)
            .ExecuteUpdateAsync(set => set.SetProperty(ticket => ticket.UnclaimedToldAt, (DateTimeOffset?)null));
    }

    /// <summary>Records that the tickets' tags are set. A ticket whose severity changed meanwhile keeps its tags pending.</summary>
    public async Task TaggedAsync(IReadOnlyCollection<Ticket> tickets, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        await db.ExecuteAsync(
            $"""
            UPDATE tickets SET tags_pending = {false}, subject = r.subject
            FROM {Tagged.Of(tickets)} WHERE tickets.id = r.id AND tickets.severity = r.severity
            """,
            cancellationToken
        );
    }

    /// <summary>Records a FreeScout ticket of which the console has no row.</summary>
    /// <returns>False when another process recorded it first.</returns>
    public static async Task<bool> AdoptAsync(
        AutoTicketDbContext db,
        Ticket ticket,
        DateTimeOffset now,
        CancellationToken cancellationToken
    )
    {
        var row = ticket with { State = TicketState.Open, Attempt = 0, LeaseUntil = ticket.PostedAt, ConfirmedAt = now };
        return await db.ExecuteAsync(
                FormattableStringFactory.Create(
                    $"{InsertIn(db)} WHERE NOT EXISTS (SELECT 1 FROM tickets t WHERE t.conversation_id = r.conversation_id)",
                    NewRows.Of([new(row, BlockedAtAnyAge: false, EvenIfBlocked: true)])
                ),
                cancellationToken
            ) == 1;
    }

    /// <summary>Deletes a filing that made no ticket.</summary>
    /// <returns>False when the row changed since it was read: another filing may be posting it again.</returns>
    public static async Task<bool> DeleteUnchangedAsync(AutoTicketDbContext db, Ticket ticket, CancellationToken cancellationToken) =>
        await db
            .Tickets.Where(row =>
                row.Id == ticket.Id && row.Attempt == ticket.Attempt && row.State == ticket.State && row.PostedAt == ticket.PostedAt
            )
            .ExecuteDeleteAsync(cancellationToken) == 1;

    /// <summary>Records that a ticket was resolved.</summary>
    /// <param name="evenClosed">Update a closed ticket too: the caller knows better who closed it.</param>
    public static Task CloseAsync(AutoTicketDbContext db, long conversation, string? by, bool evenClosed, DateTimeOffset now) =>
        db
            .Tickets.Where(row =>
                row.ConversationId == conversation && (row.State == TicketState.Open || (evenClosed && row.State == TicketState.Closed))
            )
            .ExecuteUpdateAsync(set =>
                set.SetProperty(row => row.State, TicketState.Closed)
                    .SetProperty(row => row.ClosedAt, now)
                    .SetProperty(row => row.ReopenedAt, (DateTimeOffset?)null)
                    .SetProperty(row => row.ResolvedBy, by)
            );

    /// <summary>Until when the claim allows a post to begin: its lease must last longer than the longest post.</summary>
    public DateTimeOffset PostUntil(Ticket ticket) => ticket.LeaseUntil - options.Value.ClickBudget;

    private async Task<bool> UpdateOwnAsync(Ticket ticket, Action<UpdateSettersBuilder<Ticket>> set, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        return await Own(db, ticket).ExecuteUpdateAsync(set, cancellationToken) == 1;
    }

    private static IQueryable<Ticket> Own(AutoTicketDbContext db, Ticket ticket) =>
        db.Tickets.Where(t => t.Id == ticket.Id && t.Attempt == ticket.Attempt && t.State == TicketState.Filing);
}
