namespace AutoTicket.Benchmarks;

/// <summary>Rate of alerts stored durably while tickets are filed, compared with Alertmanager (in memory, webhooks).</summary>
/// <remarks>The process that is not measured is frozen.</remarks>
internal static class AlertIntakeRate
{
    private const string Peer = "Alertmanager, in memory, webhooks";

    public static async Task<IReadOnlyList<Figure>> RunAsync()
    {
        await using var alertmanager = await Alertmanager.StartAsync();
        await using var console = await AlertConsole.StartWarmAsync();
        var sent = 0;

        // In each round Alertmanager goes first; both get the same requests.
        Task<Pair> NewAsync(int count, int batch, int connections) =>
            CompareAsync(
                console,
                alertmanager,
                connections,
                batch,
                theirTurn =>
                {
                    var requests = AlertSender.Requests(sent, count, batch);
                    sent += theirTurn ? 0 : count;
                    return requests;
                }
            );

        var before = console.Sandbox.FreeScout.CreatedCount;
        var few = await NewAsync(count: 400, batch: 1, connections: 4);
        await console.FiledAsync(before + sent);
        var (repeats, repeatedBatches) = await RepeatsAsync(console, alertmanager);
        var many = await NewAsync(count: 2000, batch: 1, connections: 64);
        var hundreds = await NewAsync(count: 4000, batch: 100, connections: 4);
        var thousands = await NewAsync(count: 8000, batch: 1000, connections: 4);
        return
        [
            new("G1a", $"new alerts stored, 1,000 per request / {Peer}", thousands.Rate, thousands.PeerRate, 2, Unit.PerSecond),
            new("G1b", $"the same, 100 per request / {Peer}", hundreds.Rate, hundreds.PeerRate, 2, Unit.PerSecond),
            new("G1b", $"the same, one per request, 64 connections / {Peer}", many.Rate, many.PeerRate, 1, Unit.PerSecond),
            new("G1b", $"the same, one per request, 4 connections / {Peer}", few.Rate, few.PeerRate, 1, Unit.PerSecond),
            new("G1c", $"repeats, one per request, 64 connections / {Peer}", repeats.Rate, repeats.PeerRate, 1.5, Unit.PerSecond),
            new("G1c", $"repeats, 1,000 per request / {Peer}", repeatedBatches.Rate, repeatedBatches.PeerRate, 2, Unit.PerSecond),
            new("G1d", $"one new alert, 4 connections, p99 / {Peer}, p99", few.Late, few.PeerLate, 0.5),
            new("G1d", $"one new alert, 64 connections, p99 / {Peer}, p99", many.Late, many.PeerLate, 0.5),
        ];
    }

    private sealed record Pair(double Rate, double PeerRate, double Late, double PeerLate);

    /// <summary>Repeats of the first 1,000 alerts, which both have.</summary>
    private static async Task<(Pair One, Pair Batches)> RepeatsAsync(AlertConsole console, Alertmanager alertmanager)
    {
        const int Known = 1000;
        var known = AlertSender.Requests(0, Known, Known);
        var singles = AlertSender.Requests(0, Known, 1);
        await WarmAsync(console, known, singles);
        var one = await CompareAsync(console, alertmanager, 64, 1, _ => [.. singles, .. singles, .. singles]);
        return (one, await CompareAsync(console, alertmanager, 4, Known, _ => [.. Enumerable.Repeat(known[0], 20)]));
    }

    /// <summary>Sends 90,000 repeats, in batches and singly, so that JIT compilation is not measured.</summary>
    private static async Task WarmAsync(AlertConsole console, List<byte[]> batch, List<byte[]> singles)
    {
        using var sender = new AlertSender(console.Address, 4);
        await sender.SendAsync([.. Enumerable.Repeat(batch[0], 80)], singles.Count);
        await sender.SendAsync([.. Enumerable.Repeat(singles, 10).SelectMany(requests => requests)], 1);
    }

    private static async Task<Pair> CompareAsync(
        AlertConsole console,
        Alertmanager alertmanager,
        int connections,
        int batch,
        Func<bool, List<byte[]>> requests
    )
    {
        using var ours = new AlertSender(console.Address, connections);
        using var theirs = new AlertSender(alertmanager.Address, connections);
        var (us, them) = await Measure.RoundsAsync(
            () => AloneAsync(alertmanager.Id, () => ours.SendAsync(requests(false), batch)),
            () => AloneAsync(console.Id, () => theirs.SendAsync(requests(true), batch))
        );
        return new Pair(
            Measure.Median(us.Select(load => load.PerSecond)),
            Measure.Median(them.Select(load => load.PerSecond)),
            Measure.Quantile(us.SelectMany(load => load.Latencies), 0.99),
            Measure.Quantile(them.SelectMany(load => load.Latencies), 0.99)
        );
    }

    private static async Task<Load> AloneAsync(int other, Func<Task<Load>> send)
    {
        Signals.Send(other, Signal.Stop);
        try
        {
            return await send();
        }
        finally
        {
            Signals.Send(other, Signal.Continue);
        }
    }
}
