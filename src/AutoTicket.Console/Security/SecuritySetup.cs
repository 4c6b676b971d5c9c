using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Authentication;

namespace AutoTicket.Security;

internal static class SecuritySetup
{
    /// <exception cref="ConfigurationException">Nobody could sign in, or a setting can't be used.</exception>
    public static void AddSecurity(this WebApplicationBuilder builder)
    {
        builder.AddRequestGuards();
        builder.AddSignIn();
        builder.Services.AddExceptionHandler<BadRequestHandler>();
        builder.Services.AddOpenApi(ApiDescription.Configure);
        builder.Services.Configure<RouteHandlerOptions>(routes => routes.ThrowOnBadRequest = true);
        // They log an ERROR for each forged cookie, form or sign-in answer. Our own lines say what matters.
        builder.Logging.AddFilter("Microsoft.AspNetCore.Antiforgery", LogLevel.None);
        builder.Logging.AddFilter("Microsoft.AspNetCore.Authentication", LogLevel.None);
        // It logs a line for each request without a token, or with another endpoint's token.
        builder.Logging.AddFilter(typeof(TokenHandler).FullName, LogLevel.Warning);
    }

    /// <summary>Who is asking, what they may do, and how much at once.</summary>
    public static void UseSignIn(this WebApplication app)
    {
        app.UseAuthentication();
        app.UseAuthorization();
        app.Use((context, next) => app.Services.GetRequiredService<RequestLimits>().InvokeAsync(context, next));
        app.UseAntiforgery();
        // Without this, reading the form would throw: an ERROR for each POST that a stranger sends.
        app.Use(
            (context, next) =>
                context.Features.Get<IAntiforgeryValidationFeature>() is { IsValid: false } ? RefuseFormAsync(context) : next(context)
        );
    }

    /// <summary>A form of our own may be older than a sign-in in another tab or a change of the role: it leads back to the console, and
    /// “Sign out” signs out all the same.</summary>
    private static async Task RefuseFormAsync(HttpContext context)
    {
        var refusal = Results.LocalRedirect(context.User.Identity is { IsAuthenticated: true } ? "/" : "/login?failed=1");
        if (RequestGuards.IsForeign(context.Request))
        {
            refusal = Results.Problem(title: "The form is out of date.", statusCode: 400);
        }
        else if (context.Request.Path == "/logout" && Schemes.SessionOf(context.User) is { } session)
        {
            await context.RequestServices.GetRequiredService<Sessions>().EndAsync(session, "signed out", context.RequestAborted);
            await context.SignOutAsync(Schemes.Cookie);
            refusal = Results.LocalRedirect("/login");
        }

        await refusal.ExecuteAsync(context);
    }
}
