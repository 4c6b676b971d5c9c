namespace AutoTicket.Data;

/// <summary>Wakes one waiting loop. Nudges that come while it works are one.</summary>
internal sealed class Nudge : IDisposable
{
    private readonly SemaphoreSlim _semaphore = new(0, 1);

    public void Give()
    {
        if (_semaphore.CurrentCount > 0)
        {
            return;
        }

        try
        {
            _semaphore.Release();
        }
        catch (SemaphoreFullException)
        {
            // Nudged at this very moment. Looked at first, because in a flood an exception each is dear.
        }
    }

    /// <summary>Returns at the next nudge, after <paramref name="atMost"/>, or when cancelled; never throws.</summary>
    public async Task WaitAsync(TimeSpan atMost, CancellationToken cancellationToken) =>
        await ((Task)_semaphore.WaitAsync(atMost, cancellationToken)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    public void Dispose() => _semaphore.Dispose();
}
