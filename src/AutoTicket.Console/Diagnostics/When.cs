using System.Globalization;

namespace AutoTicket.Diagnostics;

/// <summary>How moments are written in findings.</summary>
internal static class When
{
    /// <summary>To the minute: <c>10:42 UTC</c>.</summary>
    public static string Clock(DateTimeOffset? at) =>
        at is { } time ? time.UtcDateTime.ToString("HH:mm 'UTC'", CultureInfo.InvariantCulture) : "an unknown time";
}
