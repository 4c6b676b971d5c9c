using System.Globalization;
using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.Surfaces;

namespace AutoTicket.Intake;

/// <summary>The settings and the current time that the intake reads alerts with.</summary>
internal sealed record IntakeContext(AlertsOptions Options, DateTimeOffset Now)
{
    /// <summary>Labels that are no part of an alert's identity.</summary>
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

/// <summary>Reads and cleans the fields of one alert. A field that can't be accepted is an error; the first error is kept. A field that
/// is accepted with a change adds a remark.</summary>
internal sealed class AlertFields(JsonElement alert, IntakeContext context)
{
    public const int LongestName = 200;
    public const int LongestSource = 60;
    public const int LongestSurface = 100;
    public const int LongestId = 200;

    /// <summary>From this length on no further remark is added.</summary>
    private const int LongestRemarks = 500;

    /// <summary>Why the alert can't be read, and what to change, in a sentence; null when it can be read.</summary>
    public string? Error { get; private set; }

    /// <summary>What was changed to accept the alert, in sentences; null when nothing was changed.</summary>
    public string? Remarks { get; private set; }

    public void Fail(string error) => Error ??= error;

    private void Remark(string remark)
    {
        // One alert can hold thousands of names to change.
        if (Remarks is null || Remarks.Length < LongestRemarks)
        {
            Remarks = Remarks is null ? remark : $"{Remarks} {remark}";
        }
    }

    /// <returns>A field's text as it was sent, a number as its digits; null: it is missing.</returns>
    public string? Raw(string field) => Raw(field, Fail);

    private string? Raw(string field, Action<string> reject)
    {
        if (!alert.TryGetProperty(field, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        if (value.ValueKind == JsonValueKind.String)
        {
            return value.GetString();
        }

        if (value.ValueKind == JsonValueKind.Number)
        {
            return value.GetRawText();
        }

        reject($"“{field}” must be a string, but is {Kind(value)}.");
        return null;
    }

    /// <summary>Reads a field without which the alert is complete: one that can't be read is left out.</summary>
    private string? Optional(string field) => Raw(field, problem => Remark($"{problem} It was left out."));

    /// <returns>A field's text without control characters; null: it is missing or empty.</returns>
    /// <param name="longest">In characters. A longer text is cut and ends in a hash, so that it stays distinct.</param>
    public string? Text(string field, int longest) => Bounded($"“{field}”", Raw(field), longest);

    /// <inheritdoc cref="Text"/>
    /// <param name="label">How a remark names the text.</param>
    public string? Bounded(string label, string? text, int longest)
    {
        var stripped = AlertText.Strip(text ?? "");
        if (stripped.Length > longest)
        {
            Remark($"{label} has {stripped.Length} characters and was cut to {longest}.");
        }

        return stripped.Length == 0 ? null : AlertText.CutApart(stripped, longest);
    }

    /// <summary>Makes a missing text an error.</summary>
    public string Required(string field, string? text)
    {
        if (text is null)
        {
            Fail($"“{field}” is missing or empty: send one.");
        }

        return text ?? "";
    }

    /// <returns>A time; null: it is missing, or is Go's zero time (year 1), which means none.</returns>
    public DateTimeOffset? Time(string field)
    {
        if (Raw(field) is not { Length: > 0 } text)
        {
            return null;
        }

        if (TimeOf(field) is not { } time)
        {
            Fail(NoTime(field, text));
            return null;
        }

        return time.Year == 1 ? null : time;
    }

    /// <returns>When the alert began; a time in the future counts as now. Null: it is missing, or can't be read.</returns>
    public DateTimeOffset? Started(string field)
    {
        if (Optional(field) is not { Length: > 0 } text)
        {
            return null;
        }

        if ((TimeOf(field) ?? UnixTime(text)) is not { } time)
        {
            Remark($"{NoTime(field, text)} It was left out.");
            return null;
        }

        return time.Year == 1 ? null
            : time < context.Now ? time
            : context.Now;
    }

    /// <returns>An http or https address; null: it is missing, or can't be read.</returns>
    public string? Url(string field)
    {
        if (Optional(field) is not { Length: > 0 } text)
        {
            return null;
        }

        var url = AlertText.Url(text);
        if (url is null)
        {
            Remark($"“{field}” must be an http or https address, but is “{Shown(text)}”. It was left out.");
        }

        return url;
    }

    private static string NoTime(string field, string text) => $"“{field}” must be a time as 2026-12-24T22:00:00Z, but is “{Shown(text)}”.";

    private DateTimeOffset? TimeOf(string field)
    {
        if (alert.GetProperty(field) is not { ValueKind: JsonValueKind.String } value || !value.TryGetDateTime(out var time))
        {
            return null;
        }

        // A time without an offset is UTC, in whatever zone the console runs.
        return new(time.Kind == DateTimeKind.Unspecified ? DateTime.SpecifyKind(time, DateTimeKind.Utc) : time.ToUniversalTime());
    }

    /// <summary>Seconds since 1970 have ten digits from 2001 to 2286.</summary>
    private static DateTimeOffset? UnixTime(string text) =>
        text.Length == 10 && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            ? DateTimeOffset.FromUnixTimeSeconds(seconds)
            : null;

    /// <returns>The names and values of labels or annotations. A name with an empty value is left out, as in Prometheus.</returns>
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
            if (Bounded($"“{Shown(member.Name)}” in “{field}”", member.Name, LongestName) is not { } name)
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

    /// <returns>The severity of the first known word. Only unknown words: the severity that notifies. No word: the default.</returns>
    /// <param name="isFiring">False for a resolved alert, which gets no remark on its severity.</param>
    public Severity SeverityOf(bool isFiring, params ReadOnlySpan<string?> words)
    {
        string? unknown = null;
        foreach (var word in words)
        {
            var line = AlertText.Line(word ?? "");
            if (context.Options.SeverityOf(line) is { } severity)
            {
                return severity;
            }

            unknown ??= line.Length > 0 ? line : null;
        }

        if (unknown is null)
        {
            return context.Options.DefaultSeverity;
        }

        if (isFiring)
        {
            Remark(
                $"The severity “{Shown(unknown)}” is not known and counts as {context.Options.NotifySeverity}: "
                    + "send P1 to P4, or add the word to Alerts__SeverityMap."
            );
        }

        return context.Options.NotifySeverity;
    }

    /// <returns>Text from outside, short enough to be quoted in a message.</returns>
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
