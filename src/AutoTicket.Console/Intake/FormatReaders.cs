using System.Text.Json;
using AutoTicket.Alerts;

namespace AutoTicket.Intake;

/// <summary>Turns the fields of each of the three formats into an observation. An alert expires when its sender stops repeating
/// it.</summary>
internal static class FormatReaders
{
    /// <summary>An alert of Alertmanager expires after this time at the earliest. Alertmanager repeats it after 5 days at the latest,
    /// because it keeps its records for so long.</summary>
    private static readonly TimeSpan LongestRepeatInterval = TimeSpan.FromDays(7);

    private static readonly string[] TextAnnotations = ["summary", "description", "message"];

    /// <summary>The console's own format, of <c>POST /api/alerts</c>.</summary>
    public static Observation Generic(AlertFields fields, IntakeContext context)
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
            // A resolved alert needs neither severity nor summary.
            fields.Required("severity", IsBlank(severity) ? null : severity);
            fields.Required("summary", IsBlank(summary) ? null : summary);
        }

        var (brief, full) = AlertText.Summary(IsBlank(summary) ? name : summary!);
        var labels = AlertLabels.Of(fields.Map("labels"), context);
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
            fields.Url("url"),
            labels.All,
            fields.Started("starts_at"),
            isFiring ? context.Now + context.Options.ExpireAfter : null
        );
    }

    /// <summary>What Prometheus sends to an Alertmanager: an alert fires until <c>endsAt</c>, which each repetition extends.</summary>
    public static Observation Prometheus(AlertFields fields, IntakeContext context)
    {
        var ends = fields.Time("endsAt");
        var isFiring = ends is not { } at || at > context.Now;
        return Labeled(fields, "prometheus", isFiring, context, expiresAt: ends ?? (context.Now + context.Options.ExpireAfter));
    }

    /// <summary>What an Alertmanager or Grafana sends to a webhook receiver. It reports the end, and repeats only every
    /// <c>repeat_interval</c>, so its alerts expire late, if they have no <c>endsAt</c>. Of overlapping alerts it keeps the earliest
    /// <c>startsAt</c>: a later one shows that a lost end came before.</summary>
    public static Observation Alertmanager(AlertFields fields, IntakeContext context)
    {
        var isFiring = IsFiring(fields);
        var ends = fields.Time("endsAt");
        if (ends > context.Now)
        {
            return Labeled(fields, "alertmanager", isFiring, context, expiresAt: ends);
        }

        var alert = Labeled(fields, "alertmanager", isFiring, context, context.Now + ExpireAfter(context.Options));
        // A start in the future counts as now, so at each repeat it is another one.
        return alert with { HasExactStart = alert.StartsAt < context.Now };

        static TimeSpan ExpireAfter(AlertsOptions options) =>
            options.ExpireAfter > LongestRepeatInterval ? options.ExpireAfter : LongestRepeatInterval;
    }

    /// <summary>Reads an alert that consists of labels and annotations. Without <c>alertname</c> its name is its <c>rule</c> or its text,
    /// and only its labels identify it.</summary>
    private static Observation Labeled(AlertFields fields, string source, bool isFiring, IntakeContext context, DateTimeOffset? expiresAt)
    {
        var all = fields.Map("labels");
        if (all.Count == 0)
        {
            fields.Fail("“alertname” is missing, and so is every other label: send at least one label.");
        }

        var own = fields.Bounded("“alertname”", all.GetValueOrDefault("alertname"), AlertFields.LongestName);
        var surface = fields.Bounded("“surface”", all.GetValueOrDefault("surface"), AlertFields.LongestSurface);
        var notes = fields.Map("annotations");
        var text = TextAnnotations.Select(note => notes.GetValueOrDefault(note)).FirstOrDefault(note => !IsBlank(note));
        var name =
            own
            ?? fields.Bounded("“rule”", all.GetValueOrDefault("rule"), AlertFields.LongestName)
            ?? (text is null ? "unnamed" : AlertText.Cut(AlertText.Line(text), AlertFields.LongestName));
        var (brief, full) = AlertText.Summary(text ?? name);
        var labels = AlertLabels.Of(all, context, "alertname", "surface");
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
            fields.Url("generatorURL"),
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

/// <summary>An alert's labels by their purpose.</summary>
/// <param name="Identity">The labels that identify the alert.</param>
/// <param name="Variant">The ignored labels, as <c>name=value</c> joined by commas.</param>
/// <param name="All">All labels as a JSON object, for people to read.</param>
internal sealed record AlertLabels(IReadOnlyDictionary<string, string> Identity, string Variant, string All)
{
    /// <summary>In characters. It is short because each member of an episode stores a variant.</summary>
    private const int LongestVariant = 200;

    /// <param name="fields">Labels that are read as fields of the alert, so they don't count as identity.</param>
    public static AlertLabels Of(IReadOnlyDictionary<string, string> labels, IntakeContext context, params ReadOnlySpan<string> fields)
    {
        var identity = new Dictionary<string, string>(StringComparer.Ordinal);
        var ignored = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var all = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in labels)
        {
            all[name] = AlertText.Strip(value);
            if (context.IgnoredLabels.Contains(name))
            {
                ignored[name] = all[name];
            }
            else if (!fields.Contains(name))
            {
                identity[name] = all[name];
            }
        }

        var variant = AlertText.CutApart(string.Join(',', ignored.Select(label => $"{label.Key}={label.Value}")), LongestVariant);
        return new(identity, variant, JsonSerializer.Serialize(all));
    }
}
