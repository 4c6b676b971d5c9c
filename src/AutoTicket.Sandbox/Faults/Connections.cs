using System.Net.Sockets;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;

namespace AutoTicket.Sandbox;

/// <summary>Ends a connection at the TCP level, by RST or FIN.</summary>
internal static class Connections
{
    /// <summary>Sends a RST: closing with linger 0 discards unsent data.</summary>
    public static void Reset(HttpContext context)
    {
        if (Socket(context) is { } socket)
        {
            socket.LingerState = new LingerOption(true, 0);
            socket.Close(0);
        }

        context.Abort();
    }

    /// <summary>Sends a FIN and waits for the client to close too; aborting earlier could send a RST first.</summary>
    public static async Task CloseAsync(HttpContext context, CancellationToken stopping)
    {
        try
        {
            Socket(context)?.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException)
        {
            // The client closed first.
        }

        using var either = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        either.CancelAfter(TimeSpan.FromSeconds(2));
        await Task.Delay(Timeout.InfiniteTimeSpan, either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        context.Abort();
    }

    private static Socket? Socket(HttpContext context) => context.Features.Get<IConnectionSocketFeature>()?.Socket;
}
