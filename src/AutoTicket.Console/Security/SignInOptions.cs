using System.Security.Cryptography;
using System.Text;

namespace AutoTicket.Security;

/// <summary>Who may sign in, from the environment.</summary>
internal sealed class SignInOptions
{
    /// <summary><c>CONSOLE_OPERATOR_PASSWORD_HASH</c>, printed by the verb <c>hash-password</c>; null with a provider.</summary>
    public string? OperatorPasswordHash { get; init; }

    /// <summary><c>OIDC_*</c>; null: the operator's password signs in.</summary>
    public ProviderOptions? Provider { get; init; }

    /// <summary><c>CONSOLE_API_TOKENS</c>, separated by commas, so that they can be rotated.</summary>
    public IReadOnlyList<ApiToken> ApiTokens { get; init; } = [];

    /// <summary><c>CONSOLE_SESSION_LIFETIME</c>: how long an unused session lasts.</summary>
    public TimeSpan SessionLifetime { get; init; } = TimeSpan.FromHours(12);

    /// <summary><c>CONSOLE_SESSION_MAX_AGE</c>: when a session ends, used or not, counted from the sign-in.</summary>
    public TimeSpan SessionMaxAge { get; init; } = TimeSpan.FromHours(12);

    /// <summary>Identifies the password or the provider. When it changes, all earlier sessions are over.</summary>
    public string Authority =>
        Provider is { } provider ? $"{provider.Authority} {provider.ClientId}"
        : OperatorPasswordHash is { } hash
            ? $"password {Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(hash)).AsSpan(0, 8))}"
        : "nobody";

    /// <exception cref="ConfigurationException">Nobody could sign in, or a setting is invalid.</exception>
    public static SignInOptions Read(IConfiguration configuration, bool isDevelopment)
    {
        var provider = ProviderOptions.Read(configuration);
        var hash = configuration["CONSOLE_OPERATOR_PASSWORD_HASH"] is { Length: > 0 } set ? set : null;
        if (hash is not null && !Login.IsHash(hash))
        {
            throw new ConfigurationException(
                "CONSOLE_OPERATOR_PASSWORD_HASH was not printed by this version's `hash-password`: run it again and set its last line."
            );
        }

        if (hash is null && provider is null && !isDevelopment)
        {
            throw new ConfigurationException(
                "Sign-in is not set up: set CONSOLE_OPERATOR_PASSWORD_HASH to the last line that the verb `hash-password` prints, "
                    + "or OIDC_AUTHORITY, OIDC_CLIENT_ID and OIDC_CLIENT_SECRET."
            );
        }

        var lifetime = ReadLifetime(configuration, "CONSOLE_SESSION_LIFETIME", TimeSpan.FromHours(12));
        var tokens = RequestGuards.Tokens(configuration["CONSOLE_API_TOKENS"]).Select(ApiToken.Read).ToList();
        foreach (
            var (variable, values) in new[]
            {
                ("CONSOLE_API_TOKENS", tokens.Select(token => token.Value)),
                ("ALERTS_INGEST_TOKEN", RequestGuards.Tokens(configuration["ALERTS_INGEST_TOKEN"])),
                ("METRICS_TOKEN", RequestGuards.Tokens(configuration["METRICS_TOKEN"])),
            }
        )
        {
            if (!isDevelopment && values.Any(value => value.Length < ApiToken.Shortest))
            {
                throw new ConfigurationException(
                    $"{variable} contains a token of less than {ApiToken.Shortest} characters. Create one with `openssl rand -hex 24`."
                );
            }
        }

        return new()
        {
            OperatorPasswordHash = provider is null ? hash : null,
            Provider = provider,
            ApiTokens = tokens,
            SessionLifetime = lifetime,
            SessionMaxAge = ReadLifetime(
                configuration,
                "CONSOLE_SESSION_MAX_AGE",
                lifetime > TimeSpan.FromHours(12) ? lifetime : TimeSpan.FromHours(12)
            ),
        };
    }

    private static TimeSpan ReadLifetime(IConfiguration configuration, string variable, TimeSpan otherwise) =>
        Settings.Read(configuration, variable, otherwise, TimeSpan.FromMinutes(5), TimeSpan.FromDays(30));
}

/// <summary>A token of <c>CONSOLE_API_TOKENS</c>.</summary>
/// <param name="Name">The audit log's actor is <c>token:</c> and this name.</param>
internal sealed record ApiToken(string Name, string Role, string Value)
{
    public const int Shortest = 32;

    /// <summary>Reads <c>name:role:token</c>, or a token alone, which is an admin's.</summary>
    /// <exception cref="ConfigurationException">It is neither.</exception>
    public static ApiToken Read(string text) =>
        text.Split(':', 3, StringSplitOptions.TrimEntries) switch
        {
            [var value] => new("api", Roles.Admin, value),
            [{ Length: > 0 } name, var role, { Length: > 0 } value] when Roles.All.Contains(role) => new(name, role, value),
            _ => throw new ConfigurationException(
                "CONSOLE_API_TOKENS must be a comma-separated list of name:role:token, with the role viewer, operator or admin."
            ),
        };
}

/// <summary>The OpenID Connect provider that signs people in.</summary>
/// <param name="Authority">The address before <c>/.well-known/openid-configuration</c>.</param>
/// <param name="RoleClaim">The claim with roles or groups in the ID token or userinfo, or its path: <c>realm_access.roles</c>.</param>
/// <param name="RoleMap">The console's role for each value of the claim.</param>
/// <param name="RecheckEvery">How often the console asks the provider about each session.</param>
internal sealed record ProviderOptions(
    Uri Authority,
    string ClientId,
    string ClientSecret,
    IReadOnlyList<string> Scopes,
    string RoleClaim,
    IReadOnlyDictionary<string, string> RoleMap,
    TimeSpan RecheckEvery
)
{
    private static readonly string[] Variables = ["OIDC_AUTHORITY", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET"];

    /// <returns>The highest role of the claim's values; null: none, and the user may not sign in.</returns>
    public string? RoleOf(IEnumerable<string> values)
    {
        var roles = values.Select(value => RoleMap.GetValueOrDefault(value)).ToHashSet();
        return Roles.All.LastOrDefault(roles.Contains);
    }

    /// <returns>Null: no variable is set.</returns>
    /// <exception cref="ConfigurationException">Only some are set, or one is invalid.</exception>
    public static ProviderOptions? Read(IConfiguration configuration)
    {
        var missing = Variables.Where(variable => string.IsNullOrWhiteSpace(configuration[variable])).ToList();
        if (missing.Count == Variables.Length)
        {
            return null;
        }

        if (missing.Count > 0)
        {
            throw new ConfigurationException(
                $"{string.Join(" and ", missing)} must be set, too: sign-in by OpenID Connect needs {string.Join(", ", Variables)}."
            );
        }

        var shown = configuration[Variables[0]]!.Trim();
        if (
            !Uri.TryCreate(shown, UriKind.Absolute, out var authority)
            || !(authority.Scheme == Uri.UriSchemeHttps || (authority.Scheme == Uri.UriSchemeHttp && authority.IsLoopback))
        )
        {
            throw new ConfigurationException(
                $"OIDC_AUTHORITY must be an https address, e.g. https://login.example.org/realms/ops, but is “{shown}”."
            );
        }

        return new(
            authority,
            configuration[Variables[1]]!.Trim(),
            configuration[Variables[2]]!.Trim(),
            (configuration["OIDC_SCOPES"] is { Length: > 0 } scopes ? scopes : "openid profile email").Split(
                ' ',
                StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries
            ),
            configuration["OIDC_ROLE_CLAIM"] is { Length: > 0 } claim ? claim : "roles",
            ReadMap(
                configuration["OIDC_ROLE_MAP"] is { Length: > 0 } map ? map : string.Join(',', Roles.All.Select(role => $"{role}={role}"))
            ),
            Settings.Read(
                configuration,
                "OIDC_RECHECK_INTERVAL",
                TimeSpan.FromMinutes(1),
                TimeSpan.FromSeconds(1),
                Sessions.Unconfirmed / 2
            )
        );
    }

    private static Dictionary<string, string> ReadMap(string text)
    {
        var map = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var pair in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            // At the last equals sign, because a group's name may contain one: cn=ops.
            var at = pair.LastIndexOf('=');
            var role = pair[(at + 1)..].Trim().ToLowerInvariant();
            if (at <= 0 || !Roles.All.Contains(role))
            {
                throw new ConfigurationException(
                    $"OIDC_ROLE_MAP must be a list like sre=admin,on-call=operator,staff=viewer, but contains “{pair}”."
                );
            }

            map[pair[..at].Trim()] = role;
        }

        return map;
    }
}
