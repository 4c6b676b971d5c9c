using System.Diagnostics;

namespace AutoTicket.Tests.Kit;

/// <summary>Waits for a condition, never for a duration.</summary>
public static class Eventually
{
    /// <summary>Default timeout of a wait. It is so long that only a real failure reaches it, even on a machine with busy cores.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    // Short pauses first, for conditions that are almost met. Longer pauses later, so that polling does not take the core from the awaited
    // work.
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(160);

    /// <summary>The timeout for a promised duration. A shared machine can stall for seconds; the benchmarks measure exact times.</summary>
    public static TimeSpan OnABusyMachine(TimeSpan promised) => (3 * promised) + TimeSpan.FromSeconds(10);

    /// <inheritdoc cref="TrueAsync(Func{Task{bool}}, string, TimeSpan?)"/>
    public static Task TrueAsync(Func<bool> condition, string what, TimeSpan? timeout = null) =>
        TrueAsync(() => Task.FromResult(condition()), what, timeout);

    /// <summary>Returns once the condition holds. A condition that throws (a page still starting, a row not yet there) counts as not
    /// met.</summary>
    /// <exception cref="TimeoutException">The condition was not met in time. The message names it and the last exception.</exception>
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
                // A condition that hangs must not outlast the timeout.
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
        throw new TimeoutException($"Not within {patience.TotalSeconds:0.###} s: {what}.{why}{ConsoleHost.LastWarnings}", lastFailure);
    }
}
