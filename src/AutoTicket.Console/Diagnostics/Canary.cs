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

    /// <summary>After a failure, which may be over soon.</summary>
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(10);

    private const string NotStored = "the database did not store the test alert in time.";

    public static string AlertId => Alert.AlertId;

    /// <summary>The last success in this process; null: none.</summary>
    public DateTimeOffset? PassedAt { get; private set; }

    private long? _testedAt;
    private TimeSpan _pause;

    /// <summary>What the log says already; null: the last test passed.</summary>
    private string? _logged;

    protected override async Task<TimeSpan> LeadAsync(CancellationToken stoppingToken)
    {
        if (gate.Problem is not null)
        {
            return AfterFailure;
        }

        if (_testedAt is { } at && _pause - Clock.GetElapsedTime(at) is var left && left > TimeSpan.Zero)
        {
            return left;
        }

        _pause = await RunTestAsync(stoppingToken);
        _testedAt = Clock.GetTimestamp();
        return _pause;
    }

    /// <returns>The pause until the next test.</returns>
    private async Task<TimeSpan> RunTestAsync(CancellationToken stoppingToken)
    {
        string? problem;
        try
        {
            if (await aggregator.RehearseAsync(Alert, stoppingToken).WaitAsync(StepTimeout, Clock, stoppingToken) is not { } results)
            {
                // The database was busy: this says nothing about the pipeline.
                if (IsNews(NotStored))
                {
                    Log.DidNotRun(logger, NotStored);
                }

                return AfterProblem;
            }

            problem = await FindProblemAsync(results, stoppingToken);
        }
        catch (TimeoutException)
        {
            problem = "The pipeline did not answer in time.";
        }

        var now = Clock.GetUtcNow();
        if (problem is null)
        {
            (PassedAt, _logged) = (now, null);
        }
        else if (IsNews(problem))
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
        return problem is null ? options.Value.CanaryInterval : AfterProblem;
    }

    private TimeSpan AfterProblem => options.Value.CanaryInterval < RetryAfter ? options.Value.CanaryInterval : RetryAfter;

    /// <returns>What stopped the test alert; null when it passed.</returns>
    private async Task<string?> FindProblemAsync(
        (ObservationResult First, ObservationResult Second) results,
        CancellationToken stoppingToken
    )
    {
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

    private bool IsNews(string problem) => Interlocked.Exchange(ref _logged, problem) != problem;

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "alert_aggregator canary stopped: {Where}")]
        public static partial void IsStopped(ILogger logger, string where);

        [LoggerMessage(LogLevel.Warning, "alert_aggregator canary did not run, trying again: {Why}")]
        public static partial void DidNotRun(ILogger logger, string why);
    }
}
