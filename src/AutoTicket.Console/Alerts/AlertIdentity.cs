using System.Buffers;
using System.Security.Cryptography;
using System.Text.Json;

namespace AutoTicket.Alerts;

/// <summary>
/// The identity of an alert: <c>alert_id</c> is a lower-case hex SHA-256 over versioned fields, <c>alert_key</c> its first 16
/// characters. Severity and free text are left out, so it is stable across polls, restarts, replicas and severity changes.
/// <see cref="EpisodeRules"/> decides when a producer's own id makes a separate alert.
/// </summary>
internal static class AlertIdentity
{
    /// <summary>Raise it only when the hashed fields change: every alert then gets a new identity, and with it a second ticket.</summary>
    private const int Version = 1;

    /// <summary>The identity of a surface's outage. Investigate and the surface's alert share it, so one outage has one ticket.</summary>
    public static string OfSurface(string surfaceKey) => Of(Observation.Console, Observation.SurfaceOutage, surfaceKey, []);

    /// <param name="producerId">The producer's own id; null for the logical identity.</param>
    public static string Of(
        string source,
        string name,
        string? surface,
        IEnumerable<KeyValuePair<string, string>> labels,
        string? producerId = null
    )
    {
        // JSON, not joined text: a label that holds a separator can't make two identities equal.
        var json = new ArrayBufferWriter<byte>(512);
        using (var writer = new Utf8JsonWriter(json))
        {
            writer.WriteStartArray();
            writer.WriteNumberValue(Version);
            writer.WriteStringValue(source);
            writer.WriteStringValue(name);
            writer.WriteStringValue(surface);
            writer.WriteStartArray();
            foreach (var (label, value) in labels.OrderBy(label => label.Key, StringComparer.Ordinal))
            {
                writer.WriteStartArray();
                writer.WriteStringValue(label);
                writer.WriteStringValue(value);
                writer.WriteEndArray();
            }

            writer.WriteEndArray();
            if (producerId is not null)
            {
                writer.WriteStringValue(producerId);
            }

            writer.WriteEndArray();
        }

        return Convert.ToHexStringLower(SHA256.HashData(json.WrittenSpan));
    }

    public const int KeyLength = 16;

    /// <summary>Whether the text can be an alert's key.</summary>
    public static bool IsKey(string text) => text.Length == KeyLength && text.All(char.IsAsciiHexDigitLower);

    public static string KeyOf(string alertId) => alertId[..KeyLength];
}
