using System.Net;
using System.Net.Sockets;

namespace AutoTicket.Tests.Kit;

/// <summary>Ports for listeners that stop and listen again on the same port.</summary>
internal static class LoopbackPort
{
    // Below the kernel's ephemeral range (from 32768). Inside it, a client that retries a closed port can get that port as its own and
    // connect to itself, or another connection can take it.
    private const int First = 20_000;
    private const int Count = 12_000;

    // Runs in other worktrees start at other ports. Within a run no port is used twice.
    private static int s_next = Random.Shared.Next(Count);

    public static int Next()
    {
        for (var attempt = 0; attempt < Count; attempt++)
        {
            var port = First + (int)((uint)Interlocked.Increment(ref s_next) % Count);
            using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                probe.Bind(new IPEndPoint(IPAddress.Loopback, port));
                return port;
            }
            catch (SocketException)
            {
                // Another program uses this port.
            }
        }

        throw new InvalidOperationException($"No free loopback port from {First} to {First + Count - 1}.");
    }
}
