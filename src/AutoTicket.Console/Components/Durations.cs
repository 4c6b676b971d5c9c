using System.Globalization;

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

    /// <summary>A time in UTC, to the second.</summary>
    public static string Moment(DateTimeOffset at) => UtcTime.Stamp(at);
}
