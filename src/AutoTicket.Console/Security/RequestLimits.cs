using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.SignalR;

namespace AutoTicket.Security;

/// <summary>Limits requests: sign-ins per address and minute, page connections in all, per user and per session, and calls of some
/// endpoints per caller.</summary>
internal sealed class RequestLimits(CircuitLimits circuits)
{
    /// <summary>Of all exports together.</summary>
    public static readonly AtOnce Exports = new("export", 2);

    private const int SignInsPerMinute = 10;

    private readonly MinuteLimit _signIns = new(SignInsPerMinute, TimeProvider.System);
    private readonly Lock _lock = new();

    /// <summary>How many requests are open, by what limits them.</summary>
    private readonly Dictionary<string, int> _open = [];

    public async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        if (IsConnection(context) && !IsWebSocket(context))
        {
            await Results.Problem(title: "Pages connect by WebSocket only.", statusCode: 400).ExecuteAsync(context);
            return;
        }

        var limits = LimitsOf(context);
        if ((IsSignIn(context) && !_signIns.TryTake(Lockout.AddressOf(context.Connection.RemoteIpAddress))) || !TryOpen(limits))
        {
            await Results.Problem(title: "Too many requests. Wait a minute, then try again.", statusCode: 429).ExecuteAsync(context);
            return;
        }

        try
        {
            await next(context);
        }
        finally
        {
            Close(limits);
        }
    }

    /// <returns>How many requests may be open, by what limits them. Most requests have no limit.</returns>
    private IReadOnlyList<AtOnce> LimitsOf(HttpContext context)
    {
        if (IsConnection(context))
        {
            // A page's WebSocket is one long request.
            var all = new AtOnce("all", circuits.InAll);
            if (context.User.Identity?.AuthenticationType == Schemes.Loopback)
            {
                return [all];
            }

            var caller = CallerOf(context);
            var session = new AtOnce($"page of {Schemes.SessionOf(context.User) ?? caller}", circuits.PerSession);
            // The sessions of one user must leave pages for the others. All who know the password have one name.
            return caller == Schemes.Password ? [all, session] : [all, session, new($"pages of {caller}", Math.Max(1, circuits.InAll / 2))];
        }

        return context.GetEndpoint()?.Metadata.GetMetadata<AtOnce>() is { } limit
            ? [limit with { What = $"{limit.What} of {CallerOf(context)}" }]
            : [];
    }

    private bool TryOpen(IReadOnlyList<AtOnce> limits)
    {
        if (limits.Count == 0)
        {
            return true;
        }

        lock (_lock)
        {
            if (limits.Any(limit => _open.GetValueOrDefault(limit.What) >= limit.Most))
            {
                return false;
            }

            foreach (var limit in limits)
            {
                _open[limit.What] = _open.GetValueOrDefault(limit.What) + 1;
            }

            return true;
        }
    }

    private void Close(IReadOnlyList<AtOnce> limits)
    {
        if (limits.Count == 0)
        {
            return;
        }

        lock (_lock)
        {
            foreach (var limit in limits)
            {
                if (--_open[limit.What] == 0)
                {
                    _open.Remove(limit.What);
                }
            }
        }
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

    private static string CallerOf(HttpContext context) =>
        context.User.Identity?.Name ?? Lockout.AddressOf(context.Connection.RemoteIpAddress);

    /// <summary>How many requests a caller (a signed-in user, otherwise an address) may have open at an endpoint.</summary>
    internal sealed record AtOnce(string What, int Most);

    /// <summary>Marks an endpoint as an attempt to sign in.</summary>
    internal sealed class SignInMetadata;
}
