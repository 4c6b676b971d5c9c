using System.Collections.Concurrent;

namespace AutoTicket;

/// <summary>Calls with an effect outside which nobody awaits once the page that began them is gone. The host ends only after them.</summary>
internal sealed class EffectsUnderWay(IHostApplicationLifetime lifetime) : IHostedService
{
    private readonly ConcurrentDictionary<Task, bool> _begun = new();

    /// <summary>The console is stopping: what has begun is finished, and nothing more is begun.</summary>
    public bool IsEnding => lifetime.ApplicationStopping.IsCancellationRequested;

    /// <summary>Awaits the effect, which limits its own time, and holds the host until it has ended.</summary>
    public async Task<T> FinishAsync<T>(Task<T> effect)
    {
        _begun[effect] = true;
        try
        {
            return await effect;
        }
        finally
        {
            _begun.TryRemove(effect, out _);
        }
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StopAsync(CancellationToken cancellationToken) =>
        await Task.WhenAll(_begun.Keys).WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}
