using System.Collections.Concurrent;
using AutoTicket.Alerts;
using AutoTicket.FreeScout;

namespace AutoTicket.Tickets;

/// <summary>When the ticket hook tries again: a growing pause for each alert's ticket and note, and one probe for all while FreeScout
/// fails. Kept in memory: a new leader tries each at once. Uses the monotonic clock: the wall clock follows the database and may be set
/// back.</summary>
internal sealed class TicketRetries(TimeProvider clock)
{
    /// <summary>The pause after a refusal that only a person can fix.</summary>
    public static readonly TimeSpan AfterRefusal = FreeScoutFailure.RetryRefused;

    private const int MostPauses = 10_000;
    private static readonly Backoff AfterOutage = new(TimeSpan.FromSeconds(2), FreeScoutFailure.LongestPause);

    /// <summary>The pause while a lost answer is looked up.</summary>
    private static readonly TimeSpan DuringLookup = TimeSpan.FromSeconds(5);

    /// <summary>The pause of all notes after one failed.</summary>
    private static readonly TimeSpan BetweenFailingNotes = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<(long Alert, bool IsNote), Pause> _pauses = new();
    private Pause? _probe;
    private long _noteTriedAt;
    private TimeSpan _betweenNotes;

    private sealed record Pause(int Failures, long Since, TimeSpan For, bool IsOutage, bool IsLookup);

    /// <summary>The pause after the last failed probe is over.</summary>
    public bool MayProbe => IsOver(_probe);

    public bool IsDue(AlertNotice notice) => IsOver(_pauses.GetValueOrDefault(KeyOf(notice)));

    /// <summary>Its ticket may exist and is looked up: the next try need not be a create.</summary>
    public bool IsLookedUp(AlertNotice notice) => _pauses.GetValueOrDefault(KeyOf(notice)) is { IsLookup: true };

    /// <summary>When it was last tried without success, for comparisons; 0: never.</summary>
    public long TriedAt(AlertNotice notice) => _pauses.GetValueOrDefault(KeyOf(notice))?.Since ?? 0;

    /// <param name="failure">FreeScout's failure; null while not done: a lost answer is being looked up.</param>
    public void Tried(HookOutcome outcome, FreeScoutFailureKind? failure)
    {
        var (key, isDone) = (KeyOf(outcome.Notice), outcome.IsDone);
        if (outcome.Notice.IsNote)
        {
            FailedNote = isDone || failure is null or FreeScoutFailureKind.Refused ? null : outcome;
            _betweenNotes = failure is { } kind && FreeScoutFailure.NeedsPersonFor(kind) ? AfterRefusal : BetweenFailingNotes;
        }

        if (isDone)
        {
            _pauses.TryRemove(key, out _);
            return;
        }

        if (_pauses.Count >= MostPauses)
        {
            // Pauses of ended alerts are removed only here.
            _pauses.Clear();
        }

        _pauses[key] = After(_pauses.GetValueOrDefault(key), failure);
    }

    /// <param name="areReadsFailing">Reads find out when FreeScout is back, so the next probe waits for them as long as it may.</param>
    public void ProbeFailed(FreeScoutFailure failure, bool areReadsFailing) =>
        _probe = After(_probe, failure.Kind) is var pause && areReadsFailing ? pause with { For = FreeScoutFailure.LongestPause } : pause;

    public void ProbeSucceeded() => _probe = null;

    /// <summary>FreeScout works again: filings that waited for that are due. Notes and refusals keep their pause: otherwise each call that
    /// succeeds would repeat a note that always fails.</summary>
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

    /// <summary>The last note, if it failed.</summary>
    public HookOutcome? FailedNote { get; private set; }

    /// <summary>Whether a note may be tried. While notes fail, one is, after a pause for all.</summary>
    public bool TakesNote()
    {
        var isDue = FailedNote is null || clock.GetElapsedTime(_noteTriedAt) >= _betweenNotes;
        if (isDue)
        {
            _noteTriedAt = clock.GetTimestamp();
        }

        return isDue;
    }

    private Pause After(Pause? before, FreeScoutFailureKind? failure)
    {
        var failures = (before?.Failures ?? 0) + 1;
        var pause =
            failure is null ? DuringLookup
            : failure == FreeScoutFailureKind.Refused || FreeScoutFailure.NeedsPersonFor(failure.Value) ? AfterRefusal
            : AfterOutage.After(failures);
        return new Pause(
            failures,
            clock.GetTimestamp(),
            pause,
            IsOutage: failure is { } kind && kind != FreeScoutFailureKind.Refused,
            IsLookup: failure is null
        );
    }

    private bool IsOver(Pause? pause) => pause is null || clock.GetElapsedTime(pause.Since) >= pause.For;

    private static (long, bool) KeyOf(AlertNotice notice) => (notice.Alert.Id, notice.IsNote);
}
