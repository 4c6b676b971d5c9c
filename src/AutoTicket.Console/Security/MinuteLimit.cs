namespace AutoTicket.Security;

/// <summary>Lets a number of events of each key through in a minute, which begins with the key's first one. .NET's partitioned rate
/// limiters would do, but each of them wakes the process ten times a second, also while nothing happens.</summary>
internal sealed class MinuteLimit(int most, TimeProvider clock)
{
    /// <summary>Further keys share one count, so that a stranger with many addresses fills no memory.</summary>
    private const int MostKeys = 10_000;
    private const string Others = "";
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, (long Since, int Count)> _taken = [];
    private long _sweptAt = clock.GetTimestamp();

    /// <summary>How many keys are remembered.</summary>
    internal int Count => _taken.Count;

    /// <returns>False: too many of this key in this minute.</returns>
    public bool TryTake(string key)
    {
        lock (_lock)
        {
            var now = clock.GetTimestamp();
            if (clock.GetElapsedTime(_sweptAt, now) >= Minute)
            {
                _sweptAt = now;
                foreach (var over in _taken.Where(one => clock.GetElapsedTime(one.Value.Since, now) >= Minute).ToList())
                {
                    _taken.Remove(over.Key);
                }
            }

            key = _taken.Count < MostKeys || _taken.ContainsKey(key) ? key : Others;
            if (!_taken.TryGetValue(key, out var taken) || clock.GetElapsedTime(taken.Since, now) >= Minute)
            {
                taken = (now, 0);
            }

            _taken[key] = taken with { Count = Math.Min(taken.Count, most) + 1 };
            return taken.Count < most;
        }
    }
}
