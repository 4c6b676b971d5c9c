using AutoTicket.Data;
using AutoTicket.Surfaces;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Alerts;

/// <summary>An episode with its ticket, its DM and its decisions, as pages and the API show it.</summary>
/// <param name="Row">The id of the episode; a newer one has a larger id.</param>
/// <param name="Since">When it began.</param>
/// <param name="DmSentAt">When the DM was sent; null when none was.</param>
/// <param name="Decisions">Why there is a ticket and a DM, or none; newest last.</param>
/// <param name="IsUnstable">Its producer sends a new id each time.</param>
public sealed record AlertView(
    long Row,
    string AlertId,
    string AlertKey,
    string Source,
    string Name,
    string? Surface,
    Severity Severity,
    AlertStatus Status,
    DateTimeOffset Since,
    DateTimeOffset? EndedAt,
    string Summary,
    string? Url,
    int Reopened,
    bool IsUnstable,
    AlertTicket? Ticket,
    DateTimeOffset? DmSentAt,
    IReadOnlyList<AlertDecision> Decisions
)
{
    /// <summary>The DM and the ticket in one sentence (step 4 of the runbook's chain).</summary>
    public string Verdict => AlertVerdict.Of(this);
}

/// <param name="Path">What decided: <c>ticket</c>, <c>slack</c>, <c>click</c> or <c>intake</c>.</param>
/// <param name="Count">How often this decision was made between <paramref name="FirstAt"/> and <paramref name="LastAt"/>.</param>
public sealed record AlertDecision(
    string Path,
    string Word,
    string? Detail,
    string? Actor,
    int Count,
    DateTimeOffset FirstAt,
    DateTimeOffset LastAt,
    long? TicketNumber,
    string? TicketUrl
);

/// <summary>An episode with the fields that a list leaves out.</summary>
/// <param name="Members">The ids or labels under which it was reported.</param>
public sealed record AlertDetails(AlertView Episode, string FullText, string Labels, IReadOnlyList<string> Members);

/// <summary>A producer that sends a new id for the same alert each time.</summary>
/// <param name="Samples">Some of its ids.</param>
public sealed record UnstableProducer(
    string Source,
    string Name,
    string AlertKey,
    int Ids,
    IReadOnlyList<string> Samples,
    DateTimeOffset LastSeen
);

/// <summary>The active alerts that have no ticket.</summary>
/// <param name="Worst">The worst and oldest of them, in that order.</param>
/// <param name="Count">How many there are in all.</param>
public sealed record WaitingAlerts(IReadOnlyList<AlertView> Worst, int Count);

/// <summary>The active P1 and P2 alerts.</summary>
/// <param name="Count">How many there are in all.</param>
/// <param name="NotOnSurfaces">How many of them are not outages of surfaces, which the board shows anyway.</param>
public sealed record UrgentAlerts(int Count, int NotOnSurfaces);

/// <summary>The last episode of a page that lists active ones first.</summary>
public sealed record AlertCursor(bool IsActive, long Row);

/// <summary>Which episodes to show.</summary>
/// <param name="Before">Only episodes older than this row.</param>
/// <param name="Surface">Only those of this surface.</param>
/// <param name="Search">Part of the name, summary, surface or source, in any case, or the beginning of the alert's key.</param>
/// <param name="ActiveFirst">Active episodes first, then newest first.</param>
/// <param name="After">Only episodes after this one, with <paramref name="ActiveFirst"/>.</param>
public sealed record AlertQuery(
    bool ActiveOnly = false,
    string? AlertKey = null,
    long? Before = null,
    string? Surface = null,
    string? Search = null,
    bool ActiveFirst = false,
    AlertCursor? After = null
);

/// <summary>Reads episodes with their deliveries and decisions, in three queries.</summary>
internal sealed class AlertQueries : IDisposable
{
    /// <summary>The newest decisions of all shown alerts are read, this many for each on average.</summary>
    private const int DecisionsPerAlert = 50;

    private readonly IDbContextFactory<AutoTicketDbContext> _contexts;
    private readonly IOptions<AlertsOptions> _options;
    private readonly TimeProvider _clock;
    private readonly IDisposable _subscription;

    public AlertQueries(
        IDbContextFactory<AutoTicketDbContext> contexts,
        IOptions<AlertsOptions> options,
        TimeProvider clock,
        DatabaseSignals signals
    )
    {
        (_contexts, _options, _clock) = (contexts, options, clock);
        _subscription = signals.Subscribe(DatabaseSignals.Alerts, () => Changed?.Invoke());
    }

    /// <summary>Raised when an episode, a delivery, a decision or the flood breaker may have changed, in any process. Handlers return
    /// at once and never throw.</summary>
    public event Action? Changed;

    public void Dispose() => _subscription.Dispose();

    /// <returns>Newest first; null when the database can't be reached.</returns>
    public Task<IReadOnlyList<AlertView>?> ReadAsync(AlertQuery query, int count, CancellationToken cancellationToken) =>
        OrNullAsync<IReadOnlyList<AlertView>>(
            async db =>
            {
                var alerts = db.Alerts.AsNoTracking();
                alerts = query.ActiveOnly ? alerts.WhereFiring() : alerts;
                alerts = query.AlertKey is { } key ? alerts.Where(alert => alert.AlertId.StartsWith(key)) : alerts;
                alerts = query.Before is { } before ? alerts.Where(alert => alert.Id < before) : alerts;
                alerts = query.Surface is { } surface ? alerts.Where(alert => alert.Surface == surface) : alerts;
                alerts = query.After switch
                {
                    { IsActive: true, Row: var row } => alerts.Where(alert => alert.Status != AlertStatus.Firing || alert.Id < row),
                    { Row: var row } => alerts.Where(alert => alert.Status != AlertStatus.Firing && alert.Id < row),
                    null => alerts,
                };
                alerts = string.IsNullOrWhiteSpace(query.Search) ? alerts : Matching(alerts, CleanText.Of(query.Search).Trim());
                var ordered = query.ActiveFirst
                    ? alerts.OrderBy(alert => alert.Status != AlertStatus.Firing).ThenByDescending(alert => alert.Id)
                    : alerts.OrderByDescending(alert => alert.Id);
                return await CompleteAsync(db, await ordered.Take(count).ToListAsync(cancellationToken), cancellationToken);
            },
            cancellationToken
        );

    /// <summary>The newest episode of an alert, with all its fields.</summary>
    public Task<AlertDetails?> FindAsync(string alertKey, CancellationToken cancellationToken) =>
        OrNullAsync<AlertDetails>(
            async db =>
            {
                var alert = await db
                    .Alerts.AsNoTracking()
                    .Where(alert => alert.AlertId.StartsWith(alertKey))
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
        OrNullAsync<WaitingAlerts>(
            async db =>
            {
                var deliveries = db.AlertDeliveries;
                var waiting = db
                    .Alerts.AsNoTracking()
                    .WhereFiring()
                    .WhereReachesHooks(_options.Value)
                    .WhereGetsTicket()
                    .Where(alert => !deliveries.Any(d => d.AlertRow == alert.Id && d.TicketId != null && d.Reopened == alert.Reopened));
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

    /// <returns>Null when the database can't be reached.</returns>
    public Task<UrgentAlerts?> CountUrgentAsync(CancellationToken cancellationToken) =>
        OrNullAsync<UrgentAlerts>(
            async db =>
            {
                var counts = await db
                    .Alerts.WhereFiring()
                    .Where(alert => alert.Severity == Severity.P1 || alert.Severity == Severity.P2)
                    .GroupBy(alert => alert.Source == Observation.Console && alert.Name == Observation.SurfaceOutage)
                    .Select(group => new { IsOnSurface = group.Key, Count = group.Count() })
                    .ToListAsync(cancellationToken);
                return new(counts.Sum(group => group.Count), counts.Where(group => !group.IsOnSurface).Sum(group => group.Count));
            },
            cancellationToken
        );

    public Task<IReadOnlyList<UnstableProducer>?> UnstableAsync(CancellationToken cancellationToken) =>
        OrNullAsync<IReadOnlyList<UnstableProducer>>(
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

    private static IQueryable<Alert> Matching(IQueryable<Alert> alerts, string text)
    {
#pragma warning disable CA1304, CA1311, CA1862 // translated to SQL, where both databases compare case-sensitively
        var lower = text.ToLower();
        return alerts.Where(alert =>
            alert.Name.ToLower().Contains(lower)
            || alert.Summary.ToLower().Contains(lower)
            || alert.Surface!.ToLower().Contains(lower)
            || alert.Source.ToLower().Contains(lower)
            || alert.AlertId.StartsWith(lower)
        );
#pragma warning restore CA1304, CA1311, CA1862
    }

    private static async Task<IReadOnlyList<AlertView>> CompleteAsync(
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
                .Where(d => ids.Contains(d.AlertId))
                .OrderByDescending(d => d.LastAt)
                .Take(DecisionsPerAlert * alerts.Count)
                .ToListAsync(cancellationToken)
        ).ToLookup(d => d.AlertId);
        return alerts.ConvertAll(alert =>
        {
            var delivered = deliveries[alert.Id].Where(d => d.Kind == DeliveryKind.Firing).ToList();
            var ticket = delivered.Find(d => d.TicketId is not null);
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
                    .. decisions[alert.AlertId]
                        .Where(d => IsAbout(d, alert))
                        .OrderBy(d => d.LastAt)
                        .Select(d => new AlertDecision(
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
            );
        });
    }

    /// <summary>Decisions of clicks and of the intake name no episode: they belong to the episode that was open at the time.</summary>
    private static bool IsAbout(Decision decision, Alert alert) =>
        decision.AlertRow == alert.Id
        || (
            decision.AlertRow is null or 0
            && decision.LastAt >= alert.StartedAt
            && (alert.EndedAt is not { } endedAt || decision.FirstAt <= endedAt)
        );

    /// <returns>Null when the database can't be reached.</returns>
    private async Task<T?> OrNullAsync<T>(Func<AutoTicketDbContext, Task<T?>> read, CancellationToken cancellationToken)
    {
        await using var db = await _contexts.CreateDbContextAsync(cancellationToken);
        try
        {
            return await read(db);
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            return default;
        }
    }
}
