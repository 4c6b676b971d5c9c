using System.Globalization;
using AutoTicket.Surfaces;

namespace AutoTicket.Components;

/// <summary>Formats durations and times. <c>ageText</c> in wwwroot/app.js must format durations the same way.</summary>
public static class Durations
{
    /// <summary><c>8 s</c>, <c>41 min</c>, <c>3 h 5 min</c>, <c>2 d 4 h</c>; a negative duration (clock skew) is <c>0 s</c>.</summary>
    public static string Text(TimeSpan duration)
    {
        if (duration < TimeSpan.Zero)
        {
            duration = TimeSpan.Zero;
        }

        return duration switch
        {
            { TotalMinutes: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{duration.Seconds} s"),
            { TotalHours: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{duration.Minutes} min"),
            { TotalDays: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{duration.Hours} h {duration.Minutes} min"),
            _ => string.Create(CultureInfo.InvariantCulture, $"{duration.Days} d {duration.Hours} h"),
        };
    }

    /// <summary>A response time: <c>231 ms</c>, <c>1.2 s</c>; <c>–</c> when there was no response.</summary>
    public static string Latency(int? milliseconds) =>
        milliseconds switch
        {
            null => "–",
            < 1000 => string.Create(CultureInfo.InvariantCulture, $"{milliseconds} ms"),
            _ => string.Create(CultureInfo.InvariantCulture, $"{milliseconds / 1000.0:0.0} s"),
        };

    /// <summary>A share, rounded down, because 99.999 % must not read as <c>100 %</c>; <c>no data yet</c> when it is not known.</summary>
    public static string Percent(double? share) =>
        share is { } known ? string.Create(CultureInfo.InvariantCulture, $"{Math.Floor(known * 10_000) / 100:0.##} %") : "no data yet";

    /// <summary><c>99.98 %</c>; <c>100 % of 4 min known</c> while little is known; <c>no data yet</c>.</summary>
    public static string Uptime(Uptime uptime) =>
        Percent(uptime.Share) + (uptime is { Share: not null, IsKnownInPart: true } ? $" of {Text(uptime.Known)} known" : "");

    /// <summary>A time of day in UTC, to the second.</summary>
    public static string TimeOfDay(DateTimeOffset at) => at.UtcDateTime.ToString("HH:mm:ss", CultureInfo.InvariantCulture);

    /// <summary>A date in UTC.</summary>
    public static string Day(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    /// <summary>A time in UTC, to the second.</summary>
    public static string Moment(DateTimeOffset at) => UtcTime.Stamp(at);
}
