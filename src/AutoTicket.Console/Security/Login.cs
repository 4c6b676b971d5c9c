using AutoTicket.Audit;
using AutoTicket.Data;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Identity;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Security;

/// <summary>The one operator's password sign-in.</summary>
internal static class Login
{
    private static readonly PasswordHasher<string> Hasher = new();

    /// <summary>What <c>CONSOLE_OPERATOR_PASSWORD_HASH</c> is to hold for a password.</summary>
    public static string Hash(string password) => Hasher.HashPassword(Schemes.Operator, password);

    public static bool IsHash(string hash)
    {
        try
        {
            // Of a hash it can't read the hasher says no, or throws.
            Hasher.VerifyHashedPassword(Schemes.Operator, hash, "");
            return Convert.FromBase64String(hash).Length > 40;
        }
        catch (FormatException)
        {
            return false;
        }
    }

    public static void MapLogin(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapPost("/login", SignInAsync).AllowAnonymous().RequireRateLimiting(nameof(Login)).ExcludeFromDescription();
        endpoints.MapPost("/logout", async (HttpContext context, [FromForm] string? unused) =>
        {
            await context.SignOutAsync(Schemes.Cookie);
            return Results.LocalRedirect("/login");
        }).ExcludeFromDescription();
    }

    private static async Task<IResult> SignInAsync(
        HttpContext context, [FromForm] string? password, [FromForm] string? returnUrl,
        IOptions<SignInOptions> options, IDbContextFactory<AutoTicketDbContext> contexts, TimeProvider clock, CancellationToken cancellationToken)
    {
        var right = options.Value.OperatorPasswordHash is { } hash
            && Hasher.VerifyHashedPassword(Schemes.Operator, hash, password ?? "") != PasswordVerificationResult.Failed;
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        db.AuditLog.Add(new AuditEntry
        {
            CreatedAt = clock.GetUtcNow(),
            Action = right ? AuditActions.SignedIn : AuditActions.Denied,
            Actor = Schemes.Operator,
            Payload = "{}",
        });
        await db.SaveChangesAsync(cancellationToken);
        if (!right)
        {
            return Results.LocalRedirect($"/login?wrong=1&returnUrl={Uri.EscapeDataString(returnUrl ?? "")}");
        }

        await context.SignInAsync(Schemes.Cookie, Schemes.Principal(Schemes.Operator, Schemes.Cookie));
        return Results.LocalRedirect(returnUrl is { Length: > 1 } url && url.StartsWith('/') && !url.StartsWith("//", StringComparison.Ordinal) && !url.StartsWith("/\\", StringComparison.Ordinal) ? url : "/");
    }
}
