using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Alerts;

/// <summary>The delivery log: records what each hook has delivered, and takes it from the outbox.</summary>
internal sealed class DeliveryStore(IDbContextFactory<AutoTicketDbContext> contexts, OutboxReader outbox, TimeProvider clock)
{
    private static readonly RowBatch<(HookOutcome Outcome, DeliveryKind Kind)> New = new(
        ("alert_row", "bigint", row => row.Outcome.Notice.Alert.Id),
        ("kind", "text", row => Words.Of(row.Kind)),
        ("severity", "text", row => Words.Of(row.Outcome.Notice.Alert.Severity)),
        ("reopened", "int", row => row.Outcome.Notice.Alert.Reopened),
        ("told_at", "timestamptz", row => row.Outcome.Notice.LastDelivery?.At),
        ("told_severity", "text", row => row.Outcome.Notice.LastDelivery is { } last ? Words.Of(last.Severity) : null),
        ("at", "timestamptz", row => row.Outcome.DeliveredAt),
        ("ticket_id", "bigint", row => row.Outcome.Ticket?.Id),
        ("ticket_number", "bigint", row => row.Outcome.Ticket?.Number),
        ("ticket_url", "text", row => row.Outcome.Ticket?.Url)
    );

    private static readonly RowBatch<(Observation Seen, string Hook, DateTimeOffset At)> FromMemory = new(
        ("alert_id", "text", delivery => delivery.Seen.AlertId),
        ("hook", "text", delivery => delivery.Hook),
        ("at", "timestamptz", delivery => delivery.At),
        ("severity", "text", delivery => Words.Of(delivery.Seen.Severity))
    );

    /// <summary>The pause before the database is asked again to record what it refused.</summary>
    private static readonly TimeSpan RetryRefusedAfter = TimeSpan.FromMinutes(1);

    private const int MostRefused = 10_000;

    private readonly ConcurrentDictionary<string, Unrecorded> _unrecorded = new();

    /// <summary>What a hook delivered and the database could not record.</summary>
    private sealed class Unrecorded
    {
        /// <summary>Not recorded during an outage.</summary>
        public List<(HookOutcome Outcome, Decision Decision)> Waiting { get; } = [];

        /// <summary>The database refuses these rows although it works. They stay here, so that nothing is delivered twice.</summary>
        public List<(HookOutcome Outcome, Decision Decision)> Refused { get; } = [];

        /// <summary>The outbox entries whose refusal was reported.</summary>
        public HashSet<long> Reported { get; } = [];

        public long RefusedAt { get; set; }
    }

    /// <summary>The undelivered alerts for one pass, without those that are delivered and not recorded yet.</summary>
    /// <returns>Worst and oldest first.</returns>
    public async Task<List<AlertNotice>> DueAsync(IAlertHook hook, CancellationToken cancellationToken)
    {
        var unrecorded = _unrecorded.GetOrAdd(hook.Name, _ => new());
        if (unrecorded.Refused.Count > 0 && clock.GetElapsedTime(unrecorded.RefusedAt) >= RetryRefusedAfter)
        {
            unrecorded.Waiting.AddRange(unrecorded.Refused);
            unrecorded.Refused.Clear();
        }

        if (await FlushAsync(hook, unrecorded) is { } refusal)
        {
            ExceptionDispatchInfo.Throw(refusal);
        }

        var due = await outbox.DueAsync(hook, cancellationToken);
        var delivered = unrecorded.Refused.SelectMany(one => one.Outcome.Notice.Entries).ToHashSet();
        due.RemoveAll(notice => notice.Entries.All(delivered.Contains));
        return due;
    }

    /// <summary>Records deliveries and their decisions and deletes their outbox entries, in one commit.</summary>
    /// <param name="outcomes">With the decision of each. If the database can't record them, a later call does.</param>
    public async Task RecordAsync(IAlertHook hook, IEnumerable<(HookOutcome Outcome, Decision Decision)> outcomes)
    {
        var unrecorded = _unrecorded.GetOrAdd(hook.Name, _ => new());
        var now = clock.GetUtcNow();
        unrecorded.Waiting.AddRange(
            outcomes.Select(one => (one.Outcome with { DeliveredAt = one.Outcome.DeliveredAt ?? now }, one.Decision))
        );
        if (await FlushAsync(hook, unrecorded) is { } refusal)
        {
            ExceptionDispatchInfo.Throw(refusal);
        }
    }

    /// <summary>Records the deliveries that the database could not record so far.</summary>
    /// <returns>Why the database refuses one of them although it works; null: it refuses none that was not reported.</returns>
    private async Task<Exception?> FlushAsync(IAlertHook hook, Unrecorded unrecorded)
    {
        var waiting = unrecorded.Waiting;
        if (waiting.Count == 0)
        {
            return null;
        }

        try
        {
            await WriteAsync(hook, waiting);
            waiting.Clear();
            return null;
        }
        catch (Exception exception) when (!Outages.IsOutage(exception))
        {
            // One by one: a refused row must not keep the others from being recorded.
            return await FlushOneByOneAsync(hook, unrecorded);
        }
    }

    private async Task<Exception?> FlushOneByOneAsync(IAlertHook hook, Unrecorded unrecorded)
    {
        Exception? refusal = null;
        var waiting = unrecorded.Waiting;
        while (waiting.Count > 0)
        {
            try
            {
                await WriteAsync(hook, [waiting[0]]);
            }
            catch (Exception exception) when (!Outages.IsOutage(exception))
            {
                if (unrecorded.Reported.Count >= MostRefused)
                {
                    unrecorded.Reported.Clear();
                }

                refusal = unrecorded.Reported.Add(waiting[0].Outcome.Notice.Entries is [var entry, ..] ? entry : 0) ? exception : refusal;
                unrecorded.Refused.RemoveRange(0, unrecorded.Refused.Count >= MostRefused ? MostRefused / 2 : 0);
                unrecorded.Refused.Add(waiting[0]);
                unrecorded.RefusedAt = clock.GetTimestamp();
            }

            waiting.RemoveAt(0);
        }

        return refusal;
    }

    private async Task WriteAsync(IAlertHook hook, List<(HookOutcome Outcome, Decision Decision)> all)
    {
        var (outcomes, decisions) = (all.ConvertAll(one => one.Outcome), all.ConvertAll(one => one.Decision));
        await using var db = await contexts.CreateDbContextAsync();
        // A note has no ticket of its own: coalesce keeps the recorded one. A row that another leader wrote since the notice was read
        // is newer, and stays.
        FormattableString delivered = $"""
            INSERT INTO alert_deliveries (alert_row, hook, kind, at, severity, reopened, ticket_id, ticket_number, ticket_url)
            SELECT alert_row, {hook.Name}, kind, at, severity, reopened, ticket_id, ticket_number, ticket_url
            FROM {New.Of([
                .. outcomes.Where(outcome => !outcome.IsDropped).OrderBy(outcome => outcome.Notice.Alert.Id).SelectMany(outcome =>
                    KindsOf(outcome.Notice).Select(kind => (outcome, kind))
                ),
            ])}
            WHERE NOT EXISTS (
              SELECT 1 FROM alert_deliveries d WHERE d.alert_row = r.alert_row AND d.hook = {hook.Name} AND d.kind = r.kind
                AND (d.at IS DISTINCT FROM r.told_at OR d.severity IS DISTINCT FROM r.told_severity) AND d.reopened >= r.reopened)
            ON CONFLICT (alert_row, hook, kind) DO UPDATE SET at = excluded.at, severity = excluded.severity, reopened = excluded.reopened,
              ticket_id = coalesce(excluded.ticket_id, alert_deliveries.ticket_id),
              ticket_number = coalesce(excluded.ticket_number, alert_deliveries.ticket_number),
              ticket_url = coalesce(excluded.ticket_url, alert_deliveries.ticket_url)
            """;
        var deleted = OutboxReader.Deleted(outcomes.SelectMany(outcome => outcome.Notice.Entries));
        await db.ExecuteTogetherAsync(
            DecisionLog.Statement(decisions) is { } decided ? [delivered, decided, deleted] : [delivered, deleted],
            CancellationToken.None
        );
        DecisionLog.Count(decisions);
    }

    /// <summary>Records deliveries that were made while the database couldn't be reached, of alerts that still fire.</summary>
    /// <param name="deliveries">What was delivered, by which hook and when.</param>
    public async Task RecordFromMemoryAsync(
        IReadOnlyCollection<(Observation Seen, string Hook, DateTimeOffset At)> deliveries,
        CancellationToken cancellationToken
    )
    {
        if (deliveries.Count == 0)
        {
            return;
        }

        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        // An episode that began later was not delivered.
        await db.ExecuteAsync(
            $"""
            INSERT INTO alert_deliveries (alert_row, hook, kind, at, severity, reopened)
            SELECT alerts.id, r.hook, 'firing', r.at, r.severity, alerts.reopened FROM alerts JOIN {FromMemory.Of(
                deliveries
            )} ON alerts.alert_id = r.alert_id AND alerts.started_at <= r.at WHERE alerts.status = 'firing'
            ON CONFLICT (alert_row, hook, kind) DO UPDATE
            SET at = excluded.at, severity = excluded.severity, reopened = excluded.reopened
            WHERE alert_deliveries.reopened < excluded.reopened
            """,
            cancellationToken
        );
    }

    /// <summary>The statement that records the whole episode as delivered, for the transaction that inserts its alert.</summary>
    public static string InsertWholeEpisode(IEnumerable<string> hooks) =>
        $"""
            INSERT INTO alert_deliveries (alert_row, hook, kind, at, severity, reopened)
            SELECT id, hook, kind, ended_at, severity, 0 FROM inserted
              CROSS JOIN ({string.Join(" UNION ALL ", hooks.Select(hook => $"SELECT '{hook}' AS hook"))}) AS hooks
              CROSS JOIN (SELECT 'firing' AS kind UNION ALL SELECT 'ended') AS kinds
            """;

    /// <summary>Deletes the deliveries and outbox entries of these alerts. Call it before the alerts are deleted.</summary>
    public static async Task DeleteAsync(AutoTicketDbContext db, IReadOnlyList<long> alerts, CancellationToken cancellationToken)
    {
        await db.AlertOutbox.Where(entry => alerts.Contains(entry.AlertRow)).ExecuteDeleteAsync(cancellationToken);
        await db.AlertDeliveries.Where(delivery => alerts.Contains(delivery.AlertRow)).ExecuteDeleteAsync(cancellationToken);
    }

    /// <summary>A firing notice of an alert that has ended reports both, so its end counts as delivered too.</summary>
    private static IEnumerable<DeliveryKind> KindsOf(AlertNotice notice) =>
        notice.Kind == NoticeKind.Ended ? [DeliveryKind.Ended]
        : notice.Alert.IsFiring ? [DeliveryKind.Firing]
        : [DeliveryKind.Firing, DeliveryKind.Ended];
}
