using AutoTicket.Alerts;
using AutoTicket.Surfaces;

namespace AutoTicket.Tests.Alerts;

/// <summary>The rules that follow from the settings.</summary>
public sealed class AlertsOptionsTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly AlertsOptions Options = new() { QuietPeriod = TimeSpan.FromMinutes(15) };

    [Theory]
    [InlineData(Severity.P1, new[] { Severity.P1 })]
    [InlineData(Severity.P3, new[] { Severity.P1, Severity.P2, Severity.P3 })]
    public void The_hooks_get_the_notify_severity_and_worse(Severity notify, Severity[] expected)
    {
        var options = new AlertsOptions { NotifySeverity = notify };

        Assert.Equal(expected, options.NotifySeverities);
        Assert.Equal(expected, Enum.GetValues<Severity>().Where(options.ReachesHooks));
    }

    [Theory]
    [InlineData("gold=3")]
    [InlineData("gold=+3")]
    [InlineData("gold=P5")]
    [InlineData("gold")]
    public void A_severity_word_stands_for_one_of_P1_to_P4(string map) =>
        Assert.Equal(
            $"Alerts__SeverityMap must hold pairs as gold=P1,silver=P2, but holds “{map}”.",
            Assert.Single(new AlertsOptions { SeverityMap = map }.Validate(new(Options))).ErrorMessage
        );

    [Theory]
    [InlineData(15.0, true)]
    [InlineData(15.1, false)]
    public void An_alert_that_fires_within_the_quiet_period_continues_its_episode(double minutes, bool expected) =>
        Assert.Equal(expected, Options.ContinuesEpisode(Now, Now.AddMinutes(minutes)));

    [Fact]
    public void Only_the_end_of_a_flapping_alert_is_held_back()
    {
        var ended = Alert with { Status = AlertStatus.Resolved, EndedAt = Now };

        Assert.Null(Options.EndHeldUntil(ended));
        Assert.Equal(Now.AddMinutes(15), Options.EndHeldUntil(ended with { Reopened = 1 }));
        Assert.Null(Options.EndHeldUntil(Alert with { Reopened = 1 }));
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, true)]
    public void A_third_id_makes_a_producer_unstable(int folded, bool expected) =>
        Assert.Equal(expected, (Alert with { FoldedIds = folded }).IsUnstable);

    private static Alert Alert =>
        new()
        {
            AlertId = "a",
            LogicalId = "a",
            Status = AlertStatus.Firing,
            Source = "test",
            Name = "a",
            Severity = Severity.P2,
            Summary = "a",
            StartedAt = Now,
            OpenedAt = Now,
            SeenAt = Now,
        };
}
