using System.Net;
using System.Net.Sockets;
using System.Text;

namespace AutoTicket.Tests.Kit;

/// <summary>A server without HTTP rules: reads a request and writes exactly the given bytes, valid or not.</summary>
internal sealed class RawServer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _serving;
    private readonly string _head;
    private readonly byte[]? _endless;
    private int _requests;
    private int _answering;
    private long _sent;

    /// <param name="head">Written first: the status line, headers, and the start of the body if there is one.</param>
    /// <param name="endless">Then written repeatedly until the client disconnects. Null: the server closes the connection.</param>
    public RawServer(string head, byte[]? endless = null)
    {
        (_head, _endless) = (head.ReplaceLineEndings("\r\n"), endless);
        _listener.Start();
        _serving = ServeAsync();
    }

    public Uri Url => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/");

    public int Requests => Volatile.Read(ref _requests);

    /// <summary>Bytes that the socket accepted; the client may not have read all of them.</summary>
    public long Sent => Interlocked.Read(ref _sent);

    /// <summary>Whether no response is in progress.</summary>
    public bool IsIdle => Volatile.Read(ref _answering) == 0;

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Stop();
        await _serving;
        _stopping.Dispose();
    }

    private async Task ServeAsync()
    {
        var answers = new List<Task>();
        try
        {
            while (true)
            {
                answers.Add(AnswerAsync(await _listener.AcceptTcpClientAsync(_stopping.Token)));
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException or ObjectDisposedException) { }

        await Task.WhenAll(answers);
    }

    private async Task AnswerAsync(TcpClient client)
    {
        using var _ = client;
        Interlocked.Increment(ref _answering);
        try
        {
            var stream = client.GetStream();
            if (await stream.ReadAsync(new byte[64 * 1024], _stopping.Token) == 0)
            {
                return;
            }

            Interlocked.Increment(ref _requests);
            await stream.WriteAsync(Encoding.UTF8.GetBytes(_head), _stopping.Token);
            while (_endless is not null)
            {
                await stream.WriteAsync(_endless, _stopping.Token);
                Interlocked.Add(ref _sent, _endless.Length);
            }
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException)
        {
            // The client disconnected.
        }
        finally
        {
            Interlocked.Decrement(ref _answering);
        }
    }
}
