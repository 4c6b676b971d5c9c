using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.Surfaces;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Diagnostics;

/// <summary>
/// Keeps the escalation clocks. Only the leader does. A condition that holds is a row, so that a restart or another leader goes on
/// with its clock; when its time is up it is an alert like any other, so that its DM goes out once an episode, is tried until it has
/// gone out, and is written down. While the database is away the clocks go on from memory, and so does the telling.
/// </summary>
internal sealed partial class EscalationWatch(
    EscalationConditions conditions,
    AlertAggregator aggregator,
    InMemoryAlerts outage,
    LeaderLease leader,
    DatabaseGate gate,
    IDbContextFactory<AutoTicketDbContext> contexts,
    TimeProvider clock,
    ILogger<EscalationWatch> logger
) : Loop(clock, logger)
{
    private static readonly TimeSpan Sweep = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <summary>Since when which condition holds, as last known.</summary>
    private readonly Dictionary<EscalationCondition, DateTimeOffset> _since = [];

    /// <summary>What the last sweep found, if this process leads: 0 idle, 1 running, 2 time is up.</summary>
    public IReadOnlyList<(EscalationCondition Condition, int Level)> Levels { get; private set; } =
    [.. conditions.All.Select(rule => (rule.Condition, 0))];

    /// <summary>The clocks as every process sees them; not known, if the database does not say so in time.</summary>
    public async Task<IReadOnlyList<EscalationClock>> ReadInTimeAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await Task.Run(() => ReadAsync(cancellationToken), cancellationToken).WaitAsync(Patience, Clock, cancellationToken);
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
            List<string> ids = [.. conditions.All.Select(rule => Say(rule, "", true).AlertId)];
            var firing = await db
                .Alerts.AsNoTracking()
                .Where(alert => ids.Contains(alert.AlertId) && alert.Status == AlertStatus.Firing)
                .Select(alert => new { alert.Id, alert.AlertId })
                .ToListAsync(cancellationToken);
            var alerts = firing.ConvertAll(alert => alert.Id);
            var told = await db
                .AlertDeliveries.AsNoTracking()
                .Where(d => alerts.Contains(d.AlertRow) && d.Hook == DecisionSources.Slack && d.Kind == DeliveryKind.Firing)
                .ToListAsync(cancellationToken);
            var tried = await db
                .Decisions.AsNoTracking()
                .Where(d => d.AlertRow != null && alerts.Contains(d.AlertRow.Value) && d.Path == DecisionSources.Slack)
                .OrderBy(d => d.LastAt)
                .ToListAsync(cancellationToken);
            return
            [
                .. from rule in conditions.All
                let alert = firing.Find(alert => alert.AlertId == Say(rule, "", true).AlertId)
                select Read(
                    rule,
                    rows.Find(row => row.Condition == rule.Condition),
                    alert?.AlertId,
                    told.Find(d => d.AlertRow == alert?.Id)?.At,
                    tried.FindLast(d => d.AlertRow == alert?.Id)
                ),
            ];
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            return NotKnown();
        }
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

        return Sweep;
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
            levels.Add((rule.Condition, await SweepAsync(rule, rows.Find(row => row.Condition == rule.Condition), cancellationToken)));
        }

        Levels = levels;
    }

    /// <summary>Nothing can be read or written: what is due is told all the same. That a condition is over which was told before is told
    /// when it
    /// can be written.</summary>
    private async Task SweepFromMemoryAsync(CancellationToken cancellationToken)
    {
        foreach (var rule in conditions.All)
        {
            var fact = await rule.ReadAsync(cancellationToken);
            if (fact.Holds == false)
            {
                _since.Remove(rule.Condition);
                await outage.TellAsync([Say(rule, "", isFiring: false)], cancellationToken);
            }

            if (fact.Holds != true)
            {
                continue;
            }

            if (!_since.TryGetValue(rule.Condition, out var since))
            {
                _since[rule.Condition] = since = fact.Since ?? Clock.GetUtcNow();
            }

            if (Clock.GetUtcNow() - since >= rule.Limit)
            {
                await outage.TellAsync([Say(rule, fact.Evidence ?? "", isFiring: true, since)], cancellationToken);
            }
        }
    }

    private async Task<int> SweepAsync(EscalationRule rule, EscalationRow? row, CancellationToken cancellationToken)
    {
        var fact = await rule.ReadAsync(cancellationToken);
        var now = Clock.GetUtcNow();
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        if (fact.Holds == true)
        {
            var (since, evidence) = (row?.Since ?? fact.Since ?? now, fact.Evidence ?? "");
            if (row is null || row.Evidence != evidence)
            {
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

            if (now - since >= rule.Limit)
            {
                await ObserveAsync(Say(rule, evidence, isFiring: true, since), cancellationToken);
                return 2;
            }

            return 1;
        }

        if (row is not null && fact.Holds == false && await ObserveAsync(Say(rule, row.Evidence, isFiring: false), cancellationToken))
        {
            // Afterwards, so that whoever takes over in between says it again.
            await db.Escalations.Where(one => one.Condition == rule.Condition).ExecuteDeleteAsync(cancellationToken);
            Log.IsOver(logger, rule.Condition);
        }

        return 0;
    }

    /// <returns>False: it could not be written, and is said again.</returns>
    private async Task<bool> ObserveAsync(Observation observation, CancellationToken cancellationToken)
    {
        if (await aggregator.ObserveAsync([observation], cancellationToken) is not { } answers)
        {
            return false;
        }

        await outage.TookAsync([observation], answers, cancellationToken);
        return true;
    }

    private EscalationClock Read(EscalationRule rule, EscalationRow? row, string? alertId, DateTimeOffset? toldAt, Decision? tried) =>
        row is null
            ? ClockOf(rule, EscalationState.Idle, null, null, null, null)
            : ClockOf(
                rule,
                toldAt is not null ? EscalationState.Told
                    : Clock.GetUtcNow() - row.Since >= rule.Limit ? EscalationState.Due
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

    private static Observation Say(EscalationRule rule, string evidence, bool isFiring, DateTimeOffset? since = null) =>
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
        [LoggerMessage(LogLevel.Warning, "escalation condition={Condition} holds, the operator is told after {Limit} s: {Evidence}")]
        public static partial void Holds(ILogger logger, EscalationCondition condition, double limit, string evidence);

        [LoggerMessage(LogLevel.Information, "escalation condition={Condition} is over")]
        public static partial void IsOver(ILogger logger, EscalationCondition condition);
    }
}
