using AutoTicket.Audit;
using Microsoft.AspNetCore.Diagnostics;

namespace AutoTicket.Security;

/// <summary>Counts requests with a missing or wrong bearer token. Wrong ones are logged and audited at most once a minute.</summary>
internal sealed partial class WrongTokens(DenialLog denials, OncePerMinute often, ILogger<WrongTokens> logger)
{
    private const int PerMinute = 10;

    private readonly MinuteLimit _perAddress = new(PerMinute, TimeProvider.System);

    /// <returns>The status to answer with: 401, or 429 to an address with too many wrong tokens. Right tokens are never limited, so that a
    /// wrong one from the same address can't keep alerts out.</returns>
    public async Task<int> CountAsync(HttpContext context)
    {
        // The error page is rendered within the denied request; don't count it again.
        if (context.Features.Get<IStatusCodeReExecuteFeature>() is not null)
        {
            return context.Response.StatusCode;
        }

        context.Response.Headers.WWWAuthenticate = "Bearer";
        if (context.Request.Headers.Authorization.Count == 0)
        {
            return StatusCodes.Status401Unauthorized;
        }

        var address = Lockout.AddressOf(context.Connection.RemoteIpAddress);
        if (often.Take("wrong token") is { } tries)
        {
            await RecordAsync(tries, address, (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText ?? "?");
        }

        return _perAddress.TryTake(address) ? StatusCodes.Status401Unauthorized : StatusCodes.Status429TooManyRequests;
    }

    private async Task RecordAsync(int tries, string address, string route)
    {
        Log.Wrong(logger, tries, address, route);
        await denials.RecordAsync(
            "token:unknown",
            new
            {
                why = "wrong token",
                tries,
                address,
                tried = route,
            }
        );
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "auth denied actor=token:unknown: {Tries} wrong token(s), the last from {Address} for {Route}")]
        public static partial void Wrong(ILogger logger, int tries, string address, string route);
    }
}
