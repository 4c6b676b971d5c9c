using System.Buffers.Binary;
using System.Globalization;
using AutoTicket.Audit;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.AspNetCore.Identity;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Options;

namespace AutoTicket.Security;

/// <summary>Signs in by the operator's password or at the provider, and signs out.</summary>
internal static partial class Login
{
    /// <summary>OWASP's number for PBKDF2; the framework's default is a sixth of it.</summary>
    internal const int Iterations = 600_000;

    private static readonly PasswordHasher<string> Hasher = new(Options.Create(new PasswordHasherOptions { IterationCount = Iterations }));

    /// <returns>The value of <c>CONSOLE_OPERATOR_PASSWORD_HASH</c> for a password.</returns>
    public static string Hash(string password) => Hasher.HashPassword(Schemes.Operator, password);

    /// <returns>Whether it is a hash of <see cref="Hash"/>, or at least as strong.</returns>
    public static bool IsHash(string hash)
    {
        // Marker, function, iterations and length of the salt; then salt and key.
        var bytes = new byte[hash.Length];
        return Convert.TryFromBase64String(hash, bytes, out var length)
            && length >= 13 + 16 + 32
            && bytes[0] == 1
            && BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(5)) >= Iterations;
    }

    public static void MapLogin(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapPost("/login", SignInAsync).AllowAnonymous().WithMetadata(new RequestLimits.SignInMetadata()).ExcludeFromDescription();
        // A link, because the content security policy lets forms lead only to the console and the provider's origin.
        endpoints
            .MapGet("/login/start", StartAsync)
            .AllowAnonymous()
            .WithMetadata(new RequestLimits.SignInMetadata())
            .ExcludeFromDescription();
        endpoints.MapPost("/logout", SignOutAsync).ExcludeFromDescription();
    }

    private static async Task<IResult> SignInAsync(
        HttpContext context,
        [FromForm] string? password,
        [FromForm] string? returnUrl,
        SignInOptions options,
        Lockout lockout,
        Sessions sessions,
        DenialLog denials,
        OncePerMinute often,
        ILogger<Sessions> logger,
        CancellationToken cancellationToken
    )
    {
        if (options.OperatorPasswordHash is not { } hash)
        {
            return Results.Problem(title: "Sign-in by password is not set up.", statusCode: 404);
        }

        var address = Lockout.AddressOf(context.Connection.RemoteIpAddress);
        // One at a time: passwords that are checked together would all be tried before the first is counted, and take all cores.
        if (!await lockout.Turn.WaitAsync(Lockout.LongestTurn, cancellationToken))
        {
            return Results.Problem(title: "The sign-in is busy. Try again in a moment.", statusCode: 503);
        }

        try
        {
            // While locked out nothing is checked or audited, so that further tries can't fill the audit log.
            if (await lockout.WaitOfAsync(address, cancellationToken) is { } wait)
            {
                return Back("wait", Math.Ceiling(wait.TotalMinutes).ToString(CultureInfo.InvariantCulture), returnUrl);
            }

            if (!await IsRightAsync(hash, password ?? "", address, lockout, denials, often, logger))
            {
                return Back("wrong", "1", returnUrl);
            }
        }
        finally
        {
            lockout.Turn.Release();
        }

        await lockout.SucceededAsync(address, cancellationToken);
        await context.SignInAsync(Schemes.Cookie, await sessions.OpenAsync(Schemes.Password, Roles.Admin, null, cancellationToken));
        return Results.LocalRedirect(Local(returnUrl));
    }

    /// <summary>Checks the password. A wrong one is counted, logged and audited, also if the client has hung up.</summary>
    private static async Task<bool> IsRightAsync(
        string hash,
        string password,
        string address,
        Lockout lockout,
        DenialLog denials,
        OncePerMinute often,
        ILogger<Sessions> logger
    )
    {
        if (Hasher.VerifyHashedPassword(Schemes.Operator, hash, password) != PasswordVerificationResult.Failed)
        {
            return true;
        }

        bool? isLockedOut = null;
        try
        {
            await lockout.FailedAsync(address, CancellationToken.None);
            isLockedOut = await lockout.WaitOfAsync(address, CancellationToken.None) is not null;
        }
        finally
        {
            // Uncounted tries lead to no lockout, so their log lines are limited here.
            if (isLockedOut is not null || often.Take("uncounted password") is not null)
            {
                Log.WrongPassword(logger, address);
            }

            await denials.RecordAsync(
                Schemes.Password,
                new
                {
                    why = "wrong password",
                    address,
                    locked_out = isLockedOut,
                }
            );
        }

        return false;
    }

    private static async Task<IResult> StartAsync(
        string? returnUrl,
        SignInOptions options,
        IOptionsMonitor<OpenIdConnectOptions> provider,
        OncePerMinute often,
        ILogger<Sessions> logger,
        CancellationToken cancellationToken
    )
    {
        if (options.Provider is null)
        {
            return Results.LocalRedirect("/login");
        }

        try
        {
            await provider.Get(Schemes.Provider).ConfigurationManager!.GetConfigurationAsync(cancellationToken);
        }
        catch (Exception exception) when (exception is InvalidOperationException or HttpRequestException or IOException)
        {
            if (often.Take("provider away") is not null)
            {
                Log.ProviderAway(logger, exception.GetBaseException().Message);
            }

            return Back("away", "1", returnUrl);
        }

        return Results.Challenge(new AuthenticationProperties { RedirectUri = Local(returnUrl) }, [Schemes.Provider]);
    }

    // ASP.NET checks the antiforgery token, because the handler binds a form.
    private static async Task<IResult> SignOutAsync(
        HttpContext context,
        [FromForm] string? everywhere,
        Sessions sessions,
        SignInOptions options,
        IServiceProvider services,
        CancellationToken cancellationToken
    )
    {
        var id = Schemes.SessionOf(context.User);
        var idToken =
            id is not null && options.Provider is not null && await sessions.FindAsync(id, cancellationToken) is { } session
                ? services.GetRequiredService<ProviderGrants>().Open(session)?.IdToken
                : null;
        if (id is not null)
        {
            await (
                everywhere is null
                    ? sessions.EndAsync(id, "signed out", cancellationToken)
                    : sessions.EndAllAsync(id, "signed out everywhere", cancellationToken)
            );
        }

        await context.SignOutAsync(Schemes.Cookie);
        // Otherwise the provider's session would sign in the next person who clicks “Sign in”.
        return idToken is not null && await services.GetRequiredService<ProviderGrants>().CanEndAsync(cancellationToken)
            ? Results.SignOut(
                new AuthenticationProperties(new Dictionary<string, string?> { [ProviderSignIn.IdTokenHint] = idToken })
                {
                    RedirectUri = "/login",
                },
                [Schemes.Provider]
            )
            : Results.LocalRedirect("/login");
    }

    /// <returns>The address of the sign-in page, with what it says and where the sign-in leads.</returns>
    internal static string Again(string what, string value, string? returnUrl) =>
        $"/login?{what}={value}&returnUrl={Uri.EscapeDataString(Local(returnUrl))}";

    private static IResult Back(string what, string value, string? returnUrl) => Results.LocalRedirect(Again(what, value, returnUrl));

    /// <returns>A path of the console, or the start page, so that signing in can't redirect to another site.</returns>
    internal static string Local(string? url) =>
        url is { Length: > 1 }
        && url[0] == '/'
        && url[1] is not ('/' or '\\')
        && !url.Any(char.IsControl)
        && Uri.IsWellFormedUriString(url, UriKind.Relative)
            ? url
            : "/";

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "auth denied actor=password: wrong password from {Address}")]
        public static partial void WrongPassword(ILogger logger, string address);

        [LoggerMessage(LogLevel.Warning, "sign-in the provider can't be reached: {Problem}")]
        public static partial void ProviderAway(ILogger logger, string problem);
    }
}
