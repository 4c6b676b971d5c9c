using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.FreeScout;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Mailbox;

/// <summary>Once per interval the leader compares the console's tickets and audit log with FreeScout's tickets, both ways. It puts missing
/// tags back and adopts unknown tickets whose alert is certain. The other differences are for a person.</summary>
internal sealed partial class Reconciler(
    FreeScoutClient freeScout,
    FreeScoutHealth health,
    MailboxWatch sync,
    FindingStore findings,
    TicketStore claims,
    ResolutionLog resolutions,
    LeaderLease leader,
    SurfaceList surfaces,
    IDbContextFactory<AutoTicketDbContext> contexts,
    IOptions<TicketingOptions> options,
    IOptions<FreeScoutOptions> freeScoutOptions,
    TimeProvider clock,
    ILogger<Reconciler> logger
) : LeaderLoop(leader, clock, logger)
{
    private const string Actor = "console:reconciler";

    /// <summary>The repair of a ticket that the console did not know, in its audit entry.</summary>
    public const string Adopted = "adopted";

    /// <summary><see cref="Ticket.FiledBy"/> of such a ticket, if FreeScout does not say who created it.</summary>
    public const string NobodyKnown = "FreeScout";

    /// <summary>The most tickets that one comparison asks for by id, and the most markers that it searches; the next one continues. Without
    /// FreeScout's Tags module no list shows any ticket, so each is asked for.</summary>
    private const int MostAsked = 50;

    /// <summary>How long after a repeated post the first post is still looked for.</summary>
    private static readonly TimeSpan LateCommit = TimeSpan.FromHours(1);

    /// <summary>The first comparison follows the first sync, which takes a moment.</summary>
    private static readonly TimeSpan LookAtStartEvery = TimeSpan.FromMilliseconds(100);

    private volatile bool _isAsked;
    private long _askedThrough;
    private long _searchedThrough;

    /// <summary>Without FreeScout's Tags module each try to put tags back fails.</summary>
    private readonly TagsBackoff _tagsBackoff = new(clock);

    /// <summary>By the monotonic clock, because the database may set the other one back.</summary>
    private long? _comparedAt;

    /// <summary>Compares now instead of at the end of the interval, if this process leads.</summary>
    public void CompareSoon()
    {
        _isAsked = true;
        Wake();
    }

    protected override async Task<TimeSpan> LeadAsync(CancellationToken stoppingToken)
    {
        if (!sync.HasAsked)
        {
            return LookAtStartEvery;
        }

        if (_isAsked || _comparedAt is not { } at || Clock.GetElapsedTime(at) >= options.Value.ReconcileInterval)
        {
            // Until it succeeds, the next turn tries again.
            _comparedAt = null;
            _isAsked = false;
            await ReconcileAsync(stoppingToken);
            _comparedAt = Clock.GetTimestamp();
        }

        var left = options.Value.ReconcileInterval - Clock.GetElapsedTime(_comparedAt.Value);
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

    private async Task ReconcileAsync(CancellationToken cancellationToken)
    {
        // While FreeScout fails, the sync asks it often enough. Hundreds of further calls would only open the circuit breaker.
        var failure = health.ReadFailure ?? await CompareAsync(cancellationToken);
        if (failure is not null)
        {
            await findings.StoreProblemAsync(failure.Message, cancellationToken);
        }
    }

    /// <returns>FreeScout's failure, after which nothing is stored; null: the findings are stored. Tickets that FreeScout refuses to show
    /// are left out.</returns>
    private async Task<FreeScoutFailure?> CompareAsync(CancellationToken cancellationToken)
    {
        // FreeScout first, then the rows: a ticket filed meanwhile is in both, because it is tagged after its row is confirmed.
        var asked = Clock.GetUtcNow();
        var since = asked - FindingStore.Memory;
        var held = new Dictionary<long, Conversation>();
        foreach (var (tag, updatedSince) in TicketTags.All.SelectMany(tag => new[] { (tag, (DateTimeOffset?)null), (tag, since) }))
        {
            var (listed, failure) = await freeScout.ListTaggedAsync(tag, updatedSince, cancellationToken);
            if (failure is not null)
            {
                return failure;
            }

            foreach (var conversation in listed!.Where(conversation => conversation.IsListed(freeScoutOptions.Value.MailboxId, tag)))
            {
                held[conversation.Id] = conversation;
            }
        }

        // If FreeScout commits the first post after the repeated one, its ticket has no tag, so it is in no list.
        var reposted = await RepostedAsync(asked, cancellationToken);
        var (searched, _) = Turn([.. reposted.Keys.Order()], _searchedThrough);
        foreach (var id in searched)
        {
            var (found, failure) = await freeScout.FindByMarkerAsync(reposted[id], cancellationToken);
            if (failure is not null)
            {
                return failure;
            }

            foreach (var twin in found!)
            {
                held.TryAdd(twin.Id, twin);
            }
        }

        var seen = new List<Difference>();
        var refused = new Dictionary<long, FreeScoutFailure>();
        var putBack = await findings.TagsPutBackAsync(cancellationToken);
        var filings = await FiledAsync(held.Keys, since, cancellationToken);
        var compared = filings.Where(filing => filing.Row is not { ClosedAt: { } closedAt } || closedAt < asked).ToList();
        var (turn, later) = Turn(
            [.. compared.Select(filing => filing.ConversationId).Where(id => !held.ContainsKey(id)).Order()],
            _askedThrough
        );
        _tagsBackoff.BeginPass();
        List<Ticket> rows = [.. compared.Select(filing => filing.Row).OfType<Ticket>()];
        // The tickets whose tags were refused come last, so that they keep no other from getting its tags.
        foreach (
            var filing in compared
                .Where(filing => !later.Contains(filing.ConversationId))
                .OrderBy(filing => filing.Row?.Id <= _tagsBackoff.LastRefused)
        )
        {
            var found = held.GetValueOrDefault(filing.ConversationId);
            if (found is null)
            {
                // It is in no list: gone, moved, without its tag, or closed long ago. Only reading it by id tells which.
                (found, var failure) = await freeScout.FindAsync(filing.ConversationId, cancellationToken, withThreads: true);
                if (failure is { IsOfRequest: true })
                {
                    refused[filing.ConversationId] = failure;
                    continue;
                }

                if (failure is not null)
                {
                    return failure;
                }
            }

            foreach (var difference in Comparison.Of(filing, found, freeScoutOptions.Value.MailboxId))
            {
                if (!(difference.Kind == FindingKind.TagsGone && await PutTagsBackAsync(filing.Row!, found!, difference, putBack, rows)))
                {
                    seen.Add(difference);
                }
            }

            if (filing.Row is { } row)
            {
                await claims.RecordAnswerAsync(row, found, cancellationToken);
            }
        }

        var known = filings.Where(filing => filing.Row is not null).Select(filing => filing.ConversationId).ToHashSet();
        foreach (
            var orphan in held
                .Values.Where(conversation => conversation.IsOpen && !known.Contains(conversation.Id))
                .OrderBy(conversation => conversation.Id)
        )
        {
            if (await AdoptAsync(orphan, cancellationToken) is { } difference)
            {
                seen.Add(difference);
            }
        }

        seen.AddRange(Comparison.Duplicates(await OpenAsync(cancellationToken), options.Value.Window));
        if (await resolutions.SettleAsync(cancellationToken) is { } unsettled)
        {
            return unsettled;
        }

        await findings.StoreAsync(seen, [.. refused.Keys, .. later], refused.Values.FirstOrDefault()?.Message, cancellationToken);
        (_askedThrough, _searchedThrough) = (turn.LastOrDefault(), searched.LastOrDefault());
        return null;
    }

    /// <summary>Continues the round-robin after the last ticket that was asked for.</summary>
    /// <returns>The tickets to ask for now, and those that the next comparison asks for.</returns>
    private static (List<long> Now, HashSet<long> Later) Turn(List<long> ids, long last)
    {
        List<long> inTurn = [.. ids.Where(id => id > last), .. ids.Where(id => id <= last)];
        return (inTurn[..Math.Min(MostAsked, inTurn.Count)], [.. inTurn.Skip(MostAsked)]);
    }

    /// <summary>The tickets that the console filed: the open ones, those of the last days, and those that FreeScout listed.</summary>
    private async Task<List<Filing>> FiledAsync(IReadOnlyCollection<long> listed, DateTimeOffset since, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var ids = listed.ToList();
        var rows = await db
            .Tickets.AsNoTracking()
            .Where(ticket =>
                ticket.ConversationId != null
                && (
                    ticket.State == TicketState.Open
                    || ticket.PostedAt > since
                    || ticket.ClosedAt > since
                    || ids.Contains(ticket.ConversationId.Value)
                )
            )
            .OrderBy(ticket => ticket.Id)
            .ToListAsync(cancellationToken);
        var audits = await db
            .AuditLog.AsNoTracking()
            .Where(entry =>
                (entry.Action == AuditActions.AlertTicketFiled || entry.Action == AuditActions.InvestigateFiled) && entry.CreatedAt > since
            )
            .Select(entry => entry.Payload)
            .ToListAsync(cancellationToken);
        var audited = audits.Select(Filed).OfType<Filing>();
        return
        [
            .. rows.Select(row => new Filing(row.ConversationId!.Value, row.Number, row.Subject, row))
                .Concat(audited)
                .DistinctBy(filing => filing.ConversationId),
        ];

        static Filing? Filed(string payload)
        {
            using var json = JsonDocument.Parse(payload);
            return json.RootElement.TryGetProperty("conversation_id", out var id) && id.TryGetInt64(out var conversation)
                ? new(
                    conversation,
                    json.RootElement.TryGetProperty("ticket_number", out var number) && number.ValueKind == JsonValueKind.Number
                        ? number.GetInt64()
                        : null,
                    "Known from the audit log alone",
                    null
                )
                : null;
        }
    }

    /// <summary>The markers that were posted twice lately, by their rows.</summary>
    private async Task<Dictionary<long, string>> RepostedAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var since = now - LateCommit;
        return await db
            .Tickets.Where(ticket => ticket.RepostedAt > since && ticket.ConversationId != null)
            .ToDictionaryAsync(ticket => ticket.Id, ticket => ticket.Marker, cancellationToken);
    }

    private async Task<List<Ticket>> OpenAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        return await db
            .Tickets.AsNoTracking()
            .Where(ticket => ticket.State == TicketState.Open && ticket.ConversationId != null)
            .OrderBy(ticket => ticket.Id)
            .ToListAsync(cancellationToken);
    }

    /// <summary>Puts the tags back and records the repair, even while the process ends: without the record they would be put back
    /// again.</summary>
    /// <returns>False when the finding is left to a person.</returns>
    private async Task<bool> PutTagsBackAsync(
        Ticket row,
        Conversation found,
        Difference gone,
        HashSet<long> putBack,
        IReadOnlyList<Ticket> rows
    )
    {
        if (putBack.Contains(found.Id) || !Leader.IsLeader || row.Id <= _tagsBackoff.PausedThrough)
        {
            return false;
        }

        var missing = Comparison.MissingTags(row, found);
        switch ((await freeScout.AddTagsAsync(found.Id, missing, CancellationToken.None)).Failure)
        {
            case { IsOfRequest: true }:
                _tagsBackoff.Refused(row, rows);
                return false;
            case not null:
                _tagsBackoff.Failed(rows);
                return false;
        }

        var done = gone with { Detail = $"{gone.Detail} The console put {(missing.Count == 1 ? "it" : "them")} back." };
        await findings.RepairedAsync(done, Audit("tags", row, new { tags = missing }), CancellationToken.None);
        Log.Repaired(logger, "tags", found.Id);
        return true;
    }

    /// <summary>Adopts a ticket with a tag of the console that the console does not know, if its alert is certain.</summary>
    /// <returns>The finding for a person; null when the ticket was adopted or belongs to a filing under way.</returns>
    private async Task<Difference?> AdoptAsync(Conversation orphan, CancellationToken cancellationToken)
    {
        // PostgreSQL refuses the NUL character in text.
        var subject = (orphan.Subject ?? "").Replace('\0', ' ');
        var difference = new Difference(
            FindingKind.Orphan,
            orphan.Id,
            orphan.Number,
            subject,
            "FreeScout has it open with a tag of the console, and the console does not know it: which alert it belongs to is not certain."
        );
        var marker = TicketMarker.In(subject);
        var model = marker is null ? null : await FiledWithAsync(marker, cancellationToken);
        if (model is not null && FilingRules.IsHeld(model))
        {
            // Its own filing looks it up.
            return null;
        }

        if (!Leader.IsLeader || (model ?? OfSurface(orphan)) is not { } known)
        {
            return difference;
        }

        var row = known with
        {
            Marker = marker ?? "",
            ConversationId = orphan.Id,
            Number = orphan.Number,
            Subject = subject,
            PostedAt = orphan.CreatedAt ?? Clock.GetUtcNow(),
        };
        var how = model is null ? "its tags name one surface" : "its subject ends with a marker of the console";
        if (
            await findings.AdoptedAsync(
                row,
                difference with
                {
                    Detail = $"The console did not know it, and adopted it: {how}.",
                },
                Audit(Adopted, row, new { marker }),
                cancellationToken
            )
        )
        {
            Log.Repaired(logger, "adopted", orphan.Id);
        }

        return null;
    }

    private async Task<Ticket?> FiledWithAsync(string marker, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        return await db
            .Tickets.AsNoTracking()
            .Where(ticket => ticket.Marker == marker)
            .OrderByDescending(ticket => ticket.Id)
            .FirstOrDefaultAsync(cancellationToken);
    }

    /// <summary>The row for a ticket whose tags name exactly one known surface; else null.</summary>
    private Ticket? OfSurface(Conversation orphan) =>
        orphan.Tags.Contains(TicketTags.Status, StringComparer.OrdinalIgnoreCase)
        && Comparison.SurfaceIn(orphan.Tags) is { } key
        && surfaces.All.FirstOrDefault(surface => surface.Key == key) is { } surface
            ? new Ticket
            {
                Marker = "",
                DedupKey = AlertIdentity.OfSurface(key),
                SurfaceKey = key,
                Severity = surface.Severity,
                State = TicketState.Open,
                FiledBy = orphan.CreatedByName ?? NobodyKnown,
                Subject = orphan.Subject ?? "",
                AuditAction = AuditActions.TicketReconciled,
                Tag = TicketTags.Status,
            }
            : null;

    private AuditEntry Audit(string repair, Ticket row, object more) =>
        new()
        {
            CreatedAt = Clock.GetUtcNow(),
            Action = AuditActions.TicketReconciled,
            Actor = Actor,
            Payload = JsonSerializer.Serialize(
                new
                {
                    repair,
                    alert_key = AlertIdentity.KeyOf(row.DedupKey),
                    surface = row.SurfaceKey,
                    conversation_id = row.ConversationId,
                    ticket_number = row.Number,
                    url = freeScoutOptions.Value.TicketUrl(row.ConversationId!.Value),
                    details = more,
                }
            ),
        };

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "auto_ticket reconciled repair={Repair} conversation={Conversation}")]
        public static partial void Repaired(ILogger logger, string repair, long conversation);
    }
}
