using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Surfaces;

/// <summary>The board goes on without its history while the database is unreachable.</summary>
public sealed class ReadingsOutageTests
{
    [Fact, Trait("Pitfall", "T-47")]
    public async Task Without_the_database_the_board_goes_on_and_stores_its_readings_later()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var line = TcpProxy.To(database.Location);
        await using var sandbox = await SandboxServer.StartAsync();
        await using var console = await ConsoleHost.StartAsync(database, sandbox, Settings(line, database, sandbox));
        await Eventually.TrueAsync(async () => await StoredAsync(database, ReadingOutcome.Ok) > 0, "readings are stored");

        line.Cut();
        sandbox.Surface("a").Answer(503);
        await console.AllAsync(SurfaceStatus.Down);
        var missed = console.Board().Find("s0")!.History.First(reading => reading.Outcome == ReadingOutcome.Failed);
        await Eventually.TrueAsync(() => Notices(console) == 1, "the log says that readings can't be stored");
        sandbox.Surface("a").Answer();
        await console.AllAsync(SurfaceStatus.Operational);
        Assert.Equal(0, await StoredAsync(database, ReadingOutcome.Failed));

        line.Restore();
        await Eventually.TrueAsync(
            async () => await StoredAsync(database, ReadingOutcome.Failed) > 0,
            "the readings of the outage are stored"
        );

        await using var db = database.Open();
        var readings = await db.SurfaceReadings.OrderBy(reading => reading.CheckedAt).ToListAsync();
        Assert.Contains(
            readings,
            reading =>
                (reading.CheckedAt - missed.CheckedAt).Duration() < TimeSpan.FromMilliseconds(1) && reading.Status == SurfaceStatus.Down
        );
        Assert.Equal(1, Notices(console));
    }

    [Fact, Trait("Pitfall", "T-47")]
    public async Task A_database_unreachable_at_the_start_supplies_its_history_later()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var sandbox = await SandboxServer.StartAsync();
        await using var line = TcpProxy.To(database.Location);
        DateTimeOffset? since;
        sandbox.Surface("a").Answer(503);
        await using (var before = await ConsoleHost.StartAsync(database, sandbox, Settings(line, database, sandbox)))
        {
            await before.AllAsync(SurfaceStatus.Down);
            since = before.Board().Find("s0")!.Since;
            await Eventually.TrueAsync(async () => await StoredAsync(database, ReadingOutcome.Failed) > 0, "readings are stored");
        }

        line.Cut();
        await using var console = await ConsoleHost.StartAsync(database, sandbox, Settings(line, database, sandbox));
        await console.AllAsync(SurfaceStatus.Down);
        Assert.NotEqual(since, console.Board().Find("s0")!.Since);

        line.Restore();

        // The database stores microseconds.
        await Eventually.TrueAsync(
            () => (console.Board().Find("s0")!.Since - since)!.Value.Duration() < TimeSpan.FromMilliseconds(1),
            "the outage keeps its original start"
        );
    }

    /// <summary>A count that takes too long would otherwise run all the time, against a database that has too much to do.</summary>
    [Fact]
    public async Task A_count_of_the_availability_that_times_out_is_logged_and_not_repeated_at_once()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await database.CancelAsync("INSERT", "surface_hours", "EXISTS (SELECT FROM changed)");
        await using var sandbox = await SandboxServer.StartAsync();
        await using (var db = database.Open())
        {
            db.SurfaceReadings.Add(
                Readings.Reading(ReadingOutcome.Ok, TimeProvider.System.GetUtcNow().AddHours(-1), "s0") with
                {
                    Status = SurfaceStatus.Operational,
                }
            );
            await db.SaveChangesAsync();
        }

        var settings = Watching.Settings([sandbox.Surface("a").Url]);
        settings["Status:PollInterval"] = "00:00:00.2";
        await using var console = await ConsoleHost.StartAsync(database, sandbox, settings);
        await Eventually.TrueAsync(async () => await CanceledAsync() > 0, "a count is canceled");

        var stored = await StoredAsync(database, ReadingOutcome.Ok);
        await Eventually.TrueAsync(
            async () => await StoredAsync(database, ReadingOutcome.Ok) > stored + 20,
            "readings are stored in ten turns and more"
        );
        Assert.Equal(1, await CanceledAsync());
        Assert.Single(
            console.Log,
            line =>
                line.StartsWith("WARNING", StringComparison.Ordinal)
                && line.Contains("availability can't be counted, trying again in 5m", StringComparison.Ordinal)
        );

        async Task<int> CanceledAsync()
        {
            await using var db = database.Open();
            return await db
                .Database.SqlQuery<int>($"SELECT CASE WHEN is_called THEN last_value::int ELSE 0 END AS \"Value\" FROM canceled")
                .SingleAsync();
        }
    }

    private static Dictionary<string, string?> Settings(TcpProxy line, TestDatabase database, SandboxServer sandbox)
    {
        var settings = Watching.Settings([sandbox.Surface("a").Url], downAfter: 1);
        settings["Surfaces:0:UpAfter"] = "1";
        settings["Status:PollInterval"] = "00:00:00.3";
        settings["DATABASE_URL"] = line.Through(database.Location);
        return settings;
    }

    private static int Notices(ConsoleHost console) =>
        console.Log.Count(line =>
            line.StartsWith("WARNING", StringComparison.Ordinal) && line.Contains("readings can't be stored", StringComparison.Ordinal)
        );

    private static async Task<int> StoredAsync(TestDatabase database, ReadingOutcome outcome)
    {
        await using var db = database.Open();
        return await db.SurfaceReadings.CountAsync(reading => reading.Outcome == outcome);
    }
}
