using System.Collections.Concurrent;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Surfaces;

/// <summary>The readings in the database: what a restart goes on from, and what availability is counted from.</summary>
internal sealed partial class SurfaceHistory(
    SurfaceList surfaces,
    IDbContextFactory<AutoTicketDbContext> contexts,
    IOptions<StatusOptions> options,
    TimeProvider clock,
    ILogger<SurfaceHistory> logger)
{
    /// <summary>While the database is away this many readings wait for it; older ones are dropped.</summary>
    private const int MostWaiting = 20_000;
    private static readonly TimeSpan CountEvery = TimeSpan.FromMinutes(5);

    private StatusBoard? _board;
    private DateTimeOffset _countedAt = DateTimeOffset.MinValue;
    private bool _restored;
    private bool _away;

    /// <summary>Puts the last stored readings on the board; when the database is away, as soon as it is back.</summary>
    public async Task RestoreAsync(StatusBoard board, CancellationToken cancellationToken)
    {
        _board = board;
        try
        {
            await using var db = await contexts.CreateDbContextAsync(cancellationToken);
            // By time, so that months of readings cost nothing; only who has none of late is looked for by itself.
            var recent = clock.GetUtcNow() - (2 * StatusBoard.HistoryLength * options.Value.PollInterval);
            var readings = await db.SurfaceReadings.AsNoTracking().Where(reading => reading.CheckedAt >= recent).ToListAsync(cancellationToken);
            foreach (var surface in surfaces.All.ExceptBy(readings.Select(reading => reading.SurfaceKey), surface => surface.Key))
            {
                readings.AddRange(await LatestAsync(surface.Key, StatusBoard.HistoryLength, cancellationToken));
            }

            board.Restore(readings);
            _restored = true;
        }
        catch (Exception exception) when (contexts.IsOutage(exception))
        {
            TellAway(exception);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
        }
    }

    /// <summary>Stores what waits. When the database is away it goes on waiting, up to a bound.</summary>
    public async Task StoreAsync(ConcurrentQueue<SurfaceReading> waiting, CancellationToken cancellationToken)
    {
        while (waiting.Count > MostWaiting)
        {
            waiting.TryDequeue(out _);
        }

        var readings = waiting.ToArray();
        if (readings.Length == 0)
        {
            return;
        }

        if (!_restored && _board is { } board)
        {
            await RestoreAsync(board, cancellationToken);
            if (!_restored)
            {
                return;
            }
        }

        try
        {
            await using var db = await contexts.CreateDbContextAsync(cancellationToken);
            db.SurfaceReadings.AddRange(readings);
            await db.SaveChangesAsync(cancellationToken);
            for (var stored = 0; stored < readings.Length; stored++)
            {
                waiting.TryDequeue(out _);
            }

            _away = false;
            if (clock.GetUtcNow() - _countedAt >= CountEvery)
            {
                await CountAsync(db, cancellationToken);
                _countedAt = clock.GetUtcNow();
            }
        }
        catch (Exception exception) when (contexts.IsOutage(exception))
        {
            TellAway(exception);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
        }
    }

    /// <summary>The newest readings of a surface, newest first.</summary>
    public async Task<List<SurfaceReading>> LatestAsync(string surfaceKey, int count, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        return await db.SurfaceReadings.AsNoTracking().Where(reading => reading.SurfaceKey == surfaceKey)
            .OrderByDescending(reading => reading.CheckedAt).Take(count).ToListAsync(cancellationToken);
    }

    /// <summary>Rolls whole hours up, computes availability from them, and drops readings past their retention.</summary>
    private async Task CountAsync(AutoTicketDbContext db, CancellationToken cancellationToken)
    {
        // Months of readings may be counted and dropped here, with nobody waiting for it.
        db.Database.SetCommandTimeout(TimeSpan.FromMinutes(1));
        var now = clock.GetUtcNow();
        var thisHour = new DateTimeOffset(now.Year, now.Month, now.Day, now.Hour, 0, 0, TimeSpan.Zero);
        var monthAgo = thisHour - TimeSpan.FromDays(30);
        var rolledUpTo = await db.SurfaceHours.MaxAsync(hour => (DateTimeOffset?)hour.Hour, cancellationToken) is { } last ? last + TimeSpan.FromHours(1)
            : await db.SurfaceReadings.MinAsync(reading => (DateTimeOffset?)reading.CheckedAt, cancellationToken) ?? thisHour;
        var from = rolledUpTo < monthAgo ? monthAgo : new DateTimeOffset(rolledUpTo.Year, rolledUpTo.Month, rolledUpTo.Day, rolledUpTo.Hour, 0, 0, TimeSpan.Zero);
        for (var hour = from; hour < thisHour; hour += TimeSpan.FromHours(1))
        {
            var counts = await CountHourAsync(db, hour, cancellationToken);
            // An hour a transaction: a commit for each row takes minutes where a month is to be caught up with.
            await using var transaction = await db.BeginAsync(cancellationToken);
            foreach (var count in counts)
            {
                await db.ExecuteAsync($"INSERT INTO surface_hours (surface_key, hour, known, up) VALUES ({count.SurfaceKey}, {count.Hour}, {count.Known}, {count.Up}) ON CONFLICT DO NOTHING", cancellationToken);
            }

            await transaction.CommitAsync(cancellationToken);
        }

        var current = await CountHourAsync(db, thisHour, cancellationToken);
        var hours = await db.SurfaceHours.AsNoTracking().Where(hour => hour.Hour >= monthAgo).ToListAsync(cancellationToken);
        _board?.SetAvailability(hours.Concat(current).GroupBy(hour => hour.SurfaceKey).ToDictionary(
            group => group.Key,
            group => (Share(group.Where(hour => hour.Hour > thisHour - TimeSpan.FromDays(1))), Share(group))));

        var oldest = now - options.Value.Retention;
        await db.SurfaceReadings.Where(reading => reading.CheckedAt < oldest).ExecuteDeleteAsync(cancellationToken);
    }

    private static async Task<List<SurfaceHour>> CountHourAsync(AutoTicketDbContext db, DateTimeOffset hour, CancellationToken cancellationToken)
    {
        var end = hour + TimeSpan.FromHours(1);
        var counts = await db.SurfaceReadings
            .Where(reading => reading.CheckedAt >= hour && reading.CheckedAt < end && reading.Outcome != ReadingOutcome.Blind && reading.Status != SurfaceStatus.Unknown)
            .GroupBy(reading => reading.SurfaceKey)
            .Select(group => new { group.Key, Known = group.Count(), Up = group.Count(reading => reading.Status != SurfaceStatus.Down) })
            .ToListAsync(cancellationToken);
        return [.. counts.Select(count => new SurfaceHour { SurfaceKey = count.Key, Hour = hour, Known = count.Known, Up = count.Up })];
    }

    /// <summary>Once an outage.</summary>
    private void TellAway(Exception exception)
    {
        if (!_away)
        {
            Log.NotStored(logger, exception.GetBaseException().Message);
        }

        _away = true;
    }

    private static double? Share(IEnumerable<SurfaceHour> hours)
    {
        var (known, up) = hours.Aggregate((Known: 0L, Up: 0L), (sum, hour) => (sum.Known + hour.Known, sum.Up + hour.Up));
        return known == 0 ? null : (double)up / known;
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "readings can't be stored, the board goes on without the database: {Problem}")]
        public static partial void NotStored(ILogger logger, string problem);
    }
}
