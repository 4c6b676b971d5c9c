using System.Collections.Concurrent;
using AutoTicket.Data;

namespace AutoTicket.Tickets;

/// <summary>FreeScout says that a conversation changed. That is only a hint: it may be old, doubled or out of order, so the conversation is
/// read again, and again after a pause when that failed. Hints that come while it is being read are one.</summary>
internal sealed class TicketHints(TicketSync sync, TimeProvider clock) : BackgroundService
{
    /// <summary>With more than these waiting the whole list is read instead.</summary>
    private const int MostWaiting = 100;

    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<long, bool> _waiting = new();
    private readonly Nudge _nudge = new(clock);
    private volatile bool _anything;

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

        _nudge.Give();
    }

    public override void Dispose()
    {
        _nudge.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var pause = ShortestPause;
        while (!stoppingToken.IsCancellationRequested)
        {
            await _nudge.WaitAsync(_anything || !_waiting.IsEmpty ? pause : TimeSpan.FromHours(1), stoppingToken);
            var done = await TakeAsync(stoppingToken);
            pause = done ? ShortestPause : pause * 2 < LongestPause ? pause * 2 : LongestPause;
        }
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
