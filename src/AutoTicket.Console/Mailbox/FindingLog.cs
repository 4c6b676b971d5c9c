using System.Text.Json;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.FreeScout;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Mailbox;

/// <summary>The differences between the books and FreeScout that are written down: each since when, and what was done about it.</summary>
internal sealed partial class FindingLog(
    IDbContextFactory<AutoTicketDbContext> contexts,
    IOptions<TicketingOptions> options,
    IOptions<FreeScoutOptions> freeScout,
    TimeProvider clock,
    ILogger<FindingLog> logger
)
{
    /// <summary>For so long closed tickets are compared too, and what was mended is remembered.</summary>
    public static readonly TimeSpan Memory = TimeSpan.FromDays(7);

    /// <summary>In characters.</summary>
    public const int ShortestReason = 3,
        LongestReason = 500;

    private readonly OutageNotice _outage = new();

    /// <summary>What holds now, the newest first, then what was dismissed, and what was mended within a day.</summary>
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
            // Also while somebody looks for it, or died in the middle of posting it.
            var unsettled = await db
                .Tickets.AsNoTracking()
                .Where(FilingRules.IsUnconfirmed.Or(FilingRules.MayBeTakenOver(now)))
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
                        FilingRules.IsMissing(ticket, options.Value.Grace)
                            ? "It was posted, the answer was lost, and FreeScout does not have it. It is posted again when somebody clicks or its alert "
                                + "goes on. Otherwise dismiss it; the console gives it up after a day."
                            : $"It was posted, and which ticket it became is not known. {ticket.Problem}",
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

    /// <summary>Writes down all that a comparison saw. What it did not see holds no longer.</summary>
    /// <param name="unread">Conversations that FreeScout did not show: of them everything stays as it was.</param>
    public async Task StoreAsync(IReadOnlyList<Difference> seen, IReadOnlyCollection<long> unread, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var now = clock.GetUtcNow();
        await using var transaction = await db.BeginAsync(cancellationToken);
        var known = await db.TicketFindings.AsNoTracking().ToDictionaryAsync(row => (row.ConversationId, row.Kind), cancellationToken);
        foreach (var one in seen.DistinctBy(one => (one.ConversationId, one.Kind)))
        {
            var before = known.GetValueOrDefault((one.ConversationId, one.Kind));
            await PutAsync(
                db,
                one,
                before is { IsOpen: true } ? before.FirstSeenAt : now,
                before?.RepairedAt,
                isOpen: true,
                now,
                cancellationToken
            );
        }

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
            INSERT INTO ticket_sync (id, reconciled_at) VALUES ({TicketSyncRow.OnlyId}, {now})
            ON CONFLICT (id) DO UPDATE SET reconciled_at = excluded.reconciled_at, reconcile_problem = NULL
            """,
            cancellationToken
        );
        await transaction.CommitAsync(cancellationToken);
    }

    /// <summary>FreeScout could not be asked: what is written down stays, and is said to be old.</summary>
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

    /// <summary>The tags that were put back in the last days: they are put back once, for who takes them away again means it.</summary>
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

    /// <summary>Writes down that a difference was mended, and its audit entry: both or neither.</summary>
    public async Task RepairedAsync(Difference mended, AuditEntry audit, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var now = clock.GetUtcNow();
        await using var transaction = await db.BeginAsync(cancellationToken);
        await PutAsync(db, mended, now, now, isOpen: false, now, cancellationToken);
        db.AuditLog.Add(audit);
        await db.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    /// <summary>Writes a ticket of FreeScout's into the books, with its finding and audit entry: all or none.</summary>
    /// <returns>False when another process was faster.</returns>
    public async Task<bool> AdoptedAsync(Ticket ticket, Difference mended, AuditEntry audit, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var now = clock.GetUtcNow();
        await using var transaction = await db.BeginAsync(cancellationToken);
        if (!await TicketBook.AdoptAsync(db, ticket, now, cancellationToken))
        {
            return false;
        }

        await PutAsync(db, mended, now, now, isOpen: false, now, cancellationToken);
        db.AuditLog.Add(audit);
        await db.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return true;
    }

    /// <summary>Somebody looked at a difference and lets it be. It comes back when something else is seen.</summary>
    /// <param name="id">Of the conversation; of the filing, where no ticket came of it.</param>
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

    /// <summary>Ends a filing of which no ticket came. One that is being posted again just now is left alone.</summary>
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
        if (!await TicketBook.GiveUpAsync(db, ticket, cancellationToken))
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

    /// <summary>By what was seen: the entry of the audit log is all that there is of a dismissal.</summary>
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
                // A filing that was given up: its row is gone.
                continue;
            }

            var (id, kind) = (conversation.GetInt64(), Words.Parse<FindingKind>(json.RootElement.GetProperty("finding").GetString()!));
            // Of an earlier time of the same difference it says nothing.
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

    private static Task<int> PutAsync(
        AutoTicketDbContext db,
        Difference one,
        DateTimeOffset firstSeenAt,
        DateTimeOffset? repairedAt,
        bool isOpen,
        DateTimeOffset now,
        CancellationToken cancellationToken
    ) =>
        db.ExecuteAsync(
            $"""
            INSERT INTO ticket_findings (conversation_id, kind, number, subject, detail, first_seen_at, seen_at, repaired_at, is_open)
            VALUES ({one.ConversationId}, {Words.Of(one.Kind)}, {one.Number
                ?? 0}, {one.Subject}, {one.Detail}, {firstSeenAt}, {now}, {repairedAt}, {isOpen})
            ON CONFLICT (conversation_id, kind) DO UPDATE SET number = excluded.number, subject = excluded.subject, detail = excluded.detail,
              first_seen_at = excluded.first_seen_at, seen_at = excluded.seen_at, repaired_at = excluded.repaired_at, is_open = excluded.is_open
            """,
            cancellationToken
        );

    private string? Problem(TicketSyncRow? sync, DateTimeOffset now) =>
        sync switch
        {
            { ReconcileProblem: { } problem } => $"FreeScout could not be asked: {problem}",
            { ReconciledAt: { } at } when now - at <= 3 * options.Value.ReconcileInterval => null,
            { ReconciledAt: not null } => "Nothing has been compared for a while: no process leads, or FreeScout is slow.",
            _ => "The books have not been compared with FreeScout yet.",
        };

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "ticket findings can't be read: {Problem}")]
        public static partial void NotRead(ILogger logger, string problem);
    }
}
