using AutoTicket.Surfaces;
using Codes = AutoTicket.Surfaces.StatusCodes;

namespace AutoTicket.Tests.Surfaces;

/// <summary>The probe follows a redirect only if the answer still comes from the surface itself.</summary>
public sealed class SurfaceProbeRedirectTests : IDisposable
{
    private readonly SurfaceProbe _probe = new(TimeProvider.System);
    private readonly List<string> _asked = [];

    public void Dispose() => _probe.Dispose();

    [Theory]
    [InlineData("/login")]
    [InlineData("login")]
    [InlineData("//127.0.0.1:{port}/login")]
    [InlineData("http://127.0.0.1:{port}/login")]
    public async Task A_redirect_to_the_same_host_is_followed(string location)
    {
        await using var surface = Redirecting(path => path == "/" ? location : null);

        var reading = await ProbeAsync(surface.Url);

        Assert.Equal((ReadingOutcome.Ok, null), (reading.Outcome, reading.Cause));
        Assert.Equal(["/", "/login"], _asked);
    }

    [Theory]
    [InlineData("http://elsewhere.invalid/", "http://elsewhere.invalid")]
    [InlineData("//elsewhere.invalid/", "http://elsewhere.invalid")]
    [InlineData("http://user:secret@elsewhere.invalid/?token=secret", "http://elsewhere.invalid")]
    [InlineData("file:///etc/passwd", "file://")]
    [InlineData("ftp://127.0.0.1/", "ftp://127.0.0.1")]
    public async Task A_redirect_to_another_host_or_scheme_is_refused(string location, string told)
    {
        await using var surface = Redirecting(path => path == "/" ? location : null);

        var reading = await ProbeAsync(surface.Url);

        Assert.Equal((ReadingOutcome.Failed, $"HTTP 302: redirects to {told}"), (reading.Outcome, reading.Cause));
        Assert.Equal(["/"], _asked);
    }

    [Fact]
    public async Task A_redirect_loop_ends()
    {
        await using var surface = Redirecting(_ => "/");

        var reading = await ProbeAsync(surface.Url);

        Assert.Equal((ReadingOutcome.Failed, "HTTP 302: more than 5 redirects", true), (reading.Outcome, reading.Cause, reading.Reached));
        Assert.Equal(6, _asked.Count);
    }

    [Fact]
    public async Task An_expected_redirect_is_the_answer()
    {
        await using var surface = Redirecting(_ => "http://elsewhere.invalid/");

        Assert.Equal(ReadingOutcome.Ok, (await ProbeAsync(surface.Url, Codes.Parse("302")!)).Outcome);
    }

    private RawSurface Redirecting(Func<string, string?> locationOf) =>
        RawSurface.Start(
            async (head, stream, cancelled) =>
            {
                var path = head.Split(' ')[1];
                var port = ((System.Net.IPEndPoint)stream.Socket.LocalEndPoint!).Port;
                lock (_asked)
                {
                    _asked.Add(path);
                }

                await RawSurface.WriteAsync(
                    stream,
                    locationOf(path)?.Replace("{port}", $"{port}", StringComparison.Ordinal) is { } location
                        ? $"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                        : "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
                    cancelled
                );
            }
        );

    private Task<SurfaceReading> ProbeAsync(Uri url, Codes? expected = null) =>
        _probe.ProbeAsync(
            new Surface
            {
                Key = "pay",
                Name = "Pay",
                Url = url,
                ExpectedStatus = expected ?? Codes.Success,
                SlowAfter = TimeSpan.FromSeconds(20),
                Timeout = TimeSpan.FromSeconds(20),
            },
            CancellationToken.None
        );
}
