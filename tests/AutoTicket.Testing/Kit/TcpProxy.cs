using System.Net;
using System.Net.Sockets;

namespace AutoTicket.Tests.Kit;

/// <summary>A loopback forwarder whose traffic a test can cut, stall and delay. It simulates network failures for one client, while the
/// server and its other clients go on.</summary>
public sealed class TcpProxy : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly HashSet<ProxiedConnection> _connections = [];
    private readonly DnsEndPoint _target;
    private TaskCompletionSource _flowing = Open();
    private TcpListener? _listener;
    private int _accepted;

    private TcpProxy(string host, int port)
    {
        _target = new DnsEndPoint(host, port);
        Restore();
    }

    public int Port { get; } = LoopbackPort.Next();

    /// <summary>How long each piece of data is delayed, in either direction.</summary>
    public TimeSpan Latency { get; set; }

    /// <summary>How many connections have been accepted so far.</summary>
    public int Accepted => Volatile.Read(ref _accepted);

    public static TcpProxy To(string host, int port) => new(host, port);

    /// <summary>A proxy to the server of an http:// or postgres:// URL; see <see cref="Through"/>.</summary>
    public static TcpProxy To(string url) => To(new Uri(url).Host, new Uri(url).Port);

    /// <summary>The same URL, through this proxy.</summary>
    public string Through(string url) =>
        new UriBuilder(url) { Host = "127.0.0.1", Port = Port }
            .Uri
            .AbsoluteUri;

    /// <summary>Resets every connection and refuses new ones, until <see cref="Restore"/>.</summary>
    public void Cut()
    {
        List<ProxiedConnection> torn;
        lock (_gate)
        {
            _listener?.Dispose();
            _listener = null;
            torn = [.. _connections];
            _connections.Clear();
        }

        torn.ForEach(connection => connection.Reset());
    }

    /// <summary>Accepts and keeps connections but forwards nothing, until <see cref="Restore"/>.</summary>
    public void Stall()
    {
        lock (_gate)
        {
            if (_flowing.Task.IsCompleted)
            {
                _flowing = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }
    }

    /// <summary>Ends a cut or a stall; delivers the held data.</summary>
    public void Restore()
    {
        lock (_gate)
        {
            _flowing.TrySetResult();
            if (_listener is null)
            {
                _listener = new TcpListener(IPAddress.Loopback, Port);
                _listener.Start();
                _ = AcceptAsync(_listener);
            }
        }
    }

    public ValueTask DisposeAsync()
    {
        Cut();
        return ValueTask.CompletedTask;
    }

    private static TaskCompletionSource Open()
    {
        var open = new TaskCompletionSource();
        open.SetResult();
        return open;
    }

    private async Task AcceptAsync(TcpListener listener)
    {
        while (true)
        {
            Socket client;
            try
            {
                client = await listener.AcceptSocketAsync();
            }
            catch (Exception closed) when (closed is SocketException or ObjectDisposedException)
            {
                return;
            }

            Interlocked.Increment(ref _accepted);
            var connection = new ProxiedConnection(client, _target, LetThroughAsync);
            lock (_gate)
            {
                if (_listener == listener)
                {
                    _connections.Add(connection);
                    _ = RunAsync(connection);
                    continue;
                }
            }

            // Accepted during a cut.
            connection.Reset();
        }
    }

    private async Task RunAsync(ProxiedConnection connection)
    {
        await connection.RunAsync();
        lock (_gate)
        {
            _connections.Remove(connection);
        }
    }

    private async Task LetThroughAsync(CancellationToken cancelled)
    {
        if (Latency > TimeSpan.Zero)
        {
            await Task.Delay(Latency, cancelled); // simulated latency, not a wait
        }

        Task flowing;
        lock (_gate)
        {
            flowing = _flowing.Task;
        }

        await flowing.WaitAsync(cancelled);
    }
}
