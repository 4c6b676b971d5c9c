using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Surfaces;

/// <summary>The readings in the database: what a restart goes on from, and by which every process shows what the leader read.
/// Their ids are in the order in which they were stored, because one process at a time stores them.</summary>
internal sealed class SurfaceHistory(
    SurfaceList surfaces,
    IDbContextFactory<AutoTicketDbContext> contexts,
    IOptions<StatusOptions> options,
    TimeProvider clock
)
{
    private static readonly RowBatch<SurfaceReading> New = new(
        ("surface_key", "text", r => r.SurfaceKey),
        ("checked_at", "timestamptz", r => r.CheckedAt),
        ("outcome", "text", r => Words.Of(r.Outcome)),
        ("latency_ms", "int", r => r.LatencyMs),
        ("cause", "text", r => r.Cause),
        ("reached", "boolean", r => r.Reached),
        ("status", "text", r => Words.Of(r.Status)),
        ("since", "timestamptz", r => r.Since)
    );

    /// <summary>What the board shows of every surface, and the id up to which that goes.</summary>
    public async Task<(List<SurfaceReading> Readings, long UpTo)> RecentAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        // Asked first: what is stored in this moment comes with the next question, and only then.
        var upTo = await db.SurfaceReadings.MaxAsync(reading => (long?)reading.Id, cancellationToken) ?? 0;
        // By time, so that months of readings cost nothing; only who has none of late is looked for by itself.
        var recent = clock.GetUtcNow() - (2 * StatusBoard.HistoryLength * options.Value.PollInterval);
        var readings = await db
            .SurfaceReadings.AsNoTracking()
            .Where(reading => reading.CheckedAt >= recent && reading.Id <= upTo)
            .ToListAsync(cancellationToken);
        foreach (var surface in surfaces.All.ExceptBy(readings.Select(reading => reading.SurfaceKey), surface => surface.Key))
        {
            readings.AddRange(
                (await LatestAsync(surface.Key, StatusBoard.HistoryLength, cancellationToken)).Where(reading => reading.Id <= upTo)
            );
        }

        return (readings, upTo);
    }

    /// <summary>What was stored after the reading with this id, oldest first; of very many as many as the board can show.</summary>
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

    /// <summary>Stores the readings of the leader with this <see cref="LeaderLease.Fence"/>, all or none.</summary>
    /// <returns>False: another process leads. A late reading would be the newest on every board, and say what no longer holds.</returns>
    public async Task<bool> StoreAsync(IReadOnlyCollection<SurfaceReading> readings, long fence, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        // Condition and rows in one statement: a process that is frozen between two would hold a lock, and with it the next leader.
        return await db.ExecuteAsync(
                $"""
                INSERT INTO surface_readings (surface_key, checked_at, outcome, latency_ms, cause, reached, status, since)
                SELECT surface_key, checked_at, outcome, latency_ms, cause, reached, status, since FROM {New.Of(readings)}
                WHERE EXISTS (SELECT 1 FROM leases WHERE name = {LeaderLease.Name} AND fence = {fence})
                """,
                cancellationToken
            ) == readings.Count;
    }

    /// <summary>The newest readings of a surface, newest first.</summary>
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
