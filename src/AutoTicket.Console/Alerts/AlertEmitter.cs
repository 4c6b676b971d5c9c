using System.Collections.Concurrent;
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
    /// <summary>What one hook is given at a time, worst first.</summary>
    private const int MostAtOnce = 500;
    private static readonly TimeSpan Cycle = TimeSpan.FromSeconds(2);

    /// <summary>So much longer the ticket hook may take before the next hook goes ahead without the ticket's link.</summary>
    private static readonly TimeSpan HeadStart = TimeSpan.FromSeconds(1.5);

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
    private readonly ConcurrentDictionary<(long Alert, string Hook), string> _said = new();

    /// <param name="hooks">In the order in which they are called.</param>
    public AlertEmitter(
        IEnumerable<IAlertHook> hooks, AlertAggregator aggregator, DecisionLog decisions, LeaderLease leader, DatabaseSignals signals,
        IDbContextFactory<AutoTicketDbContext> contexts, IOptions<AlertsOptions> options, TimeProvider clock, ILogger<AlertEmitter> logger)
    {
        _hooks = [.. hooks];
        (_aggregator, _decisions, _leader, _signals, _contexts, _options, _clock, _logger) = (aggregator, decisions, leader, signals, contexts, options, clock, logger);
    }

    /// <summary>When a hook was last given anything; null: not since this start.</summary>
    public DateTimeOffset? EmittedAt { get; private set; }

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
            var undone = new List<HookOutcome>();
            var any = false;
            await foreach (var outcome in hook.DeliverAsync(notices, stoppingToken))
            {
                Tell(hook, outcome);
                if (outcome.IsDone)
                {
                    any = true;
                    await RecordAsync(hook, outcome);
                }
                else
                {
                    undone.Add(outcome);
                }
            }

            await _decisions.RecordAsync(undone.Select(outcome => DecisionOf(hook, outcome)), CancellationToken.None);
            if (any)
            {
                await SettleAsync();
            }
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

    /// <summary>What the hook has not delivered yet.</summary>
    private async Task<List<AlertNotice>> DueAsync(IAlertHook hook, CancellationToken cancellationToken)
    {
        await using var db = await _contexts.CreateDbContextAsync(cancellationToken);
        var notify = _options.Value.NotifySeverity;
        var levels = Enum.GetValues<Surfaces.Severity>().Where(severity => severity <= notify).ToList();
        var quietSince = _clock.GetUtcNow() - _options.Value.QuietPeriod;
        var due = await (
                from alert in db.Alerts.AsNoTracking()
                where alert.IsPending
                from told in db.AlertDeliveries.Where(d => d.AlertRow == alert.Id && d.Hook == hook.Name && d.Kind == DeliveryKind.Firing).DefaultIfEmpty()
                from ended in db.AlertDeliveries.Where(d => d.AlertRow == alert.Id && d.Hook == hook.Name && d.Kind == DeliveryKind.Ended).DefaultIfEmpty()
                where alert.Status == AlertStatus.Firing
                    ? (told == null ? levels.Contains(alert.Severity) : told.Severity != alert.Severity || told.Reopened < alert.Reopened)
                    // What flaps is well again only once it was quiet for a while.
                    : told != null && (ended == null || ended.Reopened < alert.Reopened) && (alert.Reopened == 0 || alert.EndedAt < quietSince)
                orderby alert.Severity, alert.OpenedAt, alert.Id
                select new { alert, told })
            .Take(MostAtOnce).ToListAsync(cancellationToken);
        var rows = due.ConvertAll(one => one.alert.Id);
        var tickets = (await db.AlertDeliveries.AsNoTracking().Where(d => rows.Contains(d.AlertRow) && d.Kind == DeliveryKind.Firing && d.TicketId != null).ToListAsync(cancellationToken))
            .ToLookup(d => d.AlertRow, d => new AlertTicket(d.TicketId!.Value, d.TicketNumber!.Value, d.TicketUrl!));
        return due.ConvertAll(one => new AlertNotice(
            one.alert,
            !one.alert.IsFiring ? NoticeKind.Ended
                : one.told is null ? NoticeKind.Firing
                : one.told.Reopened < one.alert.Reopened ? NoticeKind.FiringAgain
                : NoticeKind.SeverityChanged,
            one.told,
            tickets[one.alert.Id].FirstOrDefault()));
    }

    private async Task RecordAsync(IAlertHook hook, HookOutcome outcome)
    {
        _said.TryRemove((outcome.Notice.Alert.Id, hook.Name), out _);
        var (alert, now) = (outcome.Notice.Alert, _clock.GetUtcNow());
        var kind = outcome.Notice.Kind == NoticeKind.Ended ? DeliveryKind.Ended : DeliveryKind.Firing;
        // A note leaves the ticket that is recorded as it is.
        var ticket = outcome.Ticket;
        await using (var db = await _contexts.CreateDbContextAsync())
        {
            await db.ExecuteAsync($"""
                INSERT INTO alert_deliveries (alert_row, hook, kind, at, severity, reopened, ticket_id, ticket_number, ticket_url)
                VALUES ({alert.Id}, {hook.Name}, {Words.Of(kind)}, {now}, {Words.Of(alert.Severity)}, {alert.Reopened}, {ticket?.Id}, {ticket?.Number}, {ticket?.Url})
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
        await using var db = await _contexts.CreateDbContextAsync();
        var hooks = _hooks.Count;
        await db.Alerts
            .Where(alert => alert.IsPending && (alert.Status == AlertStatus.Firing
                ? db.AlertDeliveries.Count(d => d.AlertRow == alert.Id && d.Kind == DeliveryKind.Firing && d.Severity == alert.Severity && d.Reopened == alert.Reopened) >= hooks
                : !db.AlertDeliveries.Any(d => d.AlertRow == alert.Id && d.Kind == DeliveryKind.Firing
                    && !db.AlertDeliveries.Any(e => e.AlertRow == alert.Id && e.Hook == d.Hook && e.Kind == DeliveryKind.Ended && e.Reopened == alert.Reopened))))
            .ExecuteUpdateAsync(set => set.SetProperty(alert => alert.IsPending, false));
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

    /// <summary>A line for each new decision, not for each try.</summary>
    private void Tell(IAlertHook hook, HookOutcome outcome)
    {
        var key = (outcome.Notice.Alert.Id, hook.Name);
        if (!_said.TryGetValue(key, out var said) || said != outcome.Decision)
        {
            _said[key] = outcome.Decision;
            Log.Emitted(_logger, outcome.Notice.Alert.AlertKey, outcome.Notice.Alert.Severity, hook.Name, outcome.Notice.Kind, outcome.Decision);
        }
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
