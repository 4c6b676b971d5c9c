using System.Globalization;

namespace AutoTicket.Components;

/// <summary>How lengths of time are written. <c>ageText</c> in wwwroot/app.js writes them the same way.</summary>
public static class Durations
{
    /// <summary><c>8 s</c>, <c>41 min</c>, <c>3 h 5 min</c>, <c>2 d 4 h</c>; a negative length (clocks differ) is <c>0 s</c>.</summary>
    public static string Text(TimeSpan length)
    {
        if (length < TimeSpan.Zero)
        {
            length = TimeSpan.Zero;
        }

        return length switch
        {
            { TotalMinutes: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{length.Seconds} s"),
            { TotalHours: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{length.Minutes} min"),
            { TotalDays: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{length.Hours} h {length.Minutes} min"),
            _ => string.Create(CultureInfo.InvariantCulture, $"{length.Days} d {length.Hours} h"),
        };
    }

    /// <summary>An answer's time: <c>231 ms</c>, <c>1.2 s</c>; <c>–</c> when there was none.</summary>
    public static string Latency(int? milliseconds) =>
        milliseconds switch
        {
            null => "–",
            < 1000 => string.Create(CultureInfo.InvariantCulture, $"{milliseconds} ms"),
            _ => string.Create(CultureInfo.InvariantCulture, $"{milliseconds / 1000.0:0.0} s"),
        };

    /// <summary>A moment to the second, in UTC.</summary>
    public static string Moment(DateTimeOffset at) => UtcTime.Stamp(at);
}
