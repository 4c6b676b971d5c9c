namespace AutoTicket.Alerts;

/// <summary>Conditions on alerts that several queries share.</summary>
internal static class AlertFilters
{
    public static IQueryable<Alert> WhereFiring(this IQueryable<Alert> alerts) => alerts.Where(alert => alert.Status == AlertStatus.Firing);

    /// <summary>Severe enough for the hooks: <see cref="AlertsOptions.ReachesHooks"/>.</summary>
    public static IQueryable<Alert> WhereReachesHooks(this IQueryable<Alert> alerts, AlertsOptions options)
    {
        var severities = options.NotifySeverities;
        return alerts.Where(alert => severities.Contains(alert.Severity));
    }

    /// <summary>Not <see cref="Alert.HasNoTicket"/>.</summary>
    public static IQueryable<Alert> WhereGetsTicket(this IQueryable<Alert> alerts) =>
        alerts.Where(alert =>
            !(alert.Source == Observation.Console && (alert.Name == Observation.Escalation || alert.Name == Observation.OwnNetworkLost))
        );

    /// <summary><see cref="Alert.IsUnstable"/>.</summary>
    public static IQueryable<Alert> WhereUnstable(this IQueryable<Alert> alerts) =>
        alerts.Where(alert => alert.FoldedIds >= Alert.UnstableFrom);
}
