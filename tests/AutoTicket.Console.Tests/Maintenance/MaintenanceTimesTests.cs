using System.Globalization;
using AutoTicket.Maintenance;

namespace AutoTicket.Tests.Maintenance;

/// <summary>When a window is in force, and what is wrong with a request.</summary>
public sealed class MaintenanceTimesTests
{
    private static readonly DateTimeOffset Now = At("2026-03-20T12:00:00Z");

    [Fact]
    public void A_weekly_window_keeps_its_local_time_when_the_clocks_change()
    {
        var window = Valid(new("weekly backup", "2h", Weekly: new(["sun", "fri"], "02:30", "Europe/Berlin")));

        // On 2026-03-29 the clocks go from 02:00 to 03:00, so 02:30 does not exist: it begins at 03:00. In October 02:30 comes twice.
        Assert.Equal(
            ["2026-03-22T01:30Z", "2026-03-27T01:30Z", "2026-03-29T01:00Z", "2026-04-03T00:30Z"],
            Starts(window, "2026-03-20T12:00:00Z", "2026-04-04T00:00:00Z")
        );
        Assert.Equal(["2026-10-25T00:30Z"], Starts(window, "2026-10-24T00:00:00Z", "2026-10-26T00:00:00Z"));
    }

    [Fact]
    public void A_weekly_window_that_has_begun_is_in_force_until_it_is_cut_ended_or_over()
    {
        var window = Valid(new("weekly backup", "3h", At("2026-04-30T00:00:00Z"), Weekly: new(["tue"], "23:00", "UTC")));
        var begun = At("2026-03-24T23:00:00Z");

        Assert.True(IsInForce(window, begun));
        Assert.True(IsInForce(window, begun.AddHours(2.9)));
        Assert.False(IsInForce(window, begun.AddHours(3)));
        Assert.False(IsInForce(window, At("2026-05-05T23:30:00Z")));

        var cut = window with { Cuts = window.CutsWith(begun.AddHours(1)) };
        Assert.True(IsInForce(cut, begun.AddMinutes(59)));
        Assert.False(IsInForce(cut, begun.AddHours(1)));
        Assert.True(IsInForce(cut, begun.AddDays(7)));

        // The cut of the second week does not undo that of the first.
        var again = cut with
        {
            Cuts = cut.CutsWith(begun.AddDays(7).AddMinutes(30)),
        };
        Assert.Equal(
            [(begun, 60), (begun.AddDays(7), 30), (begun.AddDays(14), 180)],
            MaintenanceTimes.Of(again, begun, begun.AddDays(15)).Select(time => (time.From, (int)(time.Until - time.From).TotalMinutes))
        );
        // A cut that no page shows any more is dropped.
        Assert.Equal(cut.CutTimes.Count(), (cut with { Cuts = cut.CutsWith(begun.AddDays(100)) }).CutTimes.Count());

        var ended = window with { EndedAt = begun.AddHours(1) };
        Assert.True(IsInForce(ended, begun));
        Assert.False(IsInForce(ended, begun.AddDays(7)));
    }

    [Fact]
    public void A_planned_window_that_was_canceled_is_never_in_force()
    {
        var window = Valid(new("database upgrade", "2h", StartsAt: Now.AddHours(5)));

        Assert.True(IsInForce(window, Now.AddHours(6)));
        Assert.False(IsInForce(window, Now));
        Assert.False(IsInForce(window with { EndedAt = Now.AddHours(1) }, Now.AddHours(6)));
        Assert.False(window.IsPastPending);
        Assert.True(Valid(new("forgotten", "2h", StartsAt: Now.AddHours(-5))).IsPastPending);
    }

    [Theory]
    [InlineData("ab", "2h", null, null, "Enter a reason (3–500 characters).")]
    [InlineData("why", "two hours", null, null, "“for” must be a duration such as")]
    [InlineData("why", "30", null, null, "“for” must be a duration such as")]
    [InlineData("why", null, null, null, "Give either “for”, such as 2h, or “until”")]
    [InlineData("why", "2h", "2026-03-20T13:00:00Z", null, "Give either “for”, such as 2h, or “until”")]
    [InlineData("why", null, "2026-03-20T11:59:00Z", null, "The end must be after the start.")]
    [InlineData("why", "30s", null, null, "It must last from 1m to 30d.")]
    [InlineData("why", "31d", null, null, "It must last from 1m to 30d.")]
    [InlineData("why", "9999999d", null, null, "It must last from 1m to 30d.")]
    [InlineData("why", null, "9999-12-31T23:59:59Z", null, "It must last from 1m to 30d.")]
    [InlineData("why", "2h", null, "2026-06-19T12:00:00Z", "A maintenance can start at most 90d ahead.")]
    [InlineData(
        "why",
        "2h",
        null,
        "2026-03-12T11:00:00Z",
        "A maintenance can't start before 2026-03-13 12:00:00 UTC: older checks are deleted."
    )]
    public void A_request_that_is_refused_says_what_to_change(string reason, string? lasts, string? until, string? starts, string problem)
    {
        var (window, mistake) = Window(new(reason, lasts, AtOrNull(until), AtOrNull(starts)));

        Assert.Null(window);
        Assert.StartsWith(problem, mistake, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "22:00", "Europe/Berlin", "2h", "“days” must name some of mon, tue, wed, thu, fri, sat, sun.")]
    [InlineData(null, "22:00", "Europe/Berlin", "2h", "“days” must name some of")]
    [InlineData("someday", "22:00", "Europe/Berlin", "2h", "“days” must name some of")]
    [InlineData("mon", "25:00", "Europe/Berlin", "2h", "“at” must be a time of day such as 22:00.")]
    [InlineData("mon", "22:00", "Berlin", "2h", "“time_zone” must be the name of a time zone")]
    [InlineData("mon", "22:00", "Europe/Berlin", null, "A weekly maintenance needs “for”, such as 2h.")]
    [InlineData("mon", null, "Europe/Berlin", "2h", "“at” must be a time of day such as 22:00.")]
    [InlineData("mon", "22:00", null, "2h", "“time_zone” must be the name of a time zone")]
    [InlineData("mon", "22:00", "Europe/Berlin", "9999999d", "A weekly maintenance must last whole minutes, from 1m to 1d.")]
    [InlineData("mon", "22:00", "Europe/Berlin", "25h", "A weekly maintenance must last whole minutes, from 1m to 1d.")]
    public void A_weekly_request_that_is_refused_says_what_to_change(string? day, string? at, string? zone, string? lasts, string problem)
    {
        var (window, mistake) = Window(new("why", lasts, Weekly: new(day is "" ? [] : [day!], at, zone)));

        Assert.Null(window);
        Assert.StartsWith(problem, mistake, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("2026-03-20T11:00:00Z")]
    [InlineData("2026-03-23T22:00:00Z")]
    public void A_weekly_request_that_would_never_begin_is_refused(string until)
    {
        var (window, mistake) = Window(new("why", "2h", At(until), Weekly: new(["mon"], "22:00", "UTC")));

        Assert.Null(window);
        Assert.Equal("“until” must be after the maintenance begins for the first time.", mistake);
        Valid(new("why", "2h", At("2026-03-23T22:01:00Z"), Weekly: new(["mon"], "22:00", "UTC")));
    }

    [Theory]
    [InlineData("why", "2h", null, null)]
    [InlineData("why", null, "2026-03-20T13:00:00Z", null)]
    [InlineData(" ", "2h", null, "Enter a reason (3–500 characters).")]
    [InlineData("why", null, null, "Give either “for”, such as 2h, or “until”")]
    [InlineData("why", "2h", "2026-03-20T13:00:00Z", "Give either “for”, such as 2h, or “until”")]
    [InlineData("why", "soon", null, "“for” must be a duration such as")]
    [InlineData("why", "31d", null, "It must last from 1m to 30d.")]
    [InlineData("why", "9999999d", null, "It must last from 1m to 30d.")]
    public void A_snooze_needs_a_reason_and_an_end(string reason, string? lasts, string? until, string? problem)
    {
        var mistake = MaintenanceRules.Snooze(new(reason, lasts, AtOrNull(until)), Now).Mistake;

        Assert.Equal(problem is null, mistake is null);
        Assert.StartsWith(problem ?? "", mistake ?? "", StringComparison.Ordinal);
    }

    private static (MaintenanceWindow? Window, string? Mistake) Window(MaintenanceRequest request) =>
        MaintenanceRules.Window("pay", request, "olga", Now, Now.AddDays(-7));

    private static MaintenanceWindow Valid(MaintenanceRequest request)
    {
        var (window, mistake) = Window(request);
        Assert.Null(mistake);
        return window!;
    }

    private static bool IsInForce(MaintenanceWindow window, DateTimeOffset at) => MaintenanceTimes.Of(window, at, at.AddTicks(1)).Any();

    private static IEnumerable<string> Starts(MaintenanceWindow window, string from, string to) =>
        MaintenanceTimes
            .Of(window, At(from), At(to))
            .Select(time => time.From.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm'Z'", CultureInfo.InvariantCulture));

    private static DateTimeOffset At(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture);

    private static DateTimeOffset? AtOrNull(string? text) => text is null ? null : At(text);
}
