using System.Text.Json;
using AutoTicket.Surfaces;

namespace AutoTicket.Alerts;

/// <summary>What an intake reads alerts by.</summary>
internal sealed record IntakeRules(AlertsOptions Options, DateTimeOffset Now)
{
    /// <summary>Labels that don't count for the identity.</summary>
    public IReadOnlySet<string> Aside { get; } =
        new HashSet<string>(Options.VolatileLabels.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries), StringComparer.Ordinal) { "severity", "priority" };
}

/// <summary>The fields of one alert, cleaned as they are read. What is wrong with one is a sentence that says what to change;
/// the first is kept.</summary>
internal sealed class AlertFields(JsonElement alert, IntakeRules rules)
{
    public const int LongestName = 200;
    public const int LongestSource = 60;
    public const int LongestSurface = 100;
    public const int LongestId = 200;

    public string? Mistake { get; private set; }

    public void Fail(string mistake) => Mistake ??= mistake;

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
    /// <param name="longest">It is part of the identity, so a longer one is refused rather than cut.</param>
    public string? Text(string field, int longest) => Bounded(field, Raw(field), longest);

    public string? Bounded(string field, string? text, int longest)
    {
        var stripped = AlertText.Strip(text ?? "");
        if (stripped.Length > longest)
        {
            Fail($"“{field}” has {stripped.Length} characters, but may have {longest}: shorten it.");
        }

        return stripped.Length == 0 ? null : stripped;
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
    public DateTimeOffset? Started(string field) => Time(field) is { } time ? time < rules.Now ? time : rules.Now : null;

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
            var name = AlertText.Strip(member.Name);
            if (name.Length is 0 or > LongestName)
            {
                Fail($"A name in “{field}” must have 1 to {LongestName} characters, but “{Shown(name)}” has {name.Length}.");
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

    /// <param name="word">Null: it has none.</param>
    /// <param name="isFiring">An alert that ends, ends whatever its severity.</param>
    public Severity SeverityOf(string? word, bool isFiring)
    {
        if (word is null || rules.Options.SeverityOf(word.Trim()) is not { } severity)
        {
            if (word is not null && isFiring)
            {
                Fail($"The severity “{Shown(word)}” is neither P1 to P4 nor a word of Alerts__SeverityMap: send one of these, or add the word there.");
            }

            return rules.Options.DefaultSeverity;
        }

        return severity;
    }

    /// <summary>Text of theirs in a sentence of ours.</summary>
    public static string Shown(string text) => AlertText.Cut(AlertText.Line(text), 60);

    public static string Kind(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.Null => "null",
        _ => "true or false",
    };
}
