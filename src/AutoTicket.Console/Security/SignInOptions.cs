using System.Security.Cryptography;
using System.Text;

namespace AutoTicket.Security;

/// <summary>Who may use the console, from the environment.</summary>
internal sealed class SignInOptions
{
    /// <summary><c>CONSOLE_OPERATOR_PASSWORD_HASH</c>, as the verb <c>hash-password</c> prints it; null: a provider is used.</summary>
    public string? OperatorPasswordHash { get; init; }

    /// <summary><c>OIDC_*</c>; null: the operator's password signs in.</summary>
    public ProviderOptions? Provider { get; init; }

    /// <summary><c>CONSOLE_API_TOKENS</c>, separated by commas: several at once, so that they can be rotated.</summary>
    public IReadOnlyList<ApiToken> ApiTokens { get; init; } = [];

    /// <summary><c>CONSOLE_SESSION_LIFETIME</c>: how long a session lasts that nobody uses.</summary>
    public TimeSpan SessionLifetime { get; init; } = TimeSpan.FromHours(12);

    /// <summary><c>CONSOLE_SESSION_MAX_AGE</c>: how long after the sign-in a session ends, however much it is used.</summary>
    public TimeSpan SessionMaxAge { get; init; } = TimeSpan.FromHours(12);

    /// <summary>What vouches for sessions now: when the password or the provider is another, those of the former one are over.</summary>
    public string Authority =>
        Provider is { } provider ? $"{provider.Authority} {provider.ClientId}"
        : OperatorPasswordHash is { } hash
            ? $"password {Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(hash)).AsSpan(0, 8))}"
        : "nobody";

    /// <exception cref="ConfigurationException">Nobody could sign in, or a setting can't be used.</exception>
    public static SignInOptions Read(IConfiguration configuration, bool isDevelopment)
    {
        var provider = ProviderOptions.Read(configuration);
        var hash = configuration["CONSOLE_OPERATOR_PASSWORD_HASH"] is { Length: > 0 } set ? set : null;
        if (hash is not null && !Login.IsHash(hash))
        {
            throw new ConfigurationException(
                "CONSOLE_OPERATOR_PASSWORD_HASH is not a hash that `hash-password` of this version printed; "
                    + "run it again and set its last line."
            );
        }

        if (hash is null && provider is null && !isDevelopment)
        {
            throw new ConfigurationException(
                "Nobody could sign in: set CONSOLE_OPERATOR_PASSWORD_HASH to the last line that the verb `hash-password` prints, "
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
                    $"{variable} holds a token of less than {ApiToken.Shortest} characters. Make one with `openssl rand -hex 24`."
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
/// <param name="Name">What the audit log calls its holder.</param>
internal sealed record ApiToken(string Name, string Role, string Value)
{
    public const int Shortest = 32;

    /// <exception cref="ConfigurationException">It is neither <c>name:role:token</c> nor a token alone, which is an admin's.</exception>
    public static ApiToken Read(string text) =>
        text.Split(':', 3, StringSplitOptions.TrimEntries) switch
        {
            [var value] => new("api", Roles.Admin, value),
            [{ Length: > 0 } name, var role, { Length: > 0 } value] when Roles.All.Contains(role) => new(name, role, value),
            _ => throw new ConfigurationException(
                "CONSOLE_API_TOKENS must hold tokens as name:role:token, with the role viewer, operator or admin, separated by commas."
            ),
        };
}

/// <summary>The OpenID Connect provider that signs people in.</summary>
/// <param name="Authority">Where its <c>/.well-known/openid-configuration</c> is.</param>
/// <param name="RoleClaim">The claim of the ID token or of userinfo with roles or groups, or its path: <c>realm_access.roles</c>.</param>
/// <param name="RoleMap">What its values mean here.</param>
/// <param name="RecheckEvery">How often the provider is asked whether a session's user still is one, and with which role.</param>
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

    /// <summary>The greatest of the roles that the claim's values mean; null: none, and nobody enters without one.</summary>
    public string? RoleOf(IEnumerable<string> values)
    {
        var roles = values.Select(value => RoleMap.GetValueOrDefault(value)).ToHashSet();
        return Roles.All.LastOrDefault(roles.Contains);
    }

    /// <returns>Null: none is set.</returns>
    /// <exception cref="ConfigurationException">Only some are set, or one can't be used.</exception>
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
                $"{string.Join(" and ", missing)} must be set too: sign-in by OpenID Connect takes all of {string.Join(", ", Variables)}."
            );
        }

        var shown = configuration[Variables[0]]!.Trim();
        if (
            !Uri.TryCreate(shown, UriKind.Absolute, out var authority)
            || !(authority.Scheme == Uri.UriSchemeHttps || (authority.Scheme == Uri.UriSchemeHttp && authority.IsLoopback))
        )
        {
            throw new ConfigurationException(
                $"OIDC_AUTHORITY must be an https address, as https://login.example.org/realms/ops, but is “{shown}”."
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
            // From the last sign on: a group may be named as in a directory, cn=ops.
            var at = pair.LastIndexOf('=');
            var role = pair[(at + 1)..].Trim().ToLowerInvariant();
            if (at <= 0 || !Roles.All.Contains(role))
            {
                throw new ConfigurationException(
                    $"OIDC_ROLE_MAP must hold pairs as sre=admin,on-call=operator,staff=viewer, but holds “{pair}”."
                );
            }

            map[pair[..at].Trim()] = role;
        }

        return map;
    }
}
