using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Surfaces;

/// <summary>Computes each surface's availability from the stored readings. The only writer of <c>surface_hours</c>.</summary>
internal sealed class SurfaceAvailability(
    IDbContextFactory<AutoTicketDbContext> contexts,
    IOptions<StatusOptions> options,
    TimeProvider clock
)
{
    public static readonly Expiry Expiry = new(
        "DELETE FROM surface_hours WHERE (surface_key, hour) IN "
            + "(SELECT surface_key, hour FROM surface_hours WHERE hour < {0} ORDER BY hour LIMIT {1})"
    );

    private static readonly RowBatch<SurfaceHour> New = RowBatch.Of<SurfaceHour>(h => h.SurfaceKey, h => h.Hour, h => h.Known, h => h.Up);

    /// <returns>For each surface key the share of known time in which it was not down, 0 to 1; null when no reading is known.</returns>
    /// <param name="tidy">First rolls up whole hours and deletes readings past their retention: the leader's job, idempotent.</param>
    public async Task<IReadOnlyDictionary<string, (double? Day, double? Month)>> CountAsync(bool tidy, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        // It may count and delete months of readings, and no page waits for it.
        db.Database.SetCommandTimeout(TimeSpan.FromMinutes(1));
        var now = clock.GetUtcNow();
        var thisHour = new DateTimeOffset(now.Year, now.Month, now.Day, now.Hour, 0, 0, TimeSpan.Zero);
        var monthAgo = thisHour - TimeSpan.FromDays(30);
        if (tidy)
        {
            await RollUpAsync(db, monthAgo, thisHour, cancellationToken);
            var oldest = now - options.Value.Retention;
            await db.SurfaceReadings.Where(reading => reading.CheckedAt < oldest).ExecuteDeleteAsync(cancellationToken);
        }

        var current = await CountHourAsync(db, thisHour, cancellationToken);
        var hours = await db.SurfaceHours.AsNoTracking().Where(hour => hour.Hour >= monthAgo).ToListAsync(cancellationToken);
        return hours
            .Concat(current)
            .GroupBy(hour => hour.SurfaceKey)
            .ToDictionary(
                group => group.Key,
                group => (Share(group.Where(hour => hour.Hour > thisHour - TimeSpan.FromDays(1))), Share(group))
            );
    }

    private static async Task RollUpAsync(
        AutoTicketDbContext db,
        DateTimeOffset monthAgo,
        DateTimeOffset thisHour,
        CancellationToken cancellationToken
    )
    {
        var rolledUpTo = await db.SurfaceHours.MaxAsync(hour => (DateTimeOffset?)hour.Hour, cancellationToken) is { } last
            ? last + TimeSpan.FromHours(1)
            : await db.SurfaceReadings.MinAsync(reading => (DateTimeOffset?)reading.CheckedAt, cancellationToken) ?? thisHour;
        var from =
            rolledUpTo < monthAgo
                ? monthAgo
                : new DateTimeOffset(rolledUpTo.Year, rolledUpTo.Month, rolledUpTo.Day, rolledUpTo.Hour, 0, 0, TimeSpan.Zero);
        for (var hour = from; hour < thisHour; hour += TimeSpan.FromHours(1))
        {
            var counts = await CountHourAsync(db, hour, cancellationToken);
            // One statement an hour: to catch up with a month, a commit a row would take minutes.
            await db.ExecuteAsync(
                $"""
                INSERT INTO surface_hours ({New.NamesIn(db)})
                SELECT {New.NamesIn(db)} FROM {New.Of(counts)} WHERE true ON CONFLICT DO NOTHING
                """,
                cancellationToken
            );
        }
    }

    private static async Task<List<SurfaceHour>> CountHourAsync(
        AutoTicketDbContext db,
        DateTimeOffset hour,
        CancellationToken cancellationToken
    )
    {
        var end = hour + TimeSpan.FromHours(1);
        var counts = await db
            .SurfaceReadings.Where(reading =>
                reading.CheckedAt >= hour
                && reading.CheckedAt < end
                && reading.Outcome != ReadingOutcome.Blind
                && reading.Status != SurfaceStatus.Unknown
            )
            .GroupBy(reading => reading.SurfaceKey)
            .Select(group => new
            {
                group.Key,
                Known = group.Count(),
                Up = group.Count(reading => reading.Status != SurfaceStatus.Down),
            })
            .ToListAsync(cancellationToken);
        return
        [
            .. counts.Select(count => new SurfaceHour
            {
                SurfaceKey = count.Key,
                Hour = hour,
                Known = count.Known,
                Up = count.Up,
            }),
        ];
    }

    private static double? Share(IEnumerable<SurfaceHour> hours)
    {
        var (known, up) = hours.Aggregate((Known: 0L, Up: 0L), (sum, hour) => (sum.Known + hour.Known, sum.Up + hour.Up));
        return known == 0 ? null : (double)up / known;
    }
}
