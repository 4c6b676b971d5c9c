using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Surfaces;

/// <summary>The readings in the database: a restart continues from them, and every process shows them. Their ids grow in the order of
/// storing, because only the leader stores.</summary>
internal sealed class SurfaceHistory(
    SurfaceList surfaces,
    IDbContextFactory<AutoTicketDbContext> contexts,
    IOptions<StatusOptions> options,
    TimeProvider clock
)
{
    private static readonly RowBatch<SurfaceReading> New = RowBatch.Of<SurfaceReading>(
        r => r.SurfaceKey,
        r => r.CheckedAt,
        r => r.Outcome,
        r => r.LatencyMs,
        r => r.Cause,
        r => r.Reached,
        r => r.CertificateUntil,
        r => r.Status,
        r => r.Since,
        r => r.IntervalMs,
        r => r.InMaintenance
    );

    /// <returns>The readings that the board shows, and the id of the newest reading that they may include.</returns>
    public async Task<(List<SurfaceReading> Readings, long UpTo)> RecentAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        // Asked first, so that a reading stored meanwhile comes with the next query, and only then.
        var upTo = await db.SurfaceReadings.MaxAsync(reading => (long?)reading.Id, cancellationToken) ?? 0;
        // By time, so that months of readings cost nothing. Only surfaces without recent readings get a query each. The number counts when
        // the interval was much shorter before this start.
        var recent = clock.GetUtcNow() - (2 * StatusBoard.HistoryLength * options.Value.PollInterval);
        var readings = await db
            .SurfaceReadings.AsNoTracking()
            .Where(reading => reading.CheckedAt >= recent && reading.Id <= upTo)
            .OrderByDescending(reading => reading.Id)
            .Take(2 * StatusBoard.HistoryLength * surfaces.All.Count)
            .ToListAsync(cancellationToken);
        foreach (var surface in surfaces.All.ExceptBy(readings.Select(reading => reading.SurfaceKey), surface => surface.Key))
        {
            readings.AddRange(
                (await LatestAsync(surface.Key, StatusBoard.HistoryLength, cancellationToken)).Where(reading => reading.Id <= upTo)
            );
        }

        return (readings, upTo);
    }

    /// <returns>The readings stored after this id, oldest first, and at most as many as the board can show.</returns>
    public async Task<List<SurfaceReading>> AfterAsync(long id, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var newest = await db
            .SurfaceReadings.AsNoTracking()
            .Where(reading => reading.Id > id)
            .OrderByDescending(reading => reading.Id)
            .Take(StatusBoard.HistoryLength * Math.Max(1, surfaces.All.Count))
            .ToListAsync(cancellationToken);
        newest.Reverse();
        return newest;
    }

    /// <summary>Stores all readings of the leader with this <see cref="LeaderLease.Fence"/>, or none. Those that are stored already, as
    /// after a lost response, are not stored again.</summary>
    /// <returns>False: another process leads. Its board must not get a late reading as the newest.</returns>
    public async Task<bool> StoreAsync(IReadOnlyCollection<SurfaceReading> readings, long fence, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        // One statement: a process frozen between two would hold a lock and block the next leader.
        var stored = await db.ExecuteAsync(
            $"""
            INSERT INTO surface_readings ({New.NamesIn(db)})
            SELECT {New.NamesIn(db)} FROM {New.Of(readings)}
            WHERE EXISTS (SELECT 1 FROM leases WHERE name = {LeaderLease.Name} AND fence = {fence})
              AND NOT EXISTS (SELECT 1 FROM surface_readings s WHERE s.surface_key = r.surface_key AND s.checked_at = r.checked_at)
            """,
            cancellationToken
        );
        return stored == readings.Count
            || await db.Leases.AnyAsync(lease => lease.Name == LeaderLease.Name && lease.Fence == fence, cancellationToken);
    }

    /// <returns>The last readings of a surface, newest first.</returns>
    public async Task<List<SurfaceReading>> LatestAsync(string surfaceKey, int count, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        return await db
            .SurfaceReadings.AsNoTracking()
            .Where(reading => reading.SurfaceKey == surfaceKey)
            .OrderByDescending(reading => reading.CheckedAt)
            .Take(count)
            .ToListAsync(cancellationToken);
    }
}
