using System.Security.Claims;

namespace AutoTicket.Security;

/// <summary>The rights. Each is the name of an authorization policy, for endpoints and components.</summary>
internal static class Rights
{
    /// <summary>Look at everything; every role may.</summary>
    public const string See = "see";

    /// <summary>File, take, refresh and resolve tickets; dismiss findings; mute surfaces and alerts; retry and discard parked
    /// alerts.</summary>
    public const string Operate = "operate";

    /// <summary>Flip flags, reset the flood breaker, test the deliveries.</summary>
    public const string Administer = "administer";

    private static readonly Dictionary<string, string[]> Holders = new()
    {
        [See] = [Roles.Viewer, Roles.Operator, Roles.Admin],
        [Operate] = [Roles.Operator, Roles.Admin],
        [Administer] = [Roles.Admin],
    };

    public static IEnumerable<string> All => Holders.Keys;

    /// <returns>The roles with this right, the lowest first.</returns>
    public static IReadOnlyList<string> HoldersOf(string right) => Holders[right];

    public static bool Allows(string right, ClaimsPrincipal user) =>
        user.Identity is { IsAuthenticated: true } && Holders[right].Any(user.IsInRole);
}

/// <summary>The roles. Each has the rights of those before it.</summary>
internal static class Roles
{
    public const string Viewer = "viewer";
    public const string Operator = "operator";
    public const string Admin = "admin";

    public static readonly IReadOnlyList<string> All = [Viewer, Operator, Admin];

    public static string? Of(ClaimsPrincipal user) => user.FindFirst(ClaimTypes.Role)?.Value;
}
