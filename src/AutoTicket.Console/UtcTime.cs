using System.Globalization;

namespace AutoTicket;

/// <summary>How a moment is written wherever people read it.</summary>
internal static class UtcTime
{
    /// <summary>To the second, with the day: <c>2026-11-25 10:42:07 UTC</c>.</summary>
    public static string Stamp(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture);
}
