using System.Diagnostics;

namespace AutoTicket.Alerts;

/// <summary>A hook's current pass over its outbox, or its last one. Used by one loop.</summary>
internal sealed class HookPass(DateTimeOffset begunAt)
{
    /// <summary>A pass without an outcome for this long is stuck.</summary>
    public static readonly TimeSpan StuckAfter = TimeSpan.FromMinutes(1);

    /// <summary>How long a pass must stay late by the monotonic clock.</summary>
    private static readonly TimeSpan LateFor = TimeSpan.FromSeconds(5);

    private long? _lateSince;
    private bool _isAwaited;
    private volatile bool _isRestEnded;

    public Task Ended { get; set; } = Task.CompletedTask;

    /// <summary>When the latest outcome arrived; null once the hook has returned all of them.</summary>
    public DateTimeOffset? AdvancedAt { get; set; } = begunAt;

    public bool IsStuck { get; private set; }

    /// <summary>The rest after the pass.</summary>
    public Task Rest { get; set; } = Task.CompletedTask;

    /// <summary>The next pass may begin.</summary>
    public bool IsOver => Ended.IsCompleted && (_isRestEnded || Rest.IsCompleted);

    /// <summary>Something urgent arrived since the pass began.</summary>
    public bool IsRestEnded => _isRestEnded;

    /// <summary>Skips the rest, or what is left of it.</summary>
    public void EndRest() => _isRestEnded = true;

    /// <summary>Calls <paramref name="then"/> once after the pass and its rest, however often it is asked to. A pass that hangs must not
    /// collect calls.</summary>
    public void CallWhenOver(Action then)
    {
        if (!_isAwaited)
        {
            _isAwaited = true;
            _ = CallAsync();
        }

        async Task CallAsync()
        {
            await Ended.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!IsOver)
            {
                await Rest;
            }

            then();
        }
    }

    /// <summary>A pass is stuck when it is late by the wall clock and stays late by the monotonic one. So a clock that is set forward
    /// makes no pass stuck.</summary>
    /// <returns>True when the pass has just become stuck.</returns>
    public bool UpdateStuck(DateTimeOffset now)
    {
        _lateSince = !Ended.IsCompleted && AdvancedAt is { } at && now - at > StuckAfter ? _lateSince ?? Stopwatch.GetTimestamp() : null;
        var was = IsStuck;
        IsStuck = _lateSince is { } since && Stopwatch.GetElapsedTime(since) >= LateFor;
        return IsStuck && !was;
    }
}
