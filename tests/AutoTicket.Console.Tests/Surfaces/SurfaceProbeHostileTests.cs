using AutoTicket.Surfaces;

namespace AutoTicket.Tests.Surfaces;

/// <summary>The probe against broken or hostile names, ports and servers: it never throws, and ends in time.</summary>
public sealed class SurfaceProbeHostileTests : IDisposable
{
    private readonly SurfaceProbe _probe = new(TimeProvider.System);

    public void Dispose() => _probe.Dispose();

    [Fact]
    public async Task A_refused_connection_reached_the_host()
    {
        var reading = await ProbeAsync(new Uri($"http://127.0.0.1:{LoopbackPort.Next()}/"));

        Assert.Equal((ReadingOutcome.Failed, "Connection refused", true), (reading.Outcome, reading.Cause, reading.Reached));
    }

    [Theory]
    [InlineData("http://nobody.invalid/")]
    [InlineData("https://nobody.invalid/")]
    public async Task An_unresolvable_name_reached_no_host(string url)
    {
        var reading = await ProbeAsync(new Uri(url));

        Assert.Equal((ReadingOutcome.Failed, "DNS lookup failed", false), (reading.Outcome, reading.Cause, reading.Reached));
    }

    [Fact]
    public async Task A_connection_whose_packets_are_lost_reached_no_host()
    {
        await using var surface = RawSurface.StartHealthy();
        await surface.DropPacketsAsync();

        var reading = await ProbeAsync(surface.Url, timeout: TimeSpan.FromMilliseconds(150));

        Assert.Equal(
            (ReadingOutcome.Failed, "Timed out: no connection in 0.15 s", false),
            (reading.Outcome, reading.Cause, reading.Reached)
        );
    }

    [Fact]
    public async Task TLS_to_a_plain_port_fails_and_says_so()
    {
        await using var surface = RawSurface.Start("HTTP/1.1 400 Bad Request\r\n\r\n");

        var reading = await ProbeAsync(new UriBuilder(surface.Url) { Scheme = "https" }.Uri, timeout: TimeSpan.FromSeconds(5));

        Assert.Equal((ReadingOutcome.Failed, true), (reading.Outcome, reading.Reached));
    }

    [Fact]
    public async Task An_untrusted_certificate_fails()
    {
        await using var surface = await TlsSurface.StartAsync(Readings.Start.AddYears(-1), Readings.Start.AddYears(10));

        var reading = await ProbeAsync(surface.Url);

        Assert.Equal((ReadingOutcome.Failed, true), (reading.Outcome, reading.Reached));
        Assert.StartsWith("TLS failed: ", reading.Cause, StringComparison.Ordinal);
        Assert.Null(reading.CertificateUntil);
    }

    [Fact]
    public async Task An_endless_body_is_read_only_to_the_limit()
    {
        var sent = 0L;
        await using var surface = RawSurface.Start(
            async (_, stream, cancelled) =>
            {
                await RawSurface.WriteAsync(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", cancelled);
                var chunk = new byte[64 * 1024];
                while (true)
                {
                    await stream.WriteAsync(chunk, cancelled);
                    Interlocked.Add(ref sent, chunk.Length);
                }
            }
        );

        var reading = await ProbeAsync(surface.Url, expectedText: "never there");

        Assert.Equal((ReadingOutcome.Failed, "HTTP 200, but the response lacks the expected text"), (reading.Outcome, reading.Cause));
        // Bytes read, drained, and in the sockets' buffers. Without a bound the probe would read gigabytes until its timeout.
        Assert.InRange(Interlocked.Read(ref sent), 1024 * 1024, 64 * 1024 * 1024);
    }

    [Fact]
    public async Task A_body_that_hangs_halfway_fails()
    {
        await using var surface = RawSurface.Start(
            async (_, stream, cancelled) =>
            {
                await RawSurface.WriteAsync(stream, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", cancelled);
                await Task.Delay(Timeout.InfiniteTimeSpan, cancelled);
            }
        );

        var reading = await ProbeAsync(surface.Url, timeout: TimeSpan.FromSeconds(3));

        Assert.Equal(
            (ReadingOutcome.Failed, "Timed out: no complete response in 3 s", true),
            (reading.Outcome, reading.Cause, reading.Reached)
        );
    }

    [Fact]
    public async Task A_truncated_body_fails()
    {
        await using var surface = RawSurface.Start("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");

        Assert.Equal(ReadingOutcome.Failed, (await ProbeAsync(surface.Url)).Outcome);
    }

    public static TheoryData<string> Bombs =>
        new(
            "HTTP/1.1 200 OK\r\n" + string.Concat(Enumerable.Range(0, 20_000).Select(n => $"X-{n}: {new string('x', 100)}\r\n")) + "\r\n",
            $"HTTP/1.1 200 OK\r\nX-Long: {new string('x', 1_000_000)}\r\n\r\n",
            $"HTTP/1.1 500 {new string('r', 10_000)}\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nthis is not gzip",
            "HTTP/1.1 302 Found\r\nLocation: http://[::1\r\n\r\n",
            "HTTP/1.1 302 Found\r\nLocation: \r\n\r\n",
            "HTTP/9.9 999 ???\r\n\r\n",
            "SSH-2.0-OpenSSH_9.2\r\n",
            "\0\0\0\0",
            ""
        );

    [Theory, MemberData(nameof(Bombs))]
    public async Task Invalid_responses_and_header_bombs_fail_with_one_short_line(string answer)
    {
        await using var surface = RawSurface.Start(answer);

        var reading = await ProbeAsync(surface.Url);

        Assert.Equal((ReadingOutcome.Failed, true), (reading.Outcome, reading.Reached));
        Assert.InRange(reading.Cause!.Length, 1, 200);
        Assert.DoesNotContain(reading.Cause, char.IsControl);
    }

    private Task<SurfaceReading> ProbeAsync(Uri url, TimeSpan? timeout = null, string expectedText = "") =>
        _probe.ProbeAsync(
            new Surface
            {
                Key = "pay",
                Name = "Pay",
                Url = url,
                ExpectedText = expectedText,
                SlowAfter = TimeSpan.FromSeconds(20),
                Timeout = timeout ?? TimeSpan.FromSeconds(20),
            },
            CancellationToken.None
        );
}
