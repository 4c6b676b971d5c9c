using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using AutoTicket.Sandbox;
using Microsoft.Extensions.Time.Testing;

namespace AutoTicket.Tests.Sandbox;

public sealed class FaultTests : SandboxTest
{
    private readonly FakeTimeProvider _clock = new(new DateTimeOffset(2026, 11, 23, 12, 0, 0, TimeSpan.Zero));

    protected override SandboxSettings Settings => new() { Clock = _clock };

    [Theory]
    [InlineData(FaultKind.Status, 503, 0)]
    [InlineData(FaultKind.StatusAfter, 503, 1)]
    [InlineData(FaultKind.HtmlLogin, 200, 0)]
    [InlineData(FaultKind.Redirect, 302, 0)]
    [InlineData(FaultKind.Unauthorized, 401, 0)]
    [InlineData(FaultKind.Forbidden, 403, 0)]
    [InlineData(FaultKind.RateLimited, 429, 0)]
    [InlineData(FaultKind.ModuleOff, 404, 0)]
    [InlineData(FaultKind.ModuleOffHtml, 404, 0)]
    [InlineData(FaultKind.BlankOk, 200, 1)]
    [InlineData(FaultKind.NoId, 201, 1)]
    [InlineData(FaultKind.WrongJson, 200, 1)]
    [InlineData(FaultKind.HugeBody, 200, 1)]
    public async Task A_fault_with_a_response_creates_the_ticket_or_not(FaultKind kind, int status, int created)
    {
        Server.Faults.Add(new Fault(kind) { StatusCode = 503, Times = 1 });

        using var response = await CreateAsync();

        Assert.Equal(status, (int)response.StatusCode);
        Assert.False(response.Headers.Contains("Resource-ID"));
        Assert.Equal(created, FreeScout.CreatedCount);
        await CreatedIdAsync();
    }

    [Theory]
    [InlineData(FaultKind.ResetBefore, 0)]
    [InlineData(FaultKind.ResetAfter, 1)]
    [InlineData(FaultKind.CloseBefore, 0)]
    [InlineData(FaultKind.CloseAfter, 1)]
    [InlineData(FaultKind.KilledMidway, 1)]
    public async Task A_fault_that_cuts_the_connection_creates_the_ticket_or_not(FaultKind kind, int created)
    {
        Server.Faults.Add(new Fault(kind) { Match = FaultMatch.FreeScoutCreate });

        var error = await Assert.ThrowsAsync<HttpRequestException>(() => CreateAsync());

        var reset = error.GetBaseException() is SocketException { SocketErrorCode: SocketError.ConnectionReset };
        Assert.Equal(kind is FaultKind.ResetBefore or FaultKind.ResetAfter, reset);
        Assert.Equal(created, FreeScout.CreatedCount);
    }

    [Fact]
    public async Task A_create_that_is_killed_midway_leaves_a_conversation_without_a_thread()
    {
        Server.Faults.Add(new Fault(FaultKind.KilledMidway) { Match = FaultMatch.FreeScoutCreate, Times = 1 });

        await Assert.ThrowsAsync<HttpRequestException>(() => CreateAsync());

        var empty = Assert.Single(FreeScout.Conversations);
        Assert.True(empty is { ThreadsCount: 0, IsOpen: true });
        Assert.Equal(0, (await GetAsync($"conversations/{empty.Id}"))["threadsCount"]!.GetValue<int>());
    }

    [Theory]
    [InlineData(FaultKind.HangBefore, 0)]
    [InlineData(FaultKind.HangAfter, 1)]
    public async Task A_hanging_create_is_in_flight_until_the_client_leaves(FaultKind kind, int created)
    {
        Server.Faults.Add(new Fault(kind) { Match = FaultMatch.FreeScoutCreate });
        using var patience = new CancellationTokenSource();

        var create = Http.PostAsync(new Uri("conversations", UriKind.Relative), new StringContent(Draft().ToJsonString()), patience.Token);
        await EventuallyAsync(() => FreeScout.CreatesInFlight == 1 && FreeScout.CreatedCount == created);
        await patience.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => create);
        await EventuallyAsync(() => FreeScout.CreatesInFlight == 0);
        Assert.Equal((created, 1), (FreeScout.CreatedCount, FreeScout.PeakCreatesInFlight));
    }

    [Fact]
    public async Task A_delay_runs_on_the_sandboxs_clock_and_then_does_its_work()
    {
        var fault = Server.Faults.Add(new Fault(FaultKind.Delay) { Delay = TimeSpan.FromSeconds(4) });
        var create = CreatedIdAsync();
        await EventuallyAsync(() => fault.Hits == 1);

        await AdvanceUntilAsync(() => create.IsCompleted, TimeSpan.FromSeconds(4));

        Assert.Equal(1001, await create);
    }

    [Fact]
    public async Task A_delay_without_a_length_ends_when_the_fault_is_removed()
    {
        var fault = Server.Faults.Add(new Fault(FaultKind.Delay));
        var create = CreatedIdAsync();
        await EventuallyAsync(() => FreeScout.CreatesInFlight == 1);
        Assert.Equal(0, FreeScout.CreatedCount);

        fault.Dispose();

        Assert.Equal(1001, await create);
        Assert.Empty(Server.Faults.Active);
    }

    [Fact]
    public async Task A_late_commit_creates_after_the_client_has_gone()
    {
        var fault = Server.Faults.Add(
            new Fault(FaultKind.LateCommit) { Match = FaultMatch.FreeScoutCreate, Delay = TimeSpan.FromSeconds(30) }
        );
        using var patience = new CancellationTokenSource();
        var create = Http.PostAsync(new Uri("conversations", UriKind.Relative), new StringContent(Draft().ToJsonString()), patience.Token);
        await EventuallyAsync(() => fault.Hits == 1);
        await patience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => create);
        Assert.Equal(0, FreeScout.CreatedCount);

        await AdvanceUntilAsync(() => FreeScout.CreatedCount == 1, TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task Torn_json_breaks_off_before_its_length()
    {
        Server.Faults.Add(new Fault(FaultKind.TornJson));

        using var response = await Http.SendAsync(
            new HttpRequestMessage(HttpMethod.Get, "mailboxes"),
            HttpCompletionOption.ResponseHeadersRead
        );

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        await Assert.ThrowsAnyAsync<Exception>(() => response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_huge_body_is_fifty_megabytes()
    {
        Server.Faults.Add(new Fault(FaultKind.HugeBody));

        using var response = await Http.SendAsync(
            new HttpRequestMessage(HttpMethod.Get, "mailboxes"),
            HttpCompletionOption.ResponseHeadersRead
        );

        await using var counter = new Counter();
        await response.Content.CopyToAsync(counter);
        Assert.InRange(counter.Bytes, 50 * 1024 * 1024, 51 * 1024 * 1024);
    }

    [Fact]
    public async Task A_missing_module_answers_in_the_requested_format_unless_forced()
    {
        var off = Server.Faults.Add(new Fault(FaultKind.ModuleOff));
        Assert.Equal("""{"message":""}""", await BodyAsync("application/json"));
        Assert.StartsWith("<!DOCTYPE html>", await BodyAsync("*/*"), StringComparison.Ordinal);

        off.Dispose();
        Server.Faults.Add(new Fault(FaultKind.ModuleOffHtml));
        Assert.StartsWith("<!DOCTYPE html>", await BodyAsync("application/json"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Retry_After_goes_out_in_seconds()
    {
        Server.Faults.Add(new Fault(FaultKind.RateLimited) { RetryAfter = 7 });

        using var response = await CreateAsync();

        Assert.Equal(TimeSpan.FromSeconds(7), response.Headers.RetryAfter!.Delta);
    }

    [Fact]
    public async Task A_fault_meets_only_what_it_matches_and_heals_after_its_times()
    {
        var id = await CreatedIdAsync();
        var fault = Server.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScoutTags, Times = 2 });

        foreach (var expected in new[] { 500, 500, 204 })
        {
            await GetAsync($"conversations/{id}");
            using var response = await Http.PutAsync(
                new Uri($"conversations/{id}/tags", UriKind.Relative),
                new StringContent("""{"tags":[]}""")
            );
            Assert.Equal(expected, (int)response.StatusCode);
        }

        Assert.Equal((2, true), (fault.Hits, fault.IsHealed));
    }

    [Fact]
    public async Task Disposing_the_sandbox_ends_hanging_requests_within_a_second()
    {
        var server = await SandboxServer.StartAsync();
        using var http = ClientFor(server);
        server.Faults.Add(new Fault(FaultKind.HangBefore));
        var hanging = http.GetAsync(new Uri("mailboxes", UriKind.Relative));
        await EventuallyAsync(() => server.FreeScout.RequestCount == 1);
        var watch = Stopwatch.StartNew();

        await server.DisposeAsync();

        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(20), $"took {watch.Elapsed}");
        await Assert.ThrowsAsync<HttpRequestException>(() => hanging);
    }

    private async Task AdvanceUntilAsync(Func<bool> condition, TimeSpan step)
    {
        // The sandbox sets its timer on another thread, so a step may come too early and must be repeated.
        await EventuallyAsync(() =>
        {
            _clock.Advance(step);
            return condition();
        });
    }

    private async Task<string> BodyAsync(string accept)
    {
        Http.DefaultRequestHeaders.Remove("Accept");
        Http.DefaultRequestHeaders.Add("Accept", accept);
        using var response = await Http.GetAsync(new Uri("mailboxes", UriKind.Relative));
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        return await response.Content.ReadAsStringAsync();
    }

    private sealed class Counter : Stream
    {
        public long Bytes { get; private set; }
        public override bool CanRead => false;
        public override bool CanSeek => false;
        public override bool CanWrite => true;
        public override long Length => Bytes;
        public override long Position
        {
            get => Bytes;
            set => throw new NotSupportedException();
        }

        public override void Flush() { }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => Bytes += count;
    }
}
