using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace AutoTicket.Hosting;

/// <summary>Whether this process will serve the next request. When it ends, <c>/healthz/ready</c> says so first. If a load
/// balancer polls it, the console serves on until the poll has seen that, for at most three seconds.</summary>
internal sealed class Readiness(TimeProvider clock) : IHostedLifecycleService, IHealthCheck
{
    private static readonly TimeSpan Watched = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(3);

    private readonly TaskCompletionSource _seen = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _askedAt = long.MinValue;
    private volatile bool _isEnding;

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken)
    {
        Volatile.Write(ref _askedAt, clock.GetTimestamp());
        if (!_isEnding)
        {
            return Task.FromResult(HealthCheckResult.Healthy());
        }

        _seen.TrySetResult();
        return Task.FromResult(HealthCheckResult.Unhealthy());
    }

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        _isEnding = true;
        if (Volatile.Read(ref _askedAt) is not long.MinValue and var asked && clock.GetElapsedTime(asked) < Watched)
        {
            await Task.WhenAny(_seen.Task, Task.Delay(LongestWait, cancellationToken));
        }
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
