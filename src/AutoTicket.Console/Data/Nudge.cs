namespace AutoTicket.Data;

/// <summary>Wakes one waiting loop. Nudges that come while it works are one.</summary>
internal sealed class Nudge(TimeProvider clock) : IDisposable
{
    private static readonly TimeSpan LongestRest = TimeSpan.FromSeconds(2);

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
    public async Task WaitAsync(TimeSpan atMost, CancellationToken cancellationToken)
    {
        using var waits = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var nudged = _semaphore.WaitAsync(waits.Token);
        await Task.WhenAny(nudged, Task.Delay(atMost, clock, waits.Token));
        await waits.CancelAsync();
        await nudged.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>Rests after work that is nudged for again and again: the longer it took, the longer, so that a flood of nudges costs a part of
    /// a core and never all of it. Returns early when cancelled; never throws.</summary>
    /// <param name="times">How many times as long as the work.</param>
    public static async Task RestAsync(TimeSpan work, int times, TimeSpan atLeast, CancellationToken cancellationToken)
    {
        var rest = work * times < atLeast ? atLeast : work * times;
        await Task.Delay(rest < LongestRest ? rest : LongestRest, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public void Dispose() => _semaphore.Dispose();
}
