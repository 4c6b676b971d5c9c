using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Alerts;

/// <summary>
/// Calls the hooks for every alert until each has delivered it. Only the leader does. What a hook could not take leaves no row in
/// the notification log, so the next cycle tries again. A cycle's cost in queries does not grow with the number of alerts.
/// </summary>
internal sealed partial class AlertEmitter : BackgroundService
{
    /// <summary>What one hook is given at a time.</summary>
    private const int MostAtOnce = 1_000;
    private const int MostSaid = 100_000;
    private static readonly Counter<long> Emits = Telemetry.Meter.CreateCounter<long>("autoticket.alert.emits", description: "Calls of a hook for an alert, by hook and decision.");
    private static readonly TimeSpan RecordEvery = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Cycle = TimeSpan.FromSeconds(2);

    /// <summary>So much longer the ticket hook may take before the next hook goes ahead without the ticket's link.</summary>
    private static readonly TimeSpan HeadStart = TimeSpan.FromSeconds(1.5);

    /// <summary>What ended longer ago than this is told to nobody any more.</summary>
    private static readonly TimeSpan NewsLives = TimeSpan.FromHours(24);

    private readonly IReadOnlyList<IAlertHook> _hooks;
    private readonly AlertAggregator _aggregator;
    private readonly DecisionLog _decisions;
    private readonly LeaderLease _leader;
    private readonly DatabaseSignals _signals;
    private readonly IDbContextFactory<AutoTicketDbContext> _contexts;
    private readonly IOptions<AlertsOptions> _options;
    private readonly TimeProvider _clock;
    private readonly ILogger<AlertEmitter> _logger;
    private readonly Nudge _nudge = new();
    private static readonly Rows<DeliveryKind> Kinds = new(("kind", "text", kind => Words.Of(kind)));
    private readonly ConcurrentDictionary<(long Alert, string Hook), Said> _said = new();

    /// <summary>The last decision about an alert, and the tries that came to the same since it was recorded.</summary>
    private sealed record Said(string Decision, int Unrecorded, DateTimeOffset RecordedAt);

    /// <param name="hooks">In the order in which they are called.</param>
    public AlertEmitter(
        IEnumerable<IAlertHook> hooks, AlertAggregator aggregator, DecisionLog decisions, LeaderLease leader, DatabaseSignals signals,
        IDbContextFactory<AutoTicketDbContext> contexts, IOptions<AlertsOptions> options, TimeProvider clock, ILogger<AlertEmitter> logger)
    {
        _hooks = [.. hooks];
        (_aggregator, _decisions, _leader, _signals, _contexts, _options, _clock, _logger) = (aggregator, decisions, leader, signals, contexts, options, clock, logger);
        CycledAt = clock.GetUtcNow();
    }

    private List<Surfaces.Severity> Levels => [.. Enum.GetValues<Surfaces.Severity>().Where(severity => severity <= _options.Value.NotifySeverity)];

    /// <summary>When a hook was last given anything; null: not since this start.</summary>
    public DateTimeOffset? EmittedAt { get; private set; }

    /// <summary>When the loop began its present pass; before the first, the start.</summary>
    public DateTimeOffset CycledAt { get; private set; }

    /// <summary>Has every hook say what it would do for an alert that is none.</summary>
    public async Task<IReadOnlyDictionary<string, string>> RehearseAsync(Alert alert, CancellationToken cancellationToken)
    {
        var words = new Dictionary<string, string>();
        foreach (var hook in _hooks)
        {
            words[hook.Name] = await hook.RehearseAsync(new AlertNotice(alert, NoticeKind.Firing, Told: null, Ticket: null), cancellationToken);
        }

        return words;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var subscription = _signals.Subscribe(DatabaseSignals.Alerts, _nudge.Give);
        _aggregator.Changed += _nudge.Give;
        _leader.Changed += _nudge.Give;
        foreach (var hook in _hooks)
        {
            hook.Ready += _nudge.Give;
        }

        var passes = _hooks.ToDictionary(hook => hook.Name, _ => Task.CompletedTask);
        while (!stoppingToken.IsCancellationRequested)
        {
            CycledAt = _clock.GetUtcNow();
            if (_leader.IsLeader)
            {
                foreach (var hook in _hooks)
                {
                    if (passes[hook.Name].IsCompleted)
                    {
                        passes[hook.Name] = PassAsync(hook, stoppingToken);
                    }

                    await Task.WhenAny(passes[hook.Name], Task.Delay(HeadStart, stoppingToken));
                }

                await SettleAsync();
            }

            await _nudge.WaitAsync(Cycle, stoppingToken);
        }

        // What a hook has begun it brings to its end, so that it is recorded.
        await Task.WhenAll(passes.Values).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task PassAsync(IAlertHook hook, CancellationToken stoppingToken)
    {
        try
        {
            var notices = await DueAsync(hook, stoppingToken);
            if (notices.Count == 0)
            {
                return;
            }

            EmittedAt = _clock.GetUtcNow();
            var undone = new List<Decision>();
            await foreach (var outcome in hook.DeliverAsync(notices, stoppingToken))
            {
                Emits.Add(1, new("hook", hook.Name), new("decision", outcome.Decision));
                if (outcome.IsDone)
                {
                    Log.Emitted(_logger, outcome.Notice.Alert.AlertKey, outcome.Notice.Alert.Severity, hook.Name, outcome.Notice.Kind, outcome.Decision);
                    await RecordAsync(hook, outcome);
                }
                else if (Count(hook, outcome) is { } tries)
                {
                    undone.Add(DecisionOf(hook, outcome) with { Count = tries });
                }
            }

            await _decisions.RecordAsync(undone, CancellationToken.None);
        }
        catch (Exception exception) when (_contexts.IsOutage(exception))
        {
            Log.Interrupted(_logger, hook.Name, exception.GetBaseException().Message);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
        }
#pragma warning disable CA1031 // a bug in one hook must not stop the others, nor pass unseen
        catch (Exception exception)
#pragma warning restore CA1031
        {
            Log.Failed(_logger, hook.Name, exception);
        }
    }

    /// <summary>What the hook has not delivered yet; so much of it as one pass takes. Each source's worst come first, and of the rest those
    /// whose last try lies longest back: a flood of one source, which the hook will not take, keeps nobody else's alert waiting, and
    /// each alert of the flood itself has its turn and its decision.</summary>
    private async Task<List<AlertNotice>> DueAsync(IAlertHook hook, CancellationToken cancellationToken)
    {
        await using var db = await _contexts.CreateDbContextAsync(cancellationToken);
        // The words are in the order of severity.
        var severe = Words.Of(_options.Value.NotifySeverity);
        var newsSince = _clock.GetUtcNow() - NewsLives;
        // What flaps is well again only once it was quiet for a while.
        var quietSince = _clock.GetUtcNow() - _options.Value.QuietPeriod;
        var ids = await db.QueryAsync($"""
            SELECT id FROM (
              SELECT alerts.id,
                row_number() OVER (PARTITION BY alerts.source ORDER BY alerts.severity, alerts.opened_at, alerts.id) AS place,
                row_number() OVER (ORDER BY (SELECT max(d.last_at) FROM decisions d WHERE d.alert_id = alerts.alert_id AND d.alert_row = alerts.id AND d.path = {hook.Name}) NULLS FIRST, alerts.severity, alerts.id) AS turn
              FROM alerts
              LEFT JOIN alert_deliveries told ON told.alert_row = alerts.id AND told.hook = {hook.Name} AND told.kind = 'firing'
              LEFT JOIN alert_deliveries ended ON ended.alert_row = alerts.id AND ended.hook = {hook.Name} AND ended.kind = 'ended'
              WHERE alerts.is_pending AND CASE
                WHEN alerts.status = 'firing' AND told.hook IS NULL THEN alerts.severity <= {severe}
                WHEN alerts.status = 'firing' THEN told.severity <> alerts.severity OR told.reopened < alerts.reopened
                WHEN told.hook IS NULL THEN {hook.WantsWhatEnded} AND alerts.severity <= {severe} AND alerts.ended_at > {newsSince}
                ELSE (ended.hook IS NULL OR ended.reopened < alerts.reopened) AND (alerts.reopened = 0 OR alerts.ended_at < {quietSince}) END
            ) due ORDER BY CASE WHEN place < turn THEN place ELSE turn END LIMIT {MostAtOnce}
            """, row => row.GetInt64(0), cancellationToken);
        var due = await (
                from alert in db.Alerts.AsNoTracking()
                where ids.Contains(alert.Id)
                from told in db.AlertDeliveries.Where(d => d.AlertRow == alert.Id && d.Hook == hook.Name && d.Kind == DeliveryKind.Firing).DefaultIfEmpty()
                orderby alert.Severity, alert.OpenedAt, alert.Id
                select new { alert, told })
            .ToListAsync(cancellationToken);
        var rows = due.ConvertAll(one => one.alert.Id);
        var tickets = (await db.AlertDeliveries.AsNoTracking().Where(d => rows.Contains(d.AlertRow) && d.Kind == DeliveryKind.Firing && d.TicketId != null).ToListAsync(cancellationToken))
            .ToLookup(d => d.AlertRow, d => new AlertTicket(d.TicketId!.Value, d.TicketNumber!.Value, d.TicketUrl!));
        return due.ConvertAll(one => new AlertNotice(
            one.alert,
            one.told is null ? NoticeKind.Firing
                : !one.alert.IsFiring ? NoticeKind.Ended
                : one.told.Reopened < one.alert.Reopened ? NoticeKind.FiringAgain
                : NoticeKind.SeverityChanged,
            one.told,
            tickets[one.alert.Id].FirstOrDefault()));
    }

    private async Task RecordAsync(IAlertHook hook, HookOutcome outcome)
    {
        _said.TryRemove((outcome.Notice.Alert.Id, hook.Name), out _);
        var (alert, ticket, now) = (outcome.Notice.Alert, outcome.Ticket, _clock.GetUtcNow());
        // Who is told that something fired and is over need not be told that it is over.
        DeliveryKind[] kinds = outcome.Notice.Kind == NoticeKind.Ended ? [DeliveryKind.Ended] : alert.IsFiring ? [DeliveryKind.Firing] : [DeliveryKind.Firing, DeliveryKind.Ended];
        await using (var db = await _contexts.CreateDbContextAsync())
        {
            // A note leaves the ticket that is recorded as it is.
            await db.ExecuteAsync($"""
                INSERT INTO alert_deliveries (alert_row, hook, kind, at, severity, reopened, ticket_id, ticket_number, ticket_url)
                SELECT {alert.Id}, {hook.Name}, r.kind, {now}, {Words.Of(alert.Severity)}, {alert.Reopened}, {ticket?.Id}, {ticket?.Number}, {ticket?.Url} FROM {Kinds.Of(kinds)} WHERE true
                ON CONFLICT (alert_row, hook, kind) DO UPDATE SET at = excluded.at, severity = excluded.severity, reopened = excluded.reopened,
                  ticket_id = coalesce(excluded.ticket_id, alert_deliveries.ticket_id), ticket_number = coalesce(excluded.ticket_number, alert_deliveries.ticket_number),
                  ticket_url = coalesce(excluded.ticket_url, alert_deliveries.ticket_url)
                """, CancellationToken.None);
        }

        await _decisions.RecordAsync([DecisionOf(hook, outcome)], CancellationToken.None);
    }

    /// <summary>Takes off the list what no hook has anything to do for any more.</summary>
    private async Task SettleAsync()
    {
        try
        {
            await SettleDoneAsync();
        }
        catch (Exception exception) when (_contexts.IsOutage(exception))
        {
            // The database gate says so; the list is only longer for a while.
        }
    }

    private async Task SettleDoneAsync()
    {
        await using var db = await _contexts.CreateDbContextAsync();
        var hooks = _hooks.Count;
        var wanting = _hooks.Where(hook => hook.WantsWhatEnded).Select(hook => hook.Name).ToList();
        var (levels, newsSince) = (Levels, _clock.GetUtcNow() - NewsLives);
        var done = db.Alerts
            .Where(alert => alert.IsPending && (alert.Status == AlertStatus.Firing
                ? db.AlertDeliveries.Count(d => d.AlertRow == alert.Id && d.Kind == DeliveryKind.Firing && d.Severity == alert.Severity && d.Reopened == alert.Reopened) >= hooks
                : !db.AlertDeliveries.Any(d => d.AlertRow == alert.Id && d.Kind == DeliveryKind.Firing
                        && !db.AlertDeliveries.Any(e => e.AlertRow == alert.Id && e.Hook == d.Hook && e.Kind == DeliveryKind.Ended && e.Reopened == alert.Reopened))
                    && (!levels.Contains(alert.Severity) || alert.EndedAt <= newsSince
                        || db.AlertDeliveries.Count(d => d.AlertRow == alert.Id && d.Kind == DeliveryKind.Firing && wanting.Contains(d.Hook)) >= wanting.Count)));
        // Asked first: every UPDATE wakes those that listen, and them we would wake without end.
        if (await done.AnyAsync())
        {
            await done.ExecuteUpdateAsync(set => set.SetProperty(alert => alert.IsPending, false));
        }
    }

    private Decision DecisionOf(IAlertHook hook, HookOutcome outcome)
    {
        var now = _clock.GetUtcNow();
        return new Decision
        {
            AlertId = outcome.Notice.Alert.AlertId,
            AlertRow = outcome.Notice.Alert.Id,
            Path = hook.Name,
            Word = outcome.Decision,
            Detail = outcome.Detail,
            FirstAt = now,
            LastAt = now,
            TicketNumber = outcome.Ticket?.Number,
            TicketUrl = outcome.Ticket?.Url,
        };
    }

    /// <summary>A line and a row at once for a new decision; for one that stays the same no line, and a row in a while.</summary>
    /// <returns>How many tries to record now; null: none yet.</returns>
    private int? Count(IAlertHook hook, HookOutcome outcome)
    {
        if (_said.Count > MostSaid)
        {
            // Of what ended meanwhile nobody takes them out.
            _said.Clear();
        }

        var key = (outcome.Notice.Alert.Id, hook.Name);
        var now = _clock.GetUtcNow();
        if (!_said.TryGetValue(key, out var said) || said.Decision != outcome.Decision)
        {
            _said[key] = new Said(outcome.Decision, 0, now);
            Log.Emitted(_logger, outcome.Notice.Alert.AlertKey, outcome.Notice.Alert.Severity, hook.Name, outcome.Notice.Kind, outcome.Decision);
            return 1;
        }

        var isDue = now - said.RecordedAt >= RecordEvery;
        _said[key] = isDue ? said with { Unrecorded = 0, RecordedAt = now } : said with { Unrecorded = said.Unrecorded + 1 };
        return isDue ? said.Unrecorded + 1 : null;
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "alert_aggregator emit alert_key={AlertKey} severity={Severity} hook={Hook} kind={Kind} decision={Decision}")]
        public static partial void Emitted(ILogger logger, string alertKey, Surfaces.Severity severity, string hook, NoticeKind kind, string decision);

        [LoggerMessage(LogLevel.Warning, "alert_aggregator emit interrupted hook={Hook}, the next cycle goes on: {Problem}")]
        public static partial void Interrupted(ILogger logger, string hook, string problem);

        [LoggerMessage(LogLevel.Error, "alert_aggregator emit failed hook={Hook}")]
        public static partial void Failed(ILogger logger, string hook, Exception exception);
    }
}
