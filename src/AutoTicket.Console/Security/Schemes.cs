using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;

namespace AutoTicket.Security;

/// <summary>The authentication schemes.</summary>
internal static class Schemes
{
    /// <summary>Chooses one of the others by the request.</summary>
    public const string Any = "console";
    public const string Cookie = "cookie";
    public const string Token = "token";
    public const string Loopback = "loopback";

    /// <summary>Signs in at the provider; from then on the cookie authenticates.</summary>
    public const string Provider = "oidc";

    /// <summary>The user name for the password's hash.</summary>
    public const string Operator = "operator";

    /// <summary>The actor in the audit log for a sign-in by password. Users of a provider are <c>user:…</c>, tokens
    /// <c>token:…</c>.</summary>
    public const string Password = "password";

    /// <summary>The cookie's claim with the session's secret.</summary>
    public const string SessionClaim = "sid";

    /// <summary>The e-mail address of whom Development signs in. The sandbox's FreeScout has an agent with it.</summary>
    public const string DeveloperEmail = "dana@sandbox.example";

    /// <param name="secret">The session's secret; null: there is no session.</param>
    /// <param name="email">Null: the provider sent none, or has not verified it.</param>
    public static ClaimsPrincipal Principal(string name, string role, string scheme, string? secret = null, string? email = null)
    {
        List<Claim> claims = [new(ClaimTypes.Name, name), new(ClaimTypes.Role, role)];
        if (secret is not null)
        {
            claims.Add(new(SessionClaim, secret));
        }

        if (email is not null)
        {
            claims.Add(new(ClaimTypes.Email, email));
        }

        return new(new ClaimsIdentity(claims, scheme, ClaimTypes.Name, ClaimTypes.Role));
    }

    /// <returns>The user's e-mail address; null: the sign-in has none.</returns>
    public static string? EmailOf(ClaimsPrincipal user) => user.FindFirst(ClaimTypes.Email)?.Value;

    /// <returns>The id of the session of the user's cookie; null: another scheme authenticated the user.</returns>
    public static string? SessionOf(ClaimsPrincipal user) =>
        user.Identity?.AuthenticationType == Cookie ? SessionId(user.FindFirst(SessionClaim)?.Value ?? "") : null;

    public static string SessionId(string secret) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(secret)));
}
