using System.Globalization;

namespace AutoTicket.Hosting;

/// <summary>Times and ages as people read them.</summary>
internal static class UtcTime
{
    /// <summary>A time with its date, to the second: <c>2026-11-25 10:42:07 UTC</c>.</summary>
    public static string Stamp(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture);

    /// <summary>The beginning of the step of time, in UTC, that this time is in: of its hour, for example.</summary>
    public static DateTimeOffset Floor(this DateTimeOffset time, TimeSpan step) =>
        new(time.UtcTicks - (time.UtcTicks % step.Ticks), TimeSpan.Zero);

    /// <summary>An age in its largest useful unit: <c>41 min</c>.</summary>
    public static string Age(TimeSpan age) =>
        age switch
        {
            { TotalMinutes: < 1 } => $"{Math.Max(0, (int)age.TotalSeconds)} s",
            { TotalHours: < 2 } => $"{(int)age.TotalMinutes} min",
            { TotalDays: < 2 } => $"{(int)age.TotalHours} h",
            _ => $"{(int)age.TotalDays} days",
        };
}
