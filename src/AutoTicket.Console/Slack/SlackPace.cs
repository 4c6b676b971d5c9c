namespace AutoTicket.Slack;

/// <summary>How much the operator is told at once: so many single messages a minute, then digests. Counts tries, because one whose
/// answer was lost may have gone out. Measured by the monotonic clock; for one emitter, one pass at a time.</summary>
internal sealed class SlackPace(TimeProvider clock, int singlesPerMinute)
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan BetweenDigests = TimeSpan.FromSeconds(15);

    private readonly Queue<long> _singles = new();
    private long? _digest;

    /// <summary>So many singles may still go out now.</summary>
    public int Room
    {
        get
        {
            while (_singles.TryPeek(out var oldest) && clock.GetElapsedTime(oldest) >= Minute)
            {
                _singles.Dequeue();
            }

            return singlesPerMinute - _singles.Count;
        }
    }

    public TimeSpan UntilDigest =>
        _digest is { } last && clock.GetElapsedTime(last) is var since && since < BetweenDigests ? BetweenDigests - since : TimeSpan.Zero;

    public void Single() => _singles.Enqueue(clock.GetTimestamp());

    public void Digest() => _digest = clock.GetTimestamp();
}
