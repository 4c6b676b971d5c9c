using System.Globalization;
using AutoTicket.Surfaces;
using Cronos;

namespace AutoTicket.Maintenance;

/// <summary>When a window is in force. Pure.</summary>
internal static class MaintenanceTimes
{
    /// <summary>The days of a weekly window, as the API and the table name them.</summary>
    public static readonly IReadOnlyList<string> Days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

    /// <returns>The window's times that overlap the time between <paramref name="from"/> and <paramref name="to"/>.</returns>
    public static IEnumerable<SurfaceMaintenance> Of(MaintenanceWindow window, DateTimeOffset from, DateTimeOffset to) =>
        Planned(window, from, to)
            .Select(time => (time.From, Until: Cut(time, window)))
            .Where(time => time.Until > time.From && time.Until > from && time.From < to)
            .Select(time => new SurfaceMaintenance(window.SurfaceKey, time.From, time.Until, window.Actor, window.Reason));

    /// <returns>The IANA time zone; null: there is none of this name.</returns>
    public static TimeZoneInfo? Zone(string? name) =>
        name is not null && TimeZoneInfo.TryFindSystemTimeZoneById(name, out var zone) && zone.HasIanaId ? zone : null;

    private static IEnumerable<(DateTimeOffset From, DateTimeOffset Until)> Planned(
        MaintenanceWindow window,
        DateTimeOffset from,
        DateTimeOffset to
    )
    {
        if (window is not { WeeklyDays: { } days, WeeklyAt: { } at, WeeklyMinutes: { } minutes })
        {
            return [(window.StartsAt, window.EndsAt ?? window.StartsAt)];
        }

        var time = TimeOnly.ParseExact(at, "HH:mm", CultureInfo.InvariantCulture);
        var cron = CronExpression.Parse($"{time.Minute} {time.Hour} * * {days.ToUpperInvariant()}");
        var lasts = TimeSpan.FromMinutes(minutes);
        var first = from - lasts > window.StartsAt ? from - lasts : window.StartsAt;
        var last = window.EndsAt < to ? window.EndsAt.Value : to;
        // A machine without this time zone: the wrong hour is better than no maintenance in this process alone.
        var zone = Zone(window.TimeZone) ?? TimeZoneInfo.Utc;
        return first < last
            ? cron.GetOccurrences(first, last, zone).Select(start => (start.ToUniversalTime(), start.ToUniversalTime() + lasts))
            : [];
    }

    /// <returns>The end of a planned time, after what people ended.</returns>
    private static DateTimeOffset Cut((DateTimeOffset From, DateTimeOffset Until) time, MaintenanceWindow window)
    {
        var until = window.CutTimes.Where(cut => time.From < cut && cut < time.Until).Append(time.Until).Min();
        return window.EndedAt < until ? window.EndedAt.Value : until;
    }
}
