using System.Net.Sockets;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;

namespace AutoTicket.Sandbox;

/// <summary>Ends a connection below HTTP, in the two ways a network does.</summary>
internal static class Connections
{
    /// <summary>With a RST: closing with linger 0 throws away what is unsent, and says so.</summary>
    public static void Reset(HttpContext context)
    {
        if (Socket(context) is { } socket)
        {
            socket.LingerState = new LingerOption(true, 0);
            socket.Close(0);
        }

        context.Abort();
    }

    /// <summary>With a FIN. Waits for the client to close too: aborting sooner could overtake the FIN with a RST.</summary>
    public static async Task CloseAsync(HttpContext context, CancellationToken stopping)
    {
        try
        {
            Socket(context)?.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException)
        {
            // The client was first.
        }

        using var either = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        either.CancelAfter(TimeSpan.FromSeconds(2));
        await Task.Delay(Timeout.InfiniteTimeSpan, either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        context.Abort();
    }

    private static Socket? Socket(HttpContext context) => context.Features.Get<IConnectionSocketFeature>()?.Socket;
}
