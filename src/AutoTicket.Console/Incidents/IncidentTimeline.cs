using System.Globalization;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Flags;
using AutoTicket.Surfaces;

namespace AutoTicket.Incidents;

/// <summary>Turns the rows about an incident into its timeline. Pure: no clock, no database.</summary>
internal static class IncidentTimeline
{
    /// <summary>Of a longer timeline, entries in the middle are left out.</summary>
    public const int Most = 300;

    /// <returns>Oldest first.</returns>
    public static IReadOnlyList<IncidentEntry> Of(IncidentRows rows, TicketActivity activity)
    {
        var surface = SurfaceEntries(rows).ToList();
        List<IncidentEntry> all = [.. surface, .. AlertEntries(rows, surface)];
        var beganAt = all.Min(entry => entry.At);
        all.AddRange(FlagEntries(rows));
        all.AddRange(MaintenanceEntries(rows, beganAt));
        all.AddRange(DecisionEntries.Of(rows));
        all.AddRange(TicketEntries.Of(rows, activity, beganAt));
        List<IncidentEntry> sorted = [.. all.OrderBy(entry => entry.At).ThenBy(entry => entry.Kind)];
        if (sorted.Count > Most)
        {
            sorted.RemoveRange(Most / 2, sorted.Count - Most);
        }

        // A maintenance that was set before is no answer to the incident.
        var acknowledgment = sorted.FindIndex(entry =>
            entry.By is not null
            && entry.Kind is not IncidentEntryKind.FlagChanged
            && (entry.Kind is not IncidentEntryKind.Maintenance || entry.At > beganAt)
        );
        if (acknowledgment >= 0)
        {
            sorted[acknowledgment] = sorted[acknowledgment] with { IsAcknowledgment = true };
        }

        return sorted;
    }

    private static IEnumerable<IncidentEntry> AlertEntries(IncidentRows rows, IReadOnlyList<IncidentEntry> surface)
    {
        var alert = rows.Alert;
        if (!alert.IsSurfaceOutage && alert.Reopened == 0 && alert.StartedAt < alert.OpenedAt)
        {
            yield return new(alert.StartedAt, IncidentEntryKind.Began, $"Began, as {alert.Source} says");
        }

        // The alert has its severity of now; that of its opening is in the audit log.
        var severity = rows.Audit.FirstOrDefault(entry => entry.Action == AuditActions.AlertOpened)?.Value("severity")?.ToUpperInvariant();
        yield return new(alert.OpenedAt, IncidentEntryKind.Opened, $"Alert opened, {severity ?? alert.Severity.ToString()}", alert.Summary);

        // Only the last time is stored; a surface's readings have them all.
        if (alert.Reopened > 0 && !surface.Any(entry => entry.Kind == IncidentEntryKind.FiredAgain))
        {
            yield return new(
                alert.StartedAt > alert.OpenedAt ? alert.StartedAt : alert.OpenedAt,
                IncidentEntryKind.FiredAgain,
                "Fired again",
                alert.Reopened > 1 ? $"{alert.Reopened}× in all; this is the last time." : null
            );
        }

        if (alert.EndedAt is { } endedAt)
        {
            yield return alert.Status == AlertStatus.Expired
                ? new(endedAt, IncidentEntryKind.Expired, "Expired: the sender went silent (not a recovery)")
                : new(endedAt, IncidentEntryKind.Recovered, "Recovered");
        }
    }

    /// <summary>The readings that led to the alert, and the changes of the surface's status afterwards.</summary>
    private static IEnumerable<IncidentEntry> SurfaceEntries(IncidentRows rows)
    {
        List<SurfaceReading> bad = [.. rows.ReadingsBefore.TakeWhile(reading => IsBad(reading.Status))];
        if (bad.Count > 0)
        {
            // A surface that was degraded before it went down has two changes.
            List<SurfaceReading> changes = [.. bad.GroupBy(reading => reading.Since).Select(group => group.Last()).Reverse()];
            var confirmedAt = changes[0].Since;
            var first = rows
                .ReadingsBefore.SkipWhile(reading => reading.CheckedAt > confirmedAt)
                .TakeWhile(reading => reading.Outcome != ReadingOutcome.Ok)
                .LastOrDefault(reading => reading.Outcome != ReadingOutcome.Blind);
            if (first is not null)
            {
                yield return new(first.CheckedAt, IncidentEntryKind.FirstBadReading, "First bad reading", first.Cause);
            }

            foreach (var (change, word) in changes.Select((change, i) => (change, i == 0 ? "Confirmed" : "Now")))
            {
                yield return new(change.Since, IncidentEntryKind.Confirmed, $"{word} {Words.Of(change.Status)}", change.Cause);
            }
        }

        var isUp = false;
        for (var i = 0; i < rows.StatusChanges.Count; i++)
        {
            var change = rows.StatusChanges[i];
            if (IsBad(change.Status))
            {
                yield return isUp
                    ? new(change.CheckedAt, IncidentEntryKind.FiredAgain, $"Fired again: {Words.Of(change.Status)}", change.Cause)
                    : new(change.CheckedAt, IncidentEntryKind.Confirmed, $"Now {Words.Of(change.Status)}", change.Cause);
            }
            // The alert's own end is the last recovery.
            else if (change.Status == SurfaceStatus.Operational && (rows.Alert.IsFiring || i < rows.StatusChanges.Count - 1))
            {
                yield return new(change.CheckedAt, IncidentEntryKind.Recovered, "Recovered for a while");
            }

            isUp = !IsBad(change.Status);
        }

        static bool IsBad(SurfaceStatus status) => status is SurfaceStatus.Down or SurfaceStatus.Degraded;
    }

    /// <summary>The flags in force when the alert was opened, and their changes until it ended.</summary>
    private static IEnumerable<IncidentEntry> FlagEntries(IncidentRows rows)
    {
        var openedAt = rows.Alert.OpenedAt;
        // Scheduling a change is audited too, but changes nothing.
        List<AuditEntry> flips = [.. rows.FlagChanges.Where(entry => entry.Value("before") != entry.Value("after"))];
        var inForce = FlagNames
            .All.Select(name =>
            {
                var its = flips.Where(entry => entry.Value("flag") == name).ToList();
                var isOn =
                    its.FindLast(entry => entry.CreatedAt <= openedAt) is { } last ? last.Value("after") == "true"
                    : its.Count > 0 ? its[0].Value("before") == "true"
                    : rows.FlagsNow.TryGetValue(name, out var now) ? now
                    : (bool?)null;
                return isOn is { } known ? $"{name} {(known ? "on" : "off")}" : null;
            })
            .OfType<string>()
            .ToList();
        if (inForce.Count > 0)
        {
            yield return new(openedAt, IncidentEntryKind.Flags, "Flags in force", string.Join(", ", inForce));
        }

        foreach (var flip in flips.Where(entry => entry.CreatedAt > openedAt))
        {
            yield return new(
                flip.CreatedAt,
                IncidentEntryKind.FlagChanged,
                $"{flip.Value("flag")} switched {(flip.Value("after") == "true" ? "on" : "off")}",
                flip.Value("reason"),
                flip.Actor
            );
        }
    }

    /// <summary>Maintenance and snoozes that were set or ended during the incident, and those set before that reach into it.</summary>
    private static IEnumerable<IncidentEntry> MaintenanceEntries(IncidentRows rows, DateTimeOffset beganAt)
    {
        // The query compares text, so it may find an entry about another surface.
        List<AuditEntry> its =
        [
            .. rows.Audit.Where(entry =>
                IncidentAudit.OfMaintenance.Contains(entry.Action)
                && (entry.Value("alert_key") == rows.Alert.AlertKey || (rows.Alert.Surface is { } key && entry.Value("surface") == key))
            ),
        ];
        return from entry in its
            let isEnd = IsEnd(entry)
            let until = isEnd ? null : entry.Time("ends_at")
            let isWeekly = !isEnd && entry.Value("weekly_days") is not null
            where entry.CreatedAt >= beganAt || (!isEnd && Reaches(entry, until, its, beganAt))
            let word = entry.Action[(entry.Action.LastIndexOf('.') + 1)..].Replace('_', ' ')
            select new IncidentEntry(
                entry.CreatedAt,
                IncidentEntryKind.Maintenance,
                (entry.Action.Contains("maintenance", StringComparison.Ordinal) ? $"Maintenance {word}" : $"Alert {word}")
                    + (
                        isWeekly ? $", weekly: {entry.Value("weekly_days")} {entry.Value("weekly_at")} {entry.Value("time_zone")}"
                        : until is null ? ""
                        : entry.Time("starts_at") is { } starts && starts > entry.CreatedAt
                            ? $" from {UtcTime.Stamp(starts)} until {UtcTime.Stamp(until.Value)}"
                        : $" until {UtcTime.Stamp(until.Value)}"
                    ),
                entry.Value("reason"),
                entry.Actor
            );
    }

    private static bool IsEnd(AuditEntry entry) =>
        entry.Action is AuditActions.MaintenanceEnded or AuditActions.MaintenanceCanceled or AuditActions.AlertUnsnoozed;

    /// <returns>Whether what was set before the incident was not over when it began.</returns>
    private static bool Reaches(AuditEntry entry, DateTimeOffset? until, List<AuditEntry> its, DateTimeOffset beganAt)
    {
        // The last maintenance of a weekly one outlasts the end of its series.
        var lasts = int.TryParse(entry.Value("weekly_minutes"), CultureInfo.InvariantCulture, out var minutes) ? minutes : 0;
        return !(until?.AddMinutes(lasts) < beganAt)
            // It ended with an earlier incident.
            && entry.Value("until_recovery") != "true"
            && !its.Exists(end => end.CreatedAt > entry.CreatedAt && end.CreatedAt < beganAt && Ends(end, entry));
    }

    private static bool Ends(AuditEntry end, AuditEntry entry) =>
        entry.Action == AuditActions.AlertSnoozed
            ? end.Action == AuditActions.AlertUnsnoozed
            : IsEnd(end)
                && entry.Value("window_id") is { } window
                && end.Value("window_id") == window
                // A weekly one begins again after its current maintenance was ended.
                && (end.Action == AuditActions.MaintenanceCanceled || entry.Value("weekly_days") is null);
}
