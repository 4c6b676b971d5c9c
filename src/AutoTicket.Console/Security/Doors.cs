using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;

namespace AutoTicket.Security;

/// <summary>What a request must be like before it may change anything.</summary>
internal static class Doors
{
    /// <summary>A browser sends a cookie along, or is on this machine, whichever page made it ask: a write must be JSON, which no
    /// form can send, and come from our own pages. A token is sent by nobody unasked.</summary>
    public static RouteHandlerBuilder RequireSameOriginJson(this RouteHandlerBuilder endpoint) => endpoint.AddEndpointFilter(async (context, next) =>
    {
        var request = context.HttpContext.Request;
        if (context.HttpContext.User.Identity?.AuthenticationType == Schemes.Token)
        {
            return await next(context);
        }

        var site = request.Headers["Sec-Fetch-Site"].ToString();
        var origin = request.Headers.Origin.ToString();
        var foreign = site.Length > 0 ? site is not ("same-origin" or "none")
            : origin.Length > 0 && !(Uri.TryCreate(origin, UriKind.Absolute, out var from) && from.Authority == request.Host.Value && from.Scheme == request.Scheme);
        if (foreign)
        {
            return Results.Problem(title: "The request comes from another site.", statusCode: 403);
        }

        var hasBody = request.ContentLength > 0 || request.Headers.TransferEncoding.Count > 0;
        return (hasBody || request.ContentType is not null) && !(MediaTypeHeaderValue.TryParse(request.ContentType, out var type) && type.MediaType == "application/json")
            ? Results.Problem(title: "The body must be application/json.", statusCode: 415)
            : await next(context);
    });

    /// <summary>Nobody enters but with one of the setting's tokens, which are separated by commas so that they can be rotated.</summary>
    public static RouteHandlerBuilder RequireBearer(this RouteHandlerBuilder endpoint, string variable, Func<IServiceProvider, string?> setting) => endpoint.AddEndpointFilter(async (context, next) =>
    {
        var http = context.HttpContext;
        var tokens = Tokens(setting(http.RequestServices));
        if (tokens.Length == 0)
        {
            return Results.Problem(title: $"{variable} is not set on the console.", detail: "Until it is, nothing is taken here.", statusCode: 503);
        }

        if (IsBearerOf(http.Request, tokens))
        {
            return await next(context);
        }

        http.Response.Headers.WWWAuthenticate = "Bearer";
        return Results.Problem(title: "The token is missing or wrong.", detail: $"Send “Authorization: Bearer …” with a token of {variable}.", statusCode: 401);
    });

    /// <summary>The tokens of a setting.</summary>
    public static string[] Tokens(string? setting) => setting?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? [];

    /// <summary>Whether the request brings one of the tokens, compared in constant time.</summary>
    public static bool IsBearerOf(HttpRequest request, IEnumerable<string> tokens)
    {
        var header = request.Headers.Authorization.ToString();
        if (!header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase))
        {
            return false;
        }

        var given = SHA256.HashData(Encoding.UTF8.GetBytes(header["Bearer ".Length..].Trim()));
        var known = false;
        foreach (var token in tokens)
        {
            // Every token is compared, so that the time tells nothing of which.
            known |= CryptographicOperations.FixedTimeEquals(given, SHA256.HashData(Encoding.UTF8.GetBytes(token)));
        }

        return known;
    }

    /// <summary>Nothing of ours is framed, sniffed or fetched from elsewhere; scripts are files of ours.</summary>
    public static IApplicationBuilder UseSafeHeaders(this IApplicationBuilder app) => app.Use((context, next) =>
    {
        var headers = context.Response.Headers;
        // MudBlazor sets element styles, so styles may be inline; scripts may not.
        headers.ContentSecurityPolicy = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'self'; form-action 'self'; object-src 'none'";
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "same-origin";
        headers.XFrameOptions = "DENY";
        return next(context);
    });
}
