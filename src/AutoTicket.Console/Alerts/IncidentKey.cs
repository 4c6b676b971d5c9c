using System.Globalization;

namespace AutoTicket.Alerts;

/// <summary>The key of an incident, which is one episode of an alert. <c>0123456789abcdef-42</c> names that episode for good;
/// <c>0123456789abcdef</c> names the alert's newest one.</summary>
/// <param name="Row">The row of the episode; null: the newest.</param>
internal readonly record struct IncidentKey(string AlertKey, long? Row)
{
    /// <returns>Null: the text is not the key of an incident.</returns>
    public static IncidentKey? Parse(string? text)
    {
        if (
            text is not { Length: >= AlertIdentity.KeyLength }
            || !text[..AlertIdentity.KeyLength].All(char.IsAsciiHexDigitLower)
            || (text.Length > AlertIdentity.KeyLength && text[AlertIdentity.KeyLength] != '-')
        )
        {
            return null;
        }

        var key = text[..AlertIdentity.KeyLength];
        return text.Length == AlertIdentity.KeyLength ? new(key, null)
            : long.TryParse(text.AsSpan(AlertIdentity.KeyLength + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var row)
            && row > 0
                ? new(key, row)
            : null;
    }

    /// <summary>The path of the incident's page.</summary>
    public string Path => $"/console/incidents/{this}";

    public override string ToString() => Row is { } row ? string.Create(CultureInfo.InvariantCulture, $"{AlertKey}-{row}") : AlertKey;
}
