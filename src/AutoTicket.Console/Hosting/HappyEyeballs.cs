using System.Net;
using System.Net.Sockets;

namespace AutoTicket.Hosting;

/// <summary>Connects every HTTP client of the console to the first address of a host that answers (RFC 8305, "happy eyeballs"). Otherwise
/// one dead address would use up the whole timeout.</summary>
internal static class HappyEyeballs
{
    /// <summary>The time before the next address is tried too, as in RFC 8305.</summary>
    private static readonly TimeSpan HeadStart = TimeSpan.FromMilliseconds(250);

    /// <summary>For <see cref="SocketsHttpHandler.ConnectCallback"/>.</summary>
    /// <exception cref="SocketException">The host can't be resolved, or no address answers.</exception>
    public static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var (host, port, family) = (context.DnsEndPoint.Host, context.DnsEndPoint.Port, context.DnsEndPoint.AddressFamily);
        var addresses = await Dns.GetHostAddressesAsync(host, family, cancellationToken);
        return new NetworkStream(await ConnectAsync(addresses, port, cancellationToken), ownsSocket: true);
    }

    /// <exception cref="SocketException">No address answers. A refused connection, if there was one, else the last failure.</exception>
    internal static async Task<Socket> ConnectAsync(IEnumerable<IPAddress> addresses, int port, CancellationToken cancellationToken)
    {
        using var decided = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var untried = new Queue<IPAddress>(addresses);
        var attempts = new List<Task<Socket>>();
        var failed = Task.FromException<Socket>(new SocketException((int)SocketError.NoData));
        try
        {
            while (untried.Count > 0 || attempts.Count > 0)
            {
                if (untried.TryDequeue(out var address))
                {
                    attempts.Add(AttemptAsync(address, port, decided.Token));
                }

                var first = Task.WhenAny(attempts);
                if (untried.Count > 0 && await Task.WhenAny(first, Task.Delay(HeadStart, decided.Token)) != first)
                {
                    continue;
                }

                var attempt = await first;
                attempts.Remove(attempt);
                if (attempt.IsCompletedSuccessfully)
                {
                    return await attempt;
                }

                failed = IsRefusal(failed) ? failed : attempt;
            }

            return await failed;
        }
        finally
        {
            await decided.CancelAsync();
            attempts.ForEach(DisposeWhenDone);
        }
    }

    private static async Task<Socket> AttemptAsync(IPAddress address, int port, CancellationToken cancellationToken)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(address, port, cancellationToken);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static bool IsRefusal(Task attempt) =>
        attempt.Exception?.InnerException is SocketException { SocketErrorCode: SocketError.ConnectionRefused };

    private static void DisposeWhenDone(Task<Socket> attempt) =>
        _ = attempt.ContinueWith(
            late =>
            {
                if (late.IsCompletedSuccessfully)
                {
                    late.Result.Dispose();
                }
            },
            TaskScheduler.Default
        );
}
