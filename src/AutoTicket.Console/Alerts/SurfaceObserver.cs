using System.Collections.Concurrent;
using AutoTicket.Data;
using AutoTicket.Surfaces;
using Microsoft.Extensions.Options;

namespace AutoTicket.Alerts;

/// <summary>Tells the aggregator what is confirmed of every surface: at once when one changes, and every cycle, so that whatever was
/// missed in an outage of the database, or by another leader, is made good. Only the leader does.</summary>
internal sealed partial class SurfaceObserver(
    StatusBoard board,
    AlertAggregator alerts,
    InMemoryAlerts outage,
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
        leader.Changed += Wake;
    }

    private void Notice(SurfaceSnapshot surface)
    {
        if (!_shown.TryGetValue(surface.Key, out var before) || before != surface.Status)
        {
            _shown[surface.Key] = surface.Status;
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
        // A lease that ran out because the database is away can't be asked for: only whether it answers.
        if (await alerts.ObserveAsync(seen, stoppingToken, isLeaders: true) is { } answers)
        {
            await outage.TookAsync(seen, answers, stoppingToken);
            return options.Value.PollInterval;
        }

        // The database is away.
        await outage.TellAsync(seen, stoppingToken);
        return AfterFailure;
    }
}
