using AutoTicket.Alerts;

namespace AutoTicket.Tests.Alerts;

public sealed class AlertAggregatorTests
{
    /// <summary>Twenty thousand alerts of 256 kB that wait for a slow database would be ten gigabytes.</summary>
    [Theory]
    [InlineData(0, 1)]
    [InlineData(4_000, 1)]
    [InlineData(256_000, 63)]
    public void A_long_alert_weighs_as_much_as_many_short_ones(int characters, int expected) =>
        Assert.Equal(3 * expected, AlertAggregator.WeightOf([.. Enumerable.Repeat(Long(characters), 3)]));

    private static Observation Long(int characters) => AlertDriver.Say() with { FullText = new string('x', characters) };
}
