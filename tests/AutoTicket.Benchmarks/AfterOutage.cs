using AutoTicket.Sandbox;

namespace AutoTicket.Benchmarks;

/// <summary>FreeScout is down for a minute while a hundred alerts stay active: how soon each has its ticket then, and how often FreeScout
/// is called meanwhile, compared with Alertmanager's calls of a webhook. Some alerts were sent to FreeScout before the console knew of the
/// outage; they wait until it is certain that they have no ticket.</summary>
/// <remarks><see cref="AlertMemory"/> runs in that minute, because both mostly wait.</remarks>
internal static class AfterOutage
{
    private const int Alerts = 100;
    private static readonly TimeSpan Outage = TimeSpan.FromSeconds(60);

    public static async Task<IReadOnlyList<Figure>> RunAsync()
    {
        var theirCalls = 0;
        await using var alertmanager = await Alertmanager.StartAsync(context =>
        {
            Interlocked.Increment(ref theirCalls);
            context.Response.StatusCode = 503;
            return Task.CompletedTask;
        });
        await using var console = await AlertConsole.StartWarmAsync();
        var freeScout = console.Sandbox.FreeScout;
        var (filed, calls) = (freeScout.CreatedCount, freeScout.RequestCount);

        var outage = console.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScout, StatusCode = 503 });
        var alerts = AlertSender.Requests(0, Alerts, Alerts);
        foreach (var address in new[] { console.Address, alertmanager.Address })
        {
            using var sender = new AlertSender(address, 1);
            await sender.SendAsync(alerts, Alerts);
        }

        var memory = AlertMemory.RunAsync();
        await Task.Delay(Outage);
        calls = freeScout.RequestCount - calls;
        var (ours, theirs) = (calls, theirCalls);
        var figures = await memory;
        var uncertain = await console.UncertainAsync();
        outage.Dispose();
        var last = await Measure.TimeAsync(() => console.FiledAsync(filed + Alerts - uncertain));
        return
        [
            .. figures,
            new("G9", $"after an outage of a minute: {Alerts - uncertain} of {Alerts} alerts filed / 2 s", last, 2000, 1),
            new("G9", "calls of FreeScout in 60 s of it / Alertmanager's of a webhook", ours, theirs, 0.05, Unit.None),
        ];
    }
}
