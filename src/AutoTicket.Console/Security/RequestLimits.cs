using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.SignalR;

namespace AutoTicket.Security;

/// <summary>Limits requests: sign-ins per address and minute, page connections in all and per session, and calls of some endpoints per
/// caller. ASP.NET's middleware would do, but never disposes its limiters, whose timers keep the whole host alive.</summary>
internal sealed class RequestLimits : IDisposable
{
    /// <summary>Of all exports together.</summary>
    public static readonly AtOnce Exports = new("export", 2);

    private const int SignInsPerMinute = 10;

    private readonly PartitionedRateLimiter<HttpContext>[] _each;
    private readonly PartitionedRateLimiter<HttpContext> _all;

    public RequestLimits(CircuitLimits circuits)
    {
        _each =
        [
            PartitionedRateLimiter.Create<HttpContext, string>(context =>
                IsSignIn(context)
                    ? RateLimitPartition.GetFixedWindowLimiter(
                        Lockout.AddressOf(context.Connection.RemoteIpAddress),
                        _ => new FixedWindowRateLimiterOptions { PermitLimit = SignInsPerMinute, Window = TimeSpan.FromMinutes(1) }
                    )
                    : Unlimited
            ),
            // A page's WebSocket is one long request.
            PartitionedRateLimiter.Create<HttpContext, string>(context => IsConnection(context) ? Open("all", circuits.InAll) : Unlimited),
            PartitionedRateLimiter.Create<HttpContext, string>(context =>
                IsConnection(context) && context.User.Identity?.AuthenticationType != Schemes.Loopback
                    ? Open($"page of {Schemes.SessionOf(context.User) ?? CallerOf(context)}", circuits.PerSession)
                    : Unlimited
            ),
            PartitionedRateLimiter.Create<HttpContext, string>(context =>
                context.GetEndpoint()?.Metadata.GetMetadata<AtOnce>() is { } limit
                    ? Open($"{limit.What} of {CallerOf(context)}", limit.Most)
                    : Unlimited
            ),
        ];
        _all = PartitionedRateLimiter.CreateChained(_each);
    }

    // The first request of a key creates its limiter, so that no other partition may use this key.
    private static RateLimitPartition<string> Unlimited => RateLimitPartition.GetNoLimiter("");

    public async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        if (IsConnection(context) && !IsWebSocket(context))
        {
            await Results.Problem(title: "Pages connect by WebSocket only.", statusCode: 400).ExecuteAsync(context);
            return;
        }

        using var permit = _all.AttemptAcquire(context);
        if (permit.IsAcquired)
        {
            await next(context);
            return;
        }

        await Results.Problem(title: "Too many requests. Wait a minute, then try again.", statusCode: 429).ExecuteAsync(context);
    }

    public void Dispose()
    {
        _all.Dispose();
        Array.ForEach(_each, limiter => limiter.Dispose());
    }

    private static bool IsSignIn(HttpContext context) => context.GetEndpoint()?.Metadata.GetMetadata<SignInMetadata>() is not null;

    private static bool IsConnection(HttpContext context) => context.GetEndpoint()?.Metadata.GetMetadata<HubMetadata>() is not null;

    /// <summary>SignalR's other transports keep a circuit open between requests, where no limit of requests counts it. They would also need
    /// a load balancer with session affinity.</summary>
    private static bool IsWebSocket(HttpContext context) =>
        context.GetEndpoint()!.Metadata.GetMetadata<NegotiateMetadata>() is null
        && (
            context.Features.Get<IHttpUpgradeFeature>() is { IsUpgradableRequest: true }
            || context.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true }
        );

    private static RateLimitPartition<string> Open(string key, int most) =>
        RateLimitPartition.GetConcurrencyLimiter(key, _ => new ConcurrencyLimiterOptions { PermitLimit = most, QueueLimit = 0 });

    private static string CallerOf(HttpContext context) =>
        context.User.Identity?.Name ?? Lockout.AddressOf(context.Connection.RemoteIpAddress);

    /// <summary>How many requests a caller (a signed-in user, otherwise an address) may have open at an endpoint.</summary>
    internal sealed record AtOnce(string What, int Most);

    /// <summary>Marks an endpoint as an attempt to sign in.</summary>
    internal sealed class SignInMetadata;
}
