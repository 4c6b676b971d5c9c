using Microsoft.AspNetCore.SignalR;

namespace AutoTicket.Components.Layout;

/// <summary>How soon an open page notices that its circuit is dead: within five seconds, also when no packet says so.</summary>
/// <remarks>The two values belong together: a browser that waits for less than the server's ping interval would drop
/// healthy circuits. Hand <see cref="Configure"/> to <c>AddHubOptions</c>.</remarks>
public static class CircuitLiveness
{
    /// <summary>The server pings an otherwise silent circuit this often.</summary>
    public static readonly TimeSpan PingInterval = TimeSpan.FromSeconds(1.5);

    /// <summary>The browser takes the circuit for dead after this much silence: three lost pings.</summary>
    public static readonly TimeSpan SilenceLimit = TimeSpan.FromSeconds(3.5);

    public static void Configure(HubOptions options) => options.KeepAliveInterval = PingInterval;
}
