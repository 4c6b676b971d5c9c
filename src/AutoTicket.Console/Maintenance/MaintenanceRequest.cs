using System.Globalization;

namespace AutoTicket.Maintenance;

/// <summary>A maintenance of a surface, as a person requests it.</summary>
/// <param name="Reason">3 to 500 characters for the audit log.</param>
/// <param name="For">How long it lasts, as <c>2h</c>; instead of <paramref name="Until"/>, and required if it is weekly.</param>
/// <param name="Until">When it ends; of a weekly one, after which it does not begin again.</param>
/// <param name="StartsAt">When it starts; null: now.</param>
public sealed record MaintenanceRequest(
    string? Reason,
    string? For = null,
    DateTimeOffset? Until = null,
    DateTimeOffset? StartsAt = null,
    WeeklyTimes? Weekly = null
);

/// <summary>When a weekly maintenance begins.</summary>
/// <param name="Days"><c>mon</c> to <c>sun</c>.</param>
/// <param name="At">As <c>22:00</c>.</param>
/// <param name="TimeZone">An IANA name, as <c>Europe/Berlin</c>.</param>
public sealed record WeeklyTimes(IReadOnlyList<string>? Days, string? At, string? TimeZone);

/// <summary>A snooze of an alert, as a person requests it.</summary>
/// <param name="UntilRecovery">It ends with the alert, if that is earlier.</param>
public sealed record SnoozeRequest(string? Reason, string? For = null, DateTimeOffset? Until = null, bool UntilRecovery = false);

/// <summary>The limits of maintenance and snoozes, and what is wrong with a request. Pure.</summary>
internal static class MaintenanceRules
{
    public static readonly TimeSpan Shortest = TimeSpan.FromMinutes(1);
    public static readonly TimeSpan Longest = TimeSpan.FromDays(30);
    public static readonly TimeSpan LongestWeekly = TimeSpan.FromHours(24);
    public static readonly TimeSpan FurthestAhead = TimeSpan.FromDays(90);

    /// <summary>The longest time from one start of a weekly maintenance to the next, also when the clocks change.</summary>
    public static readonly TimeSpan LongestWeek = TimeSpan.FromDays(8);

    /// <summary>The most open windows of a surface, and the most snoozes in force.</summary>
    public const int MostWindows = 50;
    public const int MostSnoozes = 1_000;

    private const string ReasonProblem = "Enter a reason (3–500 characters).";

    /// <returns>The window; or why the request is invalid and what to change, in a sentence.</returns>
    /// <param name="oldest">Readings before this time are deleted, so no maintenance may begin earlier.</param>
    public static (MaintenanceWindow? Window, string? Mistake) Window(
        string surfaceKey,
        MaintenanceRequest request,
        string actor,
        DateTimeOffset now,
        DateTimeOffset oldest
    )
    {
        var reason = CleanText.Of(request.Reason ?? "").Trim();
        var startsAt = request.StartsAt?.ToUniversalTime() ?? now;
        var until = request.Until?.ToUniversalTime();
        var lasts = request.For is { } text ? Settings.TryDuration(text) : null;
        var window = new MaintenanceWindow
        {
            SurfaceKey = surfaceKey,
            StartsAt = startsAt,
            Reason = reason,
            Actor = actor,
            CreatedAt = now,
        };
        var mistake =
            ReasonMistake(reason)
            ?? (
                request.For is not null && lasts is null ? $"“for” must be {Settings.DurationForms}."
                : startsAt > now + FurthestAhead ? $"A maintenance can start at most {Settings.Text(FurthestAhead)} ahead."
                : startsAt < oldest ? $"A maintenance can't start before {UtcTime.Stamp(oldest)}: older checks are deleted."
                : null
            );
        if (mistake is not null)
        {
            return (null, mistake);
        }

        return request.Weekly is { } weekly ? Weekly(window, weekly, lasts, until, now) : Once(window, lasts, until, now);
    }

    /// <returns>When the snooze ends; or why the request is invalid.</returns>
    public static (DateTimeOffset EndsAt, string? Mistake) Snooze(SnoozeRequest request, DateTimeOffset now)
    {
        var lasts = request.For is { } text ? Settings.TryDuration(text) : null;
        var length = request.Until - now ?? lasts ?? TimeSpan.Zero;
        var mistake =
            ReasonMistake(CleanText.Of(request.Reason ?? "").Trim())
            ?? (
                request.For is not null && lasts is null ? $"“for” must be {Settings.DurationForms}."
                : request.For is null == request.Until is null ? EitherForOrUntil
                : LengthMistake(length)
            );
        // Added only after the check: a long duration would exceed the last date.
        return (mistake is null ? now + length : now, mistake);
    }

    private const string EitherForOrUntil = "Give either “for”, such as 2h, or “until”, a time such as 2026-12-24T22:00:00Z.";

    private static (MaintenanceWindow?, string?) Once(MaintenanceWindow window, TimeSpan? lasts, DateTimeOffset? until, DateTimeOffset now)
    {
        if (lasts is null == until is null)
        {
            return (null, EitherForOrUntil);
        }

        var length = lasts ?? until!.Value - window.StartsAt;
        return LengthMistake(length) is { } mistake
            ? (null, mistake)
            : (window with { EndsAt = window.StartsAt + length, IsPastPending = window.StartsAt < now }, null);
    }

    private static (MaintenanceWindow?, string?) Weekly(
        MaintenanceWindow window,
        WeeklyTimes weekly,
        TimeSpan? lasts,
        DateTimeOffset? until,
        DateTimeOffset now
    )
    {
        // JSON may hold null in a list.
        var days = (weekly.Days ?? []).Select(day => day?.ToLowerInvariant() ?? "").Distinct().ToList();
        var mistake =
            days.Count == 0 || days.Except(MaintenanceTimes.Days).Any() ? $"“days” must name some of {Named(MaintenanceTimes.Days)}."
            : !TimeOnly.TryParseExact(weekly.At, "HH:mm", CultureInfo.InvariantCulture, DateTimeStyles.None, out _)
                ? "“at” must be a time of day such as 22:00."
            : MaintenanceTimes.Zone(weekly.TimeZone) is null ? "“time_zone” must be the name of a time zone such as Europe/Berlin."
            : lasts is null ? "A weekly maintenance needs “for”, such as 2h."
            : lasts < Shortest || lasts > LongestWeekly || lasts.Value.Ticks % TimeSpan.TicksPerMinute != 0
                ? $"A weekly maintenance must last whole minutes, from {Settings.Text(Shortest)} to {Settings.Text(LongestWeekly)}."
            : window.StartsAt < now ? "A weekly maintenance can't start in the past."
            : null;
        if (mistake is not null)
        {
            return (null, mistake);
        }

        var planned = window with
        {
            EndsAt = until,
            WeeklyDays = string.Join(',', MaintenanceTimes.Days.Where(days.Contains)),
            WeeklyAt = weekly.At,
            WeeklyMinutes = (int)lasts!.Value.TotalMinutes,
            TimeZone = weekly.TimeZone,
        };
        return MaintenanceTimes.Of(planned, window.StartsAt, window.StartsAt + LongestWeek).Any()
            ? (planned, null)
            : (null, "“until” must be after the maintenance begins for the first time.");
    }

    private static string? ReasonMistake(string reason) => reason.Length is < 3 or > 500 ? ReasonProblem : null;

    private static string? LengthMistake(TimeSpan length) =>
        length <= TimeSpan.Zero ? "The end must be after the start."
        : length < Shortest || length > Longest ? $"It must last from {Settings.Text(Shortest)} to {Settings.Text(Longest)}."
        : null;

    private static string Named(IEnumerable<string> words) => string.Join(", ", words);
}
