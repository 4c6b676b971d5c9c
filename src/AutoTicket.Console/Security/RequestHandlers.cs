using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;

namespace AutoTicket.Security;

/// <summary>A bearer token of <c>CONSOLE_API_TOKENS</c>, compared in constant time.</summary>
internal sealed class TokenHandler(
    IOptionsMonitor<AuthenticationSchemeOptions> schemes,
    ILoggerFactory loggers,
    UrlEncoder urls,
    SignInOptions signIn,
    WrongTokens wrong
) : AuthenticationHandler<AuthenticationSchemeOptions>(schemes, loggers, urls)
{
    /// <summary>Another token is no failure yet: the endpoint may have tokens of its own.</summary>
    protected override Task<AuthenticateResult> HandleAuthenticateAsync() =>
        Task.FromResult(
            signIn.ApiTokens.FirstOrDefault(token => RequestGuards.IsBearerOf(Request, [token.Value])) is { } token
                ? AuthenticateResult.Success(new(Schemes.Principal($"token:{token.Name}", token.Role, Scheme.Name), Scheme.Name))
                : AuthenticateResult.NoResult()
        );

    protected override async Task HandleChallengeAsync(AuthenticationProperties properties) =>
        Response.StatusCode = await wrong.CountAsync(Context);
}

/// <summary>In Development, whoever sits at this machine is an admin.</summary>
internal sealed class LoopbackHandler(IOptionsMonitor<AuthenticationSchemeOptions> schemes, ILoggerFactory loggers, UrlEncoder encoder)
    : AuthenticationHandler<AuthenticationSchemeOptions>(schemes, loggers, encoder)
{
    /// <summary>From loopback to a loopback address, under a loopback name: another name that resolves here is a page on the web
    /// rebinding its own to reach us.</summary>
    public static bool Applies(HttpContext context) =>
        context.RequestServices.GetRequiredService<IHostEnvironment>().IsDevelopment()
        && RequestGuards.IsFromThisMachine(context)
        && RequestGuards.IsLoopback(context.Request.Host);

    protected override Task<AuthenticateResult> HandleAuthenticateAsync() =>
        Task.FromResult(
            Applies(Context)
                ? AuthenticateResult.Success(
                    new AuthenticationTicket(Schemes.Principal("developer", Roles.Admin, Scheme.Name), Scheme.Name)
                )
                : AuthenticateResult.NoResult()
        );
}
