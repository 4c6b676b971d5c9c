using System.Net;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;

namespace AutoTicket.Security;

/// <summary>A bearer token of <c>CONSOLE_API_TOKENS</c>, compared in constant time. Whoever holds one is an admin.</summary>
internal sealed class TokenHandler(IOptionsMonitor<AuthenticationSchemeOptions> schemes, ILoggerFactory loggers, UrlEncoder encoder, SignInOptions signIn)
    : AuthenticationHandler<AuthenticationSchemeOptions>(schemes, loggers, encoder)
{
    protected override Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        if (!Request.Headers.Authorization.ToString().StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase))
        {
            return Task.FromResult(AuthenticateResult.NoResult());
        }

        return Task.FromResult(Doors.IsBearerOf(Request, signIn.ApiTokens)
            ? AuthenticateResult.Success(new AuthenticationTicket(Schemes.Principal("api", Roles.Admin, Scheme.Name), Scheme.Name))
            : AuthenticateResult.Fail("The token is not one of CONSOLE_API_TOKENS."));
    }
}

/// <summary>In Development, whoever sits at this machine is an admin.</summary>
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
        ? AuthenticateResult.Success(new AuthenticationTicket(Schemes.Principal("developer", Roles.Admin, Scheme.Name), Scheme.Name))
        : AuthenticateResult.NoResult());
}
