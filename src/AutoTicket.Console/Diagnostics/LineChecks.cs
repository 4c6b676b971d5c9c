using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.FreeScout;
using AutoTicket.Intake;
using AutoTicket.Slack;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Diagnostics;

/// <summary>Checks of the pipeline from an alert to its DM and its ticket. They read the database, so that every process shows the
/// same.</summary>
internal sealed class LineChecks(
    RequiredHooks hooks,
    AlertQueries queries,
    FloodBreaker breaker,
    ParkedAlerts parked,
    IDbContextFactory<AutoTicketDbContext> contexts,
    IOptions<AlertsOptions> alerts,
    IOptions<SlackOptions> slack,
    IOptions<DiagnosticsOptions> options,
    TimeProvider clock
)
{
    /// <summary>An alert for which no hook was called in this time is lost, not late.</summary>
    private static readonly TimeSpan LostAfter = TimeSpan.FromMinutes(1);

    /// <summary>Decisions whose cause is over when the checks before the last ticket have passed.</summary>
    private static readonly DecisionWord[] FixedCauses =
    [
        DecisionWord.Degraded(FreeScoutFailureKind.KeyRejected),
        DecisionWord.Degraded(FreeScoutFailureKind.ApiOff),
        DecisionWord.Degraded(FreeScoutFailureKind.UntrustedHost),
        DecisionWord.Degraded(FreeScoutFailureKind.MailboxMissing),
        DecisionWord.Degraded(FreeScoutFailureKind.Unreachable),
        DecisionWord.Degraded(FreeScoutFailureKind.CircuitOpen),
    ];

    /// <summary>An older failure may be over.</summary>
    private static readonly TimeSpan Fresh = TimeSpan.FromMinutes(1);

    public Task<Finding> HooksAsync(CancellationToken cancellationToken) =>
        Task.FromResult(
            hooks.Missing is { Count: > 0 } missing
                ? Finding.Failed(
                    $"The hook {string.Join(" and ", missing)} is not registered in this build.",
                    "Roll back to the last release with the hook, and inform the developers.",
                    Runbooks.MissingHook,
                    (missing.Contains(DecisionSources.Ticket) ? Stops.Tickets : 0)
                        | (missing.Contains(DecisionSources.Slack) ? Stops.Messages : 0),
                    cause: $"the hook {string.Join(" and ", missing)} is missing"
                )
                : Finding.Ok($"Registered: {string.Join(", ", hooks.Registered.Select(NameOf))}.")
        );

    public async Task<Finding> LastEmitAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var now = clock.GetUtcNow();
        var openedBefore = now - LostAfter;
        var (waiting, decisions) = (db.AlertOutbox.Select(entry => entry.AlertRow), db.Decisions);
        List<string> registered = [.. hooks.Registered];
        var untouched = await db
            .Alerts.WhereFiring()
            .WhereReachesHooks(alerts.Value)
            .Where(alert =>
                waiting.Contains(alert.Id)
                && alert.OpenedAt < openedBefore
                // The index begins with the alert's id.
                && !decisions.Any(d => d.AlertId == alert.AlertId && d.AlertRow == alert.Id && registered.Contains(d.Path))
            )
            .CountAsync(cancellationToken);
        var last = await db.Decisions.Where(d => registered.Contains(d.Path)).MaxAsync(d => (DateTimeOffset?)d.LastAt, cancellationToken);
        var canary = await db
            .Decisions.AsNoTracking()
            .Where(d => d.AlertId == Canary.AlertId && d.Path == DecisionSources.Canary)
            .OrderByDescending(d => d.LastAt)
            .FirstOrDefaultAsync(cancellationToken);
        var seen = last is { } at ? $"Last alert sent at {UtcTime.Stamp(at)}." : "No alert was sent yet.";
        if (untouched > 0)
        {
            return Finding.Failed(
                $"{untouched} alert(s) wait, and no hook was called for them. {seen}",
                "Inform the developers: the hooks are registered, but not called. Look for “alert_aggregator emit” in the log.",
                Runbooks.MissingHook,
                Stops.Both,
                last,
                "alerts wait, and no hook is called for them"
            );
        }

        return canary switch
        {
            null => Finding.Ok(seen, last),
            { } when canary.Word == DecisionWord.Failed => Finding.Failed(
                $"The self-test (canary alert) failed: {canary.Detail} {seen}",
                "Inform the developers: the pipeline from the aggregator to the hooks is broken.",
                Runbooks.MissingHook,
                Stops.Both,
                canary.FirstAt,
                $"the canary alert does not get through since {When.Clock(canary.FirstAt)}"
            ),
            _ when now - canary.LastAt > (3 * options.Value.CanaryInterval) + TimeSpan.FromMinutes(1) => Finding.Warning(
                $"Last self-test at {UtcTime.Stamp(canary.LastAt)}; the next one is overdue. {seen}",
                "If there is none within some minutes, restart the console.",
                Runbooks.MissingHook,
                canary.LastAt
            ),
            _ => Finding.Ok($"{seen} Last self-test at {UtcTime.Stamp(canary.LastAt)}.", last ?? canary.LastAt),
        };
    }

    public async Task<Finding> LastMessageAsync(CancellationToken cancellationToken)
    {
        if (slack.Value.Missing().ToList() is { Count: > 0 } missing)
        {
            return Finding.Warning(
                $"Slack is not set up: {string.Join(" and ", missing)} not set. No DMs are sent.",
                $"Set {string.Join(" and ", missing)}.",
                Runbooks.NoDms,
                stops: Stops.Messages,
                cause: "Slack is not set up"
            );
        }

        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var messages = db.Decisions.AsNoTracking().Where(d => d.Path == DecisionSources.Slack);
        var sentAt = await messages.Where(DecisionWord.IsMessageRow).MaxAsync(d => (DateTimeOffset?)d.LastAt, cancellationToken);
        var failed = await messages
            .Where(DecisionWord.IsDegradedRow)
            .OrderByDescending(d => d.LastAt)
            .FirstOrDefaultAsync(cancellationToken);
        var seen = sentAt is { } at ? $"The last DM was sent at {UtcTime.Stamp(at)}." : "No DM was sent yet.";
        if (failed is null || failed.LastAt <= sentAt)
        {
            return Finding.Ok(seen, sentAt);
        }

        return Finding.Failed(
            $"{failed.Word.Cause}: {failed.Detail} {seen}",
            "Do what the message says. Waiting DMs are sent when Slack works again.",
            Runbooks.NoDms,
            Stops.Messages,
            failed.FirstAt,
            $"Slack fails since {When.Clock(failed.FirstAt)} ({failed.Word.Cause})"
        );
    }

    public async Task<Finding> LastTicketAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var last = await db
            .Tickets.AsNoTracking()
            .Where(ticket => ticket.ConfirmedAt != null)
            .OrderByDescending(ticket => ticket.ConfirmedAt)
            .FirstOrDefaultAsync(cancellationToken);
        var lost = await db.Tickets.CountAsync(FilingRules.IsUnconfirmed, cancellationToken);
        var (deliveries, episodes, tickets) = (db.AlertDeliveries, db.Alerts, db.Tickets);
        var asked = db.Decisions.AsNoTracking().Where(d => d.Path == DecisionSources.Ticket || d.Path == DecisionSources.Click);
        // If the alert has its ticket, only a note failed, which says nothing about filing. A worse one gets another if its ticket is
        // closed.
        var failed = await asked
            .Where(DecisionWord.IsDegradedRow)
            .Where(d =>
                !deliveries.Any(delivery =>
                    delivery.AlertRow == d.AlertRow
                    && delivery.Hook == DecisionSources.Ticket
                    && delivery.TicketId != null
                    && delivery.At <= d.FirstAt
                    && episodes.Any(alert =>
                        alert.Id == delivery.AlertRow
                        && delivery.Reopened >= alert.Reopened
                        && (
                            alert.Status != AlertStatus.Firing
                            || delivery.Severity <= alert.Severity
                            || !tickets.Any(ticket => ticket.ConversationId == delivery.TicketId && ticket.State == TicketState.Closed)
                        )
                    )
                )
            )
            .OrderByDescending(d => d.LastAt)
            .FirstOrDefaultAsync(cancellationToken);
        var seen = last is not null
            ? $"Ticket {TicketNumber.Of(last.Number)} was the last, at {UtcTime.Stamp(last.ConfirmedAt!.Value)}."
            : "No ticket was filed yet.";
        if (last is { ConfirmedAt: { } filedAt } && failed?.LastAt <= filedAt)
        {
            failed = null;
        }

        if (failed is not null && FixedCauses.Contains(failed.Word))
        {
            return Finding.Warning(
                $"The last attempt, at {UtcTime.Stamp(failed.LastAt)}, failed, but its cause is fixed: {failed.Detail} {seen}",
                "Nothing for alerts: they are retried. Repeat a click that failed.",
                Runbooks.NoTickets,
                last?.ConfirmedAt
            );
        }

        if (failed is not null && clock.GetUtcNow() - failed.LastAt < Fresh)
        {
            return Finding.Failed(
                $"FreeScout answers, but takes no ticket: {failed.Detail} {seen}",
                "Do what the message says, and look for the request in FreeScout's log.",
                Runbooks.NoTickets,
                Stops.Tickets,
                failed.FirstAt,
                $"FreeScout answers but takes no ticket since {When.Clock(failed.FirstAt)} ({failed.Word.Cause})"
            );
        }

        return lost > 0
            ? Finding.Warning(
                $"FreeScout's answer was lost for {lost} ticket(s), which are being looked up. {seen}",
                "Nothing: no ticket is filed twice.",
                Runbooks.LostAnswer,
                last?.ConfirmedAt
            )
            : Finding.Ok(seen, last?.ConfirmedAt);
    }

    public async Task<Finding> UnstableAsync(CancellationToken cancellationToken) =>
        await queries.UnstableAsync(cancellationToken) switch
        {
            null => new(DiagnosticState.NotKnown, "The database can't be reached."),
            [] => Finding.Ok("All senders keep stable ids."),
            [var first, ..] and { Count: var count } => Finding.Warning(
                $"{first.Source} changes the id of its alert {first.Name}: {first.Ids} ids so far"
                    + $"{(count > 1 ? $", and {count - 1} more sender(s) do" : "")}.",
                "File the issue that /console/alerts has prepared.",
                Runbooks.Flood
            ),
        };

    public async Task<Finding> ParkedAsync(CancellationToken cancellationToken) =>
        await parked.SummarizeAsync(cancellationToken) switch
        {
            null => new(DiagnosticState.NotKnown, "The database can't be reached."),
            { Newest: { } newest } all => Finding.Failed(
                $"{all.Count} {(all.Count == 1 ? "alert" : "alerts")} could not be read and reached nobody, "
                    + $"the last at {UtcTime.Stamp(newest.ReceivedAt)}: {newest.Reason}",
                "Correct the sender, then retry or discard the alerts at /console/alerts.",
                Runbooks.Parked,
                Stops.Nothing,
                all.Since
            ),
            _ => Finding.Ok("No alert is parked."),
        };

    public async Task<Finding> FloodAsync(CancellationToken cancellationToken) =>
        await breaker.ReadAsync(cancellationToken) switch
        {
            null => new(DiagnosticState.NotKnown, "The database can't be reached."),
            [] => Finding.Ok("OK (not tripped)."),
            [var first, ..] => new(
                first.State == FloodState.Tripped ? DiagnosticState.Failed : DiagnosticState.Warning,
                $"{(first.State == FloodState.Tripped ? "Tripped" : "Half open")} for {Scope(first)}: {first.Reason}",
                first.Since,
                "Fix the sender, then reset the breaker at /console/flags.",
                Runbooks.Flood,
                first is { State: FloodState.Tripped, Scope: "" } ? Stops.Tickets : Stops.Nothing,
                $"the flood breaker tripped at {When.Clock(first.Since)}"
            ),
        };

    private static string NameOf(string hook) =>
        hook switch
        {
            DecisionSources.Ticket => "tickets",
            DecisionSources.Slack => "Slack",
            _ => hook,
        };

    private static string Scope(FloodStatus flood) => flood.Scope.Length == 0 ? "all alerts" : $"alerts from {flood.Scope}";
}
