namespace AutoTicket.Hosting;

/// <summary>Lets one event of each kind through in a minute, so that nobody can flood the log by repeating a request.</summary>
internal sealed class OncePerMinute(TimeProvider clock)
{
    private const int MostKinds = 1000;
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, (long At, int HeldBack)> _last = [];

    /// <returns>The number of events since the last one that was let through, with this one; null: this one is held back.</returns>
    public int? Take(string kind)
    {
        lock (_lock)
        {
            var now = clock.GetTimestamp();
            var isKnown = _last.TryGetValue(kind, out var last);
            if (isKnown && clock.GetElapsedTime(last.At, now) < Minute)
            {
                _last[kind] = last with { HeldBack = last.HeldBack + 1 };
                return null;
            }

            if (!isKnown && _last.Count >= MostKinds)
            {
                foreach (var old in _last.Where(other => clock.GetElapsedTime(other.Value.At, now) >= Minute).ToList())
                {
                    _last.Remove(old.Key);
                }

                if (_last.Count >= MostKinds)
                {
                    return null;
                }
            }

            _last[kind] = (now, 0);
            return last.HeldBack + 1;
        }
    }
}
