using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace AutoTicket.Sandbox;

/// <summary>Reads what was sent as leniently as PHP would, and no more so.</summary>
internal static class JsonReading
{
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    /// <summary>An empty object for anything that is not a JSON object: what is required is then found missing.</summary>
    public static JsonObject Json(this RecordedRequest request)
    {
        try
        {
            return JsonNode.Parse(request.Body, documentOptions: Strict) as JsonObject ?? [];
        }
        catch (JsonException)
        {
            return [];
        }
    }

    public static string? Text(this JsonObject json, string name) =>
        json[name] is JsonValue value && value.GetValueKind() == JsonValueKind.String ? value.GetValue<string>() : null;

    public static long? Number(this JsonObject json, string name) =>
        json[name] is JsonValue value
        && long.TryParse(value.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
        && number <= int.MaxValue
            ? number
            : null;

    /// <summary>Only a JSON <c>true</c> is true: <c>"true"</c> in quotes is a trap that FreeScout's documentation warns of.</summary>
    public static bool Flag(this JsonObject json, string name) => json[name]?.GetValueKind() == JsonValueKind.True;
}
