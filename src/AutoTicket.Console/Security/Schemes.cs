using System.Security.Claims;

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

    /// <summary>The one operator of the password sign-in.</summary>
    public const string Operator = "operator";

    /// <summary>The claim that names the row of <c>sessions</c>.</summary>
    public const string SessionClaim = "sid";

    public static ClaimsPrincipal Principal(string name, string role, string scheme, string? session = null)
    {
        List<Claim> claims = [new(ClaimTypes.Name, name), new(ClaimTypes.Role, role)];
        if (session is not null)
        {
            claims.Add(new(SessionClaim, session));
        }

        return new(new ClaimsIdentity(claims, scheme, ClaimTypes.Name, ClaimTypes.Role));
    }

    /// <summary>The session that the user's cookie names; null: they were recognised in another way.</summary>
    public static string? SessionOf(ClaimsPrincipal user) =>
        user.Identity?.AuthenticationType == Cookie ? user.FindFirst(SessionClaim)?.Value ?? "" : null;
}
