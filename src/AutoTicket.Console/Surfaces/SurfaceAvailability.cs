using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Surfaces;

/// <summary>Computes each surface's availability from the stored readings, and rolls them up. The only writer of
/// <c>surface_hours</c>.</summary>
internal sealed class SurfaceAvailability(
    IDbContextFactory<AutoTicketDbContext> contexts,
    IOptions<StatusOptions> options,
    TimeProvider clock
) : IDisposable
{
    public static readonly Expiry Expiry = new(
        "DELETE FROM surface_hours WHERE (surface_key, hour) IN "
            + "(SELECT surface_key, hour FROM surface_hours WHERE hour < {0} ORDER BY hour LIMIT {1})"
    );

    private static readonly TimeSpan OneHour = TimeSpan.FromHours(1);

    /// <summary>It may count and delete months of readings, and no page waits for it.</summary>
    private static readonly TimeSpan CommandTimeout = TimeSpan.FromMinutes(1);

    private static readonly RowBatch<SurfaceHour> New = RowBatch.Of<SurfaceHour>(
        h => h.SurfaceKey,
        h => h.Hour,
        h => h.KnownMs,
        h => h.UpMs,
        h => h.DegradedMs,
        h => h.MaintainedMs,
        h => h.P50Ms,
        h => h.P95Ms
    );

    /// <summary>Held while the readings of an hour are marked or counted and its figures are stored: an old count must not be stored
    /// later.</summary>
    private readonly SemaphoreSlim _hour = new(1);

    public void Dispose() => _hour.Dispose();

    /// <returns>By surface key. Readings of <paramref name="until"/> and later don't count.</returns>
    /// <param name="tidy">First rolls up whole hours, and last deletes readings past their retention: the leader's job, idempotent.</param>
    public async Task<IReadOnlyDictionary<string, Availability>> CountAsync(
        DateTimeOffset until,
        bool tidy,
        CancellationToken cancellationToken
    )
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        db.Database.SetCommandTimeout(CommandTimeout);
        var thisHour = until.Floor(OneHour);
        if (tidy)
        {
            await RollUpAsync(db, thisHour, cancellationToken);
        }

        var (day, month) = (Availability.Unknown.Day.Window, Availability.Unknown.Month.Window);
        var (dayAgo, monthAgo) = (thisHour - day, thisHour - month);
        // The leader rolls up an hour some minutes after its end. Until then its readings are counted.
        var lastHour = thisHour - OneHour;
        var counted = await db.SurfaceHours.AnyAsync(hour => hour.Hour == lastHour, cancellationToken) ? thisHour : lastHour;
        var hours = await db
            .SurfaceHours.Where(hour => hour.Hour > monthAgo && hour.Hour < counted)
            .GroupBy(hour => new { hour.SurfaceKey, IsInDay = hour.Hour > dayAgo })
            .Select(group => new Sums(
                group.Key.SurfaceKey,
                group.Key.IsInDay,
                group.Sum(hour => hour.KnownMs),
                group.Sum(hour => hour.UpMs),
                group.Sum(hour => hour.MaintainedMs)
            ))
            .ToListAsync(cancellationToken);
        var current = await ReadingTally
            .Known(db, null, counted, until)
            .GroupBy(reading => new { reading.SurfaceKey, IsOver = reading.CheckedAt < thisHour })
            .Select(group => new
            {
                group.Key.IsOver,
                Sums = new Sums(
                    group.Key.SurfaceKey,
                    true,
                    group.Sum(reading => reading.InMaintenance ? 0L : reading.IntervalMs),
                    group.Sum(reading => reading.InMaintenance || reading.Status == SurfaceStatus.Down ? 0L : reading.IntervalMs),
                    group.Sum(reading => reading.InMaintenance ? reading.IntervalMs : 0L)
                ),
            })
            .ToListAsync(cancellationToken);
        if (tidy)
        {
            await DeleteAsync(db, until - options.Value.Retention, cancellationToken);
        }

        return hours
            .Concat(current.Select(hour => hour.Sums.Within(hour.IsOver ? OneHour : until - thisHour)))
            .GroupBy(sums => sums.SurfaceKey)
            .ToDictionary(
                group => group.Key,
                group => new Availability(UptimeOf(day, group.Where(sums => sums.IsInDay)), UptimeOf(month, group))
            );

        static Uptime UptimeOf(TimeSpan window, IEnumerable<Sums> all) =>
            all.Aggregate(new Uptime(window), (sum, sums) => sum.With(sums.KnownMs, sums.UpMs, sums.MaintainedMs));
    }

    private sealed record Sums(string SurfaceKey, bool IsInDay, long KnownMs, long UpMs, long MaintainedMs)
    {
        public Sums Within(TimeSpan elapsed)
        {
            var step = new TrendStep(default, KnownMs, UpMs, 0, MaintainedMs, null, null).Within(elapsed);
            return this with { KnownMs = step.KnownMs, UpMs = step.UpMs, MaintainedMs = step.MaintainedMs };
        }
    }

    /// <summary>Takes the readings of a maintenance that was set afterwards out of the surface's availability. Idempotent.</summary>
    public async Task LeaveOutAsync(string surfaceKey, DateTimeOffset from, DateTimeOffset until, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        db.Database.SetCommandTimeout(CommandTimeout);
        var oldest = clock.GetUtcNow() - options.Value.Retention;
        // A month of one surface can have millions of readings: in one statement they would time out, at each retry again.
        for (var hour = from.Floor(OneHour); hour < until; hour += OneHour)
        {
            await _hour.WaitAsync(cancellationToken);
            try
            {
                var (begin, end) = (hour < from ? from : hour, hour + OneHour < until ? hour + OneHour : until);
                await db
                    .SurfaceReadings.Where(reading =>
                        reading.SurfaceKey == surfaceKey && reading.CheckedAt >= begin && reading.CheckedAt < end && !reading.InMaintenance
                    )
                    .ExecuteUpdateAsync(set => set.SetProperty(reading => reading.InMaintenance, true), cancellationToken);
                if (hour < oldest)
                {
                    // Its readings are partly deleted, so it keeps its figures.
                    continue;
                }

                var counts = await CountHourAsync(db, hour, surfaceKey, cancellationToken);
                await db.ExecuteAsync(
                    $"""
                    UPDATE surface_hours SET {New.AssignmentsIn(db, "surface_key", "hour")} FROM {New.Of(counts)}
                    WHERE surface_hours.surface_key = r.surface_key AND surface_hours.hour = r.hour
                    """,
                    cancellationToken
                );
            }
            finally
            {
                _hour.Release();
            }
        }
    }

    private static async Task DeleteAsync(AutoTicketDbContext db, DateTimeOffset before, CancellationToken cancellationToken)
    {
        var old = db
            .SurfaceReadings.Where(reading => reading.CheckedAt < before)
            .OrderBy(reading => reading.CheckedAt)
            .Take(Expiry.MostAtOnce);
        while (await old.ExecuteDeleteAsync(cancellationToken) == Expiry.MostAtOnce) { }
    }

    private async Task RollUpAsync(AutoTicketDbContext db, DateTimeOffset thisHour, CancellationToken cancellationToken)
    {
        var last = await db.SurfaceHours.MaxAsync(hour => (DateTimeOffset?)hour.Hour, cancellationToken);
        var oldest = thisHour - TrendRange.Longest;
        var from = last + OneHour is { } next && next > oldest ? next : oldest;
        // Only hours with readings: there may be none for weeks.
        while (
            await ReadingTally.Known(db, null, from, thisHour).MinAsync(reading => (DateTimeOffset?)reading.CheckedAt, cancellationToken)
                is { } first
        )
        {
            var hour = first.Floor(OneHour);
            await _hour.WaitAsync(cancellationToken);
            try
            {
                var counts = await CountHourAsync(db, hour, null, cancellationToken);
                // One statement an hour: to catch up with a month, a commit a row would take minutes.
                await db.ExecuteAsync(
                    $"""
                    INSERT INTO surface_hours ({New.NamesIn(db)})
                    SELECT {New.NamesIn(db)} FROM {New.Of(counts)} WHERE true ON CONFLICT DO NOTHING
                    """,
                    cancellationToken
                );
            }
            finally
            {
                _hour.Release();
            }

            from = hour + OneHour;
        }
    }

    /// <param name="surfaceKey">Null: all surfaces.</param>
    private static async Task<List<SurfaceHour>> CountHourAsync(
        AutoTicketDbContext db,
        DateTimeOffset hour,
        string? surfaceKey,
        CancellationToken cancellationToken
    )
    {
        var known = ReadingTally.Known(db, surfaceKey, hour, hour + OneHour);
        var tallies = await ReadingTally.ReadAsync(known, reading => reading.SurfaceKey, cancellationToken);
        return [.. tallies.Select(pair => SurfaceHour.Of(pair.Key, pair.Value.ToStep(hour)))];
    }
}
