using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace AutoTicket.Sandbox;

/// <summary>Reads JSON as leniently as PHP.</summary>
internal static class JsonReading
{
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    /// <summary>The JSON object, or an empty one for anything else, so that required fields are missing.</summary>
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

    /// <summary>True only for a JSON <c>true</c>; FreeScout's documentation warns that <c>"true"</c> is not.</summary>
    public static bool Flag(this JsonObject json, string name) => json[name]?.GetValueKind() == JsonValueKind.True;
}
