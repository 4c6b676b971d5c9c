using System.Collections.Concurrent;
using AutoTicket.Data;

namespace AutoTicket.Tickets;

/// <summary>FreeScout says that a conversation changed. That is only a hint: it may be old, doubled or out of order, so the conversation is
/// read again. Hints that come while it is being read are one.</summary>
internal sealed class TicketHints(TicketSync sync) : BackgroundService
{
    /// <summary>With more than these waiting the whole list is read instead.</summary>
    private const int MostWaiting = 100;

    private readonly ConcurrentDictionary<long, bool> _waiting = new();
    private readonly Nudge _nudge = new();
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
        while (!stoppingToken.IsCancellationRequested)
        {
            await _nudge.WaitAsync(TimeSpan.FromHours(1), stoppingToken);
            if (_anything)
            {
                _anything = false;
                await sync.RefreshAsync(stoppingToken);
            }

            foreach (var id in _waiting.Keys)
            {
                // Before it is read: what changes from here on is another hint.
                _waiting.TryRemove(id, out _);
                await sync.LookAtAsync(id, stoppingToken);
            }
        }
    }
}
