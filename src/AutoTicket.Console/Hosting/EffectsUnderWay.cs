using System.Collections.Concurrent;

namespace AutoTicket.Hosting;

/// <summary>Calls with an effect outside which nobody awaits once the page that began them is gone. The host ends only after them.</summary>
internal sealed class EffectsUnderWay(IHostApplicationLifetime lifetime) : IHostedService
{
    private readonly ConcurrentDictionary<Task, bool> _begun = new();

    /// <summary>The console is stopping: what has begun is finished, and nothing more is begun.</summary>
    public bool IsEnding => lifetime.ApplicationStopping.IsCancellationRequested;

    /// <summary>Holds the host until the effect, which limits its own time, has ended.</summary>
    /// <returns>The effect.</returns>
    public TTask Track<TTask>(TTask effect)
        where TTask : Task
    {
        _begun[effect] = true;
        _ = effect.ContinueWith(done => _begun.TryRemove(done, out _), TaskScheduler.Default);
        return effect;
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StopAsync(CancellationToken cancellationToken) =>
        await Task.WhenAll(_begun.Keys).WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}
