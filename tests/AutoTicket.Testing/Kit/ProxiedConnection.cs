using System.Net;
using System.Net.Sockets;

namespace AutoTicket.Tests.Kit;

/// <summary>One connection through a <see cref="TcpProxy"/>: a pair of sockets and a pump each way.</summary>
internal sealed class ProxiedConnection(Socket client, DnsEndPoint target, Func<CancellationToken, Task> letThroughAsync) : IDisposable
{
    private readonly CancellationTokenSource _reset = new();
    private readonly Socket _server = new(SocketType.Stream, ProtocolType.Tcp);

    /// <summary>Returns when both directions have ended; a failure of either side is passed on as a reset, never thrown.</summary>
    public async Task RunAsync()
    {
        try
        {
            client.NoDelay = _server.NoDelay = true;
            await letThroughAsync(_reset.Token);
            await _server.ConnectAsync(target, _reset.Token);
            var toServer = PumpAsync(client, _server);
            var toClient = PumpAsync(_server, client);

            // If either direction breaks, the other must not go on waiting for data that will never come.
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

    /// <summary>Ends the connection with RST instead of an orderly FIN, on both sides. May be called from any thread, twice.</summary>
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
            // Closed already, by the other side or by the other caller.
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
