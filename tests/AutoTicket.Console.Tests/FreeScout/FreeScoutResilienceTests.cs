using AutoTicket.FreeScout;
using AutoTicket.Sandbox;

namespace AutoTicket.Tests.FreeScout;

/// <summary>The client retries a GET and never a POST. It obeys Retry-After, and pauses calls while FreeScout is down.</summary>
public sealed class FreeScoutResilienceTests : IAsyncLifetime
{
    private static readonly ConversationDraft Draft = new("Checkout is down [at-0123456789]", "<p>503</p>");
    private static readonly FaultMatch OneTicket = new("GET", FreeScoutStandIn.ApiPath + "/conversations/7", Whole: true);
    private readonly StillClock _clock = new();
    private InvestigateDriver _driver = null!;

    private FreeScoutClient Client => _driver.Console.Get<FreeScoutClient>();

    private int Gets => _driver.Requests("GET", "/conversations/7").Count;

    /// <summary>Number of this test's calls; the first comparison may still be in progress.</summary>
    private int Asked => Gets + _driver.Creates.Count + _driver.Requests("PUT", "/conversations/7/tags").Count;

    public async Task InitializeAsync()
    {
        // The sync and the comparison read lists once, at the start, and the sync again 2.5 s after a failure.
        _driver = await InvestigateDriver.StartAsync(
            clock: _clock,
            surfaces: [],
            settings: new Dictionary<string, string?> { ["Ticketing:SyncInterval"] = "01:00:00", ["FreeScout:BreakDuration"] = "00:00:02" }
        );
        await _driver.WaitForFirstSyncAsync();
    }

    public async Task DisposeAsync() => await _driver.DisposeAsync();

    [Theory]
    [Trait("Pitfall", "T-35")]
    [InlineData(FaultKind.Status, 500)]
    [InlineData(FaultKind.Status, 502)]
    [InlineData(FaultKind.Status, 503)]
    [InlineData(FaultKind.Status, 504)]
    [InlineData(FaultKind.ResetBefore, null)]
    [InlineData(FaultKind.CloseBefore, null)]
    public async Task A_GET_is_retried_twice_and_a_POST_never(FaultKind kind, int? status)
    {
        _driver.Sandbox.Faults.Add(
            new Fault(kind)
            {
                StatusCode = status,
                Match = OneTicket,
                Times = 2,
            }
        );
        Assert.Null((await Client.FindAsync(7, default)).Failure);
        Assert.Equal(3, Gets);

        _driver.Sandbox.Faults.Add(
            new Fault(kind)
            {
                StatusCode = status,
                Match = FaultMatch.FreeScoutCreate,
                Times = 1,
            }
        );
        var failure = (await Client.CreateAsync(Draft, DateTimeOffset.MaxValue, default)).Failure!;
        Assert.Equal((1, true), (_driver.Creates.Count, failure.MayHaveCreated));
    }

    [Theory]
    [Trait("Pitfall", "T-34")]
    [InlineData(FaultKind.Unauthorized, null)]
    [InlineData(FaultKind.Forbidden, null)]
    [InlineData(FaultKind.ModuleOffHtml, null)]
    [InlineData(FaultKind.Status, 422)]
    [InlineData(FaultKind.RateLimited, null)]
    [InlineData(FaultKind.HtmlLogin, null)]
    [InlineData(FaultKind.Redirect, null)]
    public async Task A_permanent_failure_is_not_retried(FaultKind kind, int? status)
    {
        _driver.Sandbox.Faults.Add(new Fault(kind) { StatusCode = status, Match = OneTicket });

        Assert.NotNull((await Client.FindAsync(7, default)).Failure);

        Assert.Equal(1, Gets);
    }

    /// <summary>The console reads again soon, so retries would only be more load.</summary>
    [Fact]
    public async Task While_reads_fail_a_GET_is_not_retried()
    {
        for (var success = 0; success < 20; success++)
        {
            // So that the circuit stays closed.
            await Client.FindAsync(7, default);
        }

        // Else the success of the first sync, when it is read back from the database, counts as newer than this failure.
        _clock.Advance(TimeSpan.FromSeconds(0.1));
        using var down = _driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScout });
        Assert.NotNull((await Client.FindAsync(7, default)).Failure);
        var before = Gets;

        Assert.Equal(FreeScoutFailureKind.ServerError, (await Client.FindAsync(7, default)).Failure!.Kind);

        Assert.Equal(before + 1, Gets);
    }

    /// <summary>A read that meets the open circuit, and the retry of the one whose failure opened it, would hide what FreeScout answers to
    /// reads.</summary>
    [Fact]
    public async Task Creates_that_open_the_circuit_do_not_hide_that_reads_fail_too()
    {
        // So that the circuit has forgotten the first calls.
        _clock.Advance(TimeSpan.FromSeconds(20));
        using var down = _driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScout });
        for (var create = 0; create < 4; create++)
        {
            await Client.CreateAsync(Draft, DateTimeOffset.MaxValue, default);
        }

        await _clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(1),
            () => Task.FromResult(_driver.Console.Get<FreeScoutHealth>().ReadFailure is { Kind: FreeScoutFailureKind.ServerError }),
            "the sync finds out, although its next turn is an hour away"
        );
    }

    [Fact]
    public async Task With_an_open_circuit_each_call_still_reports_what_FreeScout_answered()
    {
        _driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScout, StatusCode = 503 });

        var answers = new List<FreeScoutFailure>();
        while (answers.Count < 20 && !_driver.Console.Get<FreeScoutHealth>().IsCircuitOpen)
        {
            answers.AddRange(
                (await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Client.FindAsync(7, default)))).Select(a => a.Failure!)
            );
        }

        var held = (await Client.FindAsync(7, default)).Failure!;
        Assert.Equal(FreeScoutFailureKind.CircuitOpen, held.Kind);
        Assert.All(answers.Append(held), failure => Assert.Contains("503", failure.Message, StringComparison.Ordinal));
    }

    [Fact]
    [Trait("Pitfall", "T-35")]
    public async Task The_circuit_opens_half_opens_and_closes()
    {
        var down = _driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScout });
        for (var call = 0; call < 20 && !_driver.Console.Get<FreeScoutHealth>().IsCircuitOpen; call++)
        {
            await Client.CreateAsync(Draft, DateTimeOffset.MaxValue, default);
        }

        var asked = Asked;
        var held = (await Client.FindAsync(7, default)).Failure!;
        Assert.Equal((FreeScoutFailureKind.CircuitOpen, false), (held.Kind, held.MayHaveCreated));
        Assert.False((await Client.CreateAsync(Draft, DateTimeOffset.MaxValue, default)).Failure!.MayHaveCreated);
        Assert.Equal(asked, Asked);

        // Half open: one call is let through; its failure opens the circuit again.
        _clock.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(FreeScoutFailureKind.ServerError, (await Client.CreateAsync(Draft, DateTimeOffset.MaxValue, default)).Failure!.Kind);
        Assert.Equal(FreeScoutFailureKind.CircuitOpen, (await Client.CreateAsync(Draft, DateTimeOffset.MaxValue, default)).Failure!.Kind);
        Assert.Equal(asked + 1, Asked);

        down.Dispose();
        _clock.Advance(TimeSpan.FromSeconds(2));
        await Eventually.TrueAsync(
            async () => (await Client.FindAsync(7, default)).Failure is null,
            "this read or the sync's is let through and closes the circuit"
        );
        Assert.NotNull((await Client.CreateAsync(Draft, DateTimeOffset.MaxValue, default)).Value);
        Assert.Null(_driver.Console.Get<FreeScoutHealth>().Failure);
    }

    [Theory]
    [Trait("Pitfall", "T-33")]
    [InlineData(7, 7)]
    [InlineData(3600, 60)]
    [InlineData(null, 5)]
    public async Task Retry_After_holds_every_call_for_at_most_a_minute(int? seconds, int held)
    {
        using (_driver.Sandbox.Faults.Add(new Fault(FaultKind.RateLimited) { RetryAfter = seconds, Match = FaultMatch.FreeScoutCreate }))
        {
            Assert.Equal(
                (FreeScoutFailureKind.RateLimited, false),
                (
                    (await Client.CreateAsync(Draft, DateTimeOffset.MaxValue, default)).Failure is var first ? first!.Kind : default,
                    first!.MayHaveCreated
                )
            );
        }

        var asked = Asked;
        _clock.Advance(TimeSpan.FromSeconds(held - 0.5));
        Assert.Equal(FreeScoutFailureKind.RateLimited, (await Client.FindAsync(7, default)).Failure!.Kind);
        Assert.Equal(FreeScoutFailureKind.RateLimited, (await Client.AddTagsAsync(7, ["auto:status"], default)).Failure!.Kind);
        Assert.Equal(
            (FreeScoutFailureKind.RateLimited, false),
            (
                (await Client.CreateAsync(Draft, DateTimeOffset.MaxValue, default)).Failure is var second ? second!.Kind : default,
                second!.MayHaveCreated
            )
        );
        Assert.Equal(asked, Asked);

        _clock.Advance(TimeSpan.FromSeconds(0.5));
        Assert.NotNull((await Client.CreateAsync(Draft, DateTimeOffset.MaxValue, default)).Value);
    }
}
