namespace AutoTicket.Tickets;

/// <summary>Which tickets wait for their tags because FreeScout refused them. Without the Tags module FreeScout refuses every tag: after
/// <see cref="MostRefused"/> refusals in one pass all waiting tickets pause for 10 min. Uses the monotonic clock: the wall clock follows
/// the database and may be set back.</summary>
internal sealed class TagsBackoff(TimeProvider clock)
{
    private const int MostRefused = 3;
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(10);

    private long _pausedAt;
    private int _refused;
    private volatile bool _isBack;

    /// <summary>Tickets up to this id pause; zero: none.</summary>
    public long PausedThrough { get; private set; }

    /// <summary>The ticket whose tags were refused last. The next pass begins after it, so that no ticket starves.</summary>
    public long LastRefused { get; private set; }

    /// <summary>FreeScout works again after a failure, which may be why it refused tags: the next pass ends the pause.</summary>
    public void FreeScoutIsBack() => _isBack = true;

    /// <summary>FreeScout fails: all waiting tickets pause until the next pass.</summary>
    /// <param name="waiting">The tickets of this pass.</param>
    public void Failed(IReadOnlyList<Ticket> waiting)
    {
        PausedThrough = waiting.Max(one => one.Id);
        _isBack = true;
    }

    /// <summary>Begins a pass, and ends the pause if it is over.</summary>
    public void BeginPass()
    {
        _refused = 0;
        if (_isBack || clock.GetElapsedTime(_pausedAt) >= Pause)
        {
            _isBack = false;
            PausedThrough = 0;
        }
    }

    /// <summary>Pauses the ticket, and after too many refusals all waiting ones.</summary>
    /// <param name="waiting">The tickets of this pass.</param>
    /// <returns>False: end this pass.</returns>
    public bool Refused(Ticket ticket, IReadOnlyList<Ticket> waiting)
    {
        _refused++;
        _pausedAt = PausedThrough == 0 ? clock.GetTimestamp() : _pausedAt;
        LastRefused = ticket.Id;
        var goesOn = _refused < MostRefused;
        PausedThrough = Math.Max(PausedThrough, goesOn ? ticket.Id : waiting.Max(one => one.Id));
        return goesOn;
    }
}
