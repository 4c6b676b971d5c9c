using System.Collections.Concurrent;

namespace AutoTicket.Alerts;

/// <summary>Each hook's last decision about each alert, so that a repeated decision is logged once and recorded now and then.</summary>
internal sealed class LastDecisions(TimeProvider clock)
{
    private const int Most = 100_000;
    private static readonly TimeSpan RecordEvery = TimeSpan.FromSeconds(20);

    private readonly ConcurrentDictionary<(long Alert, string Hook), Last> _all = new();

    /// <param name="Unrecorded">How many tries had the same result since it was recorded.</param>
    private sealed record Last(DecisionWord Decision, int Unrecorded, long RecordedAt);

    /// <summary>Alerts that ended undelivered leave their entries behind.</summary>
    public void Trim()
    {
        if (_all.Count > Most)
        {
            _all.Clear();
        }
    }

    /// <summary>Notes a delivery, or a try that failed for another reason than the last one.</summary>
    /// <returns>False: it is a repeated decision.</returns>
    public bool IsNew(long alert, string hook, DecisionWord decision, bool isDone)
    {
        var isNew = isDone || _all.GetValueOrDefault((alert, hook))?.Decision != decision;
        if (isNew)
        {
            _all.TryRemove((alert, hook), out _);
        }

        return isNew;
    }

    /// <summary>Counts a try that did not deliver. A new decision is recorded at once, a repeated one every
    /// <see cref="RecordEvery"/>.</summary>
    /// <returns>The number of tries to record now; null when it is not yet time to record them.</returns>
    public int? TriesToRecord(long alert, string hook, DecisionWord decision)
    {
        var now = clock.GetTimestamp();
        if (!_all.TryGetValue((alert, hook), out var last))
        {
            _all[(alert, hook)] = new Last(decision, 0, now);
            return 1;
        }

        var isDue = clock.GetElapsedTime(last.RecordedAt, now) >= RecordEvery;
        _all[(alert, hook)] = isDue ? last with { Unrecorded = 0, RecordedAt = now } : last with { Unrecorded = last.Unrecorded + 1 };
        return isDue ? last.Unrecorded + 1 : null;
    }
}
