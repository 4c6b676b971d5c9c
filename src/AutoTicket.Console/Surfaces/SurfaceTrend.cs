using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Surfaces;

/// <summary>How far back a trend goes, and in which steps.</summary>
/// <param name="Word">Its name in addresses.</param>
/// <param name="Marks">Into how many parts the time axis is divided.</param>
public sealed record TrendRange(string Word, string Name, TimeSpan Window, TimeSpan Step, int Marks)
{
    public static readonly IReadOnlyList<TrendRange> All =
    [
        new("24h", "24 h", TimeSpan.FromDays(1), TimeSpan.FromMinutes(15), 4),
        new("7d", "7 d", TimeSpan.FromDays(7), TimeSpan.FromHours(1), 7),
        new("30d", "30 d", TimeSpan.FromDays(30), TimeSpan.FromHours(6), 5),
        new("90d", "90 d", TimeSpan.FromDays(90), TimeSpan.FromDays(1), 6),
    ];

    public static TrendRange Default => All[0];

    internal static TimeSpan Longest => All.Max(range => range.Window);

    /// <returns>The default for an unknown word.</returns>
    public static TrendRange Parse(string? word) => All.FirstOrDefault(range => range.Word == word) ?? Default;
}

/// <summary>A surface in one step of time.</summary>
/// <param name="KnownMs">For how long its status is known, in milliseconds, without maintenance.</param>
/// <param name="UpMs">For how much of that it was not down.</param>
/// <param name="DegradedMs">For how much of <paramref name="UpMs"/> it was degraded.</param>
/// <param name="MaintainedMs">For how long it was in maintenance.</param>
/// <param name="P50Ms">Median of the response times in milliseconds. In a step of several hours, the median of theirs.</param>
/// <param name="P95Ms">95th percentile. In a step of several hours, that of the slowest hour.</param>
public sealed record TrendStep(DateTimeOffset From, long KnownMs, long UpMs, long DegradedMs, long MaintainedMs, int? P50Ms, int? P95Ms)
{
    /// <summary>The worst confirmed status in it; maintenance if there is no other reading.</summary>
    public SurfaceStatus Status =>
        this switch
        {
            _ when KnownMs > UpMs => SurfaceStatus.Down,
            { DegradedMs: > 0 } => SurfaceStatus.Degraded,
            { KnownMs: > 0 } => SurfaceStatus.Operational,
            { MaintainedMs: > 0 } => SurfaceStatus.Maintenance,
            _ => SurfaceStatus.Unknown,
        };

    /// <summary>0 to 1; null: nothing is known.</summary>
    public double? Share => KnownMs > 0 ? (double)UpMs / KnownMs : null;

    /// <returns>With times that together don't exceed the elapsed time: after a restart with a longer interval, a reading stands for
    /// less.</returns>
    internal TrendStep Within(TimeSpan elapsed)
    {
        var (all, most) = (KnownMs + MaintainedMs, (long)elapsed.TotalMilliseconds);
        return all <= most
            ? this
            : this with
            {
                KnownMs = KnownMs * most / all,
                UpMs = UpMs * most / all,
                DegradedMs = DegradedMs * most / all,
                MaintainedMs = MaintainedMs * most / all,
            };
    }

    /// <param name="parts">The steps that it consists of; empty: there are no readings.</param>
    internal static TrendStep Of(DateTimeOffset from, IReadOnlyList<TrendStep> parts) =>
        new(
            from,
            parts.Sum(part => part.KnownMs),
            parts.Sum(part => part.UpMs),
            parts.Sum(part => part.DegradedMs),
            parts.Sum(part => part.MaintainedMs),
            ReadingTally.Percentile([.. parts.Select(part => part.P50Ms).OfType<int>().Order()], 50),
            parts.Max(part => part.P95Ms)
        );
}

/// <summary>State and response times of a surface over a range.</summary>
/// <param name="Steps">All steps of the range, oldest first, also those without readings. The last one is not over yet.</param>
/// <param name="Uptimes">One for each of <see cref="TrendRange.All"/>.</param>
public sealed record SurfaceTrend(TrendRange Range, IReadOnlyList<TrendStep> Steps, IReadOnlyList<Uptime> Uptimes);

/// <summary>Reads trends from the hours that <see cref="SurfaceAvailability"/> rolls up, and the newest part from the readings.</summary>
internal sealed class SurfaceTrends(IDbContextFactory<AutoTicketDbContext> contexts, TimeProvider clock)
{
    private static readonly TimeSpan OneHour = TimeSpan.FromHours(1);

    /// <returns>Null when the database can't be reached.</returns>
    public Task<SurfaceTrend?> ReadAsync(string surfaceKey, TrendRange range, CancellationToken cancellationToken) =>
        contexts.OrNullAsync<SurfaceTrend>(
            async db =>
            {
                var now = clock.GetUtcNow();
                var thisHour = now.Floor(OneHour);
                var hours = await HoursAsync(db, surfaceKey, now, cancellationToken);
                var until = now.Floor(range.Step) + range.Step;
                var from = until - range.Window;
                var steps =
                    range.Step < OneHour
                        ? await CountAsync(db, surfaceKey, from, until, range.Step, cancellationToken)
                        : hours.Select(hour => hour.ToStep());
                return new(range, Arrange(steps, range, from), [.. TrendRange.All.Select(one => UptimeOf(one.Window, hours, thisHour))]);
            },
            cancellationToken
        );

    private async Task<IReadOnlyList<SurfaceHour>> HoursAsync(
        AutoTicketDbContext db,
        string surfaceKey,
        DateTimeOffset now,
        CancellationToken cancellationToken
    )
    {
        var thisHour = now.Floor(OneHour);
        var oldest = thisHour - TrendRange.Longest;
        var stored = await db
            .SurfaceHours.AsNoTracking()
            .Where(hour => hour.SurfaceKey == surfaceKey && hour.Hour > oldest)
            .ToListAsync(cancellationToken);
        // The leader rolls up an hour some minutes after its end.
        var newest = await CountAsync(db, surfaceKey, thisHour - OneHour, thisHour + OneHour, OneHour, cancellationToken);
        return [.. stored.Concat(newest.Select(Of)).DistinctBy(hour => hour.Hour)];

        SurfaceHour Of(TrendStep hour) => SurfaceHour.Of(surfaceKey, hour, hour.From == thisHour ? now - thisHour : OneHour);
    }

    /// <returns>The steps that have readings.</returns>
    private static async Task<IReadOnlyList<TrendStep>> CountAsync(
        AutoTicketDbContext db,
        string surfaceKey,
        DateTimeOffset from,
        DateTimeOffset until,
        TimeSpan step,
        CancellationToken cancellationToken
    )
    {
        var known = ReadingTally.Known(db, surfaceKey, from, until);
        var tallies = await ReadingTally.ReadAsync(known, reading => reading.CheckedAt.Floor(step), cancellationToken);
        return [.. tallies.Select(pair => pair.Value.ToStep(pair.Key))];
    }

    /// <returns>All steps of the range, made from those of the same length or from hours.</returns>
    private static IReadOnlyList<TrendStep> Arrange(IEnumerable<TrendStep> parts, TrendRange range, DateTimeOffset from)
    {
        var byStep = parts.ToLookup(part => part.From.Floor(range.Step));
        return
        [
            .. Enumerable
                .Range(0, (int)(range.Window / range.Step))
                .Select(i => from + (i * range.Step))
                .Select(begin => TrendStep.Of(begin, [.. byStep[begin]])),
        ];
    }

    // On whole hours, as the board's uptime.
    private static Uptime UptimeOf(TimeSpan window, IEnumerable<SurfaceHour> hours, DateTimeOffset thisHour) =>
        hours
            .Where(hour => hour.Hour > thisHour - window)
            .Aggregate(new Uptime(window), (sum, hour) => sum.With(hour.KnownMs, hour.UpMs, hour.MaintainedMs));
}
