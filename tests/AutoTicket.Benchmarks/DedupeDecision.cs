using AutoTicket.Alerts;
using AutoTicket.Surfaces;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace AutoTicket.Benchmarks;

/// <summary>Cost of recognizing an alert that is already open, compared with one SELECT by primary key.</summary>
internal static class DedupeDecision
{
    private const int Times = 4000;

    public static async Task<IReadOnlyList<Figure>> RunAsync()
    {
        await using var database = await BenchDatabase.StartAsync();
        await using var console = database.BuildConsole();
        await console.StartAsync();
        var aggregator = console.Services.GetRequiredService<AlertAggregator>();
        List<Observation> request =
        [
            new(
                "prometheus",
                "InstanceDown",
                null,
                Severity.P2,
                "db1 is down",
                true,
                new Dictionary<string, string> { ["instance"] = "db1" }
            ),
        ];
        await aggregator.ObserveAsync(request, CancellationToken.None);
        await using var connection = await database.Bare.OpenConnectionAsync();
        await using var select = new NpgsqlCommand("SELECT alert_id, status, version FROM alerts WHERE id = 1", connection);
        await select.PrepareAsync();

        var decided = await Measure.AlternatingAsync(
            Times,
            () =>
                Measure.TimeAsync(async () =>
                {
                    if (await aggregator.ObserveAsync(request, CancellationToken.None) is not [{ Result: ObservationResult.Known }])
                    {
                        throw new InvalidOperationException("The alert was not recognized.");
                    }
                }),
            () => Measure.TimeAsync(() => select.ExecuteScalarAsync())
        );
        await console.StopAsync();
        return [new("G4", "an open alert recognized / SELECT by primary key", decided.Ours, decided.Beside, 1.5)];
    }
}
