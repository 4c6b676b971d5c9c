using System.Globalization;
using AutoTicket.Components;
using Bunit;

namespace AutoTicket.Tests.Components;

public sealed class TimeInputTests : ComponentTest
{
    [Theory]
    [InlineData("2026-07-01T10:00", "2026-07-01T08:00:00Z")]
    [InlineData("2026-12-01T10:00:30", "2026-12-01T09:00:30Z")]
    // The clock skips this half hour.
    [InlineData("2026-03-29T02:30", "2026-03-29T01:30:00Z")]
    // And shows this one twice.
    [InlineData("2026-10-25T02:30", "2026-10-25T01:30:00Z")]
    [InlineData("", null)]
    [InlineData("yesterday", null)]
    public void A_time_is_read_in_the_viewers_zone(string typed, string? expected)
    {
        JSInterop.Setup<string?>("autoticket.zone").SetResult("Europe/Berlin");
        DateTimeOffset? chosen = DateTimeOffset.MinValue;
        var input = Render<TimeInput>(parameters =>
            parameters
                .Add(i => i.Label, "From")
                .Add(i => i.Value, new DateTimeOffset(2026, 3, 1, 3, 0, 0, TimeSpan.Zero))
                .Add(i => i.ValueChanged, at => chosen = at)
        );
        input.WaitForAssertion(() => Assert.Equal("2026-03-01T04:00", input.Find("input").GetAttribute("value")));
        Assert.Equal("From (Europe/Berlin)", TextOf(input.Find("label")));

        input.Find("input").Change(typed);

        Assert.Equal(expected is null ? null : DateTimeOffset.Parse(expected, CultureInfo.InvariantCulture), chosen);
    }

    [Theory]
    [InlineData("America/New_York", "9999-12-31T23:59")]
    [InlineData("Asia/Tokyo", "0001-01-01T00:00")]
    public void A_time_at_the_end_of_the_calendar_is_read(string zone, string typed)
    {
        JSInterop.Setup<string?>("autoticket.zone").SetResult(zone);
        DateTimeOffset? chosen = null;
        var input = Render<TimeInput>(parameters => parameters.Add(i => i.Label, "Until").Add(i => i.ValueChanged, at => chosen = at));
        input.WaitForAssertion(() => Assert.Contains(zone, TextOf(input.Find("label")), StringComparison.Ordinal));

        input.Find("input").Change(typed);

        Assert.Equal(typed[..4], chosen!.Value.ToString("yyyy", CultureInfo.InvariantCulture));
    }
}
