using AutoTicket.Maintenance;

namespace AutoTicket.Components.Maintenance;

/// <summary>A maintenance or a snooze, as a person fills in its form.</summary>
public sealed record MuteRequest(
    string Reason,
    string? For,
    DateTimeOffset? Until,
    DateTimeOffset? StartsAt = null,
    WeeklyTimes? Weekly = null,
    bool UntilRecovery = false
)
{
    public MaintenanceRequest Maintenance => new(Reason, For, Until, StartsAt, Weekly);

    public SnoozeRequest Snooze => new(Reason, For, Until, UntilRecovery);
}
