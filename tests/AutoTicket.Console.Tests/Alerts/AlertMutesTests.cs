using AutoTicket.Alerts;
using AutoTicket.Surfaces;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tests.Alerts;

/// <summary>Which notices a mute holds or drops, by what the operator knows.</summary>
public sealed class AlertMutesTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 3, 0, 0, TimeSpan.Zero);

    [Theory]
    [Trait("Pitfall", "T-55")]
    [InlineData(false, AlertStatus.Resolved, false, false, true)]
    [InlineData(false, AlertStatus.Expired, false, false, false)]
    [InlineData(true, AlertStatus.Resolved, true, false, false)]
    // It fired again, which nobody was told.
    [InlineData(true, AlertStatus.Resolved, true, true, true)]
    // Its firing was sent from memory, so there is no record of the delivery.
    [InlineData(true, AlertStatus.Resolved, false, false, false)]
    public void Only_a_recovery_of_which_the_operator_knows_no_firing_is_dropped(
        bool isEnd,
        AlertStatus status,
        bool isRecorded,
        bool isEndDelivered,
        bool isDropped
    )
    {
        var alert = TicketPassTests.Notices(1)[0].Alert with { Status = status, EndedAt = Now };
        var delivery = new AlertDelivery
        {
            AlertRow = alert.Id,
            Hook = "slack",
            Kind = DeliveryKind.Firing,
            At = Now,
            Severity = alert.Severity,
        };
        var mutes = None(new StillClock(Now));
        mutes.Set([new AlertSnooze(alert.AlertId, Now.AddHours(-1), Now.AddHours(1), "olga", "a new disk", Episode: null)]);

        var (muted, due) = mutes.Apply([
            new(alert, isEnd ? NoticeKind.Ended : NoticeKind.Firing, isRecorded ? delivery : null, null)
            {
                IsEndDelivered = isEndDelivered,
            },
        ]);

        Assert.Empty(due);
        Assert.Equal((isDropped, isDropped), (muted[0].IsDone, muted[0].IsDropped));
    }

    /// <summary>Without a host, for surfaces that do not exist.</summary>
    internal static AlertMutes None(TimeProvider clock) =>
        new(new StatusBoard(new SurfaceList([]), Options.Create(new StatusOptions()), clock, NullLogger<StatusBoard>.Instance), clock);
}
