using System.Collections.Concurrent;
using AutoTicket.Data;
using AutoTicket.Surfaces;
using Microsoft.Extensions.Options;

namespace AutoTicket.Alerts;

/// <summary>The leader sends the status of all surfaces to the aggregator when one changes, and in every poll interval. The repeat makes up
/// for changes that a database outage or an earlier leader missed.</summary>
internal sealed partial class SurfaceObserver(
    StatusBoard board,
    AlertAggregator aggregator,
    InMemoryAlerts inMemory,
    LeaderLease leader,
    IOptions<StatusOptions> options,
    TimeProvider clock,
    ILogger<SurfaceObserver> logger
) : Loop(clock, logger)
{
    private readonly ConcurrentDictionary<string, SurfaceStatus> _shown = new();

    protected override void Begin()
    {
        board.Subscribe(Notice);
        leader.Changed += inMemory.OnLeaderChanged;
        leader.Changed += Wake;
    }

    private void Notice(SurfaceSnapshot surface)
    {
        if (!_shown.TryGetValue(surface.Key, out var before) || before != surface.Observed)
        {
            _shown[surface.Key] = surface.Observed;
            Wake();
        }
    }

    protected override async Task<TimeSpan> TurnAsync(CancellationToken stoppingToken)
    {
        if (!await leader.AskAsync(stoppingToken))
        {
            return options.Value.PollInterval;
        }

        List<Observation> seen = [.. SurfaceAlerts.Of(board)];
        // Try the write even without a lease: only a failed write shows that the database can't be reached.
        if (await aggregator.ObserveAsync(seen, stoppingToken, onlyAsLeader: true) is { } answers)
        {
            await inMemory.StoreDeliveriesAsync(seen, answers, stoppingToken);
            return options.Value.PollInterval;
        }

        await inMemory.DeliverFromMemoryAsync(seen, stoppingToken);
        return AfterFailure;
    }
}
