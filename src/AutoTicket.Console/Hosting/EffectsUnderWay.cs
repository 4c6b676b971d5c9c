using System.Collections.Concurrent;

namespace AutoTicket.Hosting;

/// <summary>Calls with an effect outside, such as filing a ticket. The host ends only after them, even if the page that began them is
/// gone.</summary>
internal sealed class EffectsUnderWay(IHostApplicationLifetime lifetime) : IHostedService
{
    private readonly ConcurrentDictionary<Task, bool> _begun = new();

    /// <summary>The console is stopping: calls that have begun are finished, and no new ones begin.</summary>
    public bool IsEnding => lifetime.ApplicationStopping.IsCancellationRequested;

    /// <summary>Keeps the host alive until the call has ended. The call must limit its own time.</summary>
    /// <returns>The same task.</returns>
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
