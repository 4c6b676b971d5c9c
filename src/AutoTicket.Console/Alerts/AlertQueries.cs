using AutoTicket.Data;
using AutoTicket.Surfaces;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Alerts;

/// <summary>Reads episodes with their deliveries and decisions, in three queries.</summary>
internal sealed class AlertQueries : IDisposable
{
    /// <summary>The newest decisions of all shown alerts are read, this many for each on average.</summary>
    private const int DecisionsPerAlert = 50;

    /// <summary>Why the hook files no other ticket for an alert whose ticket is closed.</summary>
    private static readonly DecisionWord[] Refusals = [DecisionWord.FlagOff, DecisionWord.BreakerTripped, DecisionWord.LookedUp];

    private readonly IDbContextFactory<AutoTicketDbContext> _contexts;
    private readonly IOptions<AlertsOptions> _options;
    private readonly SurfaceList _surfaces;
    private readonly TimeProvider _clock;
    private readonly AlertMutes _mutes;
    private readonly IDisposable _subscription;

    public AlertQueries(
        IDbContextFactory<AutoTicketDbContext> contexts,
        IOptions<AlertsOptions> options,
        SurfaceList surfaces,
        TimeProvider clock,
        AlertMutes mutes,
        DatabaseSignals signals
    )
    {
        (_contexts, _options, _surfaces, _clock, _mutes) = (contexts, options, surfaces, clock, mutes);
        _subscription = signals.Subscribe(DatabaseSignals.Alerts, RaiseChanged);
        _mutes.Changed += RaiseChanged;
    }

    /// <summary>Raised when an episode, a delivery, a decision, a mute or the flood breaker may have changed, in any process. Handlers
    /// return at once and never throw.</summary>
    public event Action? Changed;

    public void Dispose()
    {
        _subscription.Dispose();
        _mutes.Changed -= RaiseChanged;
    }

    /// <returns>Newest first; null when the database can't be reached.</returns>
    public Task<IReadOnlyList<AlertView>?> ReadAsync(AlertQuery query, int count, CancellationToken cancellationToken) =>
        _contexts.OrNullAsync<IReadOnlyList<AlertView>>(
            async db =>
            {
                var alerts = db.Alerts.AsNoTracking().WhereMatches(query).Ordered(query);
                return await CompleteAsync(db, await alerts.Take(count).ToListAsync(cancellationToken), cancellationToken);
            },
            cancellationToken
        );

    /// <summary>How many episodes match, by severity, whatever severity and page the query asks for.</summary>
    /// <returns>Null when the database can't be reached.</returns>
    public Task<Dictionary<Severity, int>?> CountAsync(AlertQuery query, CancellationToken cancellationToken) =>
        _contexts.OrNullAsync<Dictionary<Severity, int>>(
            async db =>
                await db
                    .Alerts.AsNoTracking()
                    .WhereMatches(query with { Severity = null, Before = null, After = null })
                    .GroupBy(alert => alert.Severity)
                    .Select(group => new { group.Key, Count = group.Count() })
                    .ToDictionaryAsync(group => group.Key, group => group.Count, cancellationToken),
            cancellationToken
        );

    /// <summary>The matching episodes by name: worst first, then the largest groups.</summary>
    /// <returns>Null when the database can't be reached.</returns>
    public Task<IReadOnlyList<AlertGroup>?> GroupAsync(AlertQuery query, int count, CancellationToken cancellationToken) =>
        _contexts.OrNullAsync<IReadOnlyList<AlertGroup>>(
            async db =>
                await db
                    .Alerts.AsNoTracking()
                    .WhereMatches(query)
                    .GroupBy(alert => alert.Name)
                    .Select(group => new
                    {
                        group.Key,
                        Count = group.Count(),
                        Sources = group.Select(alert => alert.Source).Distinct().Count(),
                        Worst = group.Min(alert => alert.Severity),
                        Since = group.Min(alert => alert.StartedAt),
                    })
                    .OrderBy(group => group.Worst)
                    .ThenByDescending(group => group.Count)
                    .ThenBy(group => group.Key)
                    .Take(count)
                    .Select(group => new AlertGroup(group.Key, group.Count, group.Sources, group.Worst, group.Since))
                    .ToListAsync(cancellationToken),
            cancellationToken
        );

    /// <summary>The newest episode of an alert, with all its fields.</summary>
    public Task<AlertDetails?> FindAsync(string alertKey, CancellationToken cancellationToken) =>
        _contexts.OrNullAsync<AlertDetails>(
            async db =>
            {
                var alert = await db
                    .Alerts.AsNoTracking()
                    .WhereKey(alertKey)
                    .OrderByDescending(alert => alert.Id)
                    .FirstOrDefaultAsync(cancellationToken);
                return alert is null
                    ? null
                    : new AlertDetails(
                        (await CompleteAsync(db, [alert], cancellationToken))[0],
                        alert.FullText ?? alert.Summary,
                        alert.Labels,
                        [.. alert.Members.Select(member => member.Key).Where(key => key.Length > 0)]
                    );
            },
            cancellationToken
        );

    /// <summary>The active alerts that wait for a ticket.</summary>
    /// <param name="count">How many of them are returned as episodes.</param>
    /// <returns>Null when the database can't be reached.</returns>
    public Task<WaitingAlerts?> WaitingForTicketAsync(int count, CancellationToken cancellationToken) =>
        _contexts.OrNullAsync<WaitingAlerts>(
            async db =>
            {
                var (deliveries, decisions) = (db.AlertDeliveries, db.Decisions);
                // Not a worse one that FreeScout's outage delays: its ticket may be open.
                var waiting = db
                    .Alerts.AsNoTracking()
                    .WhereFiring()
                    .WhereReachesHooks(_options.Value)
                    .WhereGetsTicket()
                    .WhereNotMuted(_mutes)
                    .Where(alert =>
                        !deliveries.Any(d =>
                            d.AlertRow == alert.Id
                            && d.TicketId != null
                            && d.Reopened == alert.Reopened
                            && (
                                d.Severity <= alert.Severity
                                || !decisions.Any(decision =>
                                    decision.AlertId == alert.AlertId
                                    && decision.AlertRow == alert.Id
                                    && decision.Path == DecisionSources.Ticket
                                    && decision.LastAt > d.At
                                    && Refusals.Contains(decision.Word)
                                )
                            )
                        )
                    );
                var worst = await waiting
                    .OrderBy(alert => alert.Severity)
                    .ThenBy(alert => alert.OpenedAt)
                    .Take(count)
                    .ToListAsync(cancellationToken);
                return new(
                    await CompleteAsync(db, worst, cancellationToken),
                    worst.Count < count ? worst.Count : await waiting.CountAsync(cancellationToken)
                );
            },
            cancellationToken
        );

    /// <summary>Counts the active P1 and P2 alerts that are not muted.</summary>
    /// <returns>Null when the database can't be reached.</returns>
    public Task<UrgentAlerts?> CountUrgentAsync(CancellationToken cancellationToken) =>
        _contexts.OrNullAsync<UrgentAlerts>(
            async db =>
            {
                var counts = await db
                    .Alerts.WhereFiring()
                    .WhereNotMuted(_mutes)
                    .Where(alert => alert.Severity == Severity.P1 || alert.Severity == Severity.P2)
                    .GroupBy(alert => alert.Source == Observation.Console && alert.Name == Observation.SurfaceOutage)
                    .Select(group => new { IsOnSurface = group.Key, Count = group.Count() })
                    .ToListAsync(cancellationToken);
                return new(counts.Sum(group => group.Count), counts.Where(group => !group.IsOnSurface).Sum(group => group.Count));
            },
            cancellationToken
        );

    public Task<IReadOnlyList<UnstableProducer>?> UnstableAsync(CancellationToken cancellationToken) =>
        _contexts.OrNullAsync<IReadOnlyList<UnstableProducer>>(
            async db =>
            {
                var since = _clock.GetUtcNow() - EpisodeRules.RememberEndedFor;
                return
                [
                    .. (
                        await db
                            .Alerts.AsNoTracking()
                            .WhereUnstable()
                            .Where(alert => alert.Status == AlertStatus.Firing || alert.EndedAt > since)
                            .OrderByDescending(alert => alert.SeenAt)
                            .Take(100)
                            .ToListAsync(cancellationToken)
                    ).Select(alert => new UnstableProducer(
                        alert.Source,
                        alert.Name,
                        alert.AlertKey,
                        alert.FoldedIds + 1,
                        [
                            .. alert
                                .Members.Where(member => member.HasProducerId)
                                .Select(member => member.Key[Observation.IdPrefix.Length..]),
                        ],
                        alert.SeenAt
                    )),
                ];
            },
            cancellationToken
        );

    private async Task<IReadOnlyList<AlertView>> CompleteAsync(
        AutoTicketDbContext db,
        List<Alert> alerts,
        CancellationToken cancellationToken
    )
    {
        var rows = alerts.ConvertAll(alert => alert.Id);
        var ids = alerts.ConvertAll(alert => alert.AlertId);
        var deliveries = (
            await db.AlertDeliveries.AsNoTracking().Where(d => rows.Contains(d.AlertRow)).ToListAsync(cancellationToken)
        ).ToLookup(d => d.AlertRow);
        var decisions = (
            await db
                .Decisions.AsNoTracking()
                .Where(d => ids.Contains(d.AlertId) && (d.AlertRow == null || d.AlertRow == 0 || rows.Contains(d.AlertRow.Value)))
                .OrderByDescending(d => d.LastAt)
                .Take(DecisionsPerAlert * alerts.Count)
                .ToListAsync(cancellationToken)
        ).ToLookup(d => d.AlertId);
        return alerts.ConvertAll(alert =>
        {
            var delivered = deliveries[alert.Id].Where(d => d.Kind == DeliveryKind.Firing).ToList();
            var about = decisions[alert.AlertId].Where(d => d.IsAbout(alert)).OrderBy(d => d.LastAt).ToList();
            var ticket = delivered.Find(d => d.TicketId is not null && !NeedsAnother(alert, d, about));
            return new AlertView(
                alert.Id,
                alert.AlertId,
                alert.AlertKey,
                alert.Source,
                alert.Name,
                alert.Surface,
                alert.Severity,
                alert.Status,
                alert.StartedAt,
                alert.EndedAt,
                alert.Summary,
                alert.Url,
                alert.Reopened,
                alert.IsUnstable,
                ticket is null ? null : new AlertTicket(ticket.TicketId!.Value, ticket.TicketNumber, ticket.TicketUrl!),
                delivered.Find(d => d.Hook == DecisionSources.Slack)?.At,
                [
                    .. about.Select(d => new AlertDecision(
                        d.Path,
                        d.Word.Text,
                        d.Detail,
                        d.Actor,
                        d.Count,
                        d.FirstAt,
                        d.LastAt,
                        d.TicketNumber,
                        d.TicketUrl
                    )),
                ]
            )
            {
                Title = TitleOf(alert),
                ReachesHooks = _options.Value.ReachesHooks(alert.Severity),
                Mute = alert.IsFiring ? _mutes.Of(alert) : null,
            };
        });
    }

    /// <summary>The alert got worse or fires again, and gets no other ticket yet. During an outage of FreeScout its ticket may be open:
    /// then the copy of the open tickets has it.</summary>
    private static bool NeedsAnother(Alert alert, AlertDelivery filed, IEnumerable<Decision> decisions) =>
        alert.IsFiring
        && (alert.Severity < filed.Severity || alert.Reopened > filed.Reopened)
        && decisions.Any(d => d.Path == DecisionSources.Ticket && d.LastAt > filed.At && (Refusals.Contains(d.Word) || d.Word.IsDegraded));

    private string TitleOf(Alert alert) =>
        alert is { Source: Observation.Console, Name: Observation.SurfaceOutage, Surface: { } surface }
            ? SurfaceAlerts.TitleIn(alert.Summary, _surfaces.All.FirstOrDefault(known => known.Key == surface)?.Name)
            : alert.Name;

    private void RaiseChanged() => Changed?.Invoke();
}
