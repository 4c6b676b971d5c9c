using AutoTicket.Data;
using AutoTicket.FreeScout;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tickets;

/// <summary>Keeps the copy of the operations mailbox's open <c>auto:status</c> tickets current: what changed, every interval; the
/// whole list now and then, because a changed tag or a deletion shows in no list of changes.</summary>
internal sealed partial class TicketSync(
    FreeScoutClient client,
    FreeScoutHealth health,
    IDbContextFactory<AutoTicketDbContext> contexts,
    IOptions<TicketingOptions> options,
    IOptions<FreeScoutOptions> freeScout,
    TimeProvider clock,
    ILogger<TicketSync> logger) : BackgroundService
{
    /// <summary>A person must act first: asking more often would only fill the logs.</summary>
    internal static readonly TimeSpan WithoutHope = TimeSpan.FromSeconds(60);
    /// <summary>FreeScout's stamps are whole seconds, and its transactions may commit out of order.</summary>
    private static readonly TimeSpan Overlap = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly SemaphoreSlim _syncing = new(1, 1);
    private int _syncs;

    /// <summary>Asks FreeScout for the whole list now.</summary>
    public Task RefreshAsync(CancellationToken cancellationToken) => SyncAsync(full: true, cancellationToken);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            await SyncAsync(full: _syncs++ % options.Value.FullSyncEvery == 0, stoppingToken);
            var pause = health.Failure?.NeedsPerson == true && options.Value.SyncInterval < WithoutHope ? WithoutHope : options.Value.SyncInterval;
            await Task.Delay(pause, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task SyncAsync(bool full, CancellationToken cancellationToken)
    {
        await _syncing.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (cancellationToken.IsCancellationRequested)
        {
            return;
        }

        try
        {
            using var patience = new CancellationTokenSource(Patience, clock);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
            await using var db = await contexts.CreateDbContextAsync(cancellationToken);
            var sync = await db.TicketSync.SingleOrDefaultAsync(cancellationToken) ?? db.TicketSync.Add(new TicketSyncRow()).Entity;
            var since = full ? null : sync.UpdatedThrough - Overlap;
            var (found, failure) = await client.ListTaggedAsync(OpenTickets.OpenTag, since, either.Token);
            if (failure is not null)
            {
                sync.Problem = failure.Message;
                // A whole list that failed is asked for again next time.
                _syncs = full ? 0 : _syncs;
            }
            else
            {
                await TakeAsync(db, found!, whole: since is null, either.Token);
                var through = found!.Max(conversation => conversation.UpdatedAt);
                sync.UpdatedThrough = through > sync.UpdatedThrough || sync.UpdatedThrough is null ? through : sync.UpdatedThrough;
                (sync.SyncedAt, sync.Problem) = (clock.GetUtcNow(), null);
            }

            await db.SaveChangesAsync(cancellationToken);
        }
        catch (Exception exception) when (contexts.IsOutage(exception))
        {
            Log.NotStored(logger, exception.GetBaseException().Message);
        }
        catch (DbUpdateException)
        {
            // Another process synced at the same moment and its copy is as good as ours.
        }
        catch (OperationCanceledException)
        {
        }
        finally
        {
            _syncing.Release();
        }
    }

    private async Task TakeAsync(AutoTicketDbContext db, IReadOnlyList<Conversation> found, bool whole, CancellationToken cancellationToken)
    {
        var copy = await db.OpenConversations.ToDictionaryAsync(conversation => conversation.Id, cancellationToken);
        // Older versions of FreeScout drop a filter that they do not know: each row is looked at again.
        var open = found.Where(IsShown).DistinctBy(conversation => conversation.Id).ToDictionary(conversation => conversation.Id);
        foreach (var conversation in open.Values)
        {
            var row = copy.GetValueOrDefault(conversation.Id) ?? db.OpenConversations.Add(New(conversation)).Entity;
            Fill(row, conversation);
        }

        var seen = found.Select(conversation => conversation.Id).ToHashSet();
        db.OpenConversations.RemoveRange(copy.Values.Where(row => !open.ContainsKey(row.Id) && (whole || seen.Contains(row.Id))));

        var own = await db.Tickets.AsNoTracking().Where(ticket => ticket.ConversationId != null
            && (ticket.State == TicketState.Open || (ticket.State == TicketState.Closed && seen.Contains(ticket.ConversationId.Value)))).ToListAsync(cancellationToken);
        foreach (var ticket in own)
        {
            if (seen.Contains(ticket.ConversationId!.Value))
            {
                await SetAsync(db, ticket, found.First(conversation => conversation.Id == ticket.ConversationId), cancellationToken);
            }
            else if (whole)
            {
                // Not in the list: closed, gone, moved to another mailbox, or it lost its tag. Only its id tells.
                var (conversation, failure) = await client.FindAsync(ticket.ConversationId.Value, cancellationToken);
                if (failure is null)
                {
                    await SetAsync(db, ticket, conversation, cancellationToken);
                }
            }
        }
    }

    private async Task SetAsync(AutoTicketDbContext db, Ticket ticket, Conversation? conversation, CancellationToken cancellationToken)
    {
        var state = conversation?.IsOpen == true ? TicketState.Open : TicketState.Closed;
        if (state != ticket.State)
        {
            DateTimeOffset? closedAt = state == TicketState.Open ? null : clock.GetUtcNow();
            await db.Tickets.Where(row => row.Id == ticket.Id).ExecuteUpdateAsync(
                set => set.SetProperty(row => row.State, state).SetProperty(row => row.ClosedAt, closedAt), cancellationToken);
            Log.Changed(logger, ticket.ConversationId!.Value, state);
        }

        if (conversation?.Number is { } number && number != ticket.Number)
        {
            await db.Tickets.Where(row => row.Id == ticket.Id).ExecuteUpdateAsync(set => set.SetProperty(row => row.Number, number), cancellationToken);
        }
    }

    private bool IsShown(Conversation conversation) =>
        conversation.IsOpen && conversation.State is null or "published" && (conversation.MailboxId is null || conversation.MailboxId == freeScout.Value.MailboxId)
        && conversation.Tags.Contains(OpenTickets.OpenTag, StringComparer.OrdinalIgnoreCase);

    private static OpenConversation New(Conversation conversation) => new() { Id = conversation.Id, Number = 0, Subject = "", Status = "", Tags = "" };

    private void Fill(OpenConversation row, Conversation conversation)
    {
        row.Number = conversation.Number ?? conversation.Id;
        row.Subject = conversation.Subject ?? "";
        row.Status = conversation.Status ?? "active";
        row.Tags = string.Join('\n', conversation.Tags.Select(tag => tag.ReplaceLineEndings(" ")));
        row.SurfaceKey = conversation.Tags.FirstOrDefault(tag => tag.StartsWith("surface:", StringComparison.OrdinalIgnoreCase))?["surface:".Length..];
        row.CreatedAt = conversation.CreatedAt ?? clock.GetUtcNow();
        row.UpdatedAt = conversation.UpdatedAt;
        row.CreatedBy = conversation.CreatedByName;
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "ticket changed in FreeScout conversation={Conversation} state={State}")]
        public static partial void Changed(ILogger logger, long conversation, TicketState state);

        [LoggerMessage(LogLevel.Warning, "open tickets can't be stored: {Problem}")]
        public static partial void NotStored(ILogger logger, string problem);
    }
}
