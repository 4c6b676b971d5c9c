using System.Buffers.Text;
using System.Text.Json;

namespace AutoTicket.Security;

/// <summary>Finds the roles or groups in a provider's claims.</summary>
internal static class RoleClaim
{
    /// <param name="path">A claim's name, or a path with dots, e.g. Keycloak's <c>realm_access.roles</c>.</param>
    /// <returns>The claim's values; empty: there is no such claim.</returns>
    public static IReadOnlyList<string> Find(JsonElement claims, string path)
    {
        if (claims.ValueKind != JsonValueKind.Object)
        {
            return [];
        }

        if (claims.TryGetProperty(path, out var value))
        {
            return value.ValueKind switch
            {
                JsonValueKind.String => [value.GetString()!],
                JsonValueKind.Array =>
                [
                    .. value.EnumerateArray().Where(one => one.ValueKind == JsonValueKind.String).Select(one => one.ToString()),
                ],
                _ => [],
            };
        }

        // Names may contain dots, too: https://example.org/roles, or a client in resource_access.
        for (var dot = path.IndexOf('.'); dot >= 0; dot = path.IndexOf('.', dot + 1))
        {
            if (claims.TryGetProperty(path[..dot], out var inner) && Find(inner, path[(dot + 1)..]) is { Count: > 0 } found)
            {
                return found;
            }
        }

        return [];
    }

    /// <param name="idToken">A validated token.</param>
    public static IReadOnlyList<string> Find(string idToken, string path)
    {
        using var claims = JsonDocument.Parse(Base64Url.DecodeFromChars(idToken.Split('.')[1]));
        return Find(claims.RootElement, path);
    }
}
