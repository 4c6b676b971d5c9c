using System.Net;
using System.Net.WebSockets;
using AutoTicket.Security;

namespace AutoTicket.Tests.Access;

/// <summary>An open page is connected by a WebSocket, only from the console's own pages, even if a proxy changes its headers.</summary>
public sealed class WebSocketTests(WebSocketTests.BehindProxy proxied) : IClassFixture<WebSocketTests.BehindProxy>
{
    private const string Token = "a-token-of-the-websocket-tests-0123456789";

    [Theory]
    // Chrome sends no Sec-Fetch-Site with a WebSocket handshake.
    [InlineData("https://console.example.org:8443", 101, "Host: console.example.org")]
    [InlineData(
        "https://console.example.org",
        101,
        "Host: console.example.org",
        "X-Forwarded-Host: console.example.org",
        "X-Forwarded-Port: 443",
        "X-Forwarded-Proto: wss",
        "X-Forwarded-Server: traefik",
        "X-Forwarded-For: 192.0.2.10",
        "X-Real-Ip: 192.0.2.10"
    )]
    [InlineData("http://console.example.org", 101, "Host: console.example.org", "X-Forwarded-Proto: ws")]
    [InlineData("https://console.example.org:8444", 403, "Host: console.example.org")]
    [InlineData("http://console.example.org:8443", 403, "Host: console.example.org")]
    [InlineData("https://evil.example", 403, "Host: console.example.org", "X-Forwarded-Proto: wss")]
    [InlineData("https://console.example.org", 400, "Host: console.example.org", "X-Forwarded-Proto: gopher")]
    public async Task A_proxy_forwards_the_handshake_of_our_own_page(string origin, int status, params string[] headers)
    {
        using var socket = new ClientWebSocket();
        foreach (var header in headers.Append($"Origin: {origin}").Append($"Authorization: Bearer {Token}"))
        {
            socket.Options.SetRequestHeader(
                header[..header.IndexOf(':', StringComparison.Ordinal)],
                header[(header.IndexOf(' ', StringComparison.Ordinal) + 1)..]
            );
        }

        Assert.Equal(status, await ConnectAsync(proxied.Console, socket, "/_blazor"));
    }

    [Theory]
    [
        InlineData("POST", "/_blazor/negotiate?negotiateVersion=1"),
        InlineData("POST", "/_blazor/negotiate/"),
        InlineData("POST", "/_blazor?id=x"),
        InlineData("GET", "/_blazor?id=x")
    ]
    [InlineData("GET", "/_blazor/"), InlineData("DELETE", "/_blazor?id=x")]
    public async Task Only_a_WebSocket_is_accepted(string method, string path)
    {
        foreach (var accept in new[] { "*/*", "text/event-stream" })
        {
            using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(proxied.Console.Address, path));
            request.Headers.Add("Authorization", $"Bearer {Token}");
            request.Headers.Add("Accept", accept);
            using var answer = await proxied.Console.Http.SendAsync(request);
            Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
            Assert.Contains("WebSocket", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }
    }

    [Theory, InlineData("/_blazor"), InlineData("/_blazor/"), InlineData("/_BLAZOR")]
    public async Task Each_WebSocket_is_counted_however_its_path_is_written(string path)
    {
        var open = new List<ClientWebSocket>();
        try
        {
            int status;
            do
            {
                open.Add(new ClientWebSocket());
                open[^1].Options.SetRequestHeader("Authorization", $"Bearer {Token}");
                status = await ConnectAsync(proxied.Console, open[^1], path);
            } while (status == 101 && open.Count <= BehindProxy.PerSession);
            Assert.Equal((429, BehindProxy.PerSession + 1), (status, open.Count));
        }
        finally
        {
            open.ForEach(socket => socket.Dispose());
        }

        // Waits until the closed connections have freed their slots for the next test.
        await Eventually.TrueAsync(
            async () =>
            {
                using var socket = new ClientWebSocket();
                socket.Options.SetRequestHeader("Authorization", $"Bearer {Token}");
                return await ConnectAsync(proxied.Console, socket, "/_blazor") == 101;
            },
            "the closed connections free their slots"
        );
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
            // The status code says why it was refused.
        }

        return (int)socket.HttpStatusCode;
    }

    public sealed class BehindProxy : IAsyncLifetime
    {
        internal const int PerSession = 8;

        internal ConsoleHost Console { get; private set; } = null!;

        public async Task InitializeAsync() =>
            Console = await ConsoleHost.StartAsync(
                environment: "Production",
                settings: new Dictionary<string, string?>
                {
                    ["CONSOLE_OPERATOR_PASSWORD_HASH"] = Login.Hash("a test's password"),
                    ["CONSOLE_API_TOKENS"] = $"tests:viewer:{Token}",
                    ["CONSOLE_PUBLIC_URL"] = "https://console.example.org:8443/",
                    ["Circuits:PerSession"] = $"{PerSession}",
                }
            );

        public async Task DisposeAsync() => await Console.DisposeAsync();
    }
}
