using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.Surfaces;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Diagnostics;

/// <summary>The leader's self-test: every few minutes a test alert passes through the aggregator, and every hook is called with nothing to
/// deliver. The result is a decision.</summary>
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
) : LeaderLoop(leader, clock, logger)
{
    private static readonly Observation Alert = new(
        Observation.Console,
        "canary",
        null,
        Severity.P1,
        "A self-test: nothing is sent.",
        true,
        new Dictionary<string, string>()
    );

    /// <summary>Longer than a pass of the emitter takes.</summary>
    private static readonly TimeSpan StuckAfter = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan StepTimeout = TimeSpan.FromSeconds(10);

    public static string AlertId => Alert.AlertId;

    /// <summary>The last success in this process; null: none.</summary>
    public DateTimeOffset? PassedAt { get; private set; }

    private long? _triedAt;

    protected override async Task<TimeSpan> LeadAsync(CancellationToken stoppingToken)
    {
        var left = _triedAt is { } at ? options.Value.CanaryInterval - Clock.GetElapsedTime(at) : TimeSpan.Zero;
        if (gate.Problem is not null)
        {
            return AfterFailure;
        }

        if (left > TimeSpan.Zero)
        {
            return left;
        }

        _triedAt = Clock.GetTimestamp();
        await RunTestAsync(stoppingToken);
        return options.Value.CanaryInterval;
    }

    private async Task RunTestAsync(CancellationToken stoppingToken)
    {
        var problem = await FindProblemAsync(stoppingToken);
        var now = Clock.GetUtcNow();
        if (problem is null)
        {
            PassedAt = now;
        }
        else
        {
            Log.IsStopped(logger, problem);
        }

        await decisions.RecordAsync(
            [
                new Decision
                {
                    AlertId = AlertId,
                    AlertRow = 0,
                    Path = DecisionSources.Canary,
                    Word = problem is null ? DecisionWord.Passed : DecisionWord.Failed,
                    Detail = problem,
                    FirstAt = now,
                    LastAt = now,
                },
            ],
            stoppingToken
        );
    }

    /// <returns>What stopped the test alert; null when it passed.</returns>
    private async Task<string?> FindProblemAsync(CancellationToken stoppingToken)
    {
        try
        {
            if (await aggregator.RehearseAsync(Alert, stoppingToken).WaitAsync(StepTimeout, Clock, stoppingToken) is not { } results)
            {
                return "The aggregator recorded nothing.";
            }

            if (results is not { First: ObservationResult.Opened, Second: ObservationResult.Known })
            {
                return $"The aggregator took a repeat for another alert: {results.First}, {results.Second}.";
            }

            var called = await emitter.ProbeHooksAsync(stoppingToken).WaitAsync(StepTimeout, Clock, stoppingToken);
            return hooks.Missing is { Count: > 0 } missing ? $"There is no hook {string.Join(" and ", missing)}."
                : hooks.Registered.Except(called).FirstOrDefault() is { } silent ? $"The hook {silent} is registered, but not called."
                : Clock.GetElapsedTime(emitter.CycledAt) > StuckAfter ? "The emitter has stopped."
                : emitter.StuckHook is { } stuck ? $"The hook {stuck} hangs: it has delivered nothing for a minute."
                : null;
        }
        catch (TimeoutException)
        {
            return "The pipeline did not answer in time.";
        }
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "alert_aggregator canary stopped: {Where}")]
        public static partial void IsStopped(ILogger logger, string where);
    }
}
