using System.Net.Http.Headers;

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
