using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Routing;

namespace AutoTicket.Security;

/// <summary>Checks of requests: origin, content type, loopback and bearer tokens; and the security headers.</summary>
internal static class RequestGuards
{
    private static readonly string[] ProxyHeaders =
    [
        "Forwarded",
        "Via",
        "X-Real-IP",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Original-For",
        "X-Original-Host",
        "X-Original-Proto",
    ];

    /// <summary>Prevents cross-site request forgery: a write must be JSON, which no form can send, and come from the console's own pages. A
    /// request with a token is exempt, because a browser sends no token by itself.</summary>
    public static RouteHandlerBuilder RequireSameOriginJson(this RouteHandlerBuilder endpoint) =>
        endpoint
            .WithMetadata(new ApiDescription.SameOriginJson())
            .AddEndpointFilter(
                async (context, next) =>
                {
                    var request = context.HttpContext.Request;
                    if (context.HttpContext.User.Identity?.AuthenticationType == Schemes.Token)
                    {
                        return await next(context);
                    }

                    if (IsForeign(request))
                    {
                        return Results.Problem(title: "The request comes from another site.", statusCode: 403);
                    }

                    var hasBody = request.ContentLength > 0 || request.Headers.TransferEncoding.Count > 0;
                    return
                        (hasBody || request.ContentType is not null)
                        && !(MediaTypeHeaderValue.TryParse(request.ContentType, out var type) && type.MediaType == "application/json")
                        ? Results.Problem(title: "The body must be application/json.", statusCode: 415)
                        : await next(context);
                }
            );

    /// <returns>Whether the request came over loopback, and not through a proxy on this machine.</returns>
    public static bool IsFromThisMachine(HttpContext context) =>
        context.Connection is { RemoteIpAddress: { } remote, LocalIpAddress: { } local }
        && IPAddress.IsLoopback(remote)
        && IPAddress.IsLoopback(local)
        && !ProxyHeaders.Any(context.Request.Headers.ContainsKey);

    public static bool IsLoopback(HostString host) =>
        host.Host == "localhost" || (IPAddress.TryParse(host.Host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));

    /// <returns>Whether the browser says that a page of another site sent the request.</returns>
    public static bool IsForeign(HttpRequest request)
    {
        var site = request.Headers["Sec-Fetch-Site"].ToString();
        if (site.Length > 0)
        {
            return site is not ("same-origin" or "none");
        }

        var origin = request.Headers.Origin.ToString();
        if (origin.Length == 0)
        {
            return false;
        }

        // A proxy may pass Host on without the port, and TLS may end at a proxy that does not say so.
        return !Uri.TryCreate(origin, UriKind.Absolute, out var from)
            || !(from.Authority == request.Host.Value && (from.Scheme == request.Scheme || from.Scheme == Uri.UriSchemeHttps))
                && !request.HttpContext.RequestServices.GetRequiredService<ConsoleAddress>().IsPublic(from);
    }

    /// <summary>Limits an endpoint without a method to GET and HEAD.</summary>
    public static IEndpointConventionBuilder OnlyRead(this IEndpointConventionBuilder endpoint) =>
        endpoint.WithMetadata(new HttpMethodMetadata([HttpMethods.Get, HttpMethods.Head]));

    /// <summary>Requires one of the setting's tokens. Several are separated by commas, so that they can be rotated.</summary>
    public static RouteHandlerBuilder RequireBearer(
        this RouteHandlerBuilder endpoint,
        string variable,
        Func<IServiceProvider, string?> setting
    ) =>
        endpoint.AddEndpointFilter(
            async (context, next) =>
            {
                var http = context.HttpContext;
                var tokens = Tokens(setting(http.RequestServices));
                if (tokens.Length == 0)
                {
                    return Results.Problem(
                        title: $"{variable} is not set on the console.",
                        detail: "Until it is set, this endpoint accepts nothing.",
                        statusCode: 503
                    );
                }

                if (IsBearerOf(http.Request, tokens, orPassword: true))
                {
                    return await next(context);
                }

                return Results.Problem(
                    title: "The token is missing or wrong.",
                    detail: $"Send “Authorization: Bearer …” with a token of {variable}, or Basic authentication with it as password.",
                    statusCode: await http.RequestServices.GetRequiredService<WrongTokens>().CountAsync(http)
                );
            }
        );

    public static string[] Tokens(string? setting) =>
        setting?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? [];

    /// <returns>Whether the request has one of the tokens; compared in constant time.</returns>
    /// <param name="orPassword">Also accepts the password of Basic authentication, for senders of alerts that know nothing else. Never use
    /// it for pages, because a browser sends such a password by itself.</param>
    public static bool IsBearerOf(HttpRequest request, IEnumerable<string> tokens, bool orPassword = false)
    {
        var header = request.Headers.Authorization.ToString();
        var token =
            header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase) ? header["Bearer ".Length..].Trim()
            : orPassword ? PasswordIn(header)
            : null;
        if (token is null)
        {
            return false;
        }

        var given = SHA256.HashData(Encoding.UTF8.GetBytes(token));
        var isKnown = false;
        foreach (var known in tokens)
        {
            // Compares all tokens, so that the time does not reveal which one matches.
            isKnown |= CryptographicOperations.FixedTimeEquals(given, SHA256.HashData(Encoding.UTF8.GetBytes(known)));
        }

        return isKnown;
    }

    private static string? PasswordIn(string header)
    {
        if (!header.StartsWith("Basic ", StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        var encoded = header["Basic ".Length..].Trim();
        var pair = new byte[encoded.Length];
        return Convert.TryFromBase64String(encoded, pair, out var length) && pair.AsSpan(0, length).IndexOf((byte)':') is >= 0 and var colon
            ? Encoding.UTF8.GetString(pair, colon + 1, length - colon - 1)
            : null;
    }

    /// <summary>Sets security headers: no frames, sniffing or caching, and only the console's own files and scripts.</summary>
    /// <param name="provider">The sign-in provider, the only other site to which a form may lead.</param>
    public static IApplicationBuilder UseSafeHeaders(this IApplicationBuilder app, Uri? provider)
    {
        // Inline styles are allowed for MudBlazor, which sets styles of elements and its theme.
        var policy =
            "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
            + "frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
            + (provider is null ? "" : $" {provider.GetLeftPart(UriPartial.Authority)}")
            + "; object-src 'none'";
        return app.Use(
            (context, next) =>
            {
                // On starting, because an error clears the headers set before.
                context.Response.OnStarting(() =>
                {
                    var headers = context.Response.Headers;
                    headers.ContentSecurityPolicy = policy;
                    headers.XContentTypeOptions = "nosniff";
                    headers["Referrer-Policy"] = "same-origin";
                    headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=(), usb=()";
                    headers["Cross-Origin-Opener-Policy"] = "same-origin";
                    headers["Cross-Origin-Resource-Policy"] = "same-origin";
                    headers.XFrameOptions = "DENY";
                    if (headers.CacheControl.Count == 0)
                    {
                        headers.CacheControl = "no-store";
                    }

                    return Task.CompletedTask;
                });
                return next(context);
            }
        );
    }
}
