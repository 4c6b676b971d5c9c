using System.Globalization;
using System.Security.Claims;
using System.Text.Json;
using AutoTicket.Audit;
using AutoTicket.Data;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.EntityFrameworkCore;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;

namespace AutoTicket.Security;

/// <summary>Sign-in by OpenID Connect, in the code flow with PKCE. The cookie keeps only the user's name, e-mail
/// address and role.</summary>
internal static partial class ProviderSignIn
{
    public const string IdTokenHint = "id_token_hint";

    /// <summary>The paths to which the provider redirects. They and the sign-in page need no session.</summary>
    public static readonly IReadOnlyList<string> CallbackPaths = ["/signin-oidc", "/signout-callback-oidc"];

    private const string ActorPrefix = "user:";

    /// <summary>RFC 5321, 4.5.3.1.3.</summary>
    private const int LongestEmail = 254;

    private const string RolesInIdToken = "roles_in_id_token";

    /// <summary>The claim type for values of <see cref="ProviderOptions.RoleClaim"/>.</summary>
    private const string ProviderRole = "provider_role";

    private const string Email = "email";

    private const string EmailVerified = "email_verified";

    private static readonly string[] NameClaims = ["preferred_username", Email];

    public static void Configure(OpenIdConnectOptions oidc, ProviderOptions provider, bool isDevelopment)
    {
        oidc.Authority = provider.Authority.AbsoluteUri;
        oidc.ClientId = provider.ClientId;
        oidc.ClientSecret = provider.ClientSecret;
        oidc.RequireHttpsMetadata = provider.Authority.Scheme == Uri.UriSchemeHttps;
        oidc.SignInScheme = Schemes.Cookie;
        oidc.SignOutScheme = Schemes.Cookie;
        oidc.CallbackPath = CallbackPaths[0];
        oidc.SignedOutCallbackPath = CallbackPaths[1];
        // Only the user's own browser, with the form's token, ends a session.
        oidc.RemoteSignOutPath = default;
        oidc.ResponseType = OpenIdConnectResponseType.Code;
        // A redirect instead of a form of another site, so that the cookies can be Lax.
        oidc.ResponseMode = OpenIdConnectResponseMode.Query;
        oidc.UsePkce = true;
        oidc.MapInboundClaims = false;
        oidc.GetClaimsFromUserInfoEndpoint = true;
        oidc.SaveTokens = true;
        oidc.BackchannelTimeout = TimeSpan.FromSeconds(10);
        oidc.BackchannelHttpHandler = new SocketsHttpHandler { ConnectCallback = HappyEyeballs.ConnectAsync };
        oidc.Scope.Clear();
        foreach (var scope in provider.Scopes)
        {
            oidc.Scope.Add(scope);
        }

        foreach (var name in NameClaims.Append("sub").Append(EmailVerified))
        {
            oidc.ClaimActions.MapJsonKey(name, name);
        }

        foreach (var (cookie, name) in new[] { (oidc.CorrelationCookie, "autoticket-sign-in."), (oidc.NonceCookie, "autoticket-nonce.") })
        {
            SignInSetup.NameForThisHost(cookie, name, isDevelopment);
            cookie.SameSite = SameSiteMode.Lax;
            // For Development. Elsewhere the cookie policy makes every cookie secure.
            cookie.SecurePolicy = CookieSecurePolicy.SameAsRequest;
        }

        oidc.Events.OnTokenValidated = context =>
        {
            var idToken = context.TokenEndpointResponse!.IdToken;
            if (idToken.EndsWith('.'))
            {
                // The framework accepts it (alg: none), because it came from the provider over TLS.
                context.Fail("the ID token is not signed");
                return Task.CompletedTask;
            }

            var roles = RoleClaim.Find(idToken, provider.RoleClaim);
            context.Properties!.Items[RolesInIdToken] = (roles.Count > 0).ToString();
            Add(roles, context.Principal!);
            return Task.CompletedTask;
        };
        oidc.Events.OnUserInformationReceived = context =>
        {
            Add(RoleClaim.Find(context.User.RootElement, provider.RoleClaim), context.Principal!);
            return Task.CompletedTask;
        };
        oidc.Events.OnTicketReceived = context => ReceiveAsync(context, provider);
        oidc.Events.OnRedirectToIdentityProviderForSignOut = context =>
        {
            context.ProtocolMessage.IdTokenHint = context.Properties.Items.TryGetValue(IdTokenHint, out var hint) ? hint : null;
            context.Properties.Items.Remove(IdTokenHint);
            return Task.CompletedTask;
        };
        oidc.Events.OnSignedOutCallbackRedirect = context =>
        {
            context.HandleResponse();
            context.Response.Redirect("/login");
            return Task.CompletedTask;
        };
        oidc.Events.OnRemoteFailure = context =>
        {
            // The user went back, waited too long or was denied: no bug. The message may quote the request, so it is cut.
            if (Often(context.HttpContext).Take("provider sign-in") is { } times)
            {
                Log.Failed(Logger(context.HttpContext), times, (context.Failure?.Message ?? "no reason given").Split(',')[0]);
            }

            context.HandleResponse();
            context.Response.Redirect(Login.Again("failed", "1", context.Properties?.RedirectUri));
            return Task.CompletedTask;
        };
    }

    private static void Add(IReadOnlyList<string> roles, ClaimsPrincipal user) =>
        ((ClaimsIdentity)user.Identity!).AddClaims(roles.Select(role => new Claim(ProviderRole, role)));

    /// <summary>Opens a session for a user whom the provider has signed in, if they have a role.</summary>
    private static async Task ReceiveAsync(TicketReceivedContext context, ProviderOptions provider)
    {
        var (user, services, cancellationToken) = (
            context.Principal!,
            context.HttpContext.RequestServices,
            context.HttpContext.RequestAborted
        );
        var actor = ActorOf(user);
        if (provider.RoleOf(user.FindAll(ProviderRole).Select(claim => claim.Value)) is not { } role)
        {
            if (Often(context.HttpContext).Take($"no role {actor}") is { } tries)
            {
                Log.NoRole(Logger(context.HttpContext), actor, provider.RoleClaim);
                await services
                    .GetRequiredService<DenialLog>()
                    .RecordAsync(
                        actor,
                        new
                        {
                            why = "no role",
                            claim = provider.RoleClaim,
                            tries,
                        }
                    );
            }

            context.HandleResponse();
            context.Response.Redirect(Login.Again("norole", "1", context.ReturnUri));
            return;
        }

        var properties = context.Properties!;
        var grant = new ProviderGrant(
            user.FindFirst("sub")!.Value,
            properties.GetTokenValue("access_token"),
            properties.GetTokenValue("refresh_token"),
            properties.GetTokenValue("id_token"),
            properties.Items[RolesInIdToken] == bool.TrueString,
            DateTimeOffset.TryParse(properties.GetTokenValue("expires_at"), CultureInfo.InvariantCulture, out var until) ? until : null
        );
        var sealedGrant = services.GetRequiredService<ProviderGrants>().Seal(grant);
        context.Principal = await services
            .GetRequiredService<Sessions>()
            .OpenAsync(actor, role, sealedGrant, cancellationToken, EmailIn(user));
        // The cookie must not contain the tokens.
        context.Properties = new AuthenticationProperties { RedirectUri = properties.RedirectUri };
    }

    /// <returns>The actor in the audit log: a readable name, which users may be able to change, and the provider's id, which they can't.
    /// The name has no brackets, so that it can't imitate another actor.</returns>
    internal static string ActorOf(ClaimsPrincipal user)
    {
        var subject = Clean(user.FindFirst("sub")!.Value, 255);
        var name = NameClaims
            .Select(claim => Clean(user.FindFirst(claim)?.Value ?? "", 100))
            .Select(name => string.Concat(name.Split('(', ')')).Trim())
            .FirstOrDefault(name => name.Length > 0);
        return name is null || name == subject ? $"{ActorPrefix}{subject}" : $"{ActorPrefix}{name} ({subject})";
    }

    /// <returns>The user's e-mail address; null: the provider sent none, or says that the user did not prove it.</returns>
    internal static string? EmailIn(ClaimsPrincipal user) =>
        user.FindAll(EmailVerified).Any(claim => bool.TryParse(claim.Value, out var isVerified) && !isVerified) ? null
        : Clean(user.FindFirst(Email)?.Value ?? "", LongestEmail) is { Length: > 0 } email ? email
        : null;

    /// <returns>The name to show on pages; an actor that did not sign in at the provider is returned unchanged.</returns>
    /// <param name="actor">A result of <see cref="ActorOf"/>.</param>
    internal static string? NameIn(string? actor) =>
        actor is null || !actor.StartsWith(ActorPrefix, StringComparison.Ordinal) ? actor : actor[ActorPrefix.Length..].Split(" (")[0];

    private static string Clean(string text, int longest)
    {
        var shown = string.Concat(
                text.Where(character => !char.IsControl(character) && char.GetUnicodeCategory(character) != UnicodeCategory.Format)
            )
            .Trim();
        return CleanText.Cut(shown, longest);
    }

    private static OncePerMinute Often(HttpContext context) => context.RequestServices.GetRequiredService<OncePerMinute>();

    private static ILogger Logger(HttpContext context) => context.RequestServices.GetRequiredService<ILogger<Sessions>>();

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "sign-in at the provider failed, {Times} time(s) since the last such line: {Problem}")]
        public static partial void Failed(ILogger logger, int times, string problem);

        [LoggerMessage(LogLevel.Warning, "auth denied actor={Actor}: no value of the claim {Claim} is in OIDC_ROLE_MAP")]
        public static partial void NoRole(ILogger logger, string actor, string claim);
    }
}
