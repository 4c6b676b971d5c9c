using System.Runtime.CompilerServices;
using System.Text.Json;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.FreeScout;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Mailbox;

/// <summary>Stores the differences between the console's tickets and FreeScout's, their repairs and their dismissals.</summary>
internal sealed partial class FindingStore(
    IDbContextFactory<AutoTicketDbContext> contexts,
    IOptions<TicketingOptions> options,
    IOptions<FreeScoutOptions> freeScout,
    TimeProvider clock,
    ILogger<FindingStore> logger
)
{
    /// <summary>How long closed tickets are still compared, and repairs remembered.</summary>
    public static readonly TimeSpan Memory = TimeSpan.FromDays(7);

    /// <summary>In characters.</summary>
    public const int ShortestReason = 3,
        LongestReason = 500;

    private static readonly RowBatch<FindingRow> Rows = RowBatch.Of<FindingRow>(
        row => row.ConversationId,
        row => row.Kind,
        row => row.Number,
        row => row.Subject,
        row => row.Detail,
        row => row.FirstSeenAt,
        row => row.SeenAt,
        row => row.RepairedAt,
        row => row.IsOpen
    );

    private readonly OutageNotice _outage = new();

    /// <summary>The open findings, newest first; then those that were dismissed, or repaired within a day.</summary>
    public async Task<TicketFindings> ReadAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        try
        {
            var now = clock.GetUtcNow();
            var yesterday = now - TimeSpan.FromDays(1);
            var rows = await db
                .TicketFindings.AsNoTracking()
                .Where(finding => finding.IsOpen || finding.RepairedAt > yesterday)
                .ToListAsync(cancellationToken);
            // Also filings whose claim a look-up holds, and those whose process died during the post.
            var unsettled = await db
                .Tickets.AsNoTracking()
                .Where(FilingRules.IsUnconfirmed.Or(FilingRules.MayBeTakenOver(now, options.Value.Lease)))
                .ToListAsync(cancellationToken);
            var dismissals = await DismissalsAsync(db, rows, cancellationToken);
            var sync = await db.TicketSync.AsNoTracking().SingleOrDefaultAsync(cancellationToken);
            _outage.End();
            var findings = rows.Select(row => new TicketFinding(
                    row.Kind,
                    row.ConversationId,
                    row.KnownNumber,
                    freeScout.Value.TicketUrl(row.ConversationId),
                    row.Subject,
                    row.Detail,
                    row.FirstSeenAt,
                    row.SeenAt,
                    IsRepaired: !row.IsOpen,
                    row.IsOpen ? dismissals.GetValueOrDefault((row.ConversationId, row.Kind, row.Detail)) : null
                ))
                .Concat(
                    unsettled.Select(ticket => new TicketFinding(
                        FindingKind.Unconfirmed,
                        null,
                        null,
                        null,
                        TicketMarker.Append(ticket.Subject, ticket.Marker),
                        DetailOf(ticket),
                        ticket.PostedAt,
                        ticket.LookedUpAt ?? ticket.PostedAt,
                        IsRepaired: false
                    )
                    {
                        Filing = FilingRules.IsMissing(ticket, options.Value.Grace) ? ticket.Id : null,
                    })
                );
            return new(
                [.. findings.OrderBy(finding => finding.IsOver).ThenByDescending(finding => finding.FirstSeenAt)],
                sync?.ReconciledAt,
                Problem(sync, now)
            );
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            if (_outage.Begin())
            {
                Log.NotRead(logger, exception.GetBaseException().Message);
            }

            return new([], null, "The console's database can't be reached: nothing can be compared.");
        }
    }

    /// <summary>Stores the findings of a comparison, and ends those that it did not see.</summary>
    /// <param name="unread">Conversations that this comparison could not read or left out: their findings stay.</param>
    /// <param name="problem">Why some could not be read; null: all could.</param>
    public async Task StoreAsync(
        IReadOnlyList<Difference> seen,
        IReadOnlyCollection<long> unread,
        string? problem,
        CancellationToken cancellationToken
    )
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var now = clock.GetUtcNow();
        await using var transaction = await db.BeginAsync(cancellationToken);
        var known = await db.TicketFindings.AsNoTracking().ToDictionaryAsync(row => (row.ConversationId, row.Kind), cancellationToken);
        // One statement, because SQLite lets nobody else write until the commit.
        await PutAsync(
            db,
            [
                .. seen.DistinctBy(one => (one.ConversationId, one.Kind))
                    .Select(one => (One: one, Before: known.GetValueOrDefault((one.ConversationId, one.Kind))))
                    .Select(pair =>
                        RowOf(
                            pair.One,
                            pair.Before is { IsOpen: true } before ? before.FirstSeenAt : now,
                            now,
                            pair.Before?.RepairedAt,
                            true
                        )
                    ),
            ],
            cancellationToken
        );

        var forgotten = now - Memory;
        foreach (
            var over in known
                .Values.Where(row => !unread.Contains(row.ConversationId))
                .ExceptBy(seen.Select(one => (one.ConversationId, one.Kind)), row => (row.ConversationId, row.Kind))
        )
        {
            var rows = db.TicketFindings.Where(row => row.ConversationId == over.ConversationId && row.Kind == over.Kind);
            _ =
                over.RepairedAt > forgotten
                    ? await rows.Where(row => row.IsOpen)
                        .ExecuteUpdateAsync(set => set.SetProperty(row => row.IsOpen, false), cancellationToken)
                    : await rows.ExecuteDeleteAsync(cancellationToken);
        }

        await db.ExecuteAsync(
            $"""
            INSERT INTO ticket_sync (id, reconciled_at, reconcile_problem) VALUES ({TicketSyncRow.OnlyId}, {now}, {problem})
            ON CONFLICT (id) DO UPDATE SET reconciled_at = excluded.reconciled_at, reconcile_problem = excluded.reconcile_problem
            """,
            cancellationToken
        );
        await transaction.CommitAsync(cancellationToken);
    }

    /// <summary>Records why FreeScout could not be asked. The findings stay, and are shown as out of date.</summary>
    public async Task StoreProblemAsync(string problem, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        await db.ExecuteAsync(
            $"""
            INSERT INTO ticket_sync (id, reconcile_problem) VALUES ({TicketSyncRow.OnlyId}, {problem})
            ON CONFLICT (id) DO UPDATE SET reconcile_problem = excluded.reconcile_problem
            """,
            cancellationToken
        );
    }

    /// <summary>Tickets whose tags were put back lately. The console puts tags back once: an agent who removes them again wants them
    /// gone.</summary>
    public async Task<HashSet<long>> TagsPutBackAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var since = clock.GetUtcNow() - Memory;
        return
        [
            .. await db
                .TicketFindings.Where(row => row.Kind == FindingKind.TagsGone && row.RepairedAt > since)
                .Select(row => row.ConversationId)
                .ToListAsync(cancellationToken),
        ];
    }

    /// <summary>Records that a difference was repaired, and its audit entry, in one transaction.</summary>
    public async Task RepairedAsync(Difference repaired, AuditEntry audit, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var now = clock.GetUtcNow();
        await using var transaction = await db.BeginAsync(cancellationToken);
        await PutAsync(db, [RowOf(repaired, now, now, now, isOpen: false)], cancellationToken);
        db.AuditLog.Add(audit);
        await db.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    /// <summary>Records a ticket that the console did not know, its finding and its audit entry, in one transaction.</summary>
    /// <returns>False when another process recorded the ticket first.</returns>
    public async Task<bool> AdoptedAsync(Ticket ticket, Difference repaired, AuditEntry audit, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var now = clock.GetUtcNow();
        await using var transaction = await db.BeginAsync(cancellationToken);
        if (!await TicketStore.AdoptAsync(db, ticket, now, cancellationToken))
        {
            return false;
        }

        await PutAsync(db, [RowOf(repaired, now, now, now, isOpen: false)], cancellationToken);
        db.AuditLog.Add(audit);
        await db.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return true;
    }

    /// <summary>Dismisses a finding. It comes back when a comparison sees another detail.</summary>
    /// <param name="id">The id of the conversation; for a filing without a conversation, the id of its row.</param>
    public async Task<DismissResult> DismissAsync(long id, DismissRequest request, string actor, CancellationToken cancellationToken)
    {
        if (CleanText.Of(request.Reason ?? "").Trim() is not { Length: >= ShortestReason and <= LongestReason } reason)
        {
            return DismissResult.ReasonMissing;
        }

        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        try
        {
            if (request.Kind == FindingKind.Unconfirmed)
            {
                return await GiveUpAsync(db, id, reason, actor, cancellationToken) ? DismissResult.Done : DismissResult.NotThere;
            }

            if (
                await db
                    .TicketFindings.AsNoTracking()
                    .SingleOrDefaultAsync(row => row.ConversationId == id && row.Kind == request.Kind && row.IsOpen, cancellationToken)
                is not { } row
            )
            {
                return DismissResult.NotThere;
            }

            db.AuditLog.Add(
                new AuditEntry
                {
                    CreatedAt = clock.GetUtcNow(),
                    Action = AuditActions.FindingDismissed,
                    Actor = actor,
                    Payload = JsonSerializer.Serialize(
                        new
                        {
                            finding = Words.Of(row.Kind),
                            conversation_id = row.ConversationId,
                            ticket_number = row.KnownNumber,
                            detail = row.Detail,
                            reason,
                        }
                    ),
                }
            );
            await db.SaveChangesAsync(cancellationToken);
            return DismissResult.Done;
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            Log.NotRead(logger, exception.GetBaseException().Message);
            return DismissResult.Unavailable;
        }
    }

    /// <summary>Gives up a filing that made no ticket, unless it is being posted again.</summary>
    private async Task<bool> GiveUpAsync(AutoTicketDbContext db, long id, string reason, string actor, CancellationToken cancellationToken)
    {
        if (
            await db.Tickets.AsNoTracking().SingleOrDefaultAsync(row => row.Id == id, cancellationToken) is not { } ticket
            || !FilingRules.IsMissing(ticket, options.Value.Grace)
        )
        {
            return false;
        }

        await using var transaction = await db.BeginAsync(cancellationToken);
        if (!await TicketStore.DeleteUnchangedAsync(db, ticket, cancellationToken))
        {
            return false;
        }

        db.AuditLog.Add(
            new AuditEntry
            {
                CreatedAt = clock.GetUtcNow(),
                Action = AuditActions.FindingDismissed,
                Actor = actor,
                Payload = JsonSerializer.Serialize(
                    new
                    {
                        finding = Words.Of(FindingKind.Unconfirmed),
                        conversation_id = (long?)null,
                        ticket_number = (long?)null,
                        detail = TicketMarker.Append(ticket.Subject, ticket.Marker),
                        alert_key = Alerts.AlertIdentity.KeyOf(ticket.DedupKey),
                        surface = ticket.SurfaceKey,
                        reason,
                    }
                ),
            }
        );
        await db.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return true;
    }

    /// <summary>The dismissals, by finding and detail. Only the audit log stores them.</summary>
    private static async Task<Dictionary<(long, FindingKind, string), FindingDismissal>> DismissalsAsync(
        AutoTicketDbContext db,
        List<FindingRow> rows,
        CancellationToken cancellationToken
    )
    {
        var known = new Dictionary<(long, FindingKind, string), FindingDismissal>();
        if (rows.Count == 0)
        {
            return known;
        }

        var since = rows.Min(row => row.FirstSeenAt);
        foreach (
            var entry in await db
                .AuditLog.AsNoTracking()
                .Where(entry => entry.Action == AuditActions.FindingDismissed && entry.CreatedAt >= since)
                .OrderBy(entry => entry.Id)
                .ToListAsync(cancellationToken)
        )
        {
            using var json = JsonDocument.Parse(entry.Payload);
            if (json.RootElement.GetProperty("conversation_id") is not { ValueKind: JsonValueKind.Number } conversation)
            {
                // This entry gave up a filing, which has no conversation.
                continue;
            }

            var (id, kind) = (conversation.GetInt64(), Words.Parse<FindingKind>(json.RootElement.GetProperty("finding").GetString()!));
            // A dismissal counts for findings that were seen before it.
            if (rows.Any(row => row.ConversationId == id && row.Kind == kind && row.FirstSeenAt <= entry.CreatedAt))
            {
                known[(id, kind, json.RootElement.GetProperty("detail").GetString()!)] = new(
                    entry.Actor,
                    json.RootElement.GetProperty("reason").GetString()!
                );
            }
        }

        return known;
    }

    private static FindingRow RowOf(
        Difference one,
        DateTimeOffset firstSeenAt,
        DateTimeOffset seenAt,
        DateTimeOffset? repairedAt,
        bool isOpen
    ) =>
        new()
        {
            ConversationId = one.ConversationId,
            Kind = one.Kind,
            Number = one.Number ?? 0,
            Subject = one.Subject,
            Detail = one.Detail,
            FirstSeenAt = firstSeenAt,
            SeenAt = seenAt,
            RepairedAt = repairedAt,
            IsOpen = isOpen,
        };

    private static async Task PutAsync(AutoTicketDbContext db, IReadOnlyCollection<FindingRow> rows, CancellationToken cancellationToken)
    {
        if (rows.Count > 0)
        {
            await db.ExecuteAsync(
                FormattableStringFactory.Create(
                    $$"""
                    INSERT INTO ticket_findings ({{Rows.NamesIn(db)}}) SELECT {{Rows.NamesIn(db)}} FROM {0} WHERE true
                    ON CONFLICT (conversation_id, kind) DO UPDATE SET number = excluded.number, subject = excluded.subject,
                      detail = excluded.detail, first_seen_at = excluded.first_seen_at, seen_at = excluded.seen_at,
                      repaired_at = excluded.repaired_at, is_open = excluded.is_open
                    """,
                    Rows.Of(rows)
                ),
                cancellationToken
            );
        }
    }

    private string DetailOf(Ticket unsettled)
    {
        if (!FilingRules.IsMissing(unsettled, options.Value.Grace))
        {
            return $"It was posted, and which ticket it became is not known. {unsettled.Problem}";
        }

        var next =
            unsettled.AuditAction == AuditActions.TestTicketFiled
                ? "It is a test ticket and is not posted again: dismiss it"
                : "It is posted again when an operator clicks Investigate or its alert is repeated. Otherwise dismiss it";
        return $"It was posted, the answer was lost, and FreeScout does not have it. {next}; the console gives it up after a day.";
    }

    private string? Problem(TicketSyncRow? sync, DateTimeOffset now) =>
        sync switch
        {
            { ReconcileProblem: { } problem } => $"FreeScout could not be asked: {problem}",
            { ReconciledAt: { } at } when now - at <= 3 * options.Value.ReconcileInterval => null,
            { ReconciledAt: not null } => "Nothing has been compared for a while: no process leads, or FreeScout is slow.",
            _ => "The tickets have not been compared with FreeScout yet.",
        };

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "ticket findings can't be read: {Problem}")]
        public static partial void NotRead(ILogger logger, string problem);
    }
}
