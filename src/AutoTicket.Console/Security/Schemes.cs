using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;

namespace AutoTicket.Security;

/// <summary>The ways of being recognised.</summary>
internal static class Schemes
{
    /// <summary>Chooses one of the others by what the request brings.</summary>
    public const string Any = "console";
    public const string Cookie = "cookie";
    public const string Token = "token";
    public const string Loopback = "loopback";

    /// <summary>Signs in, and leaves the cookie to recognise by.</summary>
    public const string Provider = "oidc";

    /// <summary>Whom the password is hashed for.</summary>
    public const string Operator = "operator";

    /// <summary>The name in the audit log of a user who signed in with the password. Users of a provider are <c>user:…</c>, tokens
    /// <c>token:…</c>.</summary>
    public const string Password = "password";

    /// <summary>The claim of the cookie that holds the session's secret.</summary>
    public const string SessionClaim = "sid";

    /// <param name="secret">Of the session; null: there is none.</param>
    public static ClaimsPrincipal Principal(string name, string role, string scheme, string? secret = null)
    {
        List<Claim> claims = [new(ClaimTypes.Name, name), new(ClaimTypes.Role, role)];
        if (secret is not null)
        {
            claims.Add(new(SessionClaim, secret));
        }

        return new(new ClaimsIdentity(claims, scheme, ClaimTypes.Name, ClaimTypes.Role));
    }

    /// <summary>The id of the session that the user's cookie is for; null: they were recognised in another way.</summary>
    public static string? SessionOf(ClaimsPrincipal user) =>
        user.Identity?.AuthenticationType == Cookie ? SessionId(user.FindFirst(SessionClaim)?.Value ?? "") : null;

    public static string SessionId(string secret) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(secret)));
}
