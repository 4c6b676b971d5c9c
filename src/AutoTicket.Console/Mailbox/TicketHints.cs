using System.Collections.Concurrent;

namespace AutoTicket.Mailbox;

/// <summary>FreeScout says that a conversation changed. That is only a hint: it may be old, doubled or out of order, so the conversation is
/// read again, and again after a pause when that failed. Hints that come while it is being read are one.</summary>
internal sealed class TicketHints(MailboxWatch sync, TimeProvider clock, ILogger<TicketHints> logger) : Loop(clock, logger)
{
    /// <summary>With more than these waiting the whole list is read instead.</summary>
    private const int MostWaiting = 100;

    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<long, bool> _waiting = new();
    private volatile bool _anything;
    private TimeSpan _pause = ShortestPause;

    /// <param name="id">The conversation; null: it is not said which.</param>
    public void Give(long? id)
    {
        if (id is { } known && _waiting.Count < MostWaiting)
        {
            _waiting[known] = true;
        }
        else
        {
            _anything = true;
        }

        Wake();
    }

    protected override async Task<TimeSpan> TurnAsync(CancellationToken stoppingToken)
    {
        _pause =
            await TakeAsync(stoppingToken) ? ShortestPause
            : _pause * 2 < LongestPause ? _pause * 2
            : LongestPause;
        return _anything || !_waiting.IsEmpty ? _pause : Timeout.InfiniteTimeSpan;
    }

    /// <returns>False when reading failed; the hints that are left are kept.</returns>
    private async Task<bool> TakeAsync(CancellationToken cancellationToken)
    {
        if (_anything)
        {
            _anything = false;
            if (!await sync.RefreshAsync(cancellationToken))
            {
                _anything = true;
                return false;
            }
        }

        var done = true;
        foreach (var id in _waiting.Keys)
        {
            // Before it is read: what changes from here on is another hint.
            _waiting.TryRemove(id, out _);
            if (!await sync.LookAtAsync(id, cancellationToken))
            {
                _waiting[id] = true;
                done = false;
            }
        }

        return done;
    }
}
