using System.Collections.Immutable;
using System.Diagnostics;
using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.FreeScout;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Mailbox;

/// <summary>A surface's ticket on the board.</summary>
/// <param name="Ticket">The newest open ticket; null when none is open.</param>
/// <param name="IsUnconfirmed">A filing whose answer was lost is being looked up.</param>
public readonly record struct SurfaceTicket(OpenTicket? Ticket, bool IsUnconfirmed);

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
    private ImmutableStack<OpenTicket> _filedSinceReadBegan = [];
    private volatile Copy _copy = new(new Listing([], []), new HashSet<string>(), null, null);

    private sealed record Copy(Listing Listing, IReadOnlySet<string> Unconfirmed, DateTimeOffset? SyncedAt, string? Problem);

    /// <param name="read">Newest first.</param>
    /// <param name="filed">What this process filed since, newest on top.</param>
    private sealed class Listing(IReadOnlyList<OpenTicket> read, ImmutableStack<OpenTicket> filed)
    {
        /// <summary>Newest first. Joined when a reader asks: in a flood nobody reads most lists.</summary>
        public IReadOnlyList<OpenTicket> Tickets => field ??= filed.IsEmpty ? read : Join();

        public Listing With(OpenTicket ticket) => new(read, filed.Push(ticket));

        private OpenTicket[] Join()
        {
            var known = new HashSet<long>();
            return [.. filed.Where(ticket => known.Add(ticket.Id)), .. read.Where(ticket => !known.Contains(ticket.Id))];
        }

        /// <summary>The newest ticket of each surface.</summary>
        public Dictionary<string, OpenTicket> OfSurfaces =>
            field ??= Tickets
                .Where(ticket => ticket is { Kind: TicketKind.Surface, Surface: not null })
                .DistinctBy(ticket => ticket.Surface!)
                .ToDictionary(ticket => ticket.Surface!);

        /// <summary>The newest ticket of each alert, by its <c>alert_id</c>.</summary>
        public Dictionary<string, OpenTicket> OfAlerts =>
            field ??= Tickets
                .Where(ticket => ticket.AlertId is not null)
                .DistinctBy(ticket => ticket.AlertId!)
                .ToDictionary(ticket => ticket.AlertId!);
    }

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
            return new(copy.Listing.Tickets, copy.SyncedAt, IsStale: problem is not null, problem);
        }
    }

    /// <summary>The newest open ticket about an outage of the surface. Tickets of alerts that only name the surface don't count.</summary>
    public SurfaceTicket Of(string surfaceKey)
    {
        var copy = _copy;
        return new(copy.Listing.OfSurfaces.GetValueOrDefault(surfaceKey), copy.Unconfirmed.Contains(surfaceKey));
    }

    /// <summary>The episode with its alert's open ticket, also if an operator filed it. An ended episode has only a ticket from before its
    /// end.</summary>
    public AlertView WithTicket(AlertView episode) =>
        _copy.Listing.OfAlerts.TryGetValue(episode.AlertId, out var open)
        && (episode.EndedAt is not { } endedAt || (open.OpenedAt >= episode.Since && open.OpenedAt <= endedAt))
            ? episode with
            {
                Ticket = new(open.Id, open.Number, open.Url, open.FiledForSource is null ? open.FiledBy : null),
            }
            : episode;

    /// <summary>Shows a ticket that this process just recorded, because under load the next read may come two seconds later.</summary>
    private void Show(Ticket filed)
    {
        if (filed.ConversationId is null)
        {
            return;
        }

        lock (_lock)
        {
            var ticket = Own(filed);
            // A read that began before the ticket was recorded does not see it.
            _filedSinceReadBegan = _filedSinceReadBegan.Push(ticket);
            _copy = _copy with { Listing = _copy.Listing.With(ticket) };
        }

        Changed?.Invoke();
    }

    protected override void Begin()
    {
        signals.Subscribe(DatabaseSignals.Tickets, WakeSoon);
        health.Changed += Wake;
        ticketing.Opened += Show;
    }

    protected override async Task<TimeSpan> TurnAsync(CancellationToken stoppingToken)
    {
        var begun = Stopwatch.GetTimestamp();
        await ReadAsync(stoppingToken);
        // In a flood each filing wakes the loop.
        await RestAsync(Stopwatch.GetElapsedTime(begun), 20, ShortestRest, stoppingToken);
        return _copy.Problem == DatabaseUnreachable ? AfterFailure : DatabaseSignals.LongestPause;
    }

    private async Task ReadAsync(CancellationToken cancellationToken)
    {
        try
        {
            lock (_lock)
            {
                _filedSinceReadBegan = [];
            }

            await using var db = await contexts.CreateDbContextAsync(cancellationToken);
            var listed = await db.OpenConversations.AsNoTracking().ToListAsync(cancellationToken);
            var own = await db
                .Tickets.AsNoTracking()
                .Where(FilingRules.IsUnconfirmed.Or(ticket => ticket.State == TicketState.Open))
                .ToListAsync(cancellationToken);
            var sync = await db.TicketSync.AsNoTracking().SingleOrDefaultAsync(cancellationToken);

            await ShareHoldAsync(db, sync?.HoldUntil, cancellationToken);
            if (sync?.AskedAt is { } askedAt)
            {
                // Only the leader asks FreeScout regularly. The other processes learn FreeScout's health here.
                health.Hear(
                    sync is { Failure: { } kind, Problem: { } problem } ? new FreeScoutFailure(kind, problem, WasSent: true) : null,
                    askedAt,
                    sync.OnlyCreatesFail
                );
            }

            var ours = own.Where(ticket => ticket is { State: TicketState.Open, ConversationId: not null })
                .ToDictionary(ticket => ticket.ConversationId!.Value);
            var tickets = listed
                .Select(conversation => Listed(conversation, ours.GetValueOrDefault(conversation.Id)))
                .Concat(ours.Values.ExceptBy(listed.Select(conversation => conversation.Id), own => own.ConversationId!.Value).Select(Own))
                // By number of the conversation, because FreeScout cuts its times to the second.
                .OrderByDescending(ticket => ticket.Id)
                .ToList();
            var unconfirmed = own.Where(ticket => ticket.Tag == TicketTags.Status && FilingRules.IsHeld(ticket))
                .Select(ticket => ticket.SurfaceKey)
                .OfType<string>()
                .ToHashSet();
            lock (_lock)
            {
                var known = tickets.Select(ticket => ticket.Id).ToHashSet();
                var filed = _filedSinceReadBegan.Reverse().Where(ticket => !known.Contains(ticket.Id));
                _copy = new Copy(new Listing(tickets, [.. filed]), unconfirmed, sync?.SyncedAt, sync?.ReadProblem);
            }
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            if (_copy.Problem != DatabaseUnreachable)
            {
                Log.NotRead(logger, exception.GetBaseException().Message);
            }

            lock (_lock)
            {
                _copy = _copy with { Problem = DatabaseUnreachable };
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

    private const string DatabaseUnreachable = "The console's database can't be reached; this is the last copy.";

    private OpenTicket Listed(OpenConversation conversation, Ticket? own)
    {
        var tags = conversation.Tags.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var ticket = new OpenTicket(
            conversation.Id,
            conversation.Number > 0 ? conversation.Number : null,
            freeScout.Value.TicketUrl(conversation.Id),
            conversation.Subject,
            conversation.Status,
            tags,
            conversation.SurfaceKey ?? own?.SurfaceKey,
            own?.PostedAt ?? conversation.CreatedAt,
            own?.FiledBy ?? conversation.CreatedBy ?? "FreeScout",
            own?.DedupKey,
            own?.Severity ?? Comparison.SeverityIn(tags)
        )
        {
            Assignee = conversation.AssigneeId is { } agent
                ? new(agent, conversation.AssigneeName ?? "", conversation.AssigneeEmail)
                : null,
            LastReplyAt = conversation.LastReplyAt,
            IsListed = true,
        };
        return ticket is { AlertId: null, Kind: TicketKind.Surface, Surface: { } key }
            ? ticket with
            {
                AlertId = AlertIdentity.OfSurface(key),
            }
            : ticket;
    }

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
            ticket.FiledBy,
            ticket.DedupKey,
            ticket.Severity
        );

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "open tickets can't be read, the last copy stays: {Problem}")]
        public static partial void NotRead(ILogger logger, string problem);
    }
}
