using System.Collections.Concurrent;
using AutoTicket.Alerts;
using AutoTicket.Data;
using Microsoft.Extensions.Options;

namespace AutoTicket.Surfaces;

/// <summary>Tells the aggregator what is confirmed of every surface: at once when one changes, and every cycle, so that whatever was
/// missed in an outage of the database, or by another leader, is made good. Only the leader does.</summary>
internal sealed partial class SurfaceObserver(
    StatusBoard board,
    AlertAggregator alerts,
    OutageAlerts outage,
    LeaderLease leader,
    IOptions<StatusOptions> options,
    TimeProvider clock,
    ILogger<SurfaceObserver> logger) : BackgroundService
{
    private static readonly TimeSpan AgainAfter = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<string, SurfaceStatus> _shown = new();
    private readonly Nudge _changed = new(clock);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var subscription = board.Subscribe(Notice);
        leader.Changed += _changed.Give;
        while (!stoppingToken.IsCancellationRequested)
        {
            var taken = false;
            try
            {
                taken = await ObserveAsync(stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
            }
#pragma warning disable CA1031 // a bug met once must not end the alerts of all surfaces, nor pass unseen
            catch (Exception exception)
#pragma warning restore CA1031
            {
                Log.NotObserved(logger, exception);
            }

            await _changed.WaitAsync(taken ? options.Value.PollInterval : AgainAfter, stoppingToken);
        }

        leader.Changed -= _changed.Give;
    }

    private void Notice(SurfaceSnapshot surface)
    {
        if (!_shown.TryGetValue(surface.Key, out var before) || before != surface.Status)
        {
            _shown[surface.Key] = surface.Status;
            _changed.Give();
        }
    }

    /// <returns>False: the database is away, and it should be tried again soon.</returns>
    private async Task<bool> ObserveAsync(CancellationToken stoppingToken)
    {
        if (!await leader.AskAsync(stoppingToken))
        {
            return true;
        }

        List<Observation> seen = [.. SurfaceAlerts.Of(board)];
        // A lease that ran out because the database is away can't be asked for: only whether it answers.
        if (await alerts.ObserveAsync(seen, stoppingToken, isLeaders: true) is { } answers)
        {
            await outage.TookAsync(seen, answers, stoppingToken);
            return true;
        }

        await outage.TellAsync(seen, stoppingToken);
        return false;
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Error, "observing surfaces failed, trying again")]
        public static partial void NotObserved(ILogger logger, Exception exception);
    }
}
