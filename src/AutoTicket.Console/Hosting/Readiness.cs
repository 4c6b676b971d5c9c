using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace AutoTicket.Hosting;

/// <summary>Whether this process will be there for the next request. At its end that is withdrawn first: where somebody watches
/// <c>/healthz/ready</c>, the console goes on serving until they have seen it, three seconds at most.</summary>
internal sealed class Readiness(TimeProvider clock) : IHostedLifecycleService, IHealthCheck
{
    private static readonly TimeSpan Watched = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

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
            await Task.WhenAny(_seen.Task, Task.Delay(Patience, cancellationToken));
        }
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
