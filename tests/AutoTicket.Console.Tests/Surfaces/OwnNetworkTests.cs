using System.Text.Json;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using Microsoft.Extensions.Time.Testing;

namespace AutoTicket.Tests.Surfaces;

/// <summary>When no surface can be reached, our own network has probably failed: forty tiles turn stale and one alert is sent.</summary>
[Trait("Pitfall", "T-30")]
public sealed class OwnNetworkTests
{
    private readonly FakeTimeProvider _clock = new(Readings.Start);

    [Fact]
    public async Task Forty_surfaces_that_vanish_at_once_turn_stale_with_one_notice_and_come_back_as_they_were()
    {
        await using var outside = RawSurface.StartWell();
        await using var console = await ConsoleHost.StartAsync(
            clock: _clock,
            settings: Watching.Settings(Enumerable.Range(0, 40).Select(n => new Uri(outside.Url, $"{n}")), downAfter: 1)
        );
        await console.AllAsync(SurfaceStatus.Operational);
        var told = new System.Collections.Concurrent.ConcurrentBag<SurfaceStatus>();
        using var subscription = console.Board().Subscribe(snapshot => told.Add(snapshot.Status));
        Assert.Equal(JsonValueKind.Null, await LostSinceAsync(console));

        await outside.LoseAsync();
        for (var cycle = 0; cycle < 2; cycle++)
        {
            await Eventually.TrueAsync(
                () =>
                {
                    // Connecting ends by its timeout alone, of which the clock does not tell when it has begun.
                    _clock.Advance(TimeSpan.FromSeconds(1));
                    return console
                        .Board()
                        .All()
                        .All(surface => surface.History.Count(reading => reading.Outcome == ReadingOutcome.Blind) > cycle);
                },
                "a cycle reaches nobody"
            );
        }

        Assert.All(console.Board().All(), surface => Assert.Equal(SurfaceStatus.Stale, surface.Status));
        Assert.StartsWith("The console itself is offline (", console.Board().Find("s0")!.Cause, StringComparison.Ordinal);
        Assert.Equal(JsonValueKind.String, await LostSinceAsync(console));
        Assert.Single(Notices(console), line => line.StartsWith("WARNING ", StringComparison.Ordinal));

        outside.Find();
        // The clock stands still while connections are repeated: in one cycle some surfaces must not time out and others answer.
        for (var cycle = 0; cycle < 5 && !await AnswerAsync(); cycle++)
        {
            _clock.Advance(TimeSpan.FromSeconds(30));
        }

        Assert.True(await AnswerAsync(), "all surfaces are operational");
        Assert.Equal(JsonValueKind.Null, await LostSinceAsync(console));
        Assert.All(console.Board().All(), surface => Assert.Equal(Readings.Start, surface.Since));
        Assert.DoesNotContain(SurfaceStatus.Down, told);
        Assert.Single(Notices(console));

        async Task<bool> AnswerAsync()
        {
            var waited = Eventually.TrueAsync(
                () => console.Board().All().All(surface => surface.Status == SurfaceStatus.Operational),
                "all surfaces are operational",
                TimeSpan.FromSeconds(10)
            );
            return await Record.ExceptionAsync(() => waited) is null;
        }
    }

    [Fact]
    public async Task Forty_names_that_can_not_be_resolved_at_the_very_start_are_not_down_either()
    {
        await using var console = await ConsoleHost.StartAsync(clock: _clock, settings: Watching.Settings(Unresolvable(40), downAfter: 1));

        await console.PolledAsync(1);

        Assert.All(console.Board().All(), surface => Assert.Equal(SurfaceStatus.Unknown, surface.Status));
        Assert.NotNull(console.Board().OwnNetworkLostSince);
        Assert.Single(Notices(console));
    }

    [Fact]
    public async Task The_operator_is_told_once_and_no_ticket_is_filed()
    {
        var settings = Watching.Settings(Unresolvable(3), downAfter: 1);
        settings["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "1";
        await using var console = await ConsoleHost.StartAsync(settings: settings);

        await Eventually.TrueAsync(() => console.Sandbox.Slack.Messages.Count > 0, "the operator is told");
        await Eventually.TrueAsync(
            () => console.Log.Any(line => line.Contains("decision=no ticket: own network", StringComparison.Ordinal)),
            "no ticket is due"
        );

        Assert.StartsWith("P2 FIRING · own_network_lost", Assert.Single(console.Sandbox.Slack.Messages).Text, StringComparison.Ordinal);
        Assert.Empty(console.Sandbox.FreeScout.Conversations);
    }

    [Fact]
    public async Task One_that_answers_proves_our_network_and_the_others_are_down()
    {
        await using var sandbox = await SandboxServer.StartAsync();
        await using var console = await ConsoleHost.StartAsync(
            sandbox: sandbox,
            clock: _clock,
            settings: Watching.Settings([sandbox.Surface("a").Url, .. Unresolvable(39)], downAfter: 1)
        );

        await DownAsync(console, 39);

        Assert.Equal(SurfaceStatus.Operational, console.Board().Find("s0")!.Status);
        await AssertBlamedOnNobodyElseAsync(console);
    }

    [Fact]
    public async Task A_refused_connection_is_an_answer()
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

        await AssertBlamedOnNobodyElseAsync(console);
    }

    [Fact]
    public async Task Those_probed_last_are_down_when_those_before_them_in_the_cycle_were_reached()
    {
        await using var sandbox = await SandboxServer.StartAsync();
        var settings = Watching.Settings(
            [.. Enumerable.Range(0, 10).Select(n => sandbox.Surface($"s{n}").Url), .. Unresolvable(3)],
            downAfter: 1
        );
        settings["Status:Parallelism"] = "1";
        // By the real clock: on one that stands still nobody is ever probed last.
        await using var console = await ConsoleHost.StartAsync(sandbox: sandbox, settings: settings);

        await console.PolledAsync(1);

        await DownAsync(console, 3);
        await AssertBlamedOnNobodyElseAsync(console);
    }

    [Fact]
    public async Task Two_surfaces_are_too_few_to_doubt_ourselves()
    {
        await using var console = await ConsoleHost.StartAsync(clock: _clock, settings: Watching.Settings(Unresolvable(2), downAfter: 1));

        await DownAsync(console, 2);

        await AssertBlamedOnNobodyElseAsync(console);
    }

    private static IEnumerable<Uri> Unresolvable(int count) =>
        Enumerable.Range(0, count).Select(n => new Uri($"http://nobody-{n}.invalid/"));

    private static Task DownAsync(ConsoleHost console, int count) =>
        Eventually.TrueAsync(
            () => console.Board().All().Count(surface => surface.Status == SurfaceStatus.Down) == count,
            $"{count} surfaces are down"
        );

    private static async Task AssertBlamedOnNobodyElseAsync(ConsoleHost console)
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
