using System.Buffers;
using System.Security.Cryptography;
using System.Text.Json;

namespace AutoTicket.Alerts;

/// <summary>
/// The logical identity of an alert: <c>alert_id</c> is a lower-case hex SHA-256 over versioned fields, <c>alert_key</c> its
/// first 16 characters. Neither severity nor free text takes part, so the identity is stable across polls, restarts,
/// replicas, renamed surfaces and severity changes; a producer's own id does, where it sends one, but until two of them were
/// seen side by side the later is folded into the first one's episode (failure mode 1 of the runbook).
/// </summary>
internal static class AlertIdentity
{
    /// <summary>Changing what is hashed gives every alert a new identity, and with it a second ticket: raise this only then.</summary>
    private const int Version = 1;

    /// <summary>The surface's own outage: what Investigate and the surface's alert share, so that one outage has one ticket.</summary>
    public static string OfSurface(string surfaceKey) => Of(Observation.Console, Observation.SurfaceOutage, surfaceKey, []);

    /// <param name="producerId">The producer's own id; null gives the logical identity.</param>
    public static string Of(
        string source,
        string name,
        string? surface,
        IEnumerable<KeyValuePair<string, string>> labels,
        string? producerId = null
    )
    {
        // JSON, not joined text: no label can hold a separator that makes two identities one.
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

    public static string KeyOf(string alertId) => alertId[..KeyLength];
}
