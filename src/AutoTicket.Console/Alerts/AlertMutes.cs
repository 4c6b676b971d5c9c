using AutoTicket.Surfaces;

namespace AutoTicket.Alerts;

/// <summary>A time in which nothing is filed or sent for one alert.</summary>
/// <param name="Episode">The episode with whose end it ends; null: it lasts until <paramref name="Until"/>.</param>
internal sealed record AlertSnooze(
    string AlertId,
    DateTimeOffset From,
    DateTimeOffset Until,
    string Actor,
    string Reason,
    (long Row, int Reopened)? Episode
)
{
    public bool Covers(Alert alert, DateTimeOffset at) =>
        From <= at && at < Until && (Episode is null || ((alert.Id, alert.Reopened) == Episode && (alert.IsFiring || at <= alert.EndedAt)));
}

/// <summary>Why nothing is filed or sent for an alert now.</summary>
/// <param name="IsSnooze">Otherwise its surface is in maintenance.</param>
/// <param name="UntilRecovery">It ends with the alert, if that is earlier than <paramref name="Until"/>.</param>
public sealed record AlertMute(bool IsSnooze, DateTimeOffset Until, string Actor, string Reason, bool UntilRecovery = false);

/// <summary>
/// Decides which alerts are muted: those that name a surface in maintenance, and snoozed ones. A muted notice stays in the outbox. After
/// the mute the operator is told the difference between what was delivered and what holds then: an alert that still fires is delivered,
/// one that began and recovered meanwhile is dropped. An expired one is delivered: nobody reported a recovery.
/// </summary>
internal sealed class AlertMutes(StatusBoard board, TimeProvider clock)
{
    private volatile ILookup<string, AlertSnooze> _snoozes = Array.Empty<AlertSnooze>().ToLookup(snooze => snooze.AlertId);

    /// <summary>Raised when a mute began, changed or ended, in any process. Handlers return at once and never throw.</summary>
    public event Action? Changed;

    /// <summary>The stored mutes have been read. Before, nothing from the database may be delivered.</summary>
    public bool IsKnown { get; set; }

    /// <param name="snoozes">Those in force or planned, and those that ended in the last day.</param>
    public void Set(IEnumerable<AlertSnooze> snoozes) => _snoozes = snoozes.ToLookup(snooze => snooze.AlertId);

    /// <summary>Announces that mutes began or ended, here or on the board.</summary>
    public void Announce() => Changed?.Invoke();

    /// <summary>The surfaces, alerts and episodes that are muted now, for a query over firing alerts.</summary>
    public (IReadOnlyList<string> Surfaces, IReadOnlyList<string> AlertIds, IReadOnlyList<long> Episodes) InForce()
    {
        var now = clock.GetUtcNow();
        var snoozes = _snoozes.SelectMany(group => group).Where(snooze => snooze.From <= now && now < snooze.Until).ToList();
        return (
            [.. board.All().Where(surface => surface.Maintenance is not null).Select(surface => surface.Key)],
            [.. snoozes.Where(snooze => snooze.Episode is null).Select(snooze => snooze.AlertId)],
            [.. snoozes.Select(snooze => snooze.Episode?.Row).OfType<long>()]
        );
    }

    /// <returns>Why nothing is filed or sent for the alert now; null: it is not muted.</returns>
    public AlertMute? Of(Alert alert) => At(alert, clock.GetUtcNow());

    /// <returns>The outcomes of the muted notices, and the other notices.</returns>
    public (IReadOnlyList<HookOutcome> Muted, IReadOnlyList<AlertNotice> Due) Apply(IReadOnlyList<AlertNotice> notices)
    {
        var (muted, due) = (new List<HookOutcome>(), new List<AlertNotice>(notices.Count));
        foreach (var notice in notices)
        {
            if (OutcomeOf(notice) is { } outcome)
            {
                muted.Add(outcome);
            }
            else
            {
                due.Add(notice);
            }
        }

        return (muted, due);
    }

    /// <returns>The outcome of a muted notice; null: it is not muted.</returns>
    public HookOutcome? OutcomeOf(AlertNotice notice)
    {
        var alert = notice.Alert;
        // Without a look at the last delivery: a notice from memory has none.
        var isKnownToFire = notice is { Kind: NoticeKind.Ended, IsEndDelivered: false };
        if (alert is { Status: AlertStatus.Resolved, EndedAt: { } endedAt } && !isKnownToFire && At(alert, endedAt) is { } meanwhile)
        {
            var during = meanwhile.IsSnooze ? "a snooze" : "maintenance";
            return new(notice, IsDone: true, DecisionWord.EndedMuted, $"It ended in {during} that lasts {Described(meanwhile)}")
            {
                IsDropped = true,
            };
        }

        return Of(alert) is { } mute
            ? new(
                notice,
                IsDone: false,
                mute.IsSnooze ? DecisionWord.Snoozed : DecisionWord.InMaintenance,
                $"Lasts {Described(mute)} What still holds then is filed and sent."
            )
            : null;
    }

    /// <returns>Why nothing was filed or sent for the alert at this time, at most a day ago; null: it was not muted.</returns>
    public AlertMute? At(Alert alert, DateTimeOffset at)
    {
        if (alert.Surface is { } surface && board.MaintenanceAt(surface, at) is { } maintenance)
        {
            return new(IsSnooze: false, maintenance.Until, maintenance.Actor, maintenance.Reason);
        }

        return _snoozes[alert.AlertId].Where(snooze => snooze.Covers(alert, at)).MaxBy(snooze => snooze.Until) is { } longest
            ? new(IsSnooze: true, longest.Until, longest.Actor, longest.Reason, longest.Episode is not null)
            : null;
    }

    private static string Described(AlertMute mute) => $"until {UtcTime.Stamp(mute.Until)}, set by {mute.Actor}: “{mute.Reason}”.";
}
