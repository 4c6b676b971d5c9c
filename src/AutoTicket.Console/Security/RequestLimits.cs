using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.SignalR;

namespace AutoTicket.Security;

/// <summary>How many requests may come or be open: sign-ins per address and minute, page connections in all and per session, and
/// what an endpoint allows one caller at a time. The limiters end with the host; those of ASP.NET's own middleware are never disposed, and
/// their timers keep the whole host alive.</summary>
internal sealed class RequestLimits : IDisposable
{
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
            // A page's WebSocket is one request, for as long as it is open.
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

    // The first request of a key makes its limiter: this key must be nobody else's.
    private static RateLimitPartition<string> Unlimited => RateLimitPartition.GetNoLimiter("");

    public async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        if (IsConnection(context) && !IsWebSocket(context))
        {
            await Results.Problem(title: "Pages connect by WebSocket alone.", statusCode: 400).ExecuteAsync(context);
            return;
        }

        using var permit = _all.AttemptAcquire(context);
        if (permit.IsAcquired)
        {
            await next(context);
            return;
        }

        await Results.Problem(title: "Too many at a time. Wait a minute, then try again.", statusCode: 429).ExecuteAsync(context);
    }

    public void Dispose()
    {
        _all.Dispose();
        Array.ForEach(_each, limiter => limiter.Dispose());
    }

    private static bool IsSignIn(HttpContext context) => context.GetEndpoint()?.Metadata.GetMetadata<SignInMetadata>() is not null;

    private static bool IsConnection(HttpContext context) => context.GetEndpoint()?.Metadata.GetMetadata<HubMetadata>() is not null;

    /// <summary>SignalR's other transports hold a circuit open between requests, which no limit of requests counts. They and their
    /// negotiation would also need a load balancer with session affinity.</summary>
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

    /// <summary>How many requests one caller may have open at an endpoint: a signed-in user, else an address.</summary>
    internal sealed record AtOnce(string What, int Most);

    /// <summary>Marks an endpoint as an attempt to sign in.</summary>
    internal sealed class SignInMetadata;
}
