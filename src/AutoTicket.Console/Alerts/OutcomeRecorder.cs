using System.Diagnostics.Metrics;
using AutoTicket.Surfaces;

namespace AutoTicket.Alerts;

/// <summary>Counts and logs what the hooks answered, records their deliveries, and raises alerts of the console's own, such as a tripped
/// flood breaker.</summary>
internal sealed partial class OutcomeRecorder(
    DeliveryStore deliveries,
    AlertAggregator aggregator,
    TimeProvider clock,
    ILogger<OutcomeRecorder> logger
)
{
    private static readonly Counter<long> Emits = Telemetry.Meter.CreateCounter<long>(
        "autoticket.alert.emits",
        description: "Calls of a hook for an alert, by hook and decision."
    );

    private readonly LastDecisions _last = new(clock);

    /// <summary>Records the deliveries among the outcomes.</summary>
    /// <param name="isLeader">False: another process has taken over and decides about the undelivered alerts.</param>
    /// <returns>The decisions about undelivered alerts, to be recorded together at the end of the pass. A repeated decision is among them
    /// only now and then.</returns>
    public async Task<IReadOnlyList<Decision>> RecordAsync(IAlertHook hook, IReadOnlyList<HookOutcome> outcomes, bool isLeader)
    {
        var undelivered = LogAll(hook, outcomes, isLeader);
        await deliveries.RecordAsync(
            hook,
            outcomes.Where(outcome => outcome.IsDone).Select(outcome => (outcome, DecisionOf(hook, outcome)))
        );
        // If this fails, a sweep raises the alert later.
        await aggregator.ObserveAsync([.. outcomes.Select(outcome => outcome.Raises).OfType<Observation>()], CancellationToken.None);
        return undelivered;
    }

    private List<Decision> LogAll(IAlertHook hook, IReadOnlyList<HookOutcome> outcomes, bool isLeader)
    {
        _last.Trim();
        var undelivered = new List<Decision>();
        foreach (var outcome in outcomes)
        {
            Emits.Add(1, new("hook", hook.Name), new("decision", outcome.Decision.Text));
            var alert = outcome.Notice.Alert;
            if (!outcome.IsDone && !isLeader)
            {
                continue;
            }

            if (_last.IsNew(alert.Id, hook.Name, outcome.Decision, outcome.IsDone))
            {
                Log.Emitted(logger, alert.AlertKey, alert.Severity, hook.Name, outcome.Notice.Kind, outcome.Decision);
            }

            if (!outcome.IsDone && _last.TriesToRecord(alert.Id, hook.Name, outcome.Decision) is { } tries)
            {
                undelivered.Add(DecisionOf(hook, outcome) with { Count = tries });
            }
        }

        return undelivered;
    }

    private Decision DecisionOf(IAlertHook hook, HookOutcome outcome)
    {
        var now = clock.GetUtcNow();
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

    private static partial class Log
    {
        [LoggerMessage(
            LogLevel.Information,
            "alert_aggregator emit alert_key={AlertKey} severity={Severity} hook={Hook} kind={Kind} decision={Decision}"
        )]
        public static partial void Emitted(
            ILogger logger,
            string alertKey,
            Severity severity,
            string hook,
            NoticeKind kind,
            DecisionWord decision
        );
    }
}
