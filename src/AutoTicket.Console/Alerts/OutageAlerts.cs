using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Alerts;

/// <summary>While the database is away the operator is still told that a surface went down, and of escalations: from memory, once, by the process that led
/// when the database was last heard of. When it is back the episode is stored with what was told.</summary>
internal sealed partial class OutageAlerts(
    IEnumerable<IAlertHook> hooks, LeaderLease leader, IDbContextFactory<AutoTicketDbContext> contexts, IOptions<AlertsOptions> options, TimeProvider clock, ILogger<OutageAlerts> logger) : IDisposable
{
    private static readonly Rows<(string AlertId, AlertDelivery Delivery)> Told = new(
        ("alert_id", "text", told => told.AlertId),
        ("hook", "text", told => told.Delivery.Hook),
        ("at", "timestamptz", told => told.Delivery.At),
        ("severity", "text", told => Words.Of(told.Delivery.Severity)));

    /// <summary>The poller and the escalation watch come side by side.</summary>
    private readonly SemaphoreSlim _one = new(1, 1);
    private readonly HashSet<string> _firing = [];
    private readonly List<(string AlertId, AlertDelivery Delivery)> _told = [];

    /// <summary>The database took what was seen: from here on the notification log knows who was told.</summary>
    public Task TookAsync(IReadOnlyList<Observation> request, IReadOnlyList<Observed> answers, CancellationToken cancellationToken) =>
        AloneAsync(() => StoreAsync(request, answers, cancellationToken), cancellationToken);

    /// <summary>The database took nothing: tells of what began since.</summary>
    public Task TellAsync(IReadOnlyList<Observation> request, CancellationToken cancellationToken) =>
        leader.ActsAsLeader ? AloneAsync(() => TellNewsAsync(request, cancellationToken), cancellationToken) : Task.CompletedTask;

    public void Dispose() => _one.Dispose();

    private async Task AloneAsync(Func<Task> work, CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            await work();
        }
        finally
        {
            _one.Release();
        }
    }

    private async Task StoreAsync(IReadOnlyList<Observation> request, IReadOnlyList<Observed> answers, CancellationToken cancellationToken)
    {
        for (var i = 0; i < request.Count; i++)
        {
            _ = request[i].IsFiring ? _firing.Add(answers[i].AlertId) : _firing.Remove(answers[i].AlertId);
        }

        // Of others the episode may not be stored yet.
        var told = _told.Where(told => answers.Any(answer => answer.AlertId == told.AlertId)).ToList();
        if (told.Count == 0)
        {
            return;
        }

        try
        {
            await using var db = await contexts.CreateDbContextAsync(cancellationToken);
            // What was over before it could be stored has no episode, and is not of one that began later.
            await db.ExecuteAsync($"""
                INSERT INTO alert_deliveries (alert_row, hook, kind, at, severity, reopened)
                SELECT alerts.id, r.hook, 'firing', r.at, r.severity, alerts.reopened FROM alerts JOIN {Told.Of(told)} ON alerts.alert_id = r.alert_id AND alerts.started_at <= r.at WHERE alerts.status = 'firing'
                ON CONFLICT (alert_row, hook, kind) DO NOTHING
                """, cancellationToken);
            _told.RemoveAll(told.Contains);
        }
        catch (Exception exception) when (contexts.IsOutage(exception))
        {
            // Away again: the next time.
        }
    }

    private async Task TellNewsAsync(IReadOnlyList<Observation> request, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var news = request.Where(o => o.IsFiring && o.Severity <= options.Value.NotifySeverity && !_firing.Contains(o.AlertId)).ToList();
        foreach (var hook in hooks.Where(hook => hook.WantsWhatEnded))
        {
            // What comes and goes is told once a quiet period. A row of its own that no episode has: hooks tell alerts apart by it.
            var notices = news.Where(o => !_told.Exists(told => told.AlertId == o.AlertId && told.Delivery.Hook == hook.Name && !(o.StartsAt > told.Delivery.At + options.Value.QuietPeriod)))
                .Select(o => new AlertNotice(AlertOf(o, now), NoticeKind.Firing, null, null)).ToList();
            if (notices.Count == 0)
            {
                continue;
            }

            await foreach (var outcomes in hook.DeliverAsync(notices, cancellationToken))
            {
                foreach (var alert in outcomes.Where(outcome => outcome.IsDone).Select(outcome => outcome.Notice.Alert))
                {
                    _told.Add((alert.AlertId, new AlertDelivery { AlertRow = 0, Hook = hook.Name, Kind = DeliveryKind.Firing, At = now, Severity = alert.Severity }));
                    Log.Told(logger, alert.AlertKey, hook.Name);
                }
            }
        }
    }

    private static Alert AlertOf(Observation o, DateTimeOffset now) => new()
    {
        Id = -1 - (uint)o.AlertId.GetHashCode(StringComparison.Ordinal),
        AlertId = o.AlertId,
        LogicalId = o.LogicalId,
        Status = AlertStatus.Firing,
        Source = o.Source,
        Name = o.Name,
        Surface = o.Surface,
        Severity = o.Severity,
        Summary = o.Summary,
        StartedAt = o.StartsAt ?? now,
        OpenedAt = now,
        SeenAt = now,
    };

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "alert_aggregator emit alert_key={AlertKey} hook={Hook} from memory: the database is away")]
        public static partial void Told(ILogger logger, string alertKey, string hook);
    }
}
