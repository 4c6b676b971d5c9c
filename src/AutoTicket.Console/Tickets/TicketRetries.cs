using System.Collections.Concurrent;
using AutoTicket.Alerts;
using AutoTicket.FreeScout;

namespace AutoTicket.Tickets;

/// <summary>When the ticket hook may try again: per alert and kind of work with a growing pause, and one probe for all while FreeScout fails.
/// Kept in memory: a new leader begins with one try of each.</summary>
internal sealed class TicketRetries(TimeProvider clock)
{
    /// <summary>The pause after a refusal that only a person can end.</summary>
    public static readonly TimeSpan AfterRefusal = FreeScoutFailure.RetryRefused;

    private const int Most = 10_000;
    private static readonly Backoff AfterOutage = new(TimeSpan.FromSeconds(2), FreeScoutFailure.LongestPause);

    /// <summary>A lost answer is looked up this often; the look-ups end by themselves.</summary>
    private static readonly TimeSpan Lookup = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<(long Alert, bool IsNote), Pause> _pauses = new();
    private Pause? _probe;

    private sealed record Pause(int Failures, DateTimeOffset Until, bool IsOutage);

    /// <summary>While FreeScout fails: it is time for the next probe.</summary>
    public bool MayProbe => !(clock.GetUtcNow() < _probe?.Until);

    public bool IsDue(AlertNotice notice) => !_pauses.TryGetValue(KeyOf(notice), out var pause) || clock.GetUtcNow() >= pause.Until;

    /// <param name="failure">What FreeScout failed with; null with <paramref name="isDone"/> false: its answer is being looked up.</param>
    public void Tried(AlertNotice notice, bool isDone, FreeScoutFailureKind? failure)
    {
        var key = KeyOf(notice);
        if (isDone)
        {
            _pauses.TryRemove(key, out _);
            return;
        }

        if (_pauses.Count >= Most)
        {
            // Alerts that ended stay in it until then.
            _pauses.Clear();
        }

        _pauses[key] = After(_pauses.GetValueOrDefault(key), failure);
    }

    public void ProbeFailed(FreeScoutFailure failure) => _probe = After(_probe, failure.Kind);

    /// <summary>FreeScout works again: what waited for that alone is due now. A note waits out its pause, and so does a refusal, which says
    /// nothing about FreeScout: or a note that alone fails would be posted again after each call that succeeds.</summary>
    public void OutageOver()
    {
        _probe = null;
        foreach (var (key, pause) in _pauses)
        {
            if (pause.IsOutage && !key.IsNote)
            {
                _pauses.TryRemove(key, out _);
            }
        }
    }

    private Pause After(Pause? before, FreeScoutFailureKind? failure)
    {
        var failures = (before?.Failures ?? 0) + 1;
        var pause =
            failure is null ? Lookup
            : failure == FreeScoutFailureKind.Refused || FreeScoutFailure.NeedsPersonFor(failure.Value) ? AfterRefusal
            : AfterOutage.After(failures);
        return new Pause(failures, clock.GetUtcNow() + pause, failure is { } kind && kind != FreeScoutFailureKind.Refused);
    }

    private static (long, bool) KeyOf(AlertNotice notice) =>
        (notice.Alert.Id, notice.Kind is NoticeKind.SeverityChanged or NoticeKind.Ended);
}
