using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using AutoTicket.Diagnostics;
using AutoTicket.FreeScout;
using AutoTicket.Slack;

namespace AutoTicket.Tests.Surfaces;

/// <summary>A name with several addresses, some of them dead, such as a dual-stack host whose IPv6 does not work.</summary>
public sealed class HappyEyeballsTests : IAsyncLifetime, IDisposable
{
    private static readonly IPAddress Unroutable = IPAddress.Parse("127.0.0.2");
    private readonly TcpListener _alive = new(IPAddress.Loopback, 0);
    private Socket _dead = null!;
    private Socket _filler = null!;

    private int Port => ((IPEndPoint)_alive.LocalEndpoint).Port;

    /// <summary>The other address listens on the same port with a full queue, so packets to it are lost and no connection is
    /// refused.</summary>
    public async Task InitializeAsync()
    {
        _alive.Start();
        _dead = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _dead.Bind(new IPEndPoint(Unroutable, Port));
        _dead.Listen(0);
        _filler = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await _filler.ConnectAsync(_dead.LocalEndPoint!);
    }

    public Task DisposeAsync() => Task.CompletedTask;

    public void Dispose()
    {
        _filler.Dispose();
        _dead.Dispose();
        _alive.Dispose();
    }

    [Fact]
    public async Task A_dead_first_address_delays_the_connection_only_briefly()
    {
        var begun = Stopwatch.GetTimestamp();
        using var socket = await HappyEyeballs.ConnectAsync([Unroutable, IPAddress.Loopback], Port, CancellationToken.None);

        Assert.Equal(IPAddress.Loopback, ((IPEndPoint)socket.RemoteEndPoint!).Address);
        Assert.InRange(Stopwatch.GetElapsedTime(begun), TimeSpan.FromMilliseconds(200), Eventually.OnABusyMachine(TimeSpan.FromSeconds(2)));
    }

    [Fact]
    public async Task A_failing_address_is_followed_by_the_next_and_a_working_one_is_used()
    {
        var refusing = IPAddress.Parse("127.0.0.3");
        using var second = await HappyEyeballs.ConnectAsync([refusing, IPAddress.Loopback], Port, CancellationToken.None);
        using var first = await HappyEyeballs.ConnectAsync([IPAddress.Loopback, refusing], Port, CancellationToken.None);

        Assert.All([first, second], socket => Assert.Equal(IPAddress.Loopback, ((IPEndPoint)socket.RemoteEndPoint!).Address));
    }

    [Fact]
    public async Task Of_several_failures_a_refused_connection_is_reported()
    {
        // Connecting to the broadcast address always fails.
        var failure = await Assert.ThrowsAsync<SocketException>(() =>
            HappyEyeballs.ConnectAsync([IPAddress.Parse("127.0.0.3"), IPAddress.Parse("255.255.255.255")], Port, CancellationToken.None)
        );

        Assert.Equal(SocketError.ConnectionRefused, failure.SocketErrorCode);
    }

    [Fact]
    public async Task Connecting_ends_at_its_timeout()
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => HappyEyeballs.ConnectAsync([Unroutable], Port, timeout.Token));
    }

    /// <summary>On the tests' machine no name has two addresses, so this checks the source code of surfaces and sign-in.</summary>
    [Fact]
    public void Every_own_HTTP_handler_uses_HappyEyeballs()
    {
        var source = Path.Combine(ContentRoot.Find(), "src", "AutoTicket.Console");
        var makers = Directory
            .EnumerateFiles(source, "*.cs", SearchOption.AllDirectories)
            .Where(file => File.ReadAllText(file).Contains("new SocketsHttpHandler", StringComparison.Ordinal))
            .ToList();

        Assert.NotEmpty(makers);
        Assert.All(makers, file => Assert.Contains("HappyEyeballs.ConnectAsync", File.ReadAllText(file), StringComparison.Ordinal));
    }

    [Fact]
    public async Task Every_HTTP_client_of_the_console_uses_HappyEyeballs()
    {
        await using var console = await ConsoleHost.StartAsync();
        foreach (var name in new[] { FreeScoutClient.HttpName, FreeScoutProbe.HttpName, SlackClient.HttpName, FallbackWebhook.HttpName })
        {
            var handler = console.Get<IHttpMessageHandlerFactory>().CreateHandler(name);
            while (handler is DelegatingHandler { InnerHandler: { } inner })
            {
                handler = inner;
            }

            Assert.Equal((name, HappyEyeballs.ConnectAsync), (name, Assert.IsType<SocketsHttpHandler>(handler).ConnectCallback));
        }
    }
}
