using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using AutoTicket.Diagnostics;
using AutoTicket.FreeScout;
using AutoTicket.Slack;

namespace AutoTicket.Tests.Surfaces;

/// <summary>A name with several addresses, some of which are dead: as of a dual-stack host whose IPv6 leads nowhere.</summary>
public sealed class HappyEyeballsTests : IAsyncLifetime, IDisposable
{
    private static readonly IPAddress Unroutable = IPAddress.Parse("127.0.0.2");
    private readonly TcpListener _alive = new(IPAddress.Loopback, 0);
    private Socket _dead = null!;
    private Socket _filler = null!;

    private int Port => ((IPEndPoint)_alive.LocalEndpoint).Port;

    /// <summary>At the same port of another address nobody empties a full queue: packets are lost, and nothing refuses.</summary>
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
    public async Task A_dead_first_address_costs_a_moment_and_not_the_answer()
    {
        var begun = Stopwatch.GetTimestamp();
        using var socket = await HappyEyeballs.ConnectAsync([Unroutable, IPAddress.Loopback], Port, CancellationToken.None);

        Assert.Equal(IPAddress.Loopback, ((IPEndPoint)socket.RemoteEndPoint!).Address);
        Assert.InRange(Stopwatch.GetElapsedTime(begun), TimeSpan.FromMilliseconds(200), Eventually.OnABusyMachine(TimeSpan.FromSeconds(2)));
    }

    [Fact]
    public async Task An_address_that_fails_makes_way_for_the_next_at_once_and_one_that_answers_for_none()
    {
        var refusing = IPAddress.Parse("127.0.0.3");
        using var second = await HappyEyeballs.ConnectAsync([refusing, IPAddress.Loopback], Port, CancellationToken.None);
        using var first = await HappyEyeballs.ConnectAsync([IPAddress.Loopback, refusing], Port, CancellationToken.None);

        Assert.All([first, second], socket => Assert.Equal(IPAddress.Loopback, ((IPEndPoint)socket.RemoteEndPoint!).Address));
    }

    [Fact]
    public async Task Of_several_failures_a_refusal_is_told_because_somebody_refused()
    {
        // No connection leads to the broadcast address.
        var failure = await Assert.ThrowsAsync<SocketException>(() =>
            HappyEyeballs.ConnectAsync([IPAddress.Parse("127.0.0.3"), IPAddress.Parse("255.255.255.255")], Port, CancellationToken.None)
        );

        Assert.Equal(SocketError.ConnectionRefused, failure.SocketErrorCode);
    }

    [Fact]
    public async Task It_ends_when_its_time_is_up()
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => HappyEyeballs.ConnectAsync([Unroutable], Port, timeout.Token));
    }

    /// <summary>No name of a test's machine has two addresses: by the source, for surfaces and for the provider of the sign-in.</summary>
    [Fact]
    public void Whoever_makes_a_handler_of_its_own_connects_so()
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
    public async Task Every_HTTP_client_of_the_console_connects_so()
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
