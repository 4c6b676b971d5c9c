using System.Text.Json;

namespace AutoTicket.Components.Audit;

/// <summary>Turns a payload into names and values to display.</summary>
internal static class AuditPayload
{
    /// <summary>One pair per property; nested values stay JSON and nulls are left out.</summary>
    /// <remarks>Anything but a JSON object is returned whole under an empty name, so that no entry is hidden.</remarks>
    public static IReadOnlyList<(string Name, string Value)> Read(string payload)
    {
        try
        {
            using var document = JsonDocument.Parse(payload);
            return document.RootElement.ValueKind is JsonValueKind.Object
                ?
                [
                    .. document
                        .RootElement.EnumerateObject()
                        .Where(property => property.Value.ValueKind is not JsonValueKind.Null)
                        .Select(property => (property.Name, Text(property.Value))),
                ]
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

    // An unpaired surrogate is valid JSON, but GetString throws on it.
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
