using System.Text.Json;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using Microsoft.Extensions.Time.Testing;

namespace AutoTicket.Tests.Surfaces;

/// <summary>If no surface can be reached, the console's own network has probably failed: all tiles turn stale and one alert is
/// sent.</summary>
[Trait("Pitfall", "T-30")]
public sealed class OwnNetworkTests
{
    private readonly FakeTimeProvider _clock = new(Readings.Start);

    [Fact]
    public async Task Forty_surfaces_lost_at_once_turn_stale_with_one_warning_and_recover_unchanged()
    {
        await using var outside = RawSurface.StartHealthy();
        await using var console = await ConsoleHost.StartAsync(
            clock: _clock,
            settings: Watching.Settings(Enumerable.Range(0, 40).Select(n => new Uri(outside.Url, $"{n}")), downAfter: 1)
        );
        await console.AllAsync(SurfaceStatus.Operational);
        var published = new System.Collections.Concurrent.ConcurrentBag<SurfaceStatus>();
        using var subscription = console.Board().Subscribe(snapshot => published.Add(snapshot.Status));
        Assert.Equal(JsonValueKind.Null, await LostSinceAsync(console));

        await outside.DropPacketsAsync();
        for (var cycle = 0; cycle < 2; cycle++)
        {
            await Eventually.TrueAsync(
                () =>
                {
                    // A connection attempt ends only by its timeout, and the clock does not show when the attempt started.
                    _clock.Advance(TimeSpan.FromSeconds(1));
                    return console
                        .Board()
                        .All()
                        .All(surface => surface.History.Count(reading => reading.Outcome == ReadingOutcome.Blind) > cycle);
                },
                "a cycle reaches no surface"
            );
        }

        Assert.All(console.Board().All(), surface => Assert.Equal(SurfaceStatus.Stale, surface.Status));
        Assert.StartsWith("The console itself is offline (", console.Board().Find("s0")!.Cause, StringComparison.Ordinal);
        Assert.Equal(JsonValueKind.String, await LostSinceAsync(console));
        Assert.Single(Notices(console), line => line.StartsWith("WARNING ", StringComparison.Ordinal));

        outside.Find();
        // The clock stands still during reconnects: within one cycle, no surface may time out while others answer.
        for (var cycle = 0; cycle < 5 && !await AnswerAsync(); cycle++)
        {
            _clock.Advance(TimeSpan.FromSeconds(30));
        }

        Assert.True(await AnswerAsync(), "all surfaces are operational");
        Assert.Equal(JsonValueKind.Null, await LostSinceAsync(console));
        Assert.All(console.Board().All(), surface => Assert.Equal(Readings.Start, surface.Since));
        Assert.DoesNotContain(SurfaceStatus.Down, published);
        Assert.Single(Notices(console));

        async Task<bool> AnswerAsync()
        {
            var waited = Eventually.TrueAsync(
                () => console.Board().All().All(surface => surface.Status == SurfaceStatus.Operational),
                "all surfaces are operational",
                TimeSpan.FromSeconds(30)
            );
            return await Record.ExceptionAsync(() => waited) is null;
        }
    }

    [Fact]
    public async Task Forty_unresolvable_names_at_the_start_are_not_down()
    {
        await using var console = await ConsoleHost.StartAsync(clock: _clock, settings: Watching.Settings(Unresolvable(40), downAfter: 1));

        await console.PolledAsync(1);

        Assert.All(console.Board().All(), surface => Assert.Equal(SurfaceStatus.Unknown, surface.Status));
        Assert.NotNull(console.Board().OwnNetworkLostSince);
        Assert.Single(Notices(console));
    }

    [Fact]
    public async Task A_lost_own_network_sends_one_DM_and_files_no_ticket()
    {
        var settings = Watching.Settings(Unresolvable(3), downAfter: 1);
        settings["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "1";
        await using var console = await ConsoleHost.StartAsync(settings: settings);

        await Eventually.TrueAsync(() => console.Sandbox.Slack.Messages.Count > 0, "the DM is sent");
        await Eventually.TrueAsync(
            () => console.Log.Any(line => line.Contains("decision=no ticket: own network", StringComparison.Ordinal)),
            "no ticket is due"
        );

        Assert.StartsWith("P2 FIRING · own_network_lost", Assert.Single(console.Sandbox.Slack.Messages).Text, StringComparison.Ordinal);
        Assert.Empty(console.Sandbox.FreeScout.Conversations);
    }

    [Fact]
    public async Task If_one_surface_answers_the_others_are_down()
    {
        await using var sandbox = await SandboxServer.StartAsync();
        await using var console = await ConsoleHost.StartAsync(
            sandbox: sandbox,
            clock: _clock,
            settings: Watching.Settings([sandbox.Surface("a").Url, .. Unresolvable(39)], downAfter: 1)
        );

        await DownAsync(console, 39);

        Assert.Equal(SurfaceStatus.Operational, console.Board().Find("s0")!.Status);
        await AssertOwnNetworkNotBlamedAsync(console);
    }

    [Fact]
    public async Task A_refused_connection_proves_that_the_network_works()
    {
        var nobody = new Uri($"http://127.0.0.1:{LoopbackPort.Next()}/");
        await using var console = await ConsoleHost.StartAsync(
            clock: _clock,
            settings: Watching.Settings(
                [.. Enumerable.Range(0, 20).Select(n => new Uri(nobody, $"{n}")), .. Unresolvable(20)],
                downAfter: 1
            )
        );

        await DownAsync(console, 40);

        await AssertOwnNetworkNotBlamedAsync(console);
    }

    [Fact]
    public async Task Surfaces_probed_last_are_down_if_earlier_ones_of_the_cycle_were_reached()
    {
        await using var sandbox = await SandboxServer.StartAsync();
        var settings = Watching.Settings(
            [.. Enumerable.Range(0, 10).Select(n => sandbox.Surface($"s{n}").Url), .. Unresolvable(3)],
            downAfter: 1
        );
        settings["Status:Parallelism"] = "1";
        // The real clock: on a clock that stands still, no surface is polled after another.
        await using var console = await ConsoleHost.StartAsync(sandbox: sandbox, settings: settings);

        await console.PolledAsync(1);

        await DownAsync(console, 3);
        await AssertOwnNetworkNotBlamedAsync(console);
    }

    [Fact]
    public async Task Two_unreachable_surfaces_do_not_mean_a_lost_network()
    {
        await using var console = await ConsoleHost.StartAsync(clock: _clock, settings: Watching.Settings(Unresolvable(2), downAfter: 1));

        await DownAsync(console, 2);

        await AssertOwnNetworkNotBlamedAsync(console);
    }

    [Fact]
    public async Task A_shutdown_before_any_surface_was_reached_does_not_mean_a_lost_network()
    {
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var hanging = RawSurface.Start(
            (_, _, cancelled) =>
            {
                asked.TrySetResult();
                return Task.Delay(Timeout.Infinite, cancelled);
            }
        );
        var settings = Watching.Settings([.. Unresolvable(3), hanging.Url], downAfter: 1);
        // One after the other, so that the others have failed when the last one is asked.
        settings["Status:Parallelism"] = "1";
        var console = await ConsoleHost.StartAsync(clock: _clock, settings: settings);
        await asked.Task.WaitAsync(Eventually.Patience);

        await console.DisposeAsync();

        Assert.Empty(Notices(console));
    }

    private static IEnumerable<Uri> Unresolvable(int count) =>
        Enumerable.Range(0, count).Select(n => new Uri($"http://nobody-{n}.invalid/"));

    private static Task DownAsync(ConsoleHost console, int count) =>
        Eventually.TrueAsync(
            () => console.Board().All().Count(surface => surface.Status == SurfaceStatus.Down) == count,
            $"{count} surfaces are down"
        );

    private static async Task AssertOwnNetworkNotBlamedAsync(ConsoleHost console)
    {
        Assert.Equal(JsonValueKind.Null, await LostSinceAsync(console));
        Assert.Empty(Notices(console));
    }

    private static IEnumerable<string> Notices(ConsoleHost console) =>
        console.Log.Where(line => line.Contains("own network seems lost", StringComparison.Ordinal));

    private static async Task<JsonValueKind> LostSinceAsync(ConsoleHost console)
    {
        using var answer = JsonDocument.Parse(await console.Http.GetStringAsync("/api/status"));
        return answer.RootElement.GetProperty("own_network_lost_since").ValueKind;
    }
}
