using System.Net;
using System.Net.Sockets;
using System.Text;

namespace AutoTicket.Tests.Surfaces;

/// <summary>A surface without HTTP rules: it sends the test's bytes, or accepts no connection at all.</summary>
internal sealed class RawSurface : IAsyncDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly Func<string, NetworkStream, CancellationToken, Task> _answer;
    private readonly CancellationTokenSource _stopping = new();
    private CancellationTokenSource _accepting = new();
    private Task _accepted;
    private Socket? _filler;

    private RawSurface(Func<string, NetworkStream, CancellationToken, Task> answer)
    {
        _answer = answer;
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(512);
        Url = new Uri($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndPoint!).Port}/");
        _accepted = AcceptAsync(_accepting.Token);
    }

    public Uri Url { get; }

    /// <summary>Answers the one request of each connection; <paramref name="answer"/> gets the request's head.</summary>
    public static RawSurface Start(Func<string, NetworkStream, CancellationToken, Task> answer) => new(answer);

    /// <summary>Answers every request with these bytes and closes the connection.</summary>
    public static RawSurface Start(string answer) => new(async (_, stream, cancelled) => await WriteAsync(stream, answer, cancelled));

    public static RawSurface StartHealthy() => Start("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");

    public static ValueTask WriteAsync(NetworkStream stream, string text, CancellationToken cancelled) =>
        stream.WriteAsync(Encoding.Latin1.GetBytes(text), cancelled);

    /// <summary>Drops all packets from now on: connections neither succeed nor are refused, as without a network. A listener with a full
    /// queue behaves like that.</summary>
    public async Task DropPacketsAsync()
    {
        await _accepting.CancelAsync();
        await _accepted;
        _listener.Listen(0);
        _filler = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await _filler.ConnectAsync(_listener.LocalEndPoint!);
    }

    public void Find()
    {
        _filler!.Dispose();
        _listener.Listen(512);
        _accepting = new CancellationTokenSource();
        _accepted = AcceptAsync(_accepting.Token);
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _accepting.CancelAsync();
        await _accepted;
        _filler?.Dispose();
        _listener.Dispose();
    }

    private async Task AcceptAsync(CancellationToken cancelled)
    {
        try
        {
            while (true)
            {
                _ = ServeAsync(await _listener.AcceptAsync(cancelled));
            }
        }
        catch (OperationCanceledException) { }
    }

    private async Task ServeAsync(Socket socket)
    {
        await using var stream = new NetworkStream(socket, ownsSocket: true);
        try
        {
            var head = new StringBuilder();
            var buffer = new byte[4096];
            int read;
            while (
                !head.ToString().Contains("\r\n\r\n", StringComparison.Ordinal)
                && (read = await stream.ReadAsync(buffer, _stopping.Token)) > 0
            )
            {
                head.Append(Encoding.Latin1.GetString(buffer, 0, read));
            }

            await _answer(head.ToString(), stream, _stopping.Token);
        }
        catch (Exception gone) when (gone is IOException or OperationCanceledException)
        {
            // The client has disconnected, or the test is over.
        }
    }
}
