using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;

namespace AutoTicket.Security;

/// <summary>Authenticates by a bearer token of <c>CONSOLE_API_TOKENS</c>.</summary>
internal sealed class TokenHandler(
    IOptionsMonitor<AuthenticationSchemeOptions> schemes,
    ILoggerFactory loggers,
    UrlEncoder urls,
    SignInOptions signIn,
    WrongTokens wrong
) : AuthenticationHandler<AuthenticationSchemeOptions>(schemes, loggers, urls)
{
    /// <summary>An unknown token is no failure yet, because the endpoint may have its own tokens.</summary>
    protected override Task<AuthenticateResult> HandleAuthenticateAsync() =>
        Task.FromResult(
            signIn.ApiTokens.FirstOrDefault(token => RequestGuards.IsBearerOf(Request, [token.Value])) is { } token
                ? AuthenticateResult.Success(new(Schemes.Principal($"token:{token.Name}", token.Role, Scheme.Name), Scheme.Name))
                : AuthenticateResult.NoResult()
        );

    protected override async Task HandleChallengeAsync(AuthenticationProperties properties) =>
        Response.StatusCode = await wrong.CountAsync(Context);
}

/// <summary>In Development, a request from this machine is an admin's.</summary>
internal sealed class LoopbackHandler(IOptionsMonitor<AuthenticationSchemeOptions> schemes, ILoggerFactory loggers, UrlEncoder encoder)
    : AuthenticationHandler<AuthenticationSchemeOptions>(schemes, loggers, encoder)
{
    /// <summary>Requires loopback addresses and a loopback host name: another name may be a DNS rebinding attack.</summary>
    public static bool Applies(HttpContext context) =>
        context.RequestServices.GetRequiredService<IHostEnvironment>().IsDevelopment()
        && RequestGuards.IsFromThisMachine(context)
        && RequestGuards.IsLoopback(context.Request.Host);

    protected override Task<AuthenticateResult> HandleAuthenticateAsync() =>
        Task.FromResult(
            Applies(Context)
                ? AuthenticateResult.Success(
                    new AuthenticationTicket(
                        Schemes.Principal("developer", Roles.Admin, Scheme.Name, email: Schemes.DeveloperEmail),
                        Scheme.Name
                    )
                )
                : AuthenticateResult.NoResult()
        );
}
