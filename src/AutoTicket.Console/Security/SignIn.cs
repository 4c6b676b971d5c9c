using System.Net;
using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;

namespace AutoTicket.Security;

/// <summary>Who may use the console, from the environment.</summary>
internal sealed class SignInOptions
{
    /// <summary><c>CONSOLE_OPERATOR_PASSWORD_HASH</c>, as the verb <c>hash-password</c> prints it.</summary>
    public string? OperatorPasswordHash { get; set; }

    /// <summary><c>CONSOLE_API_TOKENS</c>, separated by commas: several at once, so that they can be rotated.</summary>
    public IReadOnlyList<string> ApiTokens { get; set; } = [];
}

/// <summary>The ways of signing in besides the cookie.</summary>
internal static class Schemes
{
    /// <summary>Chooses one of the others by what the request brings.</summary>
    public const string Any = "console";
    public const string Cookie = "cookie";
    public const string Token = "token";
    public const string Loopback = "loopback";

    /// <summary>The one operator of the password sign-in.</summary>
    public const string Operator = "operator";

    public static ClaimsPrincipal Principal(string name, string scheme) =>
        new(new ClaimsIdentity([new Claim(ClaimTypes.Name, name)], scheme, ClaimTypes.Name, ClaimTypes.Role));
}

/// <summary>A bearer token of <c>CONSOLE_API_TOKENS</c>, compared in constant time.</summary>
internal sealed class TokenHandler(IOptionsMonitor<AuthenticationSchemeOptions> schemes, ILoggerFactory loggers, UrlEncoder encoder, IOptions<SignInOptions> signIn)
    : AuthenticationHandler<AuthenticationSchemeOptions>(schemes, loggers, encoder)
{
    protected override Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        if (!Request.Headers.Authorization.ToString().StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase))
        {
            return Task.FromResult(AuthenticateResult.NoResult());
        }

        return Task.FromResult(Doors.IsBearerOf(Request, signIn.Value.ApiTokens)
            ? AuthenticateResult.Success(new AuthenticationTicket(Schemes.Principal("api", Scheme.Name), Scheme.Name))
            : AuthenticateResult.Fail("The token is not one of CONSOLE_API_TOKENS."));
    }
}

/// <summary>In Development, whoever sits at this machine is the operator.</summary>
internal sealed class LoopbackHandler(IOptionsMonitor<AuthenticationSchemeOptions> schemes, ILoggerFactory loggers, UrlEncoder encoder)
    : AuthenticationHandler<AuthenticationSchemeOptions>(schemes, loggers, encoder)
{
    /// <summary>From loopback to a loopback address, under a loopback name: another name that resolves here is a page on the web
    /// rebinding its own to reach us.</summary>
    public static bool Applies(HttpContext context) =>
        context.RequestServices.GetRequiredService<IHostEnvironment>().IsDevelopment()
        && context.Connection is { RemoteIpAddress: { } remote, LocalIpAddress: { } local }
        && IPAddress.IsLoopback(remote) && IPAddress.IsLoopback(local)
        && (context.Request.Host.Host == "localhost" || (IPAddress.TryParse(context.Request.Host.Host.Trim('[', ']'), out var host) && IPAddress.IsLoopback(host)));

    protected override Task<AuthenticateResult> HandleAuthenticateAsync() => Task.FromResult(Applies(Context)
        ? AuthenticateResult.Success(new AuthenticationTicket(Schemes.Principal("developer", Scheme.Name), Scheme.Name))
        : AuthenticateResult.NoResult());
}
