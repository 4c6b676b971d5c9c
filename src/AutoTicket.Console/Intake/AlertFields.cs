using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.Surfaces;

namespace AutoTicket.Intake;

/// <summary>What an intake reads alerts by.</summary>
internal sealed record IntakeRules(AlertsOptions Options, DateTimeOffset Now)
{
    /// <summary>Labels that don't count for the identity.</summary>
    public IReadOnlySet<string> IgnoredLabels { get; } =
        new HashSet<string>(
            Options.VolatileLabels.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries),
            StringComparer.Ordinal
        )
        {
            "severity",
            "priority",
        };
}

/// <summary>The fields of one alert, cleaned as they are read. What is wrong with one is a sentence that says what to change;
/// the first is kept. What can be taken all the same is, with a remark.</summary>
internal sealed class AlertFields(JsonElement alert, IntakeRules rules)
{
    public const int LongestName = 200;
    public const int LongestSource = 60;
    public const int LongestSurface = 100;
    public const int LongestId = 200;

    public string? Mistake { get; private set; }

    /// <summary>What was taken otherwise than it was sent, in sentences; null: nothing.</summary>
    public string? Remarks { get; private set; }

    public void Fail(string mistake) => Mistake ??= mistake;

    private void Remark(string remark) => Remarks = Remarks is null ? remark : $"{Remarks} {remark}";

    /// <summary>A field's text as it came; null: there is none.</summary>
    public string? Raw(string field)
    {
        if (!alert.TryGetProperty(field, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        if (value.ValueKind == JsonValueKind.String)
        {
            return value.GetString();
        }

        Fail($"“{field}” must be a string, but is {Kind(value)}.");
        return null;
    }

    /// <summary>A field's text without control characters; null: there is none, or it is empty.</summary>
    /// <param name="longest">In characters. A longer one is cut so that it stays another than those that begin alike.</param>
    public string? Text(string field, int longest) => Bounded(field, Raw(field), longest);

    public string? Bounded(string field, string? text, int longest)
    {
        var stripped = AlertText.Strip(text ?? "");
        if (stripped.Length > longest)
        {
            Remark($"“{field}” has {stripped.Length} characters and was cut to {longest}.");
        }

        return stripped.Length == 0 ? null : AlertText.CutApart(stripped, longest);
    }

    /// <summary>The same, of a field that must be there.</summary>
    public string Required(string field, string? text)
    {
        if (text is null)
        {
            Fail($"“{field}” is missing or empty: send one.");
        }

        return text ?? "";
    }

    /// <summary>When something began or ends; the zero time, which Go writes for none, is none.</summary>
    public DateTimeOffset? Time(string field)
    {
        if (Raw(field) is not { Length: > 0 } text)
        {
            return null;
        }

        if (!alert.GetProperty(field).TryGetDateTime(out var time))
        {
            Fail($"“{field}” must be a time as 2026-12-24T22:00:00Z, but is “{Shown(text)}”.");
            return null;
        }

        // Without an offset it is UTC, wherever the console runs.
        var utc = time.Kind == DateTimeKind.Unspecified ? DateTime.SpecifyKind(time, DateTimeKind.Utc) : time.ToUniversalTime();
        return utc.Year == 1 ? null : new DateTimeOffset(utc);
    }

    /// <summary>When it began; what lies in the future begins now.</summary>
    public DateTimeOffset? Started(string field) =>
        Time(field) is { } time
            ? time < rules.Now
                ? time
                : rules.Now
            : null;

    /// <summary>Names and values: labels or annotations. An empty value is none, as in Prometheus.</summary>
    public Dictionary<string, string> Map(string field)
    {
        var map = new Dictionary<string, string>(StringComparer.Ordinal);
        if (!alert.TryGetProperty(field, out var members) || members.ValueKind == JsonValueKind.Null)
        {
            return map;
        }

        if (members.ValueKind != JsonValueKind.Object)
        {
            Fail($"“{field}” must be an object of names and values, but is {Kind(members)}.");
            return map;
        }

        foreach (var member in members.EnumerateObject())
        {
            if (Bounded($"{Shown(member.Name)}” in “{field}", member.Name, LongestName) is not { } name)
            {
                Remark($"A name in “{field}” is empty and was left out.");
                continue;
            }

            var value = member.Value.ValueKind switch
            {
                JsonValueKind.String => member.Value.GetString()!,
                JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False => member.Value.GetRawText(),
                _ => "",
            };
            if (member.Value.ValueKind is JsonValueKind.Object or JsonValueKind.Array)
            {
                Fail($"“{Shown(name)}” in “{field}” must be a string, but is {Kind(member.Value)}.");
            }
            else if (value.Length > 0 && !map.TryAdd(name, value))
            {
                Fail($"“{Shown(name)}” is twice in “{field}”: send it once.");
            }
        }

        return map;
    }

    /// <summary>By the first word that is known. No alert is lost, nor kept quiet, for a word that is not.</summary>
    /// <param name="isFiring">An alert that ends, ends whatever its severity.</param>
    public Severity SeverityOf(bool isFiring, params ReadOnlySpan<string?> words)
    {
        string? unknown = null;
        foreach (var word in words)
        {
            var line = AlertText.Line(word ?? "");
            if (rules.Options.SeverityOf(line) is { } severity)
            {
                return severity;
            }

            unknown ??= line.Length > 0 ? line : null;
        }

        if (unknown is null)
        {
            return rules.Options.DefaultSeverity;
        }

        if (isFiring)
        {
            Remark(
                $"The severity “{Shown(unknown)}” is not known and counts as {rules.Options.NotifySeverity}: "
                    + "send P1 to P4, or add the word to Alerts__SeverityMap."
            );
        }

        return rules.Options.NotifySeverity;
    }

    /// <summary>Text of theirs in a sentence of ours.</summary>
    public static string Shown(string text) => AlertText.Cut(AlertText.Line(text), 60);

    public static string Kind(JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.Object => "an object",
            JsonValueKind.Array => "an array",
            JsonValueKind.String => "a string",
            JsonValueKind.Number => "a number",
            JsonValueKind.Null => "null",
            _ => "true or false",
        };
}
