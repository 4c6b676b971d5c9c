using AutoTicket.Data;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using Microsoft.Extensions.Time.Testing;

namespace AutoTicket.Tests.Surfaces;

public sealed class StatusPollerTests
{
    private readonly FakeTimeProvider _clock = new(Readings.Start);

    [Fact]
    public async Task The_first_cycle_runs_at_start()
    {
        await using var sandbox = await SandboxServer.StartAsync();
        await using var console = await ConsoleHost.StartAsync(
            sandbox: sandbox,
            clock: _clock,
            settings: Watching.Settings([sandbox.Surface("a").Url])
        );

        await console.AllAsync(SurfaceStatus.Operational);
    }

    /// <summary>A blip during a restart must not count as two failures in a row. A surface without a recent reading does not
    /// wait.</summary>
    [Fact]
    public async Task After_a_restart_a_surface_is_probed_an_interval_after_its_last_reading()
    {
        var clock = new StillClock();
        await using var database = await TestDatabase.CreateAsync(Database.Sqlite);
        await using var sandbox = await SandboxServer.StartAsync();
        var last = clock.GetUtcNow().AddSeconds(-5);
        await using (var db = database.Open())
        {
            db.SurfaceReadings.Add(
                Readings.Reading(ReadingOutcome.Failed, last, "s0") with
                {
                    Status = SurfaceStatus.Operational,
                    Since = last.AddHours(-1),
                }
            );
            await db.SaveChangesAsync();
        }

        await using var console = await ConsoleHost.StartAsync(
            database,
            sandbox,
            Watching.Settings([sandbox.Surface("a").Url, sandbox.Surface("b").Url]),
            clock
        );
        await Eventually.TrueAsync(() => console.Board().Find("s0")!.History.Count > 0, "the board shows the stored reading");
        await Eventually.TrueAsync(() => console.Board().Find("s1")!.History.Count > 0, "the new surface is probed at once");
        await clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(5),
            () => Task.FromResult(console.Board().Find("s0")!.History.Count > 1),
            "the surface is probed",
            TimeSpan.FromMilliseconds(200)
        );

        Assert.InRange(console.Board().Find("s0")!.History[1].CheckedAt - last, TimeSpan.FromSeconds(30), TimeSpan.MaxValue);
    }

    [Fact, Trait("Pitfall", "T-36")]
    public async Task A_surface_that_hangs_for_a_minute_delays_none_of_the_other_39()
    {
        await using var sandbox = await SandboxServer.StartAsync();
        var surfaces = Enumerable.Range(0, 40).Select(n => sandbox.Surface($"s{n}")).ToList();
        surfaces[7].Hang();
        await using var console = await ConsoleHost.StartAsync(
            sandbox: sandbox,
            clock: _clock,
            settings: Watching.Settings(surfaces.Select(surface => surface.Url), downAfter: 1, timeout: TimeSpan.FromSeconds(60))
        );
        Task PolledAsync(int times) =>
            Eventually.TrueAsync(
                () =>
                    console
                        .Board()
                        .All()
                        .Where(surface => surface.Key != "s7")
                        .All(surface => surface.History.Count == times && surface.CheckedAt == _clock.GetUtcNow()),
                $"39 surfaces are polled {times} times without a step of the clock"
            );

        await PolledAsync(1);
        await Eventually.TrueAsync(() => surfaces[7].RequestCount == 1, "the hanging surface is polled");
        _clock.Advance(Watching.ACycle);
        await PolledAsync(2);

        Assert.Equal(1, surfaces[7].RequestCount);
        Assert.Equal(SurfaceStatus.Unknown, console.Board().Find("s7")!.Status);
        _clock.Advance(Watching.ACycle);
        await PolledAsync(3);
        await Eventually.TrueAsync(
            () => console.Board().Find("s7")!.Status == SurfaceStatus.Down,
            "the hanging surface is down at its timeout"
        );
        Assert.Equal("Timed out: no complete response in 60 s", console.Board().Find("s7")!.Cause);
    }

    [Fact]
    public async Task Concurrent_probes_never_exceed_the_limit()
    {
        int now = 0,
            most = 0;
        var mayAnswer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var surface = RawSurface.Start(
            async (_, stream, cancelled) =>
            {
                var current = Interlocked.Increment(ref now);
                InterlockedMax(ref most, current);
                await mayAnswer.Task.WaitAsync(cancelled);
                Interlocked.Decrement(ref now);
                await RawSurface.WriteAsync(stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", cancelled);
            }
        );
        var settings = Watching.Settings(Enumerable.Range(0, 12).Select(n => new Uri(surface.Url, $"{n}")));
        settings["Status:Parallelism"] = "3";
        await using var console = await ConsoleHost.StartAsync(clock: _clock, settings: settings);
        await Eventually.TrueAsync(() => Volatile.Read(ref now) >= 3, "three probes run at once");

        mayAnswer.SetResult();

        await console.AllAsync(SurfaceStatus.Operational);
        Assert.Equal(3, most);
    }

    [Fact, Trait("Pitfall", "T-53")]
    public async Task A_surface_is_polled_once_a_cycle_for_any_number_of_viewers()
    {
        await using var sandbox = await SandboxServer.StartAsync();
        List<SandboxSurface> surfaces = [sandbox.Surface("a"), sandbox.Surface("b")];
        await using var console = await ConsoleHost.StartAsync(
            sandbox: sandbox,
            clock: _clock,
            settings: Watching.Settings(surfaces.Select(surface => surface.Url))
        );
        var published = 0;
        var subscriptions = Enumerable
            .Range(0, 30)
            .Select(_ => console.Board().Subscribe(_ => Interlocked.Increment(ref published)))
            .ToList();

        for (var cycle = 1; cycle <= 3; cycle++)
        {
            await console.PolledAsync(cycle);
            await Task.WhenAll(Enumerable.Range(0, 30).Select(_ => console.Http.GetStringAsync("/api/status")));
            Assert.All(surfaces, surface => Assert.Equal(cycle, surface.RequestCount));
            _clock.Advance(Watching.ACycle);
        }

        await Eventually.TrueAsync(() => published >= 30 * 2 * 2, "all subscribers get every reading");
        subscriptions.ForEach(subscription => subscription.Dispose());
    }

    [Fact, Trait("Pitfall", "T-25")]
    public async Task A_surface_turns_stale_without_any_reading()
    {
        await using var surface = RawSurface.StartHealthy();
        // The longest timeout, so that the probe neither succeeds nor fails meanwhile.
        await using var console = await ConsoleHost.StartAsync(
            clock: _clock,
            settings: Watching.Settings([surface.Url], timeout: TimeSpan.FromMinutes(5))
        );
        await console.AllAsync(SurfaceStatus.Operational);
        await surface.DropPacketsAsync();
        var published = new TaskCompletionSource<SurfaceSnapshot>(TaskCreationOptions.RunContinuationsAsynchronously);
        // On a busy machine the clock may pass the probe's timeout first; then another status is published before.
        using var subscription = console
            .Board()
            .Subscribe(snapshot => _ = snapshot.Status == SurfaceStatus.Stale && published.TrySetResult(snapshot));

        await Eventually.TrueAsync(
            () =>
            {
                _clock.Advance(TimeSpan.FromSeconds(1));
                return published.Task.IsCompleted;
            },
            "the surface is published as stale"
        );

        Assert.Equal(
            (SurfaceStatus.Stale, "No recent reading; last seen operational"),
            ((await published.Task).Status, (await published.Task).Cause)
        );
    }

    /// <summary>As when the machine is an hour fast until the database's clock is read.</summary>
    [Fact]
    public async Task A_clock_that_is_put_back_does_not_delay_the_first_count_of_the_availability()
    {
        var clock = new StillClock();
        await using var surface = RawSurface.StartHealthy();
        await using var console = await ConsoleHost.StartAsync(clock: clock, settings: Watching.Settings([surface.Url]));
        await console.AllAsync(SurfaceStatus.Operational);

        clock.SetBack(TimeSpan.FromHours(1));

        await clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(1),
            () => Task.FromResult(console.Board().Find("s0")!.Availability.Day.Share is 1),
            "the availability is counted"
        );
    }

    private static void InterlockedMax(ref int target, int value)
    {
        int seen;
        while ((seen = Volatile.Read(ref target)) < value && Interlocked.CompareExchange(ref target, value, seen) != seen) { }
    }
}
