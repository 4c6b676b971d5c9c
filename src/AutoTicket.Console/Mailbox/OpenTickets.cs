using System.Diagnostics;
using AutoTicket.Data;
using AutoTicket.FreeScout;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Mailbox;

/// <summary>A surface's ticket on the board.</summary>
/// <param name="Ticket">The newest open ticket; null when none is open.</param>
/// <param name="IsUnconfirmed">A filing whose answer was lost is being looked up.</param>
public sealed record SurfaceTicket(OpenTicket? Ticket, bool IsUnconfirmed);

/// <summary>
/// The open tickets, in memory: FreeScout's list as <see cref="MailboxWatch"/> copied it, and the console's own filings that the list does
/// not show yet. The loop reads them again when any process changes them.
/// </summary>
internal sealed partial class OpenTickets(
    IDbContextFactory<AutoTicketDbContext> contexts,
    DatabaseSignals signals,
    FreeScoutHealth health,
    TicketingService ticketing,
    IOptions<TicketingOptions> options,
    IOptions<FreeScoutOptions> freeScout,
    TimeProvider clock,
    ILogger<OpenTickets> logger
) : Loop(clock, logger)
{
    private static readonly TimeSpan ShortestRest = TimeSpan.FromMilliseconds(50);

    private readonly Lock _lock = new();
    private readonly List<OpenTicket> _filedSinceReadBegan = [];
    private volatile Copy _copy = new([], new HashSet<string>(), null, null);

    private sealed record Copy(
        IReadOnlyList<OpenTicket> Tickets,
        IReadOnlySet<string> Unconfirmed,
        DateTimeOffset? SyncedAt,
        string? Problem
    );

    /// <summary>Raised when the copy, or FreeScout's health, changed. Handlers must return at once and never throw.</summary>
    public event Action? Changed;

    public OpenTicketsCopy Current
    {
        get
        {
            var copy = _copy;
            var late = copy.SyncedAt is not { } at || Clock.GetUtcNow() - at > 2 * options.Value.SyncInterval;
            var problem =
                copy.Problem
                ?? (
                    late
                        ? copy.SyncedAt is null
                            ? "FreeScout has not answered yet."
                            : "FreeScout has not confirmed this list for a while."
                        : null
                );
            return new(copy.Tickets, copy.SyncedAt, IsStale: problem is not null, problem);
        }
    }

    /// <summary>The surface's newest open ticket.</summary>
    public SurfaceTicket Of(string surfaceKey)
    {
        var copy = _copy;
        return new(
            copy.Tickets.Where(ticket => ticket.Surface == surfaceKey).MaxBy(ticket => ticket.OpenedAt),
            copy.Unconfirmed.Contains(surfaceKey)
        );
    }

    /// <summary>Shows a ticket that this process just recorded, because under load the next read may come two seconds later.</summary>
    private void Show(Ticket filed)
    {
        if (filed is not { ConversationId: { } id, Tag: TicketTags.Status })
        {
            return;
        }

        lock (_lock)
        {
            var ticket = Own(filed);
            // A read that began before the ticket was recorded does not see it.
            _filedSinceReadBegan.Add(ticket);
            _copy = _copy with { Tickets = [ticket, .. _copy.Tickets.Where(other => other.Id != id)] };
        }

        Changed?.Invoke();
    }

    protected override void Begin()
    {
        signals.Subscribe(DatabaseSignals.Tickets, Wake);
        health.Changed += Wake;
        ticketing.Opened += Show;
    }

    protected override async Task<TimeSpan> TurnAsync(CancellationToken stoppingToken)
    {
        var begun = Stopwatch.GetTimestamp();
        await ReadAsync(stoppingToken);
        // In a flood each filing wakes the loop.
        await RestAsync(Stopwatch.GetElapsedTime(begun), 5, ShortestRest, stoppingToken);
        return DatabaseSignals.AtLeastEvery;
    }

    private async Task ReadAsync(CancellationToken cancellationToken)
    {
        try
        {
            lock (_lock)
            {
                _filedSinceReadBegan.Clear();
            }

            await using var db = await contexts.CreateDbContextAsync(cancellationToken);
            var listed = await db.OpenConversations.AsNoTracking().ToListAsync(cancellationToken);
            // Tickets of other alerts than surface outages are left out: no list shows them, and there may be thousands.
            var own = await db
                .Tickets.AsNoTracking()
                .Where(FilingRules.IsUnconfirmed.Or(ticket => ticket.State == TicketState.Open && ticket.Tag == TicketTags.Status))
                .ToListAsync(cancellationToken);
            List<long?> others =
            [
                .. listed.Select(conversation => (long?)conversation.Id).Except(own.Select(ticket => ticket.ConversationId)),
            ];
            if (others.Count > 0)
            {
                own.AddRange(
                    await db
                        .Tickets.AsNoTracking()
                        .Where(ticket => ticket.State == TicketState.Open && others.Contains(ticket.ConversationId))
                        .ToListAsync(cancellationToken)
                );
            }

            var sync = await db.TicketSync.AsNoTracking().SingleOrDefaultAsync(cancellationToken);

            await ShareHoldAsync(db, sync?.HoldUntil, cancellationToken);
            if (sync?.AskedAt is { } askedAt)
            {
                // Only the leader asks FreeScout regularly. The other processes learn FreeScout's health here.
                health.Hear(
                    sync is { Failure: { } kind, Problem: { } problem } ? new FreeScoutFailure(kind, problem, WasSent: true) : null,
                    askedAt
                );
            }

            var ours = own.Where(ticket => ticket is { State: TicketState.Open, ConversationId: not null })
                .ToLookup(ticket => ticket.ConversationId!.Value);
            var tickets = listed
                .Select(conversation => Listed(conversation, ours[conversation.Id].FirstOrDefault()))
                .Concat(
                    own.Where(ticket =>
                            ticket is { State: TicketState.Open, ConversationId: not null, Tag: TicketTags.Status }
                            && listed.All(conversation => conversation.Id != ticket.ConversationId)
                        )
                        .Select(Own)
                )
                .OrderByDescending(ticket => ticket.OpenedAt)
                .ToList();
            var unconfirmed = own.Where(FilingRules.IsHeld).Select(ticket => ticket.SurfaceKey).OfType<string>().ToHashSet();
            lock (_lock)
            {
                tickets.InsertRange(0, _filedSinceReadBegan.Where(filed => tickets.All(ticket => ticket.Id != filed.Id)));
                _copy = new Copy(tickets, unconfirmed, sync?.SyncedAt, sync?.Problem);
            }
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            if (_copy.Problem != DatabaseAway)
            {
                Log.NotRead(logger, exception.GetBaseException().Message);
            }

            lock (_lock)
            {
                _copy = _copy with { Problem = DatabaseAway };
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return;
        }

        Changed?.Invoke();
    }

    /// <summary>Shares a pause that FreeScout asked one replica for, so that all replicas keep it.</summary>
    private async Task ShareHoldAsync(AutoTicketDbContext db, DateTimeOffset? shared, CancellationToken cancellationToken)
    {
        if (shared is { } until && until > health.HoldUntil)
        {
            health.Hold(until);
        }
        else if (health.IsHeld && !(shared >= health.HoldUntil - TimeSpan.FromMilliseconds(1)))
        {
            await db.ExecuteAsync(
                $"""
                INSERT INTO ticket_sync (id, hold_until) VALUES ({TicketSyncRow.OnlyId}, {health.HoldUntil})
                ON CONFLICT (id) DO UPDATE SET hold_until = excluded.hold_until
                """,
                cancellationToken
            );
        }
    }

    private const string DatabaseAway = "The console's database can't be reached; this is the last copy.";

    private OpenTicket Listed(OpenConversation conversation, Ticket? own) =>
        new(
            conversation.Id,
            conversation.Number > 0 ? conversation.Number : null,
            freeScout.Value.TicketUrl(conversation.Id),
            conversation.Subject,
            conversation.Status,
            conversation.Tags.Split('\n', StringSplitOptions.RemoveEmptyEntries),
            conversation.SurfaceKey ?? own?.SurfaceKey,
            own?.PostedAt ?? conversation.CreatedAt,
            own?.FiledBy ?? conversation.CreatedBy ?? "FreeScout"
        );

    private OpenTicket Own(Ticket ticket) =>
        new(
            ticket.ConversationId!.Value,
            ticket.Number,
            freeScout.Value.TicketUrl(ticket.ConversationId.Value),
            ticket.Subject,
            "active",
            [.. TicketDraft.TagsOf(ticket.Tag, ticket.Severity, ticket.SurfaceKey)],
            ticket.SurfaceKey,
            ticket.PostedAt,
            ticket.FiledBy
        );

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "open tickets can't be read, the last copy stays: {Problem}")]
        public static partial void NotRead(ILogger logger, string problem);
    }
}
