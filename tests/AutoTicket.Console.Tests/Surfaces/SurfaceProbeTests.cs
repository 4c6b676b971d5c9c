using System.Diagnostics;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using Codes = AutoTicket.Surfaces.StatusCodes;

namespace AutoTicket.Tests.Surfaces;

/// <summary>The probe against HTTP surfaces, working and failing.</summary>
public sealed class SurfaceProbeTests : IAsyncLifetime, IDisposable
{
    private readonly SurfaceProbe _probe = new(TimeProvider.System);
    private SandboxServer _sandbox = null!;

    public async Task InitializeAsync() => _sandbox = await SandboxServer.StartAsync();

    public async Task DisposeAsync() => await _sandbox.DisposeAsync();

    public void Dispose() => _probe.Dispose();

    [Fact]
    public async Task A_good_answer_is_ok_with_its_latency()
    {
        var reading = await ProbeAsync(Well);

        Assert.Equal((ReadingOutcome.Ok, null, true), (reading.Outcome, reading.Cause, reading.Reached));
        Assert.InRange(reading.LatencyMs!.Value, 0, 10_000);
    }

    [Fact]
    public async Task An_answer_over_the_limit_is_slow_and_names_both_times()
    {
        _sandbox.Surface("pay").Answer(delay: TimeSpan.FromMilliseconds(120));

        var reading = await ProbeAsync(Well with { SlowAfter = TimeSpan.FromMilliseconds(50) });

        Assert.Equal((ReadingOutcome.Slow, true), (reading.Outcome, reading.Reached));
        Assert.InRange(reading.LatencyMs!.Value, 100, 10_000);
        Assert.Matches(@"^Slow: [0-9.]+ s \(limit 0\.05 s\)$", reading.Cause);
    }

    [Theory]
    [InlineData(503, "200-299", ReadingOutcome.Failed)]
    [InlineData(404, "200-299", ReadingOutcome.Failed)]
    [InlineData(200, "401", ReadingOutcome.Failed)]
    [InlineData(401, "200-299,401", ReadingOutcome.Ok)]
    [InlineData(503, "500-599", ReadingOutcome.Ok)]
    [InlineData(204, "200-299", ReadingOutcome.Ok)]
    public async Task Only_the_expected_statuses_count(int status, string expected, ReadingOutcome outcome)
    {
        _sandbox.Surface("pay").Answer(status, status == 204 ? "" : "body");

        var reading = await ProbeAsync(Well with { ExpectedStatus = Codes.Parse(expected)! });

        Assert.Equal((outcome, true), (reading.Outcome, reading.Reached));
        if (outcome == ReadingOutcome.Failed)
        {
            Assert.StartsWith($"HTTP {status}", reading.Cause, StringComparison.Ordinal);
            // The default needs no words: a tile has little room.
            Assert.Equal(expected != Codes.Success.Text, reading.Cause!.EndsWith($", expected {expected}", StringComparison.Ordinal));
            Assert.Null(reading.LatencyMs);
        }
    }

    [Theory]
    [InlineData("All well — fine", ReadingOutcome.Ok)]
    [InlineData("all well", ReadingOutcome.Failed)]
    public async Task The_response_must_contain_the_exact_expected_text(string text, ReadingOutcome outcome)
    {
        _sandbox.Surface("pay").Answer(body: "<p>All well — fine</p>");

        var reading = await ProbeAsync(Well with { ExpectedText = text });

        Assert.Equal(outcome, reading.Outcome);
        Assert.Equal(outcome == ReadingOutcome.Ok ? null : "HTTP 200, but the response lacks the expected text", reading.Cause);
    }

    [Fact]
    public async Task A_hanging_surface_fails_at_its_own_timeout_and_counts_as_reached()
    {
        _sandbox.Surface("pay").Hang();

        var begun = Stopwatch.GetTimestamp();
        var reading = await ProbeAsync(Well with { Timeout = TimeSpan.FromSeconds(3) });

        Assert.Equal(
            (ReadingOutcome.Failed, "Timed out: no complete response in 3 s", true),
            (reading.Outcome, reading.Cause, reading.Reached)
        );
        Assert.InRange(Stopwatch.GetElapsedTime(begun), TimeSpan.FromSeconds(2.9), Eventually.Patience);
    }

    [Fact]
    public async Task A_reset_connection_fails_and_counts_as_reached()
    {
        _sandbox.Surface("pay").Reset();

        var reading = await ProbeAsync(Well);

        Assert.Equal((ReadingOutcome.Failed, true), (reading.Outcome, reading.Reached));
        Assert.False(string.IsNullOrWhiteSpace(reading.Cause));
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("HEAD")]
    [InlineData("POST")]
    [InlineData("OPTIONS")]
    public async Task The_configured_method_is_used(string method)
    {
        var head = "";
        await using var surface = RawSurface.Start(
            (request, stream, cancelled) =>
            {
                head = request;
                return RawSurface
                    .WriteAsync(
                        stream,
                        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n" + (method == "HEAD" ? "" : "ok"),
                        cancelled
                    )
                    .AsTask();
            }
        );

        var reading = await ProbeAsync(Well with { Url = surface.Url, Method = method });

        Assert.Equal((ReadingOutcome.Ok, null), (reading.Outcome, reading.Cause));
        Assert.StartsWith($"{method} / HTTP/1.1\r\n", head, StringComparison.Ordinal);
        Assert.Contains("User-Agent: AutoTicket-Console/", head, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task A_probe_ends_at_once_when_the_console_stops()
    {
        _sandbox.Surface("pay").Hang();
        using var stopping = new CancellationTokenSource();
        var probing = _probe.ProbeAsync(Well with { Timeout = TimeSpan.FromMinutes(5) }, stopping.Token);
        await Eventually.TrueAsync(() => _sandbox.Surface("pay").RequestCount == 1, "the surface is polled");

        await stopping.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => probing.WaitAsync(Eventually.Patience));
    }

    private Surface Well =>
        new()
        {
            Key = "pay",
            Name = "Pay",
            Url = _sandbox.Surface("pay").Url,
            SlowAfter = TimeSpan.FromSeconds(20),
            Timeout = TimeSpan.FromSeconds(20),
        };

    private Task<SurfaceReading> ProbeAsync(Surface surface) => _probe.ProbeAsync(surface, CancellationToken.None);
}
