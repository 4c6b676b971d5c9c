using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using AutoTicket.Alerts;

namespace AutoTicket.Intake;

/// <summary>The alert that was read, or what is wrong with it and what to change.</summary>
internal readonly record struct AlertReading(Observation? Observation, string? Error);

/// <summary>A JSON format of alerts, and how to read it.</summary>
/// <param name="Name">The word in <see cref="ParkedAlert.Intake"/>.</param>
internal sealed record AlertFormat(string Name, Func<AlertFields, IntakeContext, Observation> Observe)
{
    /// <summary>Upper bound of one alert, in bytes.</summary>
    public const int LongestAlert = 256 * 1024;

    /// <summary>How many characters of a parked alert are kept.</summary>
    public const int LongestKept = 16_000;

    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = 32, AllowDuplicateProperties = false };

    public static readonly AlertFormat Generic = new("generic", FormatReaders.Generic);
    public static readonly AlertFormat Prometheus = new("prometheus", FormatReaders.Prometheus);
    public static readonly AlertFormat Alertmanager = new("alertmanager", FormatReaders.Alertmanager);

    public static AlertFormat? Of(string name) => new[] { Generic, Prometheus, Alertmanager }.FirstOrDefault(format => format.Name == name);

    /// <summary>Reads one alert. It never throws, whatever the alert holds.</summary>
    public AlertReading Read(ReadOnlyMemory<byte> json, IntakeContext context)
    {
        if (json.Length > LongestAlert)
        {
            return new(
                null,
                $"It has {json.Length / 1024} kB, but the limit is {LongestAlert / 1024} kB: send less text, and a link to the rest."
            );
        }

        if (!Utf8.IsValid(json.Span))
        {
            return new(null, "It is not UTF-8: encode the request as UTF-8.");
        }

        try
        {
            using var document = JsonDocument.Parse(json, Strict);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
            {
                return new(null, $"An alert must be a JSON object, but this is {AlertFields.Kind(document.RootElement)}.");
            }

            var fields = new AlertFields(document.RootElement, context);
            var observation = Observe(fields, context);
            return fields.Error is { } error ? new(null, error) : new(observation with { Remark = fields.Remarks }, null);
        }
        catch (JsonException exception)
        {
            return new(null, $"It is not valid JSON: {AlertText.Cut(AlertText.Line(exception.Message), 300)}");
        }
    }

    /// <returns>The row to park for an alert that can't be read.</returns>
    public ParkedAlert Park(ReadOnlyMemory<byte> json, string reason, DateTimeOffset now)
    {
        // A character has at most four bytes: bytes beyond four per kept character need no decoding.
        var text = Encoding.UTF8.GetString(json.Span[..Math.Min(json.Length, LongestKept * 4)]).Replace('\0', '\uFFFD');
        var cut = CleanText.Cut(text, LongestKept);
        return new ParkedAlert
        {
            ReceivedAt = now,
            Intake = Name,
            Reason = reason,
            Text = cut,
            IsWhole = cut.Length == text.Length && json.Length <= LongestKept * 4 && Utf8.IsValid(json.Span),
        };
    }
}
