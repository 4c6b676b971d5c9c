using AutoTicket.Alerts;
using AutoTicket.Surfaces;

namespace AutoTicket.Tests.Alerts;

/// <summary>Why an alert has no ticket and no DM, in one sentence.</summary>
public sealed class AlertVerdictTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void A_folded_id_does_not_hide_that_the_alert_is_below_the_threshold()
    {
        var alert = Undelivered(Decided("below severity", "P3 is below the threshold (P2)."), Decided("folded", "api sent the new id b."));

        Assert.Equal("No ticket and no DM: P3 is below the threshold (P2).", alert.Verdict);
        Assert.True(AlertVerdict.IsBelowThreshold(alert));
    }

    [Fact]
    public void A_folded_id_alone_is_no_reason_to_deliver_nothing()
    {
        var alert = Undelivered(Decided("folded", "api sent the new id b."));

        Assert.StartsWith("No ticket and no DM yet.", alert.Verdict, StringComparison.Ordinal);
        Assert.False(AlertVerdict.IsBelowThreshold(alert));
    }

    [Fact]
    public void An_alert_that_got_worse_since_it_was_below_the_threshold_waits_for_its_ticket_and_its_DM()
    {
        var alert = Undelivered(Decided("below severity", "P3 is below the threshold (P2).")) with
        {
            Severity = Severity.P1,
            ReachesHooks = true,
        };

        Assert.StartsWith("No ticket and no DM yet.", alert.Verdict, StringComparison.Ordinal);
        Assert.False(AlertVerdict.IsBelowThreshold(alert));
        var filed = alert with { Ticket = new AlertTicket(6, 1006, "https://desk.example.org/6", "developer") };
        Assert.Equal("Ticket #1006, filed by developer. No DM: not tried yet.", filed.Verdict);
    }

    [Fact]
    public void A_ticket_that_an_operator_filed_is_the_alerts_ticket()
    {
        var below = Undelivered(Decided("below severity", "P3 is below the threshold (P2).")) with
        {
            Ticket = new AlertTicket(6, 1006, "https://desk.example.org/6", "developer"),
        };

        Assert.Equal("Ticket #1006, filed by developer. No DM: P3 is below the threshold (P2).", below.Verdict);
        Assert.Equal("Ticket #1006, filed by developer. DM sent.", (below with { DmSentAt = Now }).Verdict);
        Assert.Equal("Ticket #1006, filed by developer. No DM: not tried yet.", (below with { Decisions = [] }).Verdict);
    }

    [Fact]
    public void A_DM_that_failed_is_said_with_its_cause_and_that_it_is_sent_again()
    {
        var alert = Undelivered(Decided("degraded: server_error", "Slack fails with 503.", DecisionSources.Slack)) with
        {
            Ticket = new AlertTicket(6, 1006, "https://desk.example.org/6"),
        };

        Assert.Equal("Ticket filed. DM failed (Slack fails with 503), retrying.", alert.Verdict);
    }

    [Fact]
    public void A_flood_is_said_with_its_size_and_its_end()
    {
        var alert = Undelivered(
            Decided("breaker tripped", "Too many alerts (20 tickets in 5 min). Paused until 08:49.", DecisionSources.Ticket)
        );

        Assert.Equal(
            "DM sent. No ticket: too many alerts (20 tickets in 5 min). Paused until 08:49.",
            (alert with { DmSentAt = Now }).Verdict
        );
    }

    private static AlertDecision Decided(string word, string? detail, string path = DecisionSources.Intake) =>
        new(path, word, detail, null, 1, Now, Now, null, null);

    private static AlertView Undelivered(params AlertDecision[] decisions) =>
        new(1, "a", "a", "api", "a", null, Severity.P3, AlertStatus.Firing, Now, null, "a", null, 0, false, null, null, decisions);
}
