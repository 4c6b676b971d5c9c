using System.Net;
using System.Net.Sockets;

namespace AutoTicket.Tests.Kit;

/// <summary>Ports for listeners that go away and come back under the same number.</summary>
internal static class LoopbackPort
{
    // Below the kernel's ephemeral range (32768 upwards). Inside it a client that keeps trying a closed port may be given
    // that very port as its own and connect to itself; or another connection takes it while the listener is away.
    private const int First = 20_000;
    private const int Count = 12_000;

    // Runs in other worktrees begin elsewhere; within one run no number is given twice.
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
                // Somebody else's: the next one.
            }
        }

        throw new InvalidOperationException($"No free loopback port from {First} to {First + Count - 1}.");
    }
}
