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

/// <summary>The steps along the line from an alert to its DM and its ticket. They read what every process wrote down, so that each
/// process tells the same.</summary>
internal sealed class LineChecks(
    RequiredHooks hooks,
    AlertQueries ledger,
    FloodBreaker breaker,
    ParkedAlerts parked,
    IDbContextFactory<AutoTicketDbContext> contexts,
    IOptions<AlertsOptions> alerts,
    IOptions<SlackOptions> slack,
    IOptions<DiagnosticsOptions> options,
    TimeProvider clock
)
{
    /// <summary>An alert that no hook was called for in so long is not late, but lost.</summary>
    private static readonly TimeSpan Untouched = TimeSpan.FromMinutes(1);

    /// <summary>What the steps before this one have just seen to be well again.</summary>
    private static readonly DecisionWord[] Mended =
    [
        DecisionWord.Degraded(FreeScoutFailureKind.KeyRejected),
        DecisionWord.Degraded(FreeScoutFailureKind.ApiOff),
        DecisionWord.Degraded(FreeScoutFailureKind.UntrustedHost),
        DecisionWord.Degraded(FreeScoutFailureKind.MailboxMissing),
        DecisionWord.Degraded(FreeScoutFailureKind.Unreachable),
        DecisionWord.Degraded(FreeScoutFailureKind.CircuitOpen),
    ];

    /// <summary>A failure that is older may be over.</summary>
    private static readonly TimeSpan Fresh = TimeSpan.FromMinutes(1);

    public Task<Finding> HooksAsync(CancellationToken cancellationToken) =>
        Task.FromResult(
            hooks.Missing is { Count: > 0 } missing
                ? Finding.Failed(
                    $"The hook {string.Join(" and ", missing)} is not registered in this build.",
                    "Roll back to the last release that had it, and tell the developers: it needs a look at the code.",
                    Runbooks.MissingHook,
                    (missing.Contains(DecisionSources.Ticket) ? Stops.Tickets : 0)
                        | (missing.Contains(DecisionSources.Slack) ? Stops.Messages : 0),
                    cause: $"the hook {string.Join(" and ", missing)} is missing"
                )
                : Finding.Ok($"Registered: {string.Join(", ", hooks.Registered)}.")
        );

    public async Task<Finding> LastEmitAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var now = clock.GetUtcNow();
        var openedBefore = now - Untouched;
        var (outbox, decisions) = (db.AlertOutbox, db.Decisions);
        List<string> registered = [.. hooks.Registered];
        var untouched = await db
            .Alerts.WhereFiring()
            .WhereReachesHooks(alerts.Value)
            .Where(alert =>
                outbox.Any(entry => entry.AlertRow == alert.Id)
                && alert.OpenedAt < openedBefore
                && !decisions.Any(d => d.AlertRow == alert.Id && registered.Contains(d.Path))
            )
            .CountAsync(cancellationToken);
        var last = await db.Decisions.Where(d => registered.Contains(d.Path)).MaxAsync(d => (DateTimeOffset?)d.LastAt, cancellationToken);
        var canary = await db
            .Decisions.AsNoTracking()
            .Where(d => d.AlertId == Canary.AlertId && d.Path == DecisionSources.Canary)
            .OrderByDescending(d => d.LastAt)
            .FirstOrDefaultAsync(cancellationToken);
        var seen = last is { } at ? $"Last emit at {UtcTime.Stamp(at)}." : "Nothing was emitted yet.";
        if (untouched > 0)
        {
            return Finding.Failed(
                $"{untouched} alert(s) wait, and no hook was called for them. {seen}",
                "Tell the developers: the hooks are registered and not called. Read the log for “alert_aggregator emit”.",
                Runbooks.MissingHook,
                Stops.Both,
                last,
                "alerts wait, and no hook is called for them"
            );
        }

        return canary switch
        {
            null => Finding.Ok(seen, last),
            { } when canary.Word != DecisionWord.Walked => Finding.Failed(
                $"The canary alert got no further than this: {canary.Detail} {seen}",
                "Tell the developers: the line from the aggregator to the hooks is broken.",
                Runbooks.MissingHook,
                Stops.Both,
                canary.FirstAt,
                $"the canary alert does not get through since {When.Clock(canary.FirstAt)}"
            ),
            _ when now - canary.LastAt > (3 * options.Value.CanaryInterval) + TimeSpan.FromMinutes(1) => Finding.Warning(
                $"The canary last walked at {UtcTime.Stamp(canary.LastAt)}, and should have since. {seen}",
                "Restart the console if it does not walk again within some minutes.",
                Runbooks.MissingHook,
                canary.LastAt
            ),
            _ => Finding.Ok($"{seen} The canary walked the line at {UtcTime.Stamp(canary.LastAt)}.", last ?? canary.LastAt),
        };
    }

    public async Task<Finding> LastMessageAsync(CancellationToken cancellationToken)
    {
        if (slack.Value.Missing().ToList() is { Count: > 0 } missing)
        {
            return Finding.Warning(
                $"Slack is not set up: {string.Join(" and ", missing)} not set. Nobody is told.",
                $"Set {string.Join(" and ", missing)}.",
                Runbooks.NoDms,
                stops: Stops.Messages,
                cause: "Slack is not set up"
            );
        }

        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var told = db.Decisions.AsNoTracking().Where(d => d.Path == DecisionSources.Slack);
        var sentAt = await told.Where(DecisionWord.IsMessageRow).MaxAsync(d => (DateTimeOffset?)d.LastAt, cancellationToken);
        var failed = await told.Where(DecisionWord.IsDegradedRow).OrderByDescending(d => d.LastAt).FirstOrDefaultAsync(cancellationToken);
        var seen = sentAt is { } at ? $"The last DM went out at {UtcTime.Stamp(at)}." : "No DM went out yet.";
        if (failed is null || failed.LastAt <= sentAt)
        {
            return Finding.Ok(seen, sentAt);
        }

        return Finding.Failed(
            $"{failed.Word.Cause}: {failed.Detail} {seen}",
            "Do what the message says; what could not be told is told when Slack works again.",
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
        var lost = await db.Tickets.CountAsync(ticket => ticket.State == TicketState.Unconfirmed, cancellationToken);
        var (deliveries, episodes) = (db.AlertDeliveries, db.Alerts);
        var asked = db.Decisions.AsNoTracking().Where(d => d.Path == DecisionSources.Ticket || d.Path == DecisionSources.Click);
        // Of an alert that has its ticket a note failed, which says nothing of tickets.
        var failed = await asked
            .Where(DecisionWord.IsDegradedRow)
            .Where(d =>
                !deliveries.Any(delivery =>
                    delivery.AlertRow == d.AlertRow
                    && delivery.Hook == DecisionSources.Ticket
                    && delivery.TicketId != null
                    && delivery.At <= d.FirstAt
                    && episodes.Any(alert => alert.Id == delivery.AlertRow && delivery.Reopened >= alert.Reopened)
                )
            )
            .OrderByDescending(d => d.LastAt)
            .FirstOrDefaultAsync(cancellationToken);
        var seen = last is not null
            ? $"Ticket {TicketNumber.Of(last.Number)} was the last, at {UtcTime.Stamp(last.ConfirmedAt!.Value)}."
            : "No ticket was filed yet.";
        if (failed is not null && Mended.Contains(failed.Word) && !(failed.LastAt <= last?.ConfirmedAt))
        {
            return Finding.Warning(
                $"The last try, at {UtcTime.Stamp(failed.LastAt)}, failed by what is well again: {failed.Detail} {seen}",
                "Nothing for alerts: they are tried again. Click again where a click failed.",
                Runbooks.NoTickets,
                last?.ConfirmedAt
            );
        }

        if (failed is not null && clock.GetUtcNow() - failed.LastAt < Fresh && !(failed.LastAt <= last?.ConfirmedAt))
        {
            return Finding.Failed(
                $"FreeScout answers, and takes no ticket: {failed.Detail} {seen}",
                "Do what the message says; read FreeScout's log for the request.",
                Runbooks.NoTickets,
                Stops.Tickets,
                failed.FirstAt,
                $"FreeScout answers but takes no ticket since {When.Clock(failed.FirstAt)} ({failed.Word.Cause})"
            );
        }

        return lost > 0
            ? Finding.Warning(
                $"Of {lost} ticket(s) FreeScout's answer was lost; they are looked up. {seen}",
                "Nothing: no second ticket comes of it.",
                Runbooks.LostAnswer,
                last?.ConfirmedAt
            )
            : Finding.Ok(seen, last?.ConfirmedAt);
    }

    public async Task<Finding> UnstableAsync(CancellationToken cancellationToken) =>
        await ledger.UnstableAsync(cancellationToken) switch
        {
            null => new(DiagnosticState.NotKnown, "The database can't be reached."),
            [] => Finding.Ok("No producer makes up ids."),
            [var first, ..] and { Count: var count } => Finding.Warning(
                $"{first.Source} makes up ids of the alert {first.Name}: {first.Ids} so far"
                    + $"{(count > 1 ? $", and {count - 1} more producer(s) do" : "")}.",
                "File the issue that /console/alerts holds ready.",
                Runbooks.Flood
            ),
        };

    public async Task<Finding> ParkedAsync(CancellationToken cancellationToken) =>
        await parked.SumUpAsync(cancellationToken) switch
        {
            null => new(DiagnosticState.NotKnown, "The database can't be reached."),
            { Newest: { } newest } all => Finding.Failed(
                $"{all.Count} {(all.Count == 1 ? "alert" : "alerts")} could not be read and reached nobody, "
                    + $"the last at {UtcTime.Stamp(newest.ReceivedAt)}: {newest.Reason}",
                "Correct what their sender sends; then retry or discard them at /console/alerts.",
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
            [] => Finding.Ok("Closed."),
            [var first, ..] => new(
                first.State == FloodState.Tripped ? DiagnosticState.Failed : DiagnosticState.Warning,
                $"{(first.State == FloodState.Tripped ? "Tripped" : "Half open")} for {Scope(first)}: {first.Reason}",
                first.Since,
                "Mend the producer, then reset the breaker at /console/flags.",
                Runbooks.Flood,
                first is { State: FloodState.Tripped, Scope: "" } ? Stops.Tickets : Stops.Nothing,
                $"the flood breaker tripped at {When.Clock(first.Since)}"
            ),
        };

    private static string Scope(FloodStatus flood) => flood.Scope.Length == 0 ? "all alerts" : $"alerts from {flood.Scope}";
}
