namespace AutoTicket.Slack;

/// <summary>Limits single messages a minute, and the interval of digests. It counts attempts, because a message whose answer was lost may
/// have been sent. Monotonic clock; not thread-safe.</summary>
internal sealed class SlackPace(TimeProvider clock, int singlesPerMinute)
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan BetweenDigests = TimeSpan.FromSeconds(15);

    private readonly Queue<long> _singles = new();
    private long? _digest;

    /// <summary>How many single messages may be sent now.</summary>
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
