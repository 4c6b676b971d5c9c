using System.Net.WebSockets;
using AutoTicket.Security;

namespace AutoTicket.Tests.Access;

/// <summary>How an open page is connected: by a WebSocket, from our own pages, whatever a proxy makes of its headers.</summary>
public sealed class WebSocketTests(WebSocketTests.BehindProxy proxied) : IClassFixture<WebSocketTests.BehindProxy>
{
    private const string Token = "a-token-of-the-websocket-tests-0123456789";

    [Theory]
    // Chrome sends no Sec-Fetch-Site with a WebSocket's handshake.
    [InlineData("https://console.example.org:8443", 101, "Host: console.example.org")]
    [InlineData("https://console.example.org", 101, "Host: console.example.org", "X-Forwarded-Host: console.example.org", "X-Forwarded-Port: 443",
        "X-Forwarded-Proto: wss", "X-Forwarded-Server: traefik", "X-Forwarded-For: 192.0.2.10", "X-Real-Ip: 192.0.2.10")]
    [InlineData("http://console.example.org", 101, "Host: console.example.org", "X-Forwarded-Proto: ws")]
    [InlineData("https://console.example.org:8444", 403, "Host: console.example.org")]
    [InlineData("http://console.example.org:8443", 403, "Host: console.example.org")]
    [InlineData("https://evil.example", 403, "Host: console.example.org", "X-Forwarded-Proto: wss")]
    [InlineData("https://console.example.org", 400, "Host: console.example.org", "X-Forwarded-Proto: gopher")]
    public async Task A_proxy_passes_the_handshake_of_our_own_page_on(string origin, int status, params string[] headers)
    {
        using var socket = new ClientWebSocket();
        foreach (var header in headers.Append($"Origin: {origin}").Append($"Authorization: Bearer {Token}"))
        {
            socket.Options.SetRequestHeader(header[..header.IndexOf(':', StringComparison.Ordinal)], header[(header.IndexOf(' ', StringComparison.Ordinal) + 1)..]);
        }

        Assert.Equal(status, await ConnectAsync(proxied.Console, socket, "/_blazor"));
    }

    private static async Task<int> ConnectAsync(ConsoleHost console, ClientWebSocket socket, string path)
    {
        socket.Options.CollectHttpResponseDetails = true;
        try
        {
            await socket.ConnectAsync(new UriBuilder(console.Address) { Scheme = "ws", Path = path }.Uri, CancellationToken.None);
        }
        catch (WebSocketException)
        {
            // Its status says why.
        }

        return (int)socket.HttpStatusCode;
    }

    public sealed class BehindProxy : IAsyncLifetime
    {
        internal ConsoleHost Console { get; private set; } = null!;

        public async Task InitializeAsync() => Console = await ConsoleHost.StartAsync(environment: "Production", settings: new Dictionary<string, string?>
        {
            ["CONSOLE_OPERATOR_PASSWORD_HASH"] = Login.Hash("a test's password"),
            ["CONSOLE_API_TOKENS"] = $"tests:viewer:{Token}",
            ["CONSOLE_PUBLIC_URL"] = "https://console.example.org:8443/",
        });

        public async Task DisposeAsync() => await Console.DisposeAsync();
    }
}
