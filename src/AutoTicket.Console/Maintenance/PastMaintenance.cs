using AutoTicket.Data;
using AutoTicket.Surfaces;

namespace AutoTicket.Maintenance;

/// <summary>On the leader, takes the readings of maintenance that was set for the past out of the surface's availability. A window stays
/// pending until that is done.</summary>
internal sealed partial class PastMaintenance(
    MaintenanceStore store,
    SurfaceAvailability availability,
    DatabaseSignals signals,
    LeaderLease leader,
    TimeProvider clock,
    ILogger<PastMaintenance> logger
) : LeaderLoop(leader, clock, logger)
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMinutes(1);

    private readonly OutageNotice _outage = new();

    protected override void Begin()
    {
        base.Begin();
        signals.Subscribe(DatabaseSignals.Maintenance, Wake);
    }

    protected override async Task<TimeSpan> LeadAsync(CancellationToken stoppingToken)
    {
        var failed = false;
        foreach (var window in await store.PastPendingAsync(stoppingToken))
        {
            try
            {
                var until = window.CreatedAt < window.EndsAt ? window.CreatedAt : window.EndsAt!.Value;
                await availability.LeaveOutAsync(window.SurfaceKey, window.StartsAt, until, stoppingToken);
                await store.PastMarkedAsync(window.Id, stoppingToken);
            }
            catch (Exception exception) when (Outages.IsOutage(exception) && Leader.IsLeader)
            {
                // It may be this window alone that times out, so the next ones have their turn.
                failed = true;
                if (_outage.Begin())
                {
                    Log.NotMarked(logger, window.Id, window.SurfaceKey, exception.GetBaseException().Message);
                }
            }
        }

        if (!failed)
        {
            _outage.End();
        }

        return LookEvery;
    }

    private static partial class Log
    {
        [LoggerMessage(
            LogLevel.Warning,
            "maintenance {Window} of surface={Surface} is not taken out of its availability yet, trying again: {Problem}"
        )]
        public static partial void NotMarked(ILogger logger, long window, string surface, string problem);
    }
}
