using AutoTicket.Data;
using AutoTicket.Surfaces;
using Microsoft.Extensions.Options;

namespace AutoTicket.Alerts;

/// <summary>While the database can't be reached, the last leader delivers surface outages and escalations from memory. One firing alert is
/// delivered at most once per quiet period. When the database is back, the console stores the episodes and their deliveries.</summary>
internal sealed partial class InMemoryAlerts(
    AlertEmitter emitter,
    AlertStore store,
    LeaderLease leader,
    DeliveryStore deliveryStore,
    IOptions<AlertsOptions> options,
    TimeProvider clock,
    ILogger<InMemoryAlerts> logger
) : IDisposable
{
    /// <summary>The surface observer and the escalation watch may call at the same time.</summary>
    private readonly SemaphoreSlim _lock = new(1, 1);
    private readonly HashSet<string> _firing = [];

    /// <summary>The last delivery of each hook for each alert whose episode is not stored yet.</summary>
    private readonly Dictionary<(string Hook, string AlertId), Delivered> _deliveries = [];

    /// <param name="Seen">The observation that fired.</param>
    /// <param name="TimesRefired">How often the alert fired again after its end was delivered.</param>
    private sealed record Delivered(string Hook, Observation Seen, NoticeKind Kind, DateTimeOffset At, int TimesRefired);

    /// <summary>Another process has led since the alerts above were noted: it has delivered their ends.</summary>
    private volatile bool _isOld;

    /// <summary>Call it when <see cref="LeaderLease.Changed"/> is raised.</summary>
    public void OnLeaderChanged() => _isOld |= !leader.WasLeader;

    /// <summary>Stores the deliveries that were made from memory. Call it after the database has stored the observations.</summary>
    public Task StoreDeliveriesAsync(
        IReadOnlyList<Observation> request,
        IReadOnlyList<Observed> answers,
        CancellationToken cancellationToken
    ) => AloneAsync(() => StoreAsync(request, answers, cancellationToken), cancellationToken);

    /// <summary>Delivers the alerts that began during the outage, and their ends. Call it when the database stored nothing.</summary>
    public Task DeliverFromMemoryAsync(IReadOnlyList<Observation> request, CancellationToken cancellationToken) =>
        leader.ActsAsLeader ? AloneAsync(() => DeliverAllAsync(request, cancellationToken), cancellationToken) : Task.CompletedTask;

    public void Dispose() => _lock.Dispose();

    private async Task AloneAsync(Func<Task> work, CancellationToken cancellationToken)
    {
        await _lock.WaitAsync(cancellationToken);
        try
        {
            if (_isOld)
            {
                _isOld = false;
                _firing.Clear();
                _deliveries.Clear();
            }

            await work();
        }
        finally
        {
            _lock.Release();
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
        // Record only alerts of this request: another alert's episode may not be stored yet.
        var begun = _deliveries
            .Values.Where(delivery =>
                delivery.Kind == NoticeKind.Firing && request.Any(o => o.IsFiring && o.AlertId == delivery.Seen.AlertId)
            )
            .ToList();
        var ended = _deliveries.Values.Where(delivery => delivery.Kind == NoticeKind.Ended).ToLookup(delivery => delivery.Seen.AlertId);
        try
        {
            foreach (var deliveries in ended)
            {
                var last = deliveries.MaxBy(delivery => delivery.At)!;
                await store.WriteDeliveredAsync(
                    AlertOf(last.Seen, last.At) with
                    {
                        Status = AlertStatus.Resolved,
                        EndedAt = last.At,
                    },
                    deliveries.Select(delivery => delivery.Hook),
                    cancellationToken
                );
                Forget(deliveries);
            }

            await deliveryStore.RecordFromMemoryAsync(
                begun.ConvertAll(delivery => (delivery.Seen, delivery.Hook, delivery.At)),
                cancellationToken
            );
            Forget(begun);
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            // The database can't be reached again: the next call retries.
        }
    }

    private void Forget(IEnumerable<Delivered> deliveries)
    {
        foreach (var delivery in deliveries)
        {
            _deliveries.Remove((delivery.Hook, delivery.Seen.AlertId));
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
                        last.Kind == NoticeKind.Firing
                        && (last.TimesRefired == 0 || !options.Value.MustWait(options.Value.RepeatFrom(last.At), now))
                    )
                    .Select(last => (last.Seen, AlertOf(last.Seen, last.At) with { Status = AlertStatus.Resolved, EndedAt = now })),
                cancellationToken
            );
        }
    }

    private Delivered? LastDelivery(string hook, Observation o) => _deliveries.GetValueOrDefault((hook, o.AlertId));

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
                var last = LastDelivery(hook, seen);
                var timesRefired = last is null ? 0 : last.TimesRefired + (kind == NoticeKind.Firing ? 1 : 0);
                _deliveries[(hook, alert.AlertId)] = new Delivered(hook, seen, kind, clock.GetUtcNow(), timesRefired);
                Log.DeliveredFromMemory(logger, alert.AlertKey, hook, kind);
            }
        }
    }

    /// <summary>An episode that has no row yet.</summary>
    private static Alert AlertOf(Observation o, DateTimeOffset now) => Alert.From(o, now) with { OpenedAt = o.StartsAt ?? now };

    private static partial class Log
    {
        [LoggerMessage(
            LogLevel.Information,
            "alert_aggregator emit alert_key={AlertKey} hook={Hook} kind={Kind} from memory: the database can't be reached"
        )]
        public static partial void DeliveredFromMemory(ILogger logger, string alertKey, string hook, NoticeKind kind);
    }
}
