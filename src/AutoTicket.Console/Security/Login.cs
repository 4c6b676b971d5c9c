using System.Buffers.Binary;
using System.Globalization;
using System.Text.Json;
using AutoTicket.Audit;
using AutoTicket.Data;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.AspNetCore.Identity;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Security;

/// <summary>Signing in, by the one operator's password or at the provider, and out.</summary>
internal static partial class Login
{
    /// <summary>What OWASP asks for PBKDF2; the framework's default is a sixth of it.</summary>
    internal const int Iterations = 600_000;

    private static readonly PasswordHasher<string> Hasher = new(Options.Create(new PasswordHasherOptions { IterationCount = Iterations }));

    /// <summary>What <c>CONSOLE_OPERATOR_PASSWORD_HASH</c> is to hold for a password.</summary>
    public static string Hash(string password) => Hasher.HashPassword(Schemes.Operator, password);

    /// <summary>Whether it is a hash that <see cref="Hash"/> made, or one at least as strong.</summary>
    public static bool IsHash(string hash)
    {
        // A marker, the function, the iterations and the length of the salt; then salt and key.
        var bytes = new byte[hash.Length];
        return Convert.TryFromBase64String(hash, bytes, out var length)
            && length >= 13 + 16 + 32
            && bytes[0] == 1
            && BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(5)) >= Iterations;
    }

    public static void MapLogin(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapPost("/login", SignInAsync).AllowAnonymous().WithMetadata(new RequestLimits.SignInMetadata()).ExcludeFromDescription();
        // A link, not a form: the browser lets a form lead to nobody but us.
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
        IDbContextFactory<AutoTicketDbContext> contexts,
        TimeProvider clock,
        CancellationToken cancellationToken
    )
    {
        if (options.OperatorPasswordHash is not { } hash)
        {
            return Results.Problem(title: "Nobody signs in by password here.", statusCode: 404);
        }

        var address = Lockout.AddressOf(context.Connection.RemoteIpAddress);
        // Nothing is looked at or written down until then: who goes on trying must not fill the audit log.
        if (await lockout.WaitOfAsync(address, cancellationToken) is { } wait)
        {
            return Back("wait", Math.Ceiling(wait.TotalMinutes).ToString(CultureInfo.InvariantCulture), returnUrl);
        }

        if (Hasher.VerifyHashedPassword(Schemes.Operator, hash, password ?? "") == PasswordVerificationResult.Failed)
        {
            await lockout.FailedAsync(address, cancellationToken);
            var closed = await lockout.WaitOfAsync(address, cancellationToken) is not null;
            await using var db = await contexts.CreateDbContextAsync(cancellationToken);
            db.AuditLog.Add(
                new AuditEntry
                {
                    CreatedAt = clock.GetUtcNow(),
                    Action = AuditActions.Denied,
                    Actor = Schemes.Password,
                    Payload = JsonSerializer.Serialize(
                        new
                        {
                            why = "wrong password",
                            address,
                            locked_out = closed,
                        }
                    ),
                }
            );
            await db.SaveChangesAsync(cancellationToken);
            return Back("wrong", "1", returnUrl);
        }

        await lockout.SucceededAsync(address, cancellationToken);
        await context.SignInAsync(Schemes.Cookie, await sessions.OpenAsync(Schemes.Password, Roles.Admin, null, cancellationToken));
        return Results.LocalRedirect(Local(returnUrl));
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

    // The form's token is checked because a form is bound.
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
        // Or else the next click on “Sign in” would let in whoever sits there.
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

    private static IResult Back(string what, string value, string? returnUrl) =>
        Results.LocalRedirect($"/login?{what}={value}&returnUrl={Uri.EscapeDataString(Local(returnUrl))}");

    /// <summary>A path of ours, or the start page: nobody is led elsewhere by signing in.</summary>
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
        [LoggerMessage(LogLevel.Warning, "sign-in the provider can't be reached: {Problem}")]
        public static partial void ProviderAway(ILogger logger, string problem);
    }
}
