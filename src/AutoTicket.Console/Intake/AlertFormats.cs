using AutoTicket.Alerts;

namespace AutoTicket.Intake;

/// <summary>Turns the fields of the three formats into observations. An alert expires unless its sender repeats it or promises to tell
/// of its end.</summary>
internal static class AlertFormats
{
    private static readonly string[] Notes = ["summary", "description", "message"];

    /// <summary>Our own: <c>POST /api/alerts</c>.</summary>
    public static Observation Generic(AlertFields fields, IntakeRules rules)
    {
        var source = fields.Text("source", AlertFields.LongestSource) ?? "api";
        if (source == Observation.Console)
        {
            fields.Fail("“source” must not be “console”: those alerts are the console's own.");
        }

        var name = fields.Required("name", fields.Text("name", AlertFields.LongestName));
        var isFiring = IsFiring(fields);
        var severity = fields.Raw("severity");
        var summary = fields.Raw("summary");
        if (isFiring)
        {
            // An end need not say again what it is the end of.
            fields.Required("severity", IsBlank(severity) ? null : severity);
            fields.Required("summary", IsBlank(summary) ? null : summary);
        }

        var (brief, full) = AlertText.Summary(IsBlank(summary) ? name : summary!);
        var labels = AlertLabels.Of(fields.Map("labels"), rules);
        return new(
            source,
            name,
            fields.Text("surface", AlertFields.LongestSurface),
            fields.SeverityOf(isFiring, severity),
            brief,
            isFiring,
            labels.Identity,
            labels.Variant,
            fields.Text("alert_id", AlertFields.LongestId),
            full,
            AlertText.Url(fields.Raw("url")),
            labels.All,
            fields.Started("starts_at"),
            isFiring ? rules.Now + rules.Options.ExpireAfter : null
        );
    }

    /// <summary>What Prometheus sends to an Alertmanager: it fires until its end, and says anew how long that is off.</summary>
    public static Observation Prometheus(AlertFields fields, IntakeRules rules)
    {
        var ends = fields.Time("endsAt");
        var isFiring = !(ends <= rules.Now);
        return Labelled(fields, "prometheus", isFiring, rules, expiresAt: ends ?? (rules.Now + rules.Options.ExpireAfter));
    }

    /// <summary>What an Alertmanager or Grafana sends to a webhook receiver. It tells of the end, and repeats as seldom as its
    /// <c>repeat_interval</c> says: silence does not end its alerts.</summary>
    public static Observation Alertmanager(AlertFields fields, IntakeRules rules)
    {
        var isFiring = IsFiring(fields);
        var ends = fields.Time("endsAt");
        return Labelled(fields, "alertmanager", isFiring, rules, expiresAt: ends > rules.Now ? ends : null);
    }

    /// <summary>Any labels make an alert. One without <c>alertname</c> is called by its <c>rule</c>, else its text, and its labels alone
    /// are its identity.</summary>
    private static Observation Labelled(AlertFields fields, string source, bool isFiring, IntakeRules rules, DateTimeOffset? expiresAt)
    {
        var all = fields.Map("labels");
        if (all.Count == 0)
        {
            fields.Fail("“alertname” is missing, and so is every other label: send one.");
        }

        var own = fields.Bounded("alertname", all.GetValueOrDefault("alertname"), AlertFields.LongestName);
        var surface = fields.Bounded("surface", all.GetValueOrDefault("surface"), AlertFields.LongestSurface);
        var notes = fields.Map("annotations");
        var text = Notes.Select(note => notes.GetValueOrDefault(note)).FirstOrDefault(note => !IsBlank(note));
        var name =
            own
            ?? fields.Bounded("rule", all.GetValueOrDefault("rule"), AlertFields.LongestName)
            ?? (text is null ? "unnamed" : AlertText.Cut(AlertText.Line(text), AlertFields.LongestName));
        var (brief, full) = AlertText.Summary(text ?? name);
        var labels = AlertLabels.Of(all, rules, "alertname", "surface");
        return new(
            source,
            name,
            surface,
            fields.SeverityOf(isFiring, all.GetValueOrDefault("severity"), all.GetValueOrDefault("priority")),
            brief,
            isFiring,
            labels.Identity,
            labels.Variant,
            ProducerId: null,
            full,
            AlertText.Url(fields.Raw("generatorURL")),
            labels.All,
            fields.Started("startsAt"),
            isFiring ? expiresAt : null,
            IsNamed: own is not null
        );
    }

    private static bool IsBlank(string? text) => text is null || AlertText.Line(text).Length == 0;

    private static bool IsFiring(AlertFields fields)
    {
        var status = fields.Raw("status")?.Trim();
        var isFiring = string.Equals(status, "firing", StringComparison.OrdinalIgnoreCase);
        if (!isFiring && !string.Equals(status, "resolved", StringComparison.OrdinalIgnoreCase))
        {
            fields.Fail(
                string.IsNullOrEmpty(status)
                    ? "“status” is missing: send firing or resolved."
                    : $"“status” must be firing or resolved, but is “{AlertFields.Shown(status)}”."
            );
        }

        return isFiring;
    }
}
