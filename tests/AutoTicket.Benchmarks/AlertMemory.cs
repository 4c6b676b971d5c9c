using System.Diagnostics;

namespace AutoTicket.Benchmarks;

/// <summary>Memory for 10,000 active alerts, compared with Alertmanager.</summary>
internal static class AlertMemory
{
    private const int Count = 10_000;
    private const int Batch = 1000;

    public static async Task<IReadOnlyList<Figure>> RunAsync()
    {
        var (ours, theirs) = (new List<Weight>(), new List<Weight>());
        for (var round = 0; round < Measure.Rounds; round++)
        {
            await using var alertmanager = await Alertmanager.StartAsync();
            await using var console = await AlertConsole.StartAsync();
            var both = await Task.WhenAll(WeighAsync(console.Id, console.Address), WeighAsync(alertmanager.Id, alertmanager.Address));
            ours.Add(both[0]);
            theirs.Add(both[1]);
        }

        return
        [
            new("G6", "memory per alert with 10,000 active alerts / Alertmanager's", Each(ours), Each(theirs), 0.1, Unit.Bytes),
            new(
                "G6",
                "resident memory with 10,000 active alerts / Alertmanager",
                Measure.Median(ours.Select(weight => weight.All)),
                Measure.Median(theirs.Select(weight => weight.All)),
                0.9,
                Unit.Bytes
            ),
        ];

        static double Each(List<Weight> weights) =>
            Math.Max(1, Measure.Median(weights.Select(weight => (weight.All - weight.Before) / Count)));
    }

    /// <param name="Before">Resident memory after 1,000 alerts, which excludes one-time costs.</param>
    private sealed record Weight(double Before, double All);

    private static async Task<Weight> WeighAsync(int process, Uri address)
    {
        using var sender = new AlertSender(address, 1);
        await sender.SendAsync(AlertSender.Requests(Count, Batch, Batch), Batch);
        var before = await SettledAsync(process);
        await sender.SendAsync(AlertSender.Requests(0, Count, Batch), Batch);
        return new Weight(before, await SettledAsync(process));
    }

    /// <summary>Resident memory once it has stopped growing.</summary>
    public static async Task<double> SettledAsync(int id)
    {
        using var process = Process.GetProcessById(id);
        long last,
            now = 0;
        do
        {
            last = now;
            await Task.Delay(1000);
            process.Refresh();
            now = process.WorkingSet64;
        } while (now > last * 1.01);
        return now;
    }
}
