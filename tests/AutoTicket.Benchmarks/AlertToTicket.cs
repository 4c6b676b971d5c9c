using System.Diagnostics;
using AutoTicket.Sandbox;

namespace AutoTicket.Benchmarks;

/// <summary>Time from an alert to its ticket in FreeScout, compared with Alertmanager's webhook.</summary>
/// <remarks>The webhook is bare, or a stateless bridge that searches FreeScout and creates the ticket.</remarks>
internal static class AlertToTicket
{
    private static readonly TimeSpan Latency = TimeSpan.FromMilliseconds(100);

    public static async Task<IReadOnlyList<Figure>> RunAsync()
    {
        await using var console = await AlertConsole.StartWarmAsync();
        using var freeScout = new BareFreeScoutClient(console.Sandbox.FreeScout);
        var heard = new TaskCompletionSource();
        await using var alertmanager = await Alertmanager.StartAsync(async _ =>
        {
            heard.TrySetResult();
            await freeScout.SearchAsync("db1.example.org");
            await freeScout.CreateAsync("db1.example.org is down");
        });
        using var ours = new AlertSender(console.Address, 1);
        using var theirs = new AlertSender(alertmanager.Address, 1);
        var number = 0;
        var webhooks = new List<double>();

        Task<double> OursAsync() => UntilTicketAsync(console.Sandbox.FreeScout, () => ours.SendAsync(number++));
        Task<double> TheirsAsync() =>
            UntilTicketAsync(
                console.Sandbox.FreeScout,
                async () =>
                {
                    var begun = Stopwatch.GetTimestamp();
                    heard = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                    await theirs.SendAsync(number++);
                    await heard.Task;
                    webhooks.Add(Measure.Since(begun));
                }
            );

        var near = await Measure.AlternatingAsync(30, OursAsync, TheirsAsync);
        var webhook = Measure.Median(webhooks);
        console.Sandbox.Faults.Add(new Fault(FaultKind.Delay) { Match = FaultMatch.FreeScout, Delay = Latency });
        var far = await Measure.AlternatingAsync(4, OursAsync, TheirsAsync);
        return
        [
            new("G2", "alert to ticket, p50 / Alertmanager, webhook, search and create, p50", near.Ours, near.Beside, 0.9),
            new(
                "G2",
                "the same, p99 of all / p99 of all",
                Measure.Quantile(near.AllOurs, 0.99),
                Measure.Quantile(near.AllBeside, 0.99),
                1.2
            ),
            new("G2b", "alert to ticket, FreeScout 100 ms away / the same bridge, p50", far.Ours, far.Beside, 0.55),
            new("G2b", "the same, p95 of all / 100 ms + 10 ms", Measure.Quantile(far.AllOurs, 0.95), Latency.TotalMilliseconds + 10, 1),
            new("G2c", "alert to ticket, p50 / Alertmanager to a bare webhook, p50", near.Ours, webhook, 2.5),
        ];
    }

    private static async Task<double> UntilTicketAsync(FreeScoutStandIn freeScout, Func<Task> send)
    {
        var created = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        freeScout.Created += created.SetResult;
        try
        {
            return await Measure.TimeAsync(async () =>
            {
                await send();
                await created.Task;
            });
        }
        finally
        {
            freeScout.Created -= created.SetResult;
        }
    }
}
