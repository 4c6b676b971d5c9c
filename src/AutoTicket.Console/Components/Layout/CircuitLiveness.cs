using Microsoft.AspNetCore.SignalR;

namespace AutoTicket.Components.Layout;

/// <summary>Time limits after which an open page detects a dead circuit, within five seconds even without a TCP reset.</summary>
/// <remarks>The browser's limit must exceed the server's ping interval, or healthy circuits are dropped.
/// Pass <see cref="Configure"/> to <c>AddHubOptions</c>.</remarks>
public static class CircuitLiveness
{
    /// <summary>How often the server pings an idle circuit.</summary>
    public static readonly TimeSpan PingInterval = TimeSpan.FromSeconds(1.5);

    /// <summary>The browser treats the circuit as dead after this much silence (two missed pings).</summary>
    public static readonly TimeSpan SilenceLimit = TimeSpan.FromSeconds(3.5);

    public static void Configure(HubOptions options) => options.KeepAliveInterval = PingInterval;
}
