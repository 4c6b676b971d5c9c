using System.Net;
using System.Net.Sockets;

namespace AutoTicket.Tests.Kit;

/// <summary>One connection through a <see cref="TcpProxy"/>: a pair of sockets, with a pump in each direction.</summary>
internal sealed class ProxiedConnection(Socket client, DnsEndPoint target, Func<CancellationToken, Task> letThroughAsync) : IDisposable
{
    private readonly CancellationTokenSource _reset = new();
    private readonly Socket _server = new(SocketType.Stream, ProtocolType.Tcp);

    /// <summary>Returns when both directions have ended. A failure of one side resets the other; it is never thrown.</summary>
    public async Task RunAsync()
    {
        try
        {
            client.NoDelay = _server.NoDelay = true;
            await letThroughAsync(_reset.Token);
            await _server.ConnectAsync(target, _reset.Token);
            var toServer = PumpAsync(client, _server);
            var toClient = PumpAsync(_server, client);

            // If one direction breaks, the other must not wait for data that can't come.
            await await Task.WhenAny(toServer, toClient);
            await Task.WhenAll(toServer, toClient);
            client.Dispose();
            _server.Dispose();
        }
        catch (Exception broken) when (broken is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            Reset();
        }
    }

    /// <summary>Ends both sides of the connection with RST instead of FIN. Thread-safe; a second call does nothing.</summary>
    public void Reset()
    {
        _reset.Cancel();
        Abort(client);
        Abort(_server);
    }

    public void Dispose() => Reset();

    private static void Abort(Socket socket)
    {
        try
        {
            socket.LingerState = new LingerOption(true, 0);
        }
        catch (Exception closed) when (closed is SocketException or ObjectDisposedException)
        {
            // Already closed by the other side or by a concurrent call.
        }

        socket.Dispose();
    }

    private async Task PumpAsync(Socket from, Socket to)
    {
        var buffer = new byte[64 * 1024];
        while (await from.ReceiveAsync(buffer, _reset.Token) is var received and > 0)
        {
            await letThroughAsync(_reset.Token);
            for (var sent = 0; sent < received; )
            {
                sent += await to.SendAsync(buffer.AsMemory(sent, received - sent), _reset.Token);
            }
        }

        to.Shutdown(SocketShutdown.Send);
    }
}
