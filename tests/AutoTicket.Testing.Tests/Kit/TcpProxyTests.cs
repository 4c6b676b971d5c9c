using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace AutoTicket.Tests.Kit;

public sealed class TcpProxyTests : IDisposable
{
    private readonly TcpListener _echo = new(IPAddress.Loopback, 0);
    private readonly TcpProxy _proxy;

    public TcpProxyTests()
    {
        _echo.Start();
        _ = ServeAsync();
        _proxy = TcpProxy.To("127.0.0.1", ((IPEndPoint)_echo.LocalEndpoint).Port);
    }

    public void Dispose()
    {
        _proxy.Cut();
        _echo.Dispose();
    }

    [Fact]
    public async Task A_cut_line_resets_and_refuses_until_it_is_restored()
    {
        using var client = await ConnectAsync();
        Assert.Equal(7, await EchoAsync(client, 7));

        _proxy.Cut();
        var reset = await Assert.ThrowsAsync<SocketException>(() => EchoAsync(client, 8));
        Assert.Contains(reset.SocketErrorCode, new[] { SocketError.ConnectionReset, SocketError.Shutdown });
        var refused = await Assert.ThrowsAsync<SocketException>(() => ConnectAsync());
        Assert.Equal(SocketError.ConnectionRefused, refused.SocketErrorCode);

        _proxy.Restore();
        using var again = await ConnectAsync();
        Assert.Equal(9, await EchoAsync(again, 9));
        Assert.Equal(2, _proxy.Accepted);
    }

    [Fact]
    public async Task A_stalled_line_accepts_and_delivers_only_when_restored()
    {
        using var before = await ConnectAsync();
        Assert.Equal(1, await EchoAsync(before, 1));

        _proxy.Stall();
        using var during = await ConnectAsync();
        var answers = Task.WhenAll(EchoAsync(before, 2), EchoAsync(during, 3));
        await Assert.ThrowsAsync<TimeoutException>(() => answers.WaitAsync(TimeSpan.FromMilliseconds(200)));

        _proxy.Restore();
        int[] expected = [2, 3];
        Assert.Equal(expected, await answers.WaitAsync(Eventually.Patience));
    }

    [Fact]
    public async Task A_slow_line_takes_its_time_both_ways()
    {
        using var client = await ConnectAsync();
        await EchoAsync(client, 1);

        _proxy.Latency = TimeSpan.FromMilliseconds(60);
        var started = Stopwatch.GetTimestamp();
        await EchoAsync(client, 2);

        Assert.InRange(Stopwatch.GetElapsedTime(started).TotalMilliseconds, 115, 30_000);
    }

    private async Task<Socket> ConnectAsync()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, _proxy.Port);
        return socket;
    }

    private static async Task<int> EchoAsync(Socket socket, byte value)
    {
        byte[] buffer = [value];
        await socket.SendAsync(buffer);
        return await socket.ReceiveAsync(buffer) == 1 ? buffer[0] : -1;
    }

    private async Task ServeAsync()
    {
        while (true)
        {
            Socket socket;
            try
            {
                socket = await _echo.AcceptSocketAsync();
            }
            catch (Exception closed) when (closed is SocketException or ObjectDisposedException)
            {
                return;
            }

            var stream = new NetworkStream(socket, ownsSocket: true);
            _ = stream.CopyToAsync(stream).ContinueWith(_ => stream.Dispose(), TaskScheduler.Default);
        }
    }
}
