using System.Diagnostics;
using System.Net;
using AutoTicket.Sandbox;

namespace AutoTicket.Tests.Processes;

public sealed class ShutdownTests
{
    [Fact]
    public async Task A_stopped_console_answers_the_click_in_flight_and_exits()
    {
        await using var consoles = await Consoles.CreateAsync("drain");
        var console = await consoles.StartAsync();
        var slow = consoles.Sandbox.Faults.Add(new(FaultKind.Delay) { Match = FaultMatch.FreeScoutCreate });
        var click = console.InvestigateAsync("drain");
        await Eventually.TrueAsync(() => consoles.Sandbox.FreeScout.CreatesInFlight == 1, "FreeScout has the request");

        var started = Stopwatch.GetTimestamp();
        var ending = console.StopAsync();
        await console.Output.WaitForLineAsync(line => line.Contains("Application is shutting down", StringComparison.Ordinal));
        slow.Dispose();

        Assert.Equal("filed", (await click).Disposition);
        Assert.Equal(0, await ending);
        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, Eventually.OnABusyMachine(TimeSpan.FromSeconds(5)));
        Assert.Equal(1, await consoles.FilingsAuditedAsync("drain"));
        Assert.Empty(console.Errors.ToList());
    }

    [Fact]
    public async Task A_stopped_console_first_reports_not_ready_and_serves_until_that_was_seen()
    {
        await using var consoles = await Consoles.CreateAsync("drain");
        // It serves for three seconds at most: on a busy machine the first console may have ended before it was asked.
        var isServed = false;
        for (var tries = 0; !isServed && tries < 5; tries++)
        {
            isServed = await IsServedUntilNotReadyWasSeenAsync(consoles);
        }

        Assert.True(isServed, "it stops serving at once");
    }

    /// <returns>False: the console ended, after its longest wait, before it was asked.</returns>
    private static async Task<bool> IsServedUntilNotReadyWasSeenAsync(Consoles consoles)
    {
        var console = await consoles.StartAsync();
        await Eventually.TrueAsync(
            async () => (await console.GetAsync("/healthz/ready")).Status == HttpStatusCode.OK,
            "the console is ready"
        );

        var started = Stopwatch.GetTimestamp();
        var ending = console.StopAsync();
        var served = new List<(HttpStatusCode Status, HttpStatusCode Ready)>();
        // The console keeps serving requests until the load balancer has seen that it is not ready.
        try
        {
            while (served is not [.., (_, HttpStatusCode.ServiceUnavailable)])
            {
                served.Add(((await console.GetAsync("/api/status")).Status, (await console.GetAsync("/healthz/ready")).Status));
            }
        }
        catch (HttpRequestException) when (Stopwatch.GetElapsedTime(started) > TimeSpan.FromSeconds(3))
        {
            return false;
        }

        Assert.All(served, answer => Assert.Equal(HttpStatusCode.OK, answer.Status));
        Assert.Equal(0, await ending);
        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, Eventually.OnABusyMachine(TimeSpan.FromSeconds(5)));
        return true;
    }

    [Fact]
    public async Task A_stopped_console_exits_while_FreeScout_hangs_and_the_next_start_adopts_the_ticket()
    {
        await using var consoles = await Consoles.CreateAsync("drain");
        var console = await consoles.StartAsync(Consoles.Hasty);
        using (consoles.Sandbox.Faults.Add(new(FaultKind.HangAfter) { Match = FaultMatch.FreeScoutCreate }))
        {
            var click = console.InvestigateAsync("drain");
            await Eventually.TrueAsync(() => consoles.TicketsOf("drain").Count == 1, "FreeScout has created the ticket");
            Assert.Equal(0, await console.StopAsync());
            await click.ContinueWith(_ => { }, TaskScheduler.Default);
        }

        await consoles.AssertOneTicketAsync("drain", await consoles.StartHostAsync(Consoles.Hasty));
        Assert.Equal(1, consoles.PostsFor("drain"));
    }
}
