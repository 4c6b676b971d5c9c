using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Components.Authorization;
using Microsoft.AspNetCore.StaticAssets;

namespace AutoTicket.Security;

/// <summary>Wires sign-in: schemes, sessions, rights and lockout.</summary>
internal static class SignInSetup
{
    /// <exception cref="ConfigurationException">Nobody could sign in, or a setting is invalid.</exception>
    public static void AddSignIn(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        var isDevelopment = builder.Environment.IsDevelopment();
        var options = SignInOptions.Read(builder.Configuration, isDevelopment);
        services.AddSingleton(options);
        var authentication = services
            .AddAuthentication(Schemes.Any)
            .AddPolicyScheme(
                Schemes.Any,
                null,
                policy =>
                    policy.ForwardDefaultSelector = context =>
                        context.Request.Headers.Authorization.Count > 0 ? Schemes.Token
                        : LoopbackHandler.Applies(context) ? Schemes.Loopback
                        : Schemes.Cookie
            )
            .AddScheme<AuthenticationSchemeOptions, TokenHandler>(Schemes.Token, null)
            .AddScheme<AuthenticationSchemeOptions, LoopbackHandler>(Schemes.Loopback, null)
            .AddCookie(Schemes.Cookie, cookie => Configure(cookie, options, isDevelopment));
        if (options.Provider is { } provider)
        {
            authentication.AddOpenIdConnect(Schemes.Provider, oidc => ProviderSignIn.Configure(oidc, provider, isDevelopment));
            services.AddSingleton<ProviderGrants>();
            services.AddHostedService<ProviderWatch>();
        }

        services.AddAntiforgery(forms => NameForThisHost(forms.Cookie, "autoticket-form", isDevelopment));
        services.AddSingleton<Sessions>().AddHostedService(services => services.GetRequiredService<Sessions>());
        services.AddSingleton<Lockout>().AddSingleton<WrongTokens>();
        services
            .AddSingleton<DeniedRequests>()
            .AddSingleton<IAuthorizationMiddlewareResultHandler>(services => services.GetRequiredService<DeniedRequests>());
        services.AddScoped<AuthenticationStateProvider, SessionState>();
        services.AddScoped<CircuitAuthorization>();

        var authorization = services.AddAuthorizationBuilder();
        foreach (var right in Rights.All)
        {
            authorization.AddPolicy(right, policy => policy.RequireAuthenticatedUser().RequireRole(Rights.HoldersOf(right)));
        }

        var see = new AuthorizationPolicyBuilder().RequireAuthenticatedUser().RequireRole(Rights.HoldersOf(Rights.See)).Build();
        authorization.SetFallbackPolicy(see).SetDefaultPolicy(see);
    }

    /// <summary>Outside Development the name begins with <c>__Host-</c>: it needs TLS, and no other host, not even a subdomain, can set
    /// it.</summary>
    public static void NameForThisHost(CookieBuilder cookie, string name, bool isDevelopment) =>
        (cookie.Name, cookie.Path) = (isDevelopment ? name : $"__Host-{name}", "/");

    private static void Configure(CookieAuthenticationOptions cookie, SignInOptions options, bool isDevelopment)
    {
        cookie.LoginPath = "/login";
        NameForThisHost(cookie.Cookie, "autoticket", isDevelopment);
        cookie.Cookie.HttpOnly = true;
        cookie.Cookie.SameSite = SameSiteMode.Lax;
        cookie.ExpireTimeSpan = options.SessionLifetime;
        cookie.SlidingExpiration = true;
        // Pages redirect to the sign-in; programs get a 401.
        cookie.Events.OnRedirectToLogin = context =>
        {
            if (context.Request.Path.StartsWithSegments("/console", StringComparison.OrdinalIgnoreCase) || context.Request.Path == "/")
            {
                context.Response.Redirect(context.RedirectUri);
            }
            else if (context.Request.Path == "/logout")
            {
                context.Response.Redirect("/login?returnUrl=%2F");
            }
            else
            {
                context.Response.StatusCode = 401;
            }

            return Task.CompletedTask;
        };
        cookie.Events.OnValidatePrincipal = async context =>
        {
            // A page loads a dozen public style sheets and scripts; don't read the session for each.
            if (context.HttpContext.GetEndpoint()?.Metadata.GetMetadata<StaticAssetDescriptor>() is not null)
            {
                return;
            }

            var user = await context
                .HttpContext.RequestServices.GetRequiredService<Sessions>()
                .CurrentAsync(context.Principal!, context.HttpContext.RequestAborted);
            if (user is null)
            {
                context.RejectPrincipal();
                await context.HttpContext.SignOutAsync(Schemes.Cookie);
            }
            else if (user != context.Principal)
            {
                context.ReplacePrincipal(user);
                context.ShouldRenew = true;
            }
        };
        cookie.Events.OnCheckSlidingExpiration = async context =>
        {
            if (context.ShouldRenew && Schemes.SessionOf(context.Principal!) is { } session)
            {
                await context
                    .HttpContext.RequestServices.GetRequiredService<Sessions>()
                    .ExtendAsync(session, context.HttpContext.RequestAborted);
            }
        };
    }
}
