using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.Surfaces;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Diagnostics;

/// <summary>
/// On the leader, runs the escalation clocks. A condition that holds is a row, so that its clock survives restarts and other leaders. When
/// its time is up it becomes an alert: its DM is sent once an episode, is retried and is recorded. While the database is down, the clocks
/// and the DMs go on from memory.
/// </summary>
internal sealed partial class EscalationWatch(
    EscalationConditions conditions,
    AlertAggregator aggregator,
    InMemoryAlerts inMemory,
    LeaderLease leader,
    DatabaseGate gate,
    IDbContextFactory<AutoTicketDbContext> contexts,
    TimeProvider clock,
    ILogger<EscalationWatch> logger
) : Loop(clock, logger)
{
    private static readonly TimeSpan SweepEvery = TimeSpan.FromSeconds(5);

    /// <summary>While a clock runs.</summary>
    private static readonly TimeSpan SweepRunningEvery = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan ReadTimeout = TimeSpan.FromSeconds(2);

    /// <summary>When each condition began to hold, as last read.</summary>
    private readonly Dictionary<EscalationCondition, DateTimeOffset> _since = [];

    /// <summary>The result of the leader's last sweep: 0 idle, 1 running, 2 time is up.</summary>
    public IReadOnlyList<(EscalationCondition Condition, int Level)> Levels { get; private set; } =
    [.. conditions.All.Select(rule => (rule.Condition, 0))];

    /// <returns>The clocks, in any process; <see cref="EscalationState.NotKnown"/> if the database does not answer in time.</returns>
    public async Task<IReadOnlyList<EscalationClock>> ReadInTimeAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await Task.Run(() => ReadAsync(cancellationToken), cancellationToken).WaitAsync(ReadTimeout, Clock, cancellationToken);
        }
        catch (TimeoutException)
        {
            return NotKnown();
        }
    }

    private IReadOnlyList<EscalationClock> NotKnown() =>
        [.. conditions.All.Select(rule => ClockOf(rule, EscalationState.NotKnown, null, null, null, null))];

    private async Task<IReadOnlyList<EscalationClock>> ReadAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        try
        {
            var rows = await db.Escalations.AsNoTracking().ToListAsync(cancellationToken);
            List<string> ids = [.. conditions.All.Select(rule => ObservationOf(rule, "", true).AlertId)];
            var firing = await db
                .Alerts.AsNoTracking()
                .Where(alert => ids.Contains(alert.AlertId) && alert.Status == AlertStatus.Firing)
                .Select(alert => new { alert.Id, alert.AlertId })
                .ToListAsync(cancellationToken);
            var alerts = firing.ConvertAll(alert => alert.Id);
            var deliveries = await db
                .AlertDeliveries.AsNoTracking()
                .Where(d => alerts.Contains(d.AlertRow) && d.Hook == DecisionSources.Slack && d.Kind == DeliveryKind.Firing)
                .ToListAsync(cancellationToken);
            var tried = await db
                .Decisions.AsNoTracking()
                // The database finds the index by the alert's id, which a row alone does not have.
                .Where(d => ids.Contains(d.AlertId) && alerts.Contains(d.AlertRow!.Value) && d.Path == DecisionSources.Slack)
                .OrderBy(d => d.LastAt)
                .ToListAsync(cancellationToken);
            return
            [
                .. from rule in conditions.All
                let alert = firing.Find(alert => alert.AlertId == ObservationOf(rule, "", true).AlertId)
                select ClockOf(
                    rule,
                    rows.Find(row => row.Condition == rule.Condition),
                    alert?.AlertId,
                    deliveries.Find(d => d.AlertRow == alert?.Id)?.At,
                    tried.FindLast(d => d.AlertRow == alert?.Id)
                ),
            ];
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            return NotKnown();
        }
    }

    protected override void Begin()
    {
        gate.Changed += Wake;
        leader.Changed += Wake;
    }

    protected override async Task<TimeSpan> TurnAsync(CancellationToken stoppingToken)
    {
        if (gate is { IsOpen: true, Problem: not null } && leader.ActsAsLeader)
        {
            await SweepFromMemoryAsync(stoppingToken);
        }
        else if (!leader.IsLeader)
        {
            Levels = [.. conditions.All.Select(rule => (rule.Condition, 0))];
        }
        else if (gate.Problem is null)
        {
            await SweepAsync(stoppingToken);
        }

        return gate.Problem is null && Levels.All(level => level.Level == 0) ? SweepEvery : SweepRunningEvery;
    }

    private async Task SweepAsync(CancellationToken cancellationToken)
    {
        List<EscalationRow> rows;
        await using (var db = await contexts.CreateDbContextAsync(cancellationToken))
        {
            rows = await db.Escalations.AsNoTracking().ToListAsync(cancellationToken);
        }

        _since.Clear();
        rows.ForEach(row => _since[row.Condition] = row.Since);
        var levels = new List<(EscalationCondition, int)>();
        foreach (var rule in conditions.All)
        {
            levels.Add((rule.Condition, await CheckAsync(rule, rows.Find(row => row.Condition == rule.Condition), cancellationToken)));
        }

        Levels = levels;
    }

    /// <summary>While the database is down: sends the DM of each escalation that is due, and of the end of each that was sent from memory.
    /// The end of an escalation that is stored is sent once the database is back.</summary>
    private async Task SweepFromMemoryAsync(CancellationToken cancellationToken)
    {
        var levels = new List<(EscalationCondition, int)>();
        foreach (var rule in conditions.All)
        {
            var fact = await rule.ReadAsync(cancellationToken);
            if (fact.Holds == false)
            {
                _since.Remove(rule.Condition);
                await inMemory.DeliverFromMemoryAsync([ObservationOf(rule, "", isFiring: false)], cancellationToken);
            }
            else if (fact.Holds == true)
            {
                if (!_since.TryGetValue(rule.Condition, out var since))
                {
                    _since[rule.Condition] = since = fact.Since ?? Clock.GetUtcNow();
                }

                if (IsDue(rule, since))
                {
                    await inMemory.DeliverFromMemoryAsync(
                        [ObservationOf(rule, fact.Evidence ?? "", isFiring: true, since)],
                        cancellationToken
                    );
                }
            }

            levels.Add((rule.Condition, _since.TryGetValue(rule.Condition, out var began) ? LevelOf(rule, began) : 0));
        }

        Levels = levels;
    }

    private bool IsDue(EscalationRule rule, DateTimeOffset since) => Clock.GetUtcNow() - since >= rule.Limit;

    private int LevelOf(EscalationRule rule, DateTimeOffset since) => IsDue(rule, since) ? 2 : 1;

    /// <returns>The condition's level: 0 idle, 1 running, 2 time is up.</returns>
    private async Task<int> CheckAsync(EscalationRule rule, EscalationRow? row, CancellationToken cancellationToken)
    {
        var fact = await rule.ReadAsync(cancellationToken);
        if (fact.Holds == true)
        {
            var (since, evidence) = (row?.Since ?? fact.Since ?? Clock.GetUtcNow(), fact.Evidence ?? "");
            if (row is null || row.Evidence != evidence)
            {
                await using var db = await contexts.CreateDbContextAsync(cancellationToken);
                await db.ExecuteAsync(
                    $"""
                    INSERT INTO escalations (condition, since, evidence) VALUES ({Words.Of(rule.Condition)}, {since}, {evidence})
                    ON CONFLICT (condition) DO UPDATE SET evidence = excluded.evidence
                    """,
                    cancellationToken
                );
                if (row is null)
                {
                    Log.Holds(logger, rule.Condition, rule.Limit.TotalSeconds, evidence);
                }
            }

            if (IsDue(rule, since))
            {
                await ObserveAsync(ObservationOf(rule, evidence, isFiring: true, since), cancellationToken);
            }

            return LevelOf(rule, since);
        }

        if (fact.Holds is null)
        {
            return row is null ? 0 : LevelOf(rule, row.Since);
        }

        if (row is null)
        {
            // It may have been sent from memory, or have ended under another leader.
            var over = ObservationOf(rule, "", isFiring: false);
            await inMemory.StoreDeliveriesAsync([over], [new(over.AlertId, ObservationResult.NotOpen)], cancellationToken);
        }
        else if (await ObserveAsync(ObservationOf(rule, row.Evidence, isFiring: false), cancellationToken))
        {
            // Delete afterwards, so that a new leader reports the end again if this one is killed in between.
            await using var db = await contexts.CreateDbContextAsync(cancellationToken);
            await db.Escalations.Where(one => one.Condition == rule.Condition).ExecuteDeleteAsync(cancellationToken);
            Log.IsOver(logger, rule.Condition);
        }

        return 0;
    }

    /// <returns>False: it could not be stored; the next sweep retries.</returns>
    private async Task<bool> ObserveAsync(Observation observation, CancellationToken cancellationToken)
    {
        if (await aggregator.ObserveAsync([observation], cancellationToken) is not { } answers)
        {
            await inMemory.DeliverFromMemoryAsync([observation], cancellationToken);
            return false;
        }

        await inMemory.StoreDeliveriesAsync([observation], answers, cancellationToken);
        return true;
    }

    private EscalationClock ClockOf(EscalationRule rule, EscalationRow? row, string? alertId, DateTimeOffset? toldAt, Decision? tried) =>
        row is null
            ? ClockOf(rule, EscalationState.Idle, null, null, null, null)
            : ClockOf(
                rule,
                toldAt is not null ? EscalationState.Told
                    : IsDue(rule, row.Since) ? EscalationState.Due
                    : EscalationState.Running,
                row,
                toldAt,
                toldAt is null && tried is not null ? $"{tried.Word}. {tried.Detail}" : null,
                alertId
            );

    private static EscalationClock ClockOf(
        EscalationRule rule,
        EscalationState state,
        EscalationRow? row,
        DateTimeOffset? toldAt,
        string? notTold,
        string? alertId
    ) =>
        new(
            rule.Condition,
            rule.Title,
            state,
            (int)rule.Limit.TotalSeconds,
            row?.Since,
            row?.Since + rule.Limit,
            row?.Evidence,
            toldAt,
            notTold,
            alertId is null ? null : AlertIdentity.KeyOf(alertId),
            rule.Next,
            rule.Runbook
        );

    private static Observation ObservationOf(EscalationRule rule, string evidence, bool isFiring, DateTimeOffset? since = null) =>
        new(
            Observation.Console,
            Observation.Escalation,
            null,
            Severity.P1,
            $"{rule.Title}. {evidence} {rule.Next}",
            isFiring,
            new Dictionary<string, string> { ["condition"] = Words.Of(rule.Condition) },
            StartsAt: since
        );

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "escalation condition={Condition} holds, the operator is notified after {Limit} s: {Evidence}")]
        public static partial void Holds(ILogger logger, EscalationCondition condition, double limit, string evidence);

        [LoggerMessage(LogLevel.Information, "escalation condition={Condition} is over")]
        public static partial void IsOver(ILogger logger, EscalationCondition condition);
    }
}
