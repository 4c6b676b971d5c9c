using AutoTicket.Alerts;
using AutoTicket.Data;

namespace AutoTicket.Maintenance;

/// <summary>Snoozes alerts and ends snoozes, on behalf of a person.</summary>
internal sealed class Snoozer(SnoozeStore store, MaintenanceWatch watch, AlertQueries alerts, TimeProvider clock)
{
    /// <summary>Snoozes the alert, and its later episodes, too, unless the snooze ends with the alert.</summary>
    public Task<MuteOutcome> SnoozeAsync(string alertKey, SnoozeRequest request, string actor, CancellationToken cancellationToken) =>
        watch.ChangeAsync(
            async () =>
            {
                var now = clock.GetUtcNow();
                var (endsAt, mistake) = MaintenanceRules.Snooze(request, now);
                if (mistake is not null)
                {
                    return new(MuteResult.Invalid, mistake);
                }

                if (!AlertIdentity.IsKey(alertKey))
                {
                    return Unknown;
                }

                var found = await alerts.ReadAsync(new AlertQuery(AlertKey: alertKey), 1, cancellationToken);
                if (found is null or [])
                {
                    return found is null
                        ? MuteOutcome.Unreachable with
                        {
                            Message = "The console's database can't be reached. Try again in a moment.",
                        }
                        : Unknown;
                }

                if (request.UntilRecovery && found[0].Status != AlertStatus.Firing)
                {
                    return new(MuteResult.Conflict, "The alert is not active, so the snooze can't last until its recovery.");
                }

                var snooze = new Snooze
                {
                    AlertId = found[0].AlertId,
                    AlertRow = found[0].Row,
                    Reopened = found[0].Reopened,
                    CreatedAt = now,
                    EndsAt = endsAt,
                    UntilRecovery = request.UntilRecovery,
                    Reason = CleanText.Of(request.Reason ?? "").Trim(),
                    Actor = actor,
                };
                return await store.AddAsync(snooze, cancellationToken)
                    ? new(MuteResult.Done, $"{found[0].Name} is snoozed until {UtcTime.Stamp(endsAt)}.")
                    : new(MuteResult.Conflict, $"{MaintenanceRules.MostSnoozes} alerts are snoozed already. End some snoozes first.");
            },
            cancellationToken
        );

    /// <summary>Ends every snooze of the alert.</summary>
    public Task<MuteOutcome> EndAsync(string alertKey, string actor, CancellationToken cancellationToken) =>
        watch.ChangeAsync(
            async () =>
            {
                var now = clock.GetUtcNow();
                var inForce = await store.ReadAsync(now, cancellationToken);
                var ended = 0;
                foreach (var snooze in inForce.Where(snooze => AlertIdentity.KeyOf(snooze.AlertId) == alertKey))
                {
                    if (await store.EndAsync(snooze, actor, now, cancellationToken))
                    {
                        ended++;
                    }
                }

                return ended > 0 ? new(MuteResult.Done, "The snooze has ended.") : new(MuteResult.Conflict, "The alert is not snoozed.");
            },
            cancellationToken
        );

    private static MuteOutcome Unknown => new(MuteResult.UnknownTarget, "There is no alert with this key.");
}
