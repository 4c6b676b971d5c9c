using AutoTicket.Components;

namespace AutoTicket.Tests.Components;

public sealed class DurationsTests
{
    [Theory]
    [InlineData(-5, "0 s")]
    [InlineData(59.9, "59 s")]
    [InlineData(60, "1 min")]
    [InlineData(3599, "59 min")]
    [InlineData(3600 * 3 + 300, "3 h 5 min")]
    [InlineData(86400 * 2 + 3600 * 4, "2 d 4 h")]
    public void Durations_use_the_two_largest_units(double seconds, string expected) =>
        Assert.Equal(expected, Durations.Text(TimeSpan.FromSeconds(seconds)));
}
