using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Mailbox;

/// <summary>An open ticket whose surface has recovered: an operator should resolve it.</summary>
/// <param name="RecoveredAt">When the surface became operational.</param>
/// <param name="Doubles">The other open tickets of the surface.</param>
/// <param name="DownFor">Total length of the surface's outages since the ticket was opened; null when not known.</param>
/// <param name="EarlierIncidents">Outages of the surface in the last seven days, before this ticket; null when not known.</param>
/// <param name="LastResolver">Who closed the surface's previous ticket; null when nobody did, or it is not known.</param>
public sealed record RecoveredTicket(
    OpenTicket Ticket,
    string SurfaceName,
    DateTimeOffset RecoveredAt,
    IReadOnlyList<OpenTicket> Doubles,
    TimeSpan? DownFor = null,
    int? EarlierIncidents = null,
    string? LastResolver = null
)
{
    public string SurfaceKey => Ticket.Surface!;

    /// <summary>Compares by ticket, so that a table row keeps its selection and focus when other fields change.</summary>
    public bool Equals(RecoveredTicket? other) => other?.Ticket.Id == Ticket.Id;

    public override int GetHashCode() => Ticket.Id.GetHashCode();
}

/// <summary>The worklist of failure mode 3: open tickets whose surface has recovered. Only an operator closes them.</summary>
internal sealed partial class RecoveredTickets(
    OpenTickets tickets,
    StatusBoard board,
    IDbContextFactory<AutoTicketDbContext> contexts,
    IOptions<TicketingOptions> options,
    TimeProvider clock,
    ILogger<RecoveredTickets> logger
)
{
    private static readonly TimeSpan Lately = TimeSpan.FromDays(7);

    private readonly OutageNotice _outage = new();

    /// <summary>The ticket as <see cref="Current"/> has it, without looking at the others.</summary>
    /// <param name="before">As it was read before; it is returned if the surface has not failed since.</param>
    /// <returns>Null: it is not on the worklist.</returns>
    public RecoveredTicket? Find(OpenTicket ticket, RecoveredTicket? before) =>
        ticket is { Kind: TicketKind.Surface, Surface: { } key } && SurfaceIfRecovered(key) is { Since: { } since } surface
            ? before?.RecoveredAt == since
                ? before
                : new(ticket, surface.Surface.Name, since, before?.Doubles ?? [])
            : null;

    /// <summary>The worklist from memory: grouped by surface, the earliest recovery first.</summary>
    public IReadOnlyList<RecoveredTicket> Current
    {
        get
        {
            return
            [
                .. tickets
                    .Current.Tickets.Where(ticket => ticket is { Kind: TicketKind.Surface, Surface: not null })
                    .GroupBy(ticket => ticket.Surface!)
                    .Select(group => (Open: group.OrderBy(ticket => ticket.Id).ToList(), Surface: SurfaceIfRecovered(group.Key)))
                    .Where(pair => pair.Surface is not null)
                    .OrderBy(pair => pair.Surface!.Since)
                    .ThenBy(pair => pair.Surface!.Key, StringComparer.Ordinal)
                    .SelectMany(pair =>
                        pair.Open.Select(ticket => new RecoveredTicket(
                            ticket,
                            pair.Surface!.Surface.Name,
                            pair.Surface.Since!.Value,
                            [.. pair.Open.Where(other => other != ticket)]
                        ))
                    ),
            ];
        }
    }

    /// <summary><see cref="Current"/> with outages and resolvers from the database; without them while it can't be reached.</summary>
    public async Task<IReadOnlyList<RecoveredTicket>> ReadAsync(CancellationToken cancellationToken)
    {
        var current = Current;
        if (current.Count == 0)
        {
            return current;
        }

        try
        {
            var keys = current.Select(one => one.SurfaceKey).Distinct().ToList();
            var identities = keys.ConvertAll(AlertIdentity.OfSurface);
            var oldest = current.Min(one => one.Ticket.OpenedAt);
            var lately = clock.GetUtcNow() - Lately;
            var from = oldest < lately ? oldest : lately;
            await using var db = await contexts.CreateDbContextAsync(cancellationToken);
            var outages = (
                await db
                    .Alerts.AsNoTracking()
                    .Where(alert => identities.Contains(alert.AlertId) && alert.Status == AlertStatus.Resolved && alert.EndedAt > from)
                    .Select(alert => new
                    {
                        alert.Surface,
                        alert.StartedAt,
                        alert.EndedAt,
                    })
                    .ToListAsync(cancellationToken)
            ).ToLookup(outage => outage.Surface);
            var resolved = (
                await db
                    .Tickets.AsNoTracking()
                    .Where(ticket => keys.Contains(ticket.SurfaceKey!) && ticket.State == TicketState.Closed && ticket.ResolvedBy != null)
                    .GroupBy(ticket => ticket.SurfaceKey)
                    .Select(group => group.OrderByDescending(ticket => ticket.ClosedAt).First())
                    .ToListAsync(cancellationToken)
            ).ToDictionary(ticket => ticket.SurfaceKey!, ticket => ticket.ResolvedBy);
            _outage.End();
            return
            [
                .. current.Select(one =>
                {
                    var its = outages[one.SurfaceKey].Where(outage => outage.EndedAt >= one.Ticket.OpenedAt).ToList();
                    return one with
                    {
                        DownFor =
                            its.Count == 0
                                ? null
                                : its.Aggregate(TimeSpan.Zero, (sum, outage) => sum + (outage.EndedAt!.Value - outage.StartedAt)),
                        EarlierIncidents = outages[one.SurfaceKey]
                            .Count(outage => outage.EndedAt < one.Ticket.OpenedAt && outage.EndedAt > lately),
                        LastResolver = resolved.GetValueOrDefault(one.SurfaceKey),
                    };
                }),
            ];
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            if (_outage.Begin())
            {
                Log.NotRead(logger, exception.GetBaseException().Message);
            }

            return current;
        }
    }

    /// <summary>Whether the surface has been operational for <see cref="TicketingOptions.RecoveredAfter"/>: its open tickets are on the
    /// worklist.</summary>
    public bool HasRecovered(string surfaceKey) => SurfaceIfRecovered(surfaceKey) is not null;

    /// <summary>A surface that is stale or unknown has not recovered.</summary>
    private SurfaceSnapshot? SurfaceIfRecovered(string key) =>
        board.Find(key) is { Status: SurfaceStatus.Operational, Since: { } since } surface
        && since <= clock.GetUtcNow() - options.Value.RecoveredAfter
            ? surface
            : null;

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "outages of recovered surfaces can't be read: {Problem}")]
        public static partial void NotRead(ILogger logger, string problem);
    }
}
