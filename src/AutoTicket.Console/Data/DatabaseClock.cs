using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Data;

/// <summary>
/// The time that all replicas share: the database's clock, continued by this machine's monotonic clock. So a replica whose wall clock is
/// wrong or jumps still agrees with the others on the 60-minute window and the leases. It starts as this machine's wall clock, and runs
/// on while the database is away.
/// </summary>
internal sealed class DatabaseClock(TimeProvider machine) : TimeProvider
{
    private sealed record Anchor(DateTimeOffset Time, long Timestamp);

    /// <summary>A step that a pause may be late by.</summary>
    private static readonly TimeSpan LargestDrift = TimeSpan.FromSeconds(0.5);

    /// <summary>After an answer that took longer the clock is read again: half of the time may be the error.</summary>
    private static readonly TimeSpan SlowestAnswer = 2 * LargestDrift;

    /// <summary>Of so many slow answers the quickest is taken.</summary>
    private const int MostTries = 3;

    private volatile Anchor _anchor = new(machine.GetUtcNow(), machine.GetTimestamp());

    /// <summary>Raised when the time was set: a pause until a time has another length now. Handlers return at once and never
    /// throw.</summary>
    public event Action? Stepped;

    public override long TimestampFrequency => machine.TimestampFrequency;

    public override DateTimeOffset GetUtcNow()
    {
        var anchor = _anchor;
        return anchor.Time + machine.GetElapsedTime(anchor.Timestamp);
    }

    public override long GetTimestamp() => machine.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        machine.CreateTimer(callback, state, dueTime, period);

    /// <summary>Sets the time to the database server's; to this machine's wall clock if the database runs here: the monotonic clock stands
    /// still while a machine is suspended.</summary>
    /// <returns>By how much it was wrong.</returns>
    public async Task<TimeSpan> SynchronizeAsync(AutoTicketDbContext db, CancellationToken cancellationToken)
    {
        var quickest = await ReadAsync(db, cancellationToken);
        for (var tries = 1; quickest.Took > SlowestAnswer && tries < MostTries; tries++)
        {
            var next = await ReadAsync(db, cancellationToken);
            quickest = next.Took < quickest.Took ? next : quickest;
        }

        var before = GetUtcNow();
        _anchor = quickest.Anchor;
        var step = GetUtcNow() - before;
        if (step.Duration() > LargestDrift)
        {
            Stepped?.Invoke();
        }

        return step;
    }

    private async Task<(Anchor Anchor, TimeSpan Took)> ReadAsync(AutoTicketDbContext db, CancellationToken cancellationToken)
    {
        var asked = machine.GetTimestamp();
        var time = await db.ReadClockAsync(cancellationToken) ?? machine.GetUtcNow();
        var answered = machine.GetTimestamp();
        var took = machine.GetElapsedTime(asked, answered);
        // The database read its clock at some time between the two: assume the middle.
        return (new Anchor(time + (took / 2), answered), took);
    }
}
