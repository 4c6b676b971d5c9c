using System.Threading.RateLimiting;
using AutoTicket.Audit;
using Microsoft.AspNetCore.Diagnostics;

namespace AutoTicket.Security;

/// <summary>Counts requests with a missing or wrong bearer token. Wrong ones are logged and audited at most once a minute.</summary>
internal sealed partial class WrongTokens(DenialLog denials, OncePerMinute often, ILogger<WrongTokens> logger) : IDisposable
{
    private const int PerMinute = 10;
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private readonly PartitionedRateLimiter<string> _perAddress = PartitionedRateLimiter.Create<string, string>(address =>
        RateLimitPartition.GetFixedWindowLimiter(address, _ => new() { PermitLimit = PerMinute, Window = Minute })
    );

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

        using var permit = _perAddress.AttemptAcquire(address);
        return permit.IsAcquired ? StatusCodes.Status401Unauthorized : StatusCodes.Status429TooManyRequests;
    }

    public void Dispose() => _perAddress.Dispose();

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
