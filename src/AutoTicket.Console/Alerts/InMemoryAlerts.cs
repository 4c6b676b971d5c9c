using AutoTicket.Data;
using AutoTicket.Surfaces;
using Microsoft.Extensions.Options;

namespace AutoTicket.Alerts;

/// <summary>While the database is away, the last known leader delivers surface outages and escalations from memory, each once. When the
/// database is back, the console stores the episodes and their deliveries.</summary>
internal sealed partial class InMemoryAlerts(
    AlertEmitter emitter,
    AlertStore store,
    LeaderLease leader,
    DeliveryLog deliveryLog,
    IOptions<AlertsOptions> options,
    TimeProvider clock,
    ILogger<InMemoryAlerts> logger
) : IDisposable
{
    /// <summary>The surface observer and the escalation watch may call at the same time.</summary>
    private readonly SemaphoreSlim _one = new(1, 1);
    private readonly HashSet<string> _firing = [];

    /// <summary>The last delivery of each hook for each alert whose episode is not stored yet.</summary>
    private readonly List<Delivered> _deliveries = [];

    /// <param name="Seen">The observation that fired.</param>
    /// <param name="Again">How often the alert fired again after its end was delivered.</param>
    private sealed record Delivered(string Hook, Observation Seen, NoticeKind Kind, DateTimeOffset At, int Again);

    /// <summary>Stores the deliveries that were made from memory. Call it after the database has stored the observations.</summary>
    public Task StoreDeliveriesAsync(
        IReadOnlyList<Observation> request,
        IReadOnlyList<Observed> answers,
        CancellationToken cancellationToken
    ) => AloneAsync(() => StoreAsync(request, answers, cancellationToken), cancellationToken);

    /// <summary>Delivers the alerts that began during the outage, and their ends. Call it when the database stored nothing.</summary>
    public Task DeliverFromMemoryAsync(IReadOnlyList<Observation> request, CancellationToken cancellationToken) =>
        leader.ActsAsLeader ? AloneAsync(() => DeliverAllAsync(request, cancellationToken), cancellationToken) : Task.CompletedTask;

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

        if (_deliveries.Count == 0)
        {
            return;
        }

        // An alert that ended before it was stored has no episode, so its end can only be delivered from here.
        await DeliverEndsAsync(request, cancellationToken);
        // The episodes of other alerts may not be stored yet.
        var begun = _deliveries
            .Where(delivery => delivery.Kind == NoticeKind.Firing && request.Any(o => o.IsFiring && o.AlertId == delivery.Seen.AlertId))
            .ToList();
        var ended = _deliveries.Where(delivery => delivery.Kind == NoticeKind.Ended).ToLookup(delivery => delivery.Seen.AlertId);
        try
        {
            foreach (var deliveries in ended)
            {
                var last = deliveries.Last();
                await store.WriteDeliveredAsync(
                    AlertOf(last.Seen, last.At) with
                    {
                        Status = AlertStatus.Resolved,
                        EndedAt = last.At,
                    },
                    deliveries.Select(delivery => delivery.Hook),
                    cancellationToken
                );
                _deliveries.RemoveAll(deliveries.Contains);
            }

            await deliveryLog.RecordFromMemoryAsync(
                begun.ConvertAll(delivery => (delivery.Seen, delivery.Hook, delivery.At)),
                cancellationToken
            );
            _deliveries.RemoveAll(begun.Contains);
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            // The database is away again: the next call tries again.
        }
    }

    private async Task DeliverAllAsync(IReadOnlyList<Observation> request, CancellationToken cancellationToken)
    {
        await DeliverEndsAsync(request, cancellationToken);
        var now = clock.GetUtcNow();
        foreach (var hook in emitter.InMemoryHooks)
        {
            // An alert is delivered again after its end was delivered, else once per quiet period.
            await DeliverAsync(
                hook,
                NoticeKind.Firing,
                request
                    .Where(o =>
                        o.IsFiring
                        && options.Value.ReachesHooks(o.Severity)
                        && !_firing.Contains(o.AlertId)
                        && (
                            LastDelivery(hook, o) is not { Kind: NoticeKind.Firing } last
                            || (o.StartsAt is { } startsAt && startsAt > options.Value.RepeatFrom(last.At))
                        )
                    )
                    .Select(o => (o, AlertOf(o, now))),
                cancellationToken
            );
        }
    }

    private async Task DeliverEndsAsync(IReadOnlyList<Observation> request, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        foreach (var hook in emitter.InMemoryHooks)
        {
            // The first end is delivered at once, later ones once per quiet period.
            await DeliverAsync(
                hook,
                NoticeKind.Ended,
                request
                    .Where(o => !o.IsFiring)
                    .Select(o => LastDelivery(hook, o))
                    .OfType<Delivered>()
                    .Where(last =>
                        last.Kind == NoticeKind.Firing && (last.Again == 0 || !options.Value.IsHeld(options.Value.RepeatFrom(last.At), now))
                    )
                    .Select(last => (last.Seen, AlertOf(last.Seen, last.At) with { Status = AlertStatus.Resolved, EndedAt = now })),
                cancellationToken
            );
        }
    }

    private Delivered? LastDelivery(string hook, Observation o) =>
        _deliveries.Find(delivery => delivery.Hook == hook && delivery.Seen.AlertId == o.AlertId);

    private async Task DeliverAsync(
        string hook,
        NoticeKind kind,
        IEnumerable<(Observation Seen, Alert Alert)> notices,
        CancellationToken cancellationToken
    )
    {
        var all = notices.ToDictionary(one => one.Seen.AlertId);
        if (all.Count == 0)
        {
            return;
        }

        await foreach (
            var outcomes in emitter.DeliverFromMemoryAsync(
                hook,
                [.. all.Values.Select(one => new AlertNotice(one.Alert, kind, null, null))],
                cancellationToken
            )
        )
        {
            foreach (var alert in outcomes.Where(outcome => outcome.IsDone).Select(outcome => outcome.Notice.Alert))
            {
                var seen = all[alert.AlertId].Seen;
                var again = 0;
                if (LastDelivery(hook, seen) is { } last)
                {
                    again = last.Again + (kind == NoticeKind.Firing ? 1 : 0);
                    _deliveries.Remove(last);
                }

                _deliveries.Add(new Delivered(hook, seen, kind, clock.GetUtcNow(), again));
                Log.Told(logger, alert.AlertKey, hook, kind);
            }
        }
    }

    /// <summary>An episode that has no row yet.</summary>
    private static Alert AlertOf(Observation o, DateTimeOffset now) =>
        new()
        {
            AlertId = o.AlertId,
            LogicalId = o.LogicalId,
            Status = AlertStatus.Firing,
            Source = o.Source,
            Name = o.Name,
            Surface = o.Surface,
            Severity = o.Severity,
            Summary = o.Summary,
            Labels = o.AllLabels,
            StartedAt = o.StartsAt ?? now,
            OpenedAt = o.StartsAt ?? now,
            SeenAt = now,
        };

    private static partial class Log
    {
        [LoggerMessage(
            LogLevel.Information,
            "alert_aggregator emit alert_key={AlertKey} hook={Hook} kind={Kind} from memory: the database is away"
        )]
        public static partial void Told(ILogger logger, string alertKey, string hook, NoticeKind kind);
    }
}
