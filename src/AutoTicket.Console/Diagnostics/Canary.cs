using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.Surfaces;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Diagnostics;

/// <summary>Sends a test alert through the aggregator and calls every hook with nothing to deliver, so that nobody is told. The result is
/// a decision.</summary>
internal sealed partial class Canary(
    AlertAggregator aggregator,
    AlertEmitter emitter,
    RequiredHooks hooks,
    DecisionLog decisions,
    LeaderLease leader,
    DatabaseGate gate,
    IOptions<DiagnosticsOptions> options,
    TimeProvider clock,
    ILogger<Canary> logger
) : Loop(clock, logger)
{
    private static readonly Observation Alert = new(
        Observation.Console,
        "canary",
        null,
        Severity.P1,
        "A canary: nobody is told.",
        true,
        new Dictionary<string, string>()
    );
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(1);

    /// <summary>Longer than a pass of the emitter takes.</summary>
    private static readonly TimeSpan Stuck = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    public static string AlertId => Alert.AlertId;

    /// <summary>When it last got through, in this process; null: it has not walked here.</summary>
    public DateTimeOffset? WalkedAt { get; private set; }

    private DateTimeOffset? _triedAt;

    protected override async Task<TimeSpan> TurnAsync(CancellationToken stoppingToken)
    {
        if (leader.IsLeader && gate.Problem is null && !(Clock.GetUtcNow() - _triedAt < options.Value.CanaryInterval))
        {
            _triedAt = Clock.GetUtcNow();
            await WalkAsync(stoppingToken);
        }

        return Look;
    }

    private async Task WalkAsync(CancellationToken stoppingToken)
    {
        var stop = await FindStopAsync(stoppingToken);
        var now = Clock.GetUtcNow();
        if (stop is null)
        {
            WalkedAt = now;
        }
        else
        {
            Log.IsStopped(logger, stop);
        }

        await decisions.RecordAsync(
            [
                new Decision
                {
                    AlertId = AlertId,
                    AlertRow = 0,
                    Path = DecisionSources.Canary,
                    Word = stop is null ? DecisionWord.Walked : DecisionWord.Stopped,
                    Detail = stop,
                    FirstAt = now,
                    LastAt = now,
                },
            ],
            stoppingToken
        );
    }

    /// <returns>Where it was stopped; null: it got through.</returns>
    private async Task<string?> FindStopAsync(CancellationToken stoppingToken)
    {
        try
        {
            if (await aggregator.RehearseAsync(Alert, stoppingToken).WaitAsync(Patience, Clock, stoppingToken) is not { } became)
            {
                return "The aggregator took nothing.";
            }

            if (became is not { First: ObservationResult.Opened, Second: ObservationResult.Known })
            {
                return $"The aggregator told a repeat from its alert: {became.First}, {became.Second}.";
            }

            var now = Clock.GetUtcNow();
            var called = await emitter.CallWithNothingAsync(stoppingToken).WaitAsync(Patience, Clock, stoppingToken);
            return hooks.Missing is { Count: > 0 } missing ? $"There is no hook {string.Join(" and ", missing)}."
                : hooks.Registered.Except(called).FirstOrDefault() is { } silent ? $"The hook {silent} is registered and not called."
                : now - emitter.CycledAt > Stuck ? "The emitter stands still."
                : emitter.StuckHook is { } stuck ? $"The hook {stuck} has delivered nothing for a minute and does not end."
                : null;
        }
        catch (TimeoutException)
        {
            return "The line did not answer in time.";
        }
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "alert_aggregator canary stopped: {Where}")]
        public static partial void IsStopped(ILogger logger, string where);
    }
}
