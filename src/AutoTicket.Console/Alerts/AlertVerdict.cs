using System.Globalization;

namespace AutoTicket.Alerts;

/// <summary>One sentence about the DM and the ticket of an alert, and why one is missing.</summary>
internal static class AlertVerdict
{
    public static string Of(AlertView alert)
    {
        var ticket = Last(alert, DecisionSources.Ticket);
        var dm = Last(alert, DecisionSources.Slack);
        return (alert.DmSentAt, alert.Ticket) switch
        {
            (null, null) when ticket is null && dm is null && BelowSeverity(alert) is { } below =>
                $"No ticket and no DM: {below.Detail ?? Sentence(below)}",
            (null, null) when alert.Mute is { } mute =>
                $"No ticket and no DM until {UtcTime.Stamp(mute.Until)}: {(mute.IsSnooze ? "snoozed" : "in maintenance")} by {mute.Actor}.",
            (null, null) when ticket is null && dm is null =>
                "No ticket and no DM yet. If this lasts over a minute, check Diagnostics: a hook or the leader is missing.",
            (null, null) => $"No ticket and no DM. Ticket: {Sentence(ticket)} DM: {Sentence(dm)}",
            (not null, null) => $"DM sent. No ticket: {Sentence(ticket)}",
            (null, { FiledBy: { } who } its) when dm is null && BelowSeverity(alert) is { } below =>
                $"{Filed(its, who)}. No DM: {below.Detail ?? Sentence(below)}",
            (null, { FiledBy: { } who } its) => $"{Filed(its, who)}. No DM: {Sentence(dm)}",
            (null, not null) when dm is { Detail: { Length: > 0 } problem } && DecisionWord.Stored(dm.Word).IsDegraded =>
                $"Ticket filed. DM failed ({problem.TrimEnd('.')}), retrying.",
            (null, not null) => $"Ticket filed. No DM: {Sentence(dm)}",
            (not null, { FiledBy: { } who } its) => $"{Filed(its, who)}. DM sent.",
            _ => "Ticket filed, DM sent.",
        };
    }

    private static string Filed(AlertTicket ticket, string who) =>
        $"Ticket #{ticket.Number?.ToString(CultureInfo.InvariantCulture) ?? "?"}, filed by {who}";

    /// <summary>The alert needs neither a ticket nor a DM.</summary>
    public static bool IsBelowThreshold(AlertView alert) =>
        Last(alert, DecisionSources.Ticket) is null && Last(alert, DecisionSources.Slack) is null && BelowSeverity(alert) is not null;

    /// <returns>Null for an alert that got worse since, until a hook decides.</returns>
    private static AlertDecision? BelowSeverity(AlertView alert) =>
        alert.ReachesHooks
            ? null
            : alert.Decisions.LastOrDefault(decision =>
                decision.Path == DecisionSources.Intake && decision.Word == DecisionWord.BelowSeverity.Text
            );

    private static AlertDecision? Last(AlertView alert, string path) => alert.Decisions.LastOrDefault(decision => decision.Path == path);

    private static string Sentence(AlertDecision? decision) =>
        decision is null ? "not tried yet."
        : decision.Word == DecisionWord.BreakerTripped.Text && decision.Detail is { Length: > 0 } flood
            ? char.ToLowerInvariant(flood[0]) + flood[1..]
        : decision.Detail is { Length: > 0 } detail ? $"{decision.Word}. {detail}"
        : $"{decision.Word}.";
}
