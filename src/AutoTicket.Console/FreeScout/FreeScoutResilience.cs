using Microsoft.Extensions.Http.Resilience;
using Polly;
using Polly.Timeout;

namespace AutoTicket.FreeScout;

/// <summary>Retries a GET, never a POST. Too many failures open the circuit for both.</summary>
internal static class FreeScoutResilience
{
    public static void Configure(
        ResiliencePipelineBuilder<HttpResponseMessage> pipeline,
        FreeScoutOptions options,
        FreeScoutHealth health,
        TimeProvider clock
    )
    {
        pipeline.TimeProvider = clock;
        var retry = new HttpRetryStrategyOptions
        {
            MaxRetryAttempts = 2,
            Delay = options.RetryDelay,
            BackoffType = DelayBackoffType.Exponential,
            UseJitter = true,
            // FreeScoutHealth holds all calls for a Retry-After.
            ShouldRetryAfterHeader = false,
            // During an outage the sync reads again soon anyway. A retry that meets the circuit which this call has opened would hide what
            // FreeScout answered.
            ShouldHandle = arguments =>
                ValueTask.FromResult(
                    health is { ReadFailure: null, IsCircuitOpen: false }
                        && IsOutage(arguments.Outcome)
                        && arguments.Outcome.Exception is not TimeoutRejectedException
                ),
        };
        retry.DisableForUnsafeHttpMethods();
        pipeline
            .AddRetry(retry)
            .AddCircuitBreaker(
                new HttpCircuitBreakerStrategyOptions
                {
                    FailureRatio = 0.5,
                    MinimumThroughput = 4,
                    SamplingDuration = TimeSpan.FromSeconds(15),
                    BreakDuration = options.BreakDuration,
                    StateProvider = health.Circuit,
                    ShouldHandle = arguments =>
                    {
                        if (!IsOutage(arguments.Outcome))
                        {
                            return ValueTask.FromResult(false);
                        }

                        // Set before the circuit opens, because the calls that it stops report the cause.
                        health.OpenedBy = arguments.Outcome switch
                        {
                            { Result: { } answer } => $"it answered {(int)answer.StatusCode}",
                            { Exception: TimeoutRejectedException } => "it did not answer in time",
                            { Exception: { } exception } => FreeScoutClient.Reason(exception, options),
                            _ => null,
                        };
                        return ValueTask.FromResult(true);
                    },
                }
            )
            .AddTimeout(new HttpTimeoutStrategyOptions { Timeout = options.CallTimeout });
    }

    private static bool IsOutage(Outcome<HttpResponseMessage> outcome) =>
        outcome switch
        {
            { Exception: HttpRequestException or IOException or TimeoutRejectedException } => true,
            { Result.StatusCode: >= System.Net.HttpStatusCode.InternalServerError or System.Net.HttpStatusCode.RequestTimeout } => true,
            _ => false,
        };
}
