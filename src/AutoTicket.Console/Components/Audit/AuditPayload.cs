using System.Text.Json;

namespace AutoTicket.Components.Audit;

/// <summary>A payload as names and values to read.</summary>
internal static class AuditPayload
{
    /// <summary>One pair a property; nested values stay JSON. What is not an object, or not JSON at all, comes back
    /// whole under an empty name: the log must show what it holds, however it got there.</summary>
    public static IReadOnlyList<(string Name, string Value)> Read(string payload)
    {
        try
        {
            using var document = JsonDocument.Parse(payload);
            return document.RootElement.ValueKind is JsonValueKind.Object
                ? [.. document.RootElement.EnumerateObject().Select(property => (property.Name, Text(property.Value)))]
                : [("", Text(document.RootElement))];
        }
        catch (JsonException)
        {
            return [("", payload)];
        }
    }

    private static string Text(JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.String => TextOrRaw(value),
            JsonValueKind.Null => "none",
            JsonValueKind.True => "yes",
            JsonValueKind.False => "no",
            _ => value.GetRawText(),
        };

    // A lone surrogate is valid JSON and no valid string.
    private static string TextOrRaw(JsonElement value)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            return value.GetRawText();
        }
    }
}
