using System.Linq.Expressions;
using AutoTicket.Surfaces;

namespace AutoTicket.Alerts;

/// <summary>Conditions on alerts that several queries share.</summary>
internal static class AlertFilters
{
    private static readonly Expression<Func<Alert, int>> Rank = alert =>
        alert.Status != AlertStatus.Firing ? AlertCursor.Ended
        : alert.Severity == Severity.P1 ? 0
        : alert.Severity == Severity.P2 ? 1
        : alert.Severity == Severity.P3 ? 2
        : 3;

    public static IQueryable<Alert> WhereFiring(this IQueryable<Alert> alerts) => alerts.Where(alert => alert.Status == AlertStatus.Firing);

    /// <summary>The episodes of the alert with this key. A range and not a LIKE, for which PostgreSQL would not use the index.</summary>
    public static IQueryable<Alert> WhereKey(this IQueryable<Alert> alerts, string alertKey)
    {
        // “g” follows the last hexadecimal digit.
        var end = alertKey + "g";
#pragma warning disable CA1309, CA1310 // translated to SQL
        return alerts.Where(alert => string.Compare(alert.AlertId, alertKey) >= 0 && string.Compare(alert.AlertId, end) < 0);
#pragma warning restore CA1309, CA1310
    }

    /// <summary>Severe enough for the hooks: <see cref="AlertsOptions.ReachesHooks"/>.</summary>
    public static IQueryable<Alert> WhereReachesHooks(this IQueryable<Alert> alerts, AlertsOptions options)
    {
        var severities = options.NotifySeverities;
        return alerts.Where(alert => severities.Contains(alert.Severity));
    }

    /// <summary>Of firing alerts, those that are not muted now: <see cref="AlertMutes.Of"/>.</summary>
    public static IQueryable<Alert> WhereNotMuted(this IQueryable<Alert> alerts, AlertMutes mutes)
    {
        var (surfaces, ids, episodes) = mutes.InForce();
        return alerts.Where(alert =>
            (alert.Surface == null || !surfaces.Contains(alert.Surface)) && !ids.Contains(alert.AlertId) && !episodes.Contains(alert.Id)
        );
    }

    /// <summary>Not <see cref="Alert.HasNoTicket"/>.</summary>
    public static IQueryable<Alert> WhereGetsTicket(this IQueryable<Alert> alerts) =>
        alerts.Where(alert =>
            !(alert.Source == Observation.Console && (alert.Name == Observation.Escalation || alert.Name == Observation.OwnNetworkLost))
        );

    /// <summary><see cref="Alert.IsUnstable"/>.</summary>
    public static IQueryable<Alert> WhereUnstable(this IQueryable<Alert> alerts) =>
        alerts.Where(alert => alert.FoldedIds >= Alert.UnstableFrom);

    /// <summary>In the order of <see cref="AlertQuery.Sort"/>.</summary>
    public static IQueryable<Alert> Ordered(this IQueryable<Alert> alerts, AlertQuery query) =>
        query switch
        {
            { Sort: AlertSort.Severity } => alerts.By(Rank, query),
            { Sort: AlertSort.Name } => alerts.By(alert => alert.Name, query),
            { Sort: AlertSort.Source } => alerts.By(alert => alert.Source, query),
            // The youngest began last.
            { Sort: AlertSort.Age } => alerts.By(alert => alert.StartedAt, query with { IsDescending = !query.IsDescending }),
            _ => alerts.OrderByDescending(alert => alert.Id),
        };

    private static IQueryable<Alert> By<T>(this IQueryable<Alert> alerts, Expression<Func<Alert, T>> key, AlertQuery query) =>
        (query.IsDescending ? alerts.OrderByDescending(key) : alerts.OrderBy(key)).ThenByDescending(alert => alert.Id);

    public static IQueryable<Alert> WhereMatches(this IQueryable<Alert> alerts, AlertQuery query)
    {
        var all = alerts;
        alerts = query.Active switch
        {
            true => alerts.WhereFiring(),
            false => alerts.Where(alert => alert.Status != AlertStatus.Firing),
            null => alerts,
        };
        alerts = query.AlertKey is { } key ? alerts.WhereKey(key) : alerts;
        alerts = query.Before is { } before ? alerts.Where(alert => alert.Id < before) : alerts;
        alerts = query.Surface is { } surface ? alerts.Where(alert => alert.Surface == surface) : alerts;
        alerts = query.Severity is { } severity ? alerts.Where(alert => alert.Severity == severity) : alerts;
        alerts = query.After is { } after ? After(alerts, all.Where(alert => alert.Id == after.Row), after, query) : alerts;
        return string.IsNullOrWhiteSpace(query.Search) ? alerts : Containing(alerts, CleanText.Of(query.Search).Trim());
    }

    /// <param name="last">The episode of the cursor. If its row is gone, nothing follows it by name, source and age.</param>
    private static IQueryable<Alert> After(IQueryable<Alert> alerts, IQueryable<Alert> last, AlertCursor after, AlertQuery query)
    {
        var row = after.Row;
#pragma warning disable CA1309, CA1310 // translated to SQL
        return query switch
        {
            { Sort: AlertSort.Severity } => AfterRank(alerts, after, query.IsDescending),
            { Sort: AlertSort.Name, IsDescending: true } => alerts.Where(alert =>
                last.Any(one => string.Compare(alert.Name, one.Name) < 0 || (alert.Name == one.Name && alert.Id < row))
            ),
            { Sort: AlertSort.Name } => alerts.Where(alert =>
                last.Any(one => string.Compare(alert.Name, one.Name) > 0 || (alert.Name == one.Name && alert.Id < row))
            ),
            { Sort: AlertSort.Source, IsDescending: true } => alerts.Where(alert =>
                last.Any(one => string.Compare(alert.Source, one.Source) < 0 || (alert.Source == one.Source && alert.Id < row))
            ),
            { Sort: AlertSort.Source } => alerts.Where(alert =>
                last.Any(one => string.Compare(alert.Source, one.Source) > 0 || (alert.Source == one.Source && alert.Id < row))
            ),
            { Sort: AlertSort.Age, IsDescending: true } => alerts.Where(alert =>
                last.Any(one => alert.StartedAt > one.StartedAt || (alert.StartedAt == one.StartedAt && alert.Id < row))
            ),
            { Sort: AlertSort.Age } => alerts.Where(alert =>
                last.Any(one => alert.StartedAt < one.StartedAt || (alert.StartedAt == one.StartedAt && alert.Id < row))
            ),
            _ => alerts.Where(alert => alert.Id < row),
        };
#pragma warning restore CA1309, CA1310
    }

    private static IQueryable<Alert> AfterRank(IQueryable<Alert> alerts, AlertCursor after, bool isDescending)
    {
        if (after.Rank is not (>= 0 and < AlertCursor.Ended))
        {
            return isDescending
                ? alerts.Where(alert => alert.Status == AlertStatus.Firing || alert.Id < after.Row)
                : alerts.Where(alert => alert.Status != AlertStatus.Firing && alert.Id < after.Row);
        }

        var severity = Severity.P1 + after.Rank;
        var following = Enum.GetValues<Severity>().Where(other => isDescending ? other < severity : other > severity).ToArray();
        return alerts.Where(alert =>
            (alert.Status != AlertStatus.Firing && !isDescending)
            || (
                alert.Status == AlertStatus.Firing
                && (following.Contains(alert.Severity) || (alert.Severity == severity && alert.Id < after.Row))
            )
        );
    }

    private static IQueryable<Alert> Containing(IQueryable<Alert> alerts, string text)
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
}
