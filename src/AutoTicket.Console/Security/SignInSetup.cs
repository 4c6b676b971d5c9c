using System.Net;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.Authorization;

namespace AutoTicket.Security;

/// <summary>The wiring of sign-in: who may enter, by which of the schemes, and how often one may try.</summary>
internal static class SignInSetup
{
    /// <exception cref="ConfigurationException">Nobody could sign in, or the hash is none.</exception>
    public static void AddSignIn(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        var hash = builder.Configuration["CONSOLE_OPERATOR_PASSWORD_HASH"];
        if (!string.IsNullOrEmpty(hash) && !Login.IsHash(hash))
        {
            throw new ConfigurationException("CONSOLE_OPERATOR_PASSWORD_HASH is not a hash that the verb `hash-password` printed; run it again and set its last line.");
        }

        if (string.IsNullOrEmpty(hash) && builder.Environment.IsProduction())
        {
            throw new ConfigurationException("Nobody could sign in: set CONSOLE_OPERATOR_PASSWORD_HASH to the last line that the verb `hash-password` prints.");
        }

        services.Configure<SignInOptions>(options =>
        {
            options.OperatorPasswordHash = hash;
            options.ApiTokens = builder.Configuration["CONSOLE_API_TOKENS"]?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? [];
        });
        services.AddAuthentication(Schemes.Any)
            .AddPolicyScheme(Schemes.Any, null, policy => policy.ForwardDefaultSelector = context =>
                context.Request.Headers.Authorization.Count > 0 ? Schemes.Token
                : LoopbackHandler.Applies(context) ? Schemes.Loopback
                : Schemes.Cookie)
            .AddScheme<AuthenticationSchemeOptions, TokenHandler>(Schemes.Token, null)
            .AddScheme<AuthenticationSchemeOptions, LoopbackHandler>(Schemes.Loopback, null)
            .AddCookie(Schemes.Cookie, cookie =>
            {
                cookie.LoginPath = "/login";
                cookie.Cookie.Name = "autoticket";
                cookie.Cookie.SameSite = SameSiteMode.Lax;
                cookie.Cookie.SecurePolicy = builder.Environment.IsProduction() ? CookieSecurePolicy.Always : CookieSecurePolicy.SameAsRequest;
                cookie.ExpireTimeSpan = TimeSpan.FromHours(12);
                cookie.Events.OnRedirectToLogin = context => ApiAnswers(context, 401);
                cookie.Events.OnRedirectToAccessDenied = context => ApiAnswers(context, 403);
            });
        services.AddAuthorizationBuilder().SetFallbackPolicy(new AuthorizationPolicyBuilder().RequireAuthenticatedUser().Build());
        services.AddRateLimiter(limiter =>
        {
            limiter.RejectionStatusCode = 429;
            limiter.AddPolicy(nameof(Login), context => RateLimitPartition.GetFixedWindowLimiter(
                context.Connection.RemoteIpAddress ?? IPAddress.None, _ => new FixedWindowRateLimiterOptions { PermitLimit = 10, Window = TimeSpan.FromMinutes(1) }));
        });

        // A page sends people to the sign-in; a program wants to be told.
        static Task ApiAnswers(RedirectContext<CookieAuthenticationOptions> context, int status)
        {
            if (context.Request.Path.StartsWithSegments("/console", StringComparison.OrdinalIgnoreCase) || context.Request.Path == "/")
            {
                context.Response.Redirect(context.RedirectUri);
            }
            else
            {
                context.Response.StatusCode = status;
            }

            return Task.CompletedTask;
        }
    }
}
