using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Surfaces;

/// <summary>What counts of a reading. Small, because an hour of a thousand surfaces has up to a million of them.</summary>
internal readonly record struct CountedReading(
    string SurfaceKey,
    DateTimeOffset CheckedAt,
    SurfaceStatus Status,
    int? LatencyMs,
    int IntervalMs,
    bool InMaintenance
);

/// <summary>Sums up the readings of one surface in one hour, or in another step of time. Each stands for its own interval, because the
/// poll interval may change within the step.</summary>
internal sealed class ReadingTally
{
    private readonly List<int> _latencies = [];
    private long _knownMs;
    private long _upMs;
    private long _degradedMs;
    private long _maintainedMs;

    public void Add(CountedReading reading)
    {
        if (reading.InMaintenance)
        {
            _maintainedMs += reading.IntervalMs;
            return;
        }

        _knownMs += reading.IntervalMs;
        _upMs += reading.Status == SurfaceStatus.Down ? 0 : reading.IntervalMs;
        _degradedMs += reading.Status == SurfaceStatus.Degraded ? reading.IntervalMs : 0;
        if (reading.LatencyMs is { } latency)
        {
            _latencies.Add(latency);
        }
    }

    /// <returns>The sums, as the step that begins then.</returns>
    public TrendStep ToStep(DateTimeOffset from)
    {
        _latencies.Sort();
        return new(from, _knownMs, _upMs, _degradedMs, _maintainedMs, Percentile(_latencies, 50), Percentile(_latencies, 95));
    }

    /// <summary>Nearest rank: always one of the values.</summary>
    /// <returns>Null: there are no values.</returns>
    public static int? Percentile(IReadOnlyList<int> sorted, int percent) =>
        sorted.Count == 0 ? null : sorted[(((sorted.Count * percent) + 99) / 100) - 1];

    /// <summary>The readings of known status in a time.</summary>
    /// <param name="surfaceKey">Null: of all surfaces.</param>
    public static IQueryable<SurfaceReading> Known(AutoTicketDbContext db, string? surfaceKey, DateTimeOffset from, DateTimeOffset until) =>
        db.SurfaceReadings.Where(reading =>
            (surfaceKey == null || reading.SurfaceKey == surfaceKey)
            && reading.CheckedAt >= from
            && reading.CheckedAt < until
            && reading.Outcome != ReadingOutcome.Blind
            && reading.Status != SurfaceStatus.Unknown
        );

    /// <summary>Reads them and sums them up, a tally for each <paramref name="key"/>. Only response times are held in memory.</summary>
    public static async Task<Dictionary<TKey, ReadingTally>> ReadAsync<TKey>(
        IQueryable<SurfaceReading> known,
        Func<CountedReading, TKey> key,
        CancellationToken cancellationToken
    )
        where TKey : notnull
    {
        var tallies = new Dictionary<TKey, ReadingTally>();
        var readings = known.Select(r => new CountedReading(
            r.SurfaceKey,
            r.CheckedAt,
            r.Status,
            r.LatencyMs,
            r.IntervalMs,
            r.InMaintenance
        ));
        await foreach (var reading in readings.AsAsyncEnumerable().WithCancellation(cancellationToken))
        {
            if (!tallies.TryGetValue(key(reading), out var tally))
            {
                tallies.Add(key(reading), tally = new());
            }

            tally.Add(reading);
        }

        return tallies;
    }
}
