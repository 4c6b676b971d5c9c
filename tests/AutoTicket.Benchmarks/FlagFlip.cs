using AutoTicket.Flags;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace AutoTicket.Benchmarks;

/// <summary>Time from the commit of a flag until another console applies it, compared with PostgreSQL's NOTIFY.</summary>
internal static class FlagFlip
{
    private const int Times = 60;
    private const string Flag = FlagNames.InvestigateFromStatus;

    public static async Task<IReadOnlyList<Figure>> RunAsync()
    {
        await using var database = await BenchDatabase.StartAsync();
        await using var console = database.BuildConsole();
        await console.StartAsync();
        var store = console.Services.GetRequiredService<FlagWatch>();
        await store.ChangeAsync(Flag, new FlagChangeRequest(true, "creates the row"), "somebody", CancellationToken.None);

        await using var writer = await database.Bare.OpenConnectionAsync();
        await using var listener = await database.Bare.OpenConnectionAsync();
        await ExecuteAsync(writer, "CREATE TABLE bare (n int); INSERT INTO bare VALUES (0)");
        await ExecuteAsync(listener, "LISTEN bare");
        await using var notify = new NpgsqlCommand(
            "WITH done AS (UPDATE bare SET n = n + 1 RETURNING n) SELECT pg_notify('bare', '') FROM done",
            writer
        );
        await using var flip = new NpgsqlCommand("UPDATE feature_flags SET enabled = $1, version = version + 1 WHERE name = $2", writer)
        {
            Parameters =
            {
                new() { Value = true },
                new() { Value = Flag },
            },
        };

        var flipped = await Measure.AlternatingAsync(
            Times,
            () => Measure.TimeAsync(() => FlipAsync(store, flip)),
            () =>
                Measure.TimeAsync(async () =>
                {
                    var heard = listener.WaitAsync();
                    await notify.ExecuteNonQueryAsync();
                    await heard;
                })
        );
        await console.StopAsync();
        return
        [
            new("G7", "flag change applied by another process, p50 / raw NOTIFY, p50", flipped.Ours, flipped.Beside),
            new(
                "G7",
                "the same, p99 of all / raw NOTIFY, p99 of all",
                Measure.Quantile(flipped.AllOurs, 0.99),
                Measure.Quantile(flipped.AllBeside, 0.99),
                10
            ),
        ];
    }

    private static async Task FlipAsync(FlagWatch store, NpgsqlCommand flip)
    {
        var wanted = !IsOn(store);
        var obeyed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        void OnChanged()
        {
            if (IsOn(store) == wanted)
            {
                obeyed.TrySetResult();
            }
        }

        store.Changed += OnChanged;
        flip.Parameters[0].Value = wanted;
        await flip.ExecuteNonQueryAsync();
        await obeyed.Task;
        store.Changed -= OnChanged;
    }

    private static bool IsOn(FlagWatch store) => store.Current.Flags.Single(flag => flag.Name == Flag).Enabled;

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }
}
