using System.Diagnostics;

namespace AutoTicket.Tests.Kit;

/// <summary>Waits for a condition, never for a duration.</summary>
public static class Eventually
{
    /// <summary>How long anything in the tests may take before it counts as never: only a real failure reaches it,
    /// also where other programs keep both cores busy.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    // Short at first, for what is all but there; then long enough not to take from what is waited for the core that it needs.
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(160);

    /// <summary>The limit for a promise about time. A shared machine can stand still for seconds; the benchmarks measure exactly.</summary>
    public static TimeSpan OnABusyMachine(TimeSpan promised) => (3 * promised) + TimeSpan.FromSeconds(10);

    /// <inheritdoc cref="TrueAsync(Func{Task{bool}}, string, TimeSpan?)"/>
    public static Task TrueAsync(Func<bool> condition, string what, TimeSpan? timeout = null) =>
        TrueAsync(() => Task.FromResult(condition()), what, timeout);

    /// <summary>Returns once the condition holds. One that throws does not hold yet: a page that is still starting and
    /// a row that is not there are waited for alike, and the last exception is told when time is up.</summary>
    /// <exception cref="TimeoutException">It did not hold in time; names what was waited for.</exception>
    public static async Task TrueAsync(Func<Task<bool>> condition, string what, TimeSpan? timeout = null)
    {
        var patience = timeout ?? Patience;
        var started = Stopwatch.GetTimestamp();
        var pause = ShortestPause;
        Exception? lastFailure;
        do
        {
            var left = patience - Stopwatch.GetElapsedTime(started);
            try
            {
                // A condition that itself hangs must not outlive the patience.
                if (await condition().WaitAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero))
                {
                    return;
                }

                lastFailure = null;
            }
            catch (Exception failure)
            {
                lastFailure = failure;
            }

            await Task.Delay(pause);
            pause = pause * 1.5 < LongestPause ? pause * 1.5 : LongestPause;
        } while (Stopwatch.GetElapsedTime(started) < patience);

        var why = lastFailure is null ? "" : $" The last try ended in {lastFailure.GetType().Name}: {lastFailure.Message}";
        throw new TimeoutException($"Not within {patience.TotalSeconds:0.###} s: {what}.{why}", lastFailure);
    }
}
