using System.Collections.Concurrent;
using AutoTicket.Data;
using AutoTicket.FreeScout;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Microsoft.Extensions.Options;

namespace AutoTicket.Mailbox;

/// <summary>
/// Keeps the copy of the operations mailbox's open automatic tickets current. Every interval the leader reads the changes. Now and then it
/// reads the whole list, because changes don't show a changed tag or a deletion. Every process also reads on a hint of FreeScout's webhook
/// and when a person asks. Syncs at the same time do no harm: each writes the copy only if the row of <c>ticket_sync</c> did not change.
/// </summary>
internal sealed partial class MailboxWatch(
    FreeScoutClient client,
    FreeScoutHealth health,
    LeaderLease leader,
    IDbContextFactory<AutoTicketDbContext> contexts,
    IOptions<TicketingOptions> options,
    IOptions<FreeScoutOptions> freeScout,
    TimeProvider clock,
    ILogger<MailboxWatch> logger
) : Loop(clock, logger)
{
    private const int MostReadById = 10;

    /// <summary>With more waiting hints than this, the whole list is read instead.</summary>
    private const int MostHints = 100;
    private static readonly TimeSpan LongestWork = TimeSpan.FromSeconds(20);

    /// <summary>After a flood the whole list has thousands of tickets, in pages of a hundred.</summary>
    private static readonly TimeSpan LongestFullSync = TimeSpan.FromMinutes(2);

    /// <summary>How far each sync reads back. FreeScout's stamps are whole seconds, and its transactions commit out of order.</summary>
    private static readonly TimeSpan Overlap = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan AskLeaderAgainAfter = TimeSpan.FromSeconds(1);
    private static readonly Backoff AfterFailedHint = new(TimeSpan.FromSeconds(1), FreeScoutFailure.LongestPause);

    private readonly ConcurrentDictionary<long, bool> _hints = new();
    private volatile bool _isAllHinted;
    private volatile bool _isHinted;
    private int _failedHints;

    /// <summary>FreeScout works again, or a call failed in another way than the last sync: a sync is due soon.</summary>
    private volatile bool _hasNews;

    // By the monotonic clock: the database may set the other one back by hours.
    private long? _syncedAt;
    private long? _fullSyncedAt;
    private TimeSpan _syncTook;
    private volatile FreeScoutFailure? _syncFailure;
    private (long Since, TimeSpan For) _hintPause;
    private bool _isLeading;

    private readonly SemaphoreSlim _syncing = new(1, 1);
    private readonly OutageNotice _outage = new();

    /// <summary>FreeScout has been asked since the start, so its health is known.</summary>
    public bool HasAsked { get; private set; }

    /// <summary>Asks FreeScout for the whole list now.</summary>
    /// <returns>False when FreeScout or the database failed, or another process wrote at the same moment.</returns>
    public Task<bool> RefreshAsync(CancellationToken cancellationToken) => SyncAsync(full: true, cancellationToken);

    /// <summary>Call it when FreeScout says that a conversation changed. A hint may be old, repeated or out of order, so the watch reads
    /// the conversation itself. Several hints before that read count as one.</summary>
    /// <param name="id">The conversation; null when FreeScout did not say which.</param>
    public void Hint(long? id)
    {
        if (id is { } known && _hints.Count < MostHints)
        {
            _hints[known] = true;
        }
        else
        {
            _isAllHinted = true;
        }

        _isHinted = true;
        Wake();
    }

    protected override void Begin() =>
        health.Changed += () =>
        {
            // This counts during a sync too: that sync may just have failed before another call reached FreeScout. The other processes hear
            // of a failure from the sync.
            if (health.Failure is not { } failure || failure.Kind != _syncFailure?.Kind)
            {
                _hasNews = true;
            }

            Wake();
        };

    protected override async Task<TimeSpan> TurnAsync(CancellationToken stoppingToken)
    {
        if (IsSyncDue)
        {
            _hasNews = false;
            var begun = Clock.GetTimestamp();
            await SyncIfLeaderAsync(stoppingToken);
            (_syncedAt, _syncTook) = (Clock.GetTimestamp(), Clock.GetElapsedTime(begun));
        }

        if (_isHinted || Left(_hintPause) <= TimeSpan.Zero)
        {
            _isHinted = false;
            _failedHints = await ReadHintsAsync(stoppingToken) ? 0 : _failedHints + 1;
            _hintPause = (Clock.GetTimestamp(), _failedHints > 0 ? AfterFailedHint.After(_failedHints) : TimeSpan.MaxValue);
        }

        var (sync, hints) = (LeftUntilSync, Left(_hintPause));
        var next = sync < hints ? sync : hints;
        return next > TimeSpan.Zero ? next : TimeSpan.Zero;
    }

    private bool IsSyncDue => LeftUntilSync <= TimeSpan.Zero;

    private TimeSpan LeftUntilSync => _syncedAt is { } at ? Left((at, SyncPause)) : TimeSpan.Zero;

    private TimeSpan SyncPause
    {
        get
        {
            if (!_isLeading)
            {
                return AskLeaderAgainAfter;
            }

            var interval = options.Value.SyncInterval;
            if (_hasNews || health.ReadFailure is { IsOutage: true } || _syncFailure is { IsOutage: true })
            {
                // A whole list that fails half-way must not keep FreeScout busy all the time.
                var retry = freeScout.Value.RetryOutage > _syncTook ? freeScout.Value.RetryOutage : _syncTook;
                return retry < interval ? retry : interval;
            }

            return health.ReadFailure is { NeedsPerson: true } ? FreeScoutFailure.RetryRefused : interval;
        }
    }

    private TimeSpan Left((long Since, TimeSpan For) pause) => pause.For - Clock.GetElapsedTime(pause.Since);

    private async Task SyncIfLeaderAsync(CancellationToken cancellationToken)
    {
        _isLeading = await leader.AskAsync(cancellationToken);
        if (!_isLeading)
        {
            return;
        }

        var asked = Clock.GetTimestamp();
        var full = _fullSyncedAt is not { } at || Left((at, options.Value.FullSyncEvery * options.Value.SyncInterval)) <= TimeSpan.Zero;
        if (await SyncAsync(full, cancellationToken) && full)
        {
            _fullSyncedAt = asked;
        }

        HasAsked = true;
    }

    /// <returns>False when a read failed. Hints that were not read are kept.</returns>
    private async Task<bool> ReadHintsAsync(CancellationToken cancellationToken)
    {
        if (_isAllHinted)
        {
            _isAllHinted = false;
            if (!await RefreshAsync(cancellationToken))
            {
                _isAllHinted = true;
                return false;
            }
        }

        var isDone = true;
        foreach (var id in _hints.Keys)
        {
            if (IsSyncDue)
            {
                // The sync goes first: it must not wait for a hundred hints.
                _isHinted = true;
                break;
            }

            // Removed before the read, so that a change during the read is a new hint.
            _hints.TryRemove(id, out _);
            if (!await LookAtAsync(id, cancellationToken))
            {
                _hints[id] = true;
                isDone = false;
            }
        }

        return isDone;
    }

    /// <summary>Asks FreeScout for one conversation with its threads, which tell when a person answered, and stores its state.</summary>
    /// <returns>False when FreeScout or the database failed, or another process wrote at the same moment.</returns>
    public Task<bool> LookAtAsync(long id, CancellationToken cancellationToken) =>
        AloneAsync(
            async (db, either) =>
            {
                var asked = Clock.GetUtcNow();
                var (found, failure) = await client.FindAsync(id, either, withThreads: true);
                if (failure is { IsOfRequest: true })
                {
                    // Its threads may be too long to read.
                    (found, failure) = await client.FindAsync(id, either);
                }

                if (failure is null)
                {
                    await ApplyAsync(db, new() { [id] = found }, whole: false, asked, either);
                    await db.SaveChangesAsync(cancellationToken);
                }

                return failure is null or { IsOfRequest: true };
            },
            cancellationToken
        );

    private Task<bool> SyncAsync(bool full, CancellationToken cancellationToken) =>
        AloneAsync(
            async (db, either) =>
            {
                var (asked, begun) = (Clock.GetUtcNow(), Clock.GetTimestamp());
                var sync = await db.TicketSync.SingleOrDefaultAsync(cancellationToken) ?? db.TicketSync.Add(new TicketSyncRow()).Entity;
                var since = full ? null : sync.UpdatedThrough - Overlap;
                var (found, failure) = await ListAsync(since, either);
                var took = Clock.GetElapsedTime(begun);
                _syncFailure = failure;
                if (
                    failure is not null
                    && failure.Message == sync.ReadProblem
                    && Clock.GetUtcNow() - sync.AskedAt < options.Value.SyncInterval
                )
                {
                    // Each write makes all pages read the list again.
                    return false;
                }

                // Reads may work while creates fail. Two equal times mean that.
                var known = failure ?? health.Failure;
                var at = Clock.GetUtcNow();
                at = failure is not null && at == sync.SyncedAt ? at.AddMilliseconds(1) : at;
                (sync.AskedAt, sync.Problem, sync.Failure) = (at, known?.Message, known?.Kind);
                if (failure is null)
                {
                    var seen = found!
                        .DistinctBy(conversation => conversation.Id)
                        .ToDictionary(conversation => conversation.Id, Conversation? (conversation) => conversation);
                    await ApplyAsync(db, seen, whole: since is null, asked, either);
                    // A ticket may have changed after its tag was listed, while the other tag's list shows a later change.
                    var through = found!.Max(conversation => conversation.UpdatedAt) - took;
                    // FreeScout's clock may have been ahead and corrected. Until a time of the future has come, no sync would see a change.
                    var isAhead = since is null && sync.UpdatedThrough > asked;
                    sync.UpdatedThrough = through > sync.UpdatedThrough || isAhead ? through : sync.UpdatedThrough ?? through;
                    sync.SyncedAt = sync.AskedAt;
                }

                await db.SaveChangesAsync(cancellationToken);
                return failure is null;
            },
            cancellationToken,
            full ? LongestFullSync : LongestWork
        );

    /// <returns>The conversations with one of the console's tags. FreeScout's list takes only one tag a call.</returns>
    private async Task<FreeScoutAnswer<List<Conversation>>> ListAsync(DateTimeOffset? since, CancellationToken cancellationToken)
    {
        var all = new List<Conversation>();
        foreach (var tag in TicketTags.All)
        {
            var (found, failure) = await client.ListTaggedAsync(tag, since, cancellationToken);
            if (failure is not null)
            {
                return failure;
            }

            all.AddRange(found!);
        }

        return all;
    }

    /// <summary>Runs one piece of work at a time in this process.</summary>
    private async Task<bool> AloneAsync(
        Func<AutoTicketDbContext, CancellationToken, Task<bool>> work,
        CancellationToken cancellationToken,
        TimeSpan? limit = null
    )
    {
        try
        {
            await _syncing.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            return false;
        }

        try
        {
            using var timeout = new CancellationTokenSource(limit ?? LongestWork, Clock);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
            await using var db = await contexts.CreateDbContextAsync(cancellationToken);
            var isDone = await work(db, either.Token);
            _outage.End();
            return isDone;
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            if (_outage.Begin())
            {
                Log.NotStored(logger, exception.GetBaseException().Message);
            }
        }
        catch (DbUpdateException exception) when (exception is DbUpdateConcurrencyException || Outages.IsDuplicate(exception))
        {
            // Another process synced at the same moment.
        }
        catch (OperationCanceledException) { }
#pragma warning disable CA1031 // a bug is logged and does not end the syncing
        catch (Exception exception)
#pragma warning restore CA1031
        {
            Log.Failed(logger, exception);
        }
        finally
        {
            _syncing.Release();
        }

        return false;
    }

    /// <summary>Applies FreeScout's answer to the copy and to the console's own tickets.</summary>
    /// <param name="seen">The conversations by id; null for one that FreeScout no longer has.</param>
    /// <param name="whole">True for the whole list: a ticket that is missing from <paramref name="seen"/> is not open.</param>
    /// <param name="asked">When FreeScout was asked. Its answer is ignored for tickets that were closed here after that.</param>
    private async Task ApplyAsync(
        AutoTicketDbContext db,
        Dictionary<long, Conversation?> seen,
        bool whole,
        DateTimeOffset asked,
        CancellationToken cancellationToken
    )
    {
        var ids = seen.Keys.ToList();
        var own = await db
            .Tickets.AsNoTracking()
            .Where(ticket =>
                ticket.ConversationId != null
                && (ticket.State == TicketState.Open || ticket.State == TicketState.Closed)
                && ((whole && ticket.State == TicketState.Open) || ids.Contains(ticket.ConversationId.Value))
            )
            .ToListAsync(cancellationToken);
        var closedSince = own.Where(ticket => ticket.State == TicketState.Closed && ticket.ClosedAt >= asked)
            .Select(ticket => ticket.ConversationId!.Value)
            .ToHashSet();
        var copy = await db
            .OpenConversations.Where(row => whole || ids.Contains(row.Id))
            .ToDictionaryAsync(row => row.Id, cancellationToken);
        // A ticket that is missing from the whole list was closed, deleted, moved or untagged: reading it by id tells which. A sync
        // reads the newest few, the reconciler the rest.
        var missing = own.Where(ticket => !seen.ContainsKey(ticket.ConversationId!.Value));
        foreach (var ticket in missing.OrderByDescending(ticket => ticket.Id).Take(MostReadById).ToList())
        {
            var (conversation, failure) = await client.FindAsync(ticket.ConversationId!.Value, cancellationToken);
            if (failure is { IsOfRequest: true })
            {
                continue;
            }

            if (failure is not null)
            {
                break;
            }

            seen[ticket.ConversationId.Value] = conversation;
        }

        var open = seen
            .Values.OfType<Conversation>()
            .Where(conversation =>
                conversation.IsOpen
                && conversation.IsListed(freeScout.Value.MailboxId, TicketTags.All)
                && !closedSince.Contains(conversation.Id)
            )
            .ToDictionary(conversation => conversation.Id);
        foreach (var conversation in open.Values)
        {
            var row = copy.GetValueOrDefault(conversation.Id) ?? db.OpenConversations.Add(New(conversation)).Entity;
            Fill(row, conversation);
        }

        db.OpenConversations.RemoveRange(copy.Values.Where(row => !open.ContainsKey(row.Id)));
        foreach (
            var ticket in own.Where(ticket =>
                seen.ContainsKey(ticket.ConversationId!.Value) && !closedSince.Contains(ticket.ConversationId.Value)
            )
        )
        {
            await SetAsync(db, ticket, seen[ticket.ConversationId!.Value], cancellationToken);
        }
    }

    private async Task SetAsync(AutoTicketDbContext db, Ticket ticket, Conversation? conversation, CancellationToken cancellationToken)
    {
        if (await TicketStore.SetOpenAsync(db, ticket, conversation, Clock.GetUtcNow(), cancellationToken) is { } state)
        {
            Log.Changed(logger, ticket.ConversationId!.Value, state);
        }

        await TicketStore.SetNumberAsync(db, ticket, conversation?.Number, cancellationToken);
    }

    private static OpenConversation New(Conversation conversation) =>
        new()
        {
            Id = conversation.Id,
            Number = 0,
            Subject = "",
            Status = "",
            Tags = "",
        };

    private void Fill(OpenConversation row, Conversation conversation)
    {
        row.Number = conversation.Number ?? 0;
        row.Subject = conversation.Subject ?? "";
        row.Status = conversation.Status ?? "active";
        row.Tags = string.Join('\n', conversation.Tags.Select(tag => tag.ReplaceLineEndings(" ")));
        row.SurfaceKey = Comparison.SurfaceIn(conversation.Tags);
        row.CreatedAt = conversation.CreatedAt ?? Clock.GetUtcNow();
        row.UpdatedAt = conversation.UpdatedAt;
        row.CreatedBy = conversation.CreatedByName;
        var agent = conversation.AssignedTo;
        (row.AssigneeId, row.AssigneeName, row.AssigneeEmail) = (agent?.Id, agent?.Name, agent?.Email);
        // A list does not show every answer, so a later one that was read from the threads stays.
        var answeredAt = conversation.AnsweredAt(freeScout.Value.UserId);
        row.LastReplyAt = row.LastReplyAt > answeredAt ? row.LastReplyAt : answeredAt ?? row.LastReplyAt;
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "ticket changed in FreeScout conversation={Conversation} state={State}")]
        public static partial void Changed(ILogger logger, long conversation, TicketState state);

        [LoggerMessage(LogLevel.Error, "syncing open tickets failed, trying again")]
        public static partial void Failed(ILogger logger, Exception exception);

        [LoggerMessage(LogLevel.Warning, "open tickets can't be stored: {Problem}")]
        public static partial void NotStored(ILogger logger, string problem);
    }
}

/// <summary>State of the sync and the comparison: the one row of <c>ticket_sync</c>.</summary>
internal sealed class TicketSyncRow
{
    public const int OnlyId = 1;

    public int Id { get; init; } = OnlyId;

    /// <summary>When FreeScout last answered completely.</summary>
    public DateTimeOffset? SyncedAt { get; set; }

    /// <summary>The newest change seen, by FreeScout's clock: the next incremental sync begins here.</summary>
    public DateTimeOffset? UpdatedThrough { get; set; }

    /// <summary>Why the last sync failed, or why creates fail although it succeeded, for the operator; null: FreeScout works.</summary>
    public string? Problem { get; set; }

    /// <summary>The kind of the failure in <see cref="Problem"/>.</summary>
    public FreeScoutFailureKind? Failure { get; set; }

    /// <summary>When FreeScout was last asked, with any outcome.</summary>
    public DateTimeOffset? AskedAt { get; set; }

    /// <summary>The last sync succeeded, and creates fail.</summary>
    public bool OnlyCreatesFail => Failure is not null && SyncedAt == AskedAt;

    /// <summary><see cref="Problem"/> of the last sync; null when it succeeded.</summary>
    public string? ReadProblem => OnlyCreatesFail ? null : Problem;

    /// <summary>The end of a pause that FreeScout asked one of the replicas for.</summary>
    public DateTimeOffset? HoldUntil { get; set; }

    /// <summary>When the tickets were last compared with FreeScout.</summary>
    public DateTimeOffset? ReconciledAt { get; set; }

    /// <summary>Why the last comparison failed, for the operator; null when it succeeded.</summary>
    public string? ReconcileProblem { get; set; }
}

internal sealed class TicketSyncMapping : IEntityTypeConfiguration<TicketSyncRow>
{
    public void Configure(EntityTypeBuilder<TicketSyncRow> builder)
    {
        builder.ToTable("ticket_sync");
        builder.Property(sync => sync.Id).ValueGeneratedNever();
        // A process that was frozen during a sync may end it after a later one. It must not put the older list back.
        builder.Property(sync => sync.AskedAt).IsConcurrencyToken();
    }
}
