namespace AutoTicket.Alerts;

/// <summary>Somebody who is told of alerts. The emitter calls it for every alert that it has not yet delivered, in every cycle, until it
/// has; hooks neither wait for one another nor stop one another.</summary>
internal interface IAlertHook
{
    /// <summary>A lower-case word: it names the hook in the notification log.</summary>
    string Name { get; }

    /// <summary>It is also told of what ended before it could be told that it fired: news that must not be lost, where for another hook
    /// it is over.</summary>
    bool WantsWhatEnded { get; }

    /// <summary>Raised when it may take what it could not take before. Handlers return at once and never throw.</summary>
    event Action? Ready;

    /// <summary>For so long it takes nothing, whatever it is given; zero: not that it knew.</summary>
    TimeSpan ClosedFor => TimeSpan.Zero;

    /// <summary>Tries to deliver each of them and yields what came of it as soon as it is known, together what is known together: what is
    /// done is recorded after it was done, so it may be delivered twice after a crash, but never not at all. Does not throw for an outage.</summary>
    /// <param name="notices">Worst and oldest first.</param>
    IAsyncEnumerable<IReadOnlyList<HookOutcome>> DeliverAsync(IReadOnlyList<AlertNotice> notices, CancellationToken cancellationToken);

    /// <summary>Goes as far as it can without telling anybody.</summary>
    /// <returns>What it would do, in the words of a decision.</returns>
    Task<string> RehearseAsync(AlertNotice notice, CancellationToken cancellationToken);
}

/// <summary>Why a hook is called for an alert.</summary>
internal enum NoticeKind
{
    Firing,

    /// <summary>Its severity is another than the one that was told.</summary>
    SeverityChanged,

    /// <summary>It fires again soon after its end.</summary>
    FiringAgain,

    /// <summary>It was resolved, or expired; never without its firing having been delivered.</summary>
    Ended,
}

/// <param name="Told">The last delivery of its firing by this hook; null: none yet.</param>
/// <param name="Ticket">The ticket that it has, if any.</param>
internal sealed record AlertNotice(Alert Alert, NoticeKind Kind, AlertDelivery? Told, AlertTicket? Ticket)
{
    /// <summary>The entries of the outbox that it stands for; none: it comes from elsewhere.</summary>
    public IReadOnlyList<long> Entries { get; init; } = [];
}

public sealed record AlertTicket(long Id, long? Number, string Url);

/// <param name="IsDone">Recorded, and not asked for again; else the next cycle tries again.</param>
/// <param name="Detail">A sentence for the operator.</param>
internal sealed record HookOutcome(
    AlertNotice Notice,
    bool IsDone,
    DecisionWord Decision,
    string? Detail = null,
    AlertTicket? Ticket = null
)
{
    /// <summary>An alert of the console's own that this outcome gives rise to, such as that the flood breaker tripped.</summary>
    public Observation? Raises { get; init; }
}
