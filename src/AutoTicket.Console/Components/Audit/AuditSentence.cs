using System.Globalization;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Flags;
using AutoTicket.Hosting;
using AutoTicket.Security;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;

namespace AutoTicket.Components.Audit;

/// <summary>A part of a sentence: text, a link, or a time.</summary>
/// <param name="Url">A page of the console, or a ticket in FreeScout.</param>
internal sealed record AuditPart(string Text, string? Url = null, DateTimeOffset? At = null);

/// <summary>Says what an entry of the audit log records, in one sentence. The entry's values are shown elsewhere.</summary>
internal static class AuditSentence
{
    /// <remarks>An entry that lacks a value of its sentence, or has an unknown action, is shown as its actor and action.</remarks>
    public static IReadOnlyList<AuditPart> Of(AuditEntry entry) => Parts(Template(entry), entry) ?? Parts("{actor}: {action}", entry)!;

    // A name in braces stands for a value, which may itself contain braces.
    private static string Template(AuditEntry entry) =>
        entry.Action switch
        {
            AuditActions.AlertOpened when entry.Value("name") == Observation.SurfaceOutage && entry.Actor == Observation.Console =>
                "The console found surface {surface} down or degraded ({severity})",
            AuditActions.AlertOpened => $"{{actor}} reported {{severity}} alert {{alert}}{Ahead(entry, " on surface {surface}")}",
            AuditActions.AlertTicketFiled or AuditActions.InvestigateFiled => "{actor} filed ticket {ticket} for {about} ({severity})"
                + (SourceOf(entry) is null or Observation.Console ? "" : " from {source}")
                + (Is(entry, "adopted") ? "; FreeScout's response was lost, and a look-up found the ticket" : ""),
            AuditActions.InvestigateReused => "{actor} investigated {about}: ticket {ticket} was open already",
            AuditActions.ParkedRetried => "{actor} retried an alert from {intake} that could not be read: {reason}",
            AuditActions.ParkedDiscarded => "{actor} discarded an alert from {intake} that could not be read: {reason}",
            AuditActions.FloodTripped =>
                $"The flood breaker paused tickets for alerts{Ahead(entry, " from {scope}")} until {{until}}: {{filed}} were filed",
            AuditActions.FloodReset => $"{{actor}} reset the flood breaker{Ahead(entry, " of {scope}")}"
                + (Is(entry, "overridden") ? " although a sender changes its alert ids: {reason}" : ": {reason}"),
            AuditActions.AlertSnoozed when Is(entry, "until_recovery") =>
                "{actor} snoozed alert {alert} until it recovers, at most until {ends_at}: {reason}",
            AuditActions.AlertSnoozed => "{actor} snoozed alert {alert} until {ends_at}: {reason}",
            AuditActions.AlertUnsnoozed => "{actor} ended the snooze of alert {alert}",
            AuditActions.MaintenanceStarted => "{actor} started maintenance of surface {surface} until {ends_at}: {reason}",
            AuditActions.MaintenanceScheduled when entry.Value("weekly_days") is not null =>
                "{actor} planned maintenance of surface {surface} every {weekly_days} at {weekly_at} ({time_zone}): {reason}",
            AuditActions.MaintenanceScheduled => "{actor} planned maintenance of surface {surface} from {starts_at} to {ends_at}: {reason}",
            AuditActions.MaintenanceRecorded =>
                "{actor} recorded a past maintenance of surface {surface} from {starts_at} to {ends_at}: {reason}",
            AuditActions.MaintenanceEnded => "{actor} ended maintenance of surface {surface}",
            AuditActions.MaintenanceCanceled => "{actor} canceled planned maintenance of surface {surface}",
            AuditActions.TicketResolving => "{actor} began to resolve ticket {ticket}",
            AuditActions.TicketResolved => "{actor} resolved ticket {ticket}",
            AuditActions.TicketNotResolved => "{actor} tried to resolve ticket {ticket}, but it was not resolved",
            AuditActions.TicketTaking => "{actor} began to assign ticket {ticket} to {to}",
            AuditActions.TicketTaken => $"{{actor}} assigned ticket {{ticket}} to {{to}}{Ahead(entry, ", who took it over from {from}")}",
            AuditActions.TicketReconciled => entry.Value("repair") switch
            {
                "tags" => "{actor} put missing tags of ticket {ticket} back",
                "adopted" => "{actor} adopted ticket {ticket} for {about}, which the console did not know",
                _ => "{actor} filed ticket {ticket} for {about}; the console found it in FreeScout again",
            },
            AuditActions.FindingDismissed when entry.Value("conversation_id") is null =>
                "{actor} dismissed the filing “{detail}”, which created no ticket: {reason}",
            AuditActions.FindingDismissed => "{actor} dismissed the difference “{finding}” of ticket {ticket}: {reason}",
            AuditActions.FlagChanged => OfFlag(entry),
            AuditActions.TestDmSent => "{actor} asked for a test DM",
            AuditActions.TestTicketFiled => "{actor} filed test ticket {ticket}",
            AuditActions.SignedIn => "{actor} signed in as {role}",
            AuditActions.SignedOut => entry.Value("why") is "signed out" or "signed out everywhere"
                ? "{actor} {why}"
                : "{actor} was signed out: {why}",
            AuditActions.Denied => OfDenial(entry),
            _ => "",
        };

    private static string OfFlag(AuditEntry entry)
    {
        var isSwitched = entry.Value("before") != entry.Value("after");
        var isScheduled = entry.Value("scheduled_for") is not null && entry.Value("scheduled_to") != entry.Value("after");
        return (isSwitched, isScheduled) switch
        {
            (true, true) => "{actor} switched {flag} {after} for {duration}: {reason}",
            (true, false) => "{actor} switched {flag} {after}: {reason}",
            (false, true) => "{actor} planned to switch {flag} {scheduled_to} at {scheduled_for}: {reason}",
            _ => "{actor} left {flag} {after}: {reason}",
        };
    }

    private static string OfDenial(AuditEntry entry) =>
        entry.Value("why") switch
        {
            "wrong password" => "A sign-in from {address} was denied: wrong password"
                + (Is(entry, "locked_out") ? "; its next tries are locked out" : ""),
            "wrong token" => $"{Tries(entry)} from {{address}} with a wrong token: {{tried}}",
            "no role" => "{actor} was denied the sign-in: no role",
            _ => $"{{actor}} ({entry.Value("role") ?? "signed out"}) was denied “{{tried}}”: needs the {{takes}} role",
        };

    private static string Tries(AuditEntry entry) => entry.Value("tries") is { } tries and not "1" ? $"{tries} requests" : "A request";

    private static string Ahead(AuditEntry entry, string template) =>
        entry.Value(template[(template.IndexOf('{', StringComparison.Ordinal) + 1)..^1]) is { Length: > 0 } ? template : "";

    private static bool Is(AuditEntry entry, string name) => entry.Value(name) == "true";

    /// <returns>Null: a value is missing.</returns>
    private static List<AuditPart>? Parts(string template, AuditEntry entry)
    {
        var parts = new List<AuditPart>();
        for (var rest = template.AsSpan(); rest.Length > 0; )
        {
            var open = rest.IndexOf('{');
            if (open != 0)
            {
                var text = open < 0 ? rest : rest[..open];
                parts.Add(new(text.ToString()));
                rest = rest[text.Length..];
                continue;
            }

            var close = rest.IndexOf('}');
            if (Part(rest[1..close].ToString(), entry) is not { } part)
            {
                return null;
            }

            parts.Add(part);
            rest = rest[(close + 1)..];
        }

        return parts is [] ? null : parts;
    }

    private static AuditPart? Part(string name, AuditEntry entry) =>
        (name, entry.Value(name)) switch
        {
            ("action", _) => new(entry.Action),
            ("actor", _) => new(ActorOf(entry.Actor)),
            ("ticket", _) => TicketOf(entry),
            ("about", _) => Part("surface", entry) is { } surface ? surface with { Text = $"surface {surface.Text}" }
            : AlertOf(entry) is { } alert ? alert with { Text = $"alert {alert.Text}" }
            : null,
            ("alert", _) => AlertOf(entry),
            ("source", _) => SourceOf(entry) is { } source ? new(source) : null,
            ("duration", _) => entry.Time("scheduled_for") is { } until ? new(Durations.Text(until - entry.CreatedAt)) : null,
            (_, null or "") => null,
            ("surface", var key) => new(key, Surface.PathOf(key)),
            ("flag", FlagNames.AlertsAutoTicket or FlagNames.InvestigateFromStatus) => new($"“{FlagNames.TitleOf(entry.Value(name)!)}”"),
            ("severity", var severity) => new(severity.ToUpperInvariant()),
            ("before" or "after" or "scheduled_to", var value) => new(value == "true" ? "on" : "off"),
            ("until" or "starts_at" or "ends_at" or "scheduled_for", _) when entry.Time(name) is { } at => new("", At: at),
            (_, var value) => new(value),
        };

    private static AuditPart? AlertOf(AuditEntry entry) =>
        entry.Value("alert_key") is { Length: > 0 } key
            ? new(entry.Value("name") ?? key, $"/console/alerts/{Uri.EscapeDataString(key)}")
            : null;

    private static AuditPart? TicketOf(AuditEntry entry) =>
        long.TryParse(entry.Value("ticket_number"), CultureInfo.InvariantCulture, out var number)
            ? new(TicketNumber.Of(number), entry.Value("url"))
        : entry.Value("conversation_id") is { Length: > 0 } id ? new(id, entry.Value("url"))
        : null;

    /// <summary>Who sent the alert for which the console filed a ticket.</summary>
    private static string? SourceOf(AuditEntry entry) =>
        entry.Actor.StartsWith(FloodBudget.FiledByAlert, StringComparison.Ordinal) ? entry.Actor[FloodBudget.FiledByAlert.Length..] : null;

    private static string ActorOf(string actor) =>
        actor switch
        {
            "environment" => "The environment",
            Observation.Console or FloodBreaker.Actor => "The console",
            _ when actor.StartsWith("console:", StringComparison.Ordinal) => "The console",
            _ when actor.StartsWith(FloodBudget.FiledByAlert, StringComparison.Ordinal) => "The console",
            _ => ProviderSignIn.NameIn(actor)!,
        };
}
