using System.Net;
using System.Net.Sockets;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Processes;

namespace AutoTicket.Tests.Surfaces;

/// <summary>A console that reaches the outside through a proxy. A connection to the proxy does not prove that the network works.</summary>
[Trait("Pitfall", "T-30")]
public sealed class EgressProxyTests
{
    [Fact]
    public async Task An_https_surface_is_probed_through_the_proxy_of_the_environment()
    {
        var now = TimeProvider.System.GetUtcNow();
        await using var shop = await TlsSurface.StartAsync(now.AddDays(-1), now.AddDays(30));
        var asked = "";
        await using var proxy = RawSurface.Start(
            (head, stream, cancelled) =>
            {
                asked = head;
                return TunnelAsync(shop.Url, stream, cancelled);
            }
        );
        var trusted = Path.GetTempFileName();
        await File.WriteAllTextAsync(trusted, shop.Pem);
        await using var consoles = await Consoles.CreateAsync();
        var console = await consoles.StartAsync(
            new Dictionary<string, string>
            {
                ["HTTPS_PROXY"] = proxy.Url.AbsoluteUri,
                ["SSL_CERT_FILE"] = trusted,
                ["Surfaces__0__Key"] = "shop",
                ["Surfaces__0__Url"] = shop.Url.AbsoluteUri,
                ["Surfaces__0__SlowAfter"] = "00:01:00",
                ["Surfaces__0__Timeout"] = "00:01:00",
            }
        );

        await Eventually.TrueAsync(
            async () =>
                (await console.GetAsync("/api/status")).Body.GetProperty("surfaces")[0].GetProperty("status").GetString() == "operational",
            "the surface is operational"
        );

        Assert.StartsWith($"CONNECT {shop.Url.Authority} ", asked, StringComparison.Ordinal);
        File.Delete(trusted);
    }

    [Fact]
    public async Task A_tunnel_that_the_proxy_refuses_is_no_contact()
    {
        await using var proxy = Answering(503);

        var reading = await ProbeAsync(proxy.Url, "https");

        Assert.Equal((ReadingOutcome.Failed, false), (reading.Outcome, reading.Reached));
        Assert.Contains("503", reading.Cause, StringComparison.Ordinal);
    }

    /// <summary>A proxy that can't reach the surface, or refuses the console, answers itself.</summary>
    [Theory]
    [InlineData(200, true)]
    [InlineData(404, true)]
    [InlineData(500, true)]
    [InlineData(407, false)]
    [InlineData(502, false)]
    [InlineData(503, false)]
    [InlineData(504, false)]
    public async Task An_answer_over_http_is_contact_unless_it_may_be_the_proxys_own(int status, bool reached)
    {
        await using var proxy = Answering(status);

        var reading = await ProbeAsync(proxy.Url, "http");

        Assert.Equal((status == 200 ? ReadingOutcome.Ok : ReadingOutcome.Failed, reached), (reading.Outcome, reading.Reached));
    }

    [Theory]
    [InlineData("http"), InlineData("https")]
    public async Task A_proxy_that_refuses_the_connection_is_no_contact(string scheme)
    {
        var reading = await ProbeAsync(new Uri($"http://127.0.0.1:{LoopbackPort.Next()}/"), scheme);

        Assert.Equal((ReadingOutcome.Failed, false), (reading.Outcome, reading.Reached));
    }

    private static RawSurface Answering(int status) =>
        RawSurface.Start($"HTTP/1.1 {status} \r\nContent-Length: 0\r\nConnection: close\r\n\r\n");

    private static async Task<SurfaceReading> ProbeAsync(Uri proxy, string scheme)
    {
        using var probe = new SurfaceProbe(TimeProvider.System, new WebProxy(proxy));
        var surface = Readings.Surface() with
        {
            Url = new Uri($"{scheme}://shop.invalid/"),
            SlowAfter = TimeSpan.FromMinutes(1),
            Timeout = TimeSpan.FromMinutes(1),
        };
        return await probe.ProbeAsync(surface, CancellationToken.None);
    }

    private static async Task TunnelAsync(Uri target, NetworkStream client, CancellationToken cancelled)
    {
        using var connection = new TcpClient();
        await connection.ConnectAsync(target.Host, target.Port, cancelled);
        await RawSurface.WriteAsync(client, "HTTP/1.1 200 OK\r\n\r\n", cancelled);
        var server = connection.GetStream();
        await Task.WhenAny(client.CopyToAsync(server, cancelled), server.CopyToAsync(client, cancelled));
    }
}
