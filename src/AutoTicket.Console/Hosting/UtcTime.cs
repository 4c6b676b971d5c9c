using System.Globalization;

namespace AutoTicket.Hosting;

/// <summary>How a moment is written wherever people read it.</summary>
internal static class UtcTime
{
    /// <summary>To the second, with the day: <c>2026-11-25 10:42:07 UTC</c>.</summary>
    public static string Stamp(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture);

    /// <summary>In the largest unit that says enough: <c>41 min</c>.</summary>
    public static string Age(TimeSpan age) =>
        age switch
        {
            { TotalMinutes: < 1 } => $"{Math.Max(0, (int)age.TotalSeconds)} s",
            { TotalHours: < 2 } => $"{(int)age.TotalMinutes} min",
            { TotalDays: < 2 } => $"{(int)age.TotalHours} h",
            _ => $"{(int)age.TotalDays} days",
        };
}
