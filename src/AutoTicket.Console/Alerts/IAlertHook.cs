namespace AutoTicket.Alerts;

/// <summary>Delivers alerts to one target, such as FreeScout or Slack. Register it to have it called.</summary>
internal interface IAlertHook
{
    /// <summary>A lower-case word that names the hook in the outbox, the delivery log and the decisions.</summary>
    string Name { get; }

    /// <summary>Whether the hook still gets an alert that ended before its firing was delivered.</summary>
    bool WantsEndedAlerts => false;

    /// <summary>Whether the hook can deliver while the console's database can't be reached.</summary>
    bool WorksWithoutDatabase => false;

    /// <summary>Raised when the hook may deliver what it could not deliver before. Handlers return at once and never throw.</summary>
    event Action? Ready
    {
        add { }
        remove { }
    }

    /// <summary>Delivers what it can, and yields each outcome as soon as it is known. Does not throw for an outage. A pass that takes time
    /// asks <see cref="AlertMutes"/> again before each delivery.</summary>
    /// <param name="notices">Undelivered alerts, worst and oldest first. A notice comes again until its outcome is done.</param>
    IAsyncEnumerable<IReadOnlyList<HookOutcome>> DeliverAsync(IReadOnlyList<AlertNotice> notices, CancellationToken cancellationToken);
}

/// <summary>Why a hook is called for an alert.</summary>
internal enum NoticeKind
{
    Firing,

    /// <summary>Its severity differs from the one that was delivered.</summary>
    SeverityChanged,

    /// <summary>It fires again soon after its end.</summary>
    FiringAgain,

    /// <summary>It was resolved, or it expired, after its firing was delivered.</summary>
    Ended,
}

/// <param name="LastDelivery">The last delivery of its firing by this hook; null when there is none.</param>
/// <param name="Ticket">The alert's ticket, if it has one.</param>
internal sealed record AlertNotice(Alert Alert, NoticeKind Kind, AlertDelivery? LastDelivery, AlertTicket? Ticket)
{
    /// <summary>The alert is more severe than the hook delivered last, and severe enough for the hooks.</summary>
    public bool IsWorse { get; init; }

    /// <summary>The hook writes a note on the alert's ticket; otherwise it files one.</summary>
    public bool IsNote => Kind is NoticeKind.SeverityChanged or NoticeKind.Ended;

    /// <summary>The end of the firing that was delivered last was delivered, too: the operator does not know that it fires again.</summary>
    public bool IsEndDelivered { get; init; }

    /// <summary>The ids of its outbox entries; empty when it comes from memory.</summary>
    public IReadOnlyList<long> Entries { get; init; } = [];
}

/// <param name="FiledBy">Who filed it, if it was not filed for an alert; null otherwise, or when it is not known.</param>
public sealed record AlertTicket(long Id, long? Number, string Url, string? FiledBy = null);

/// <param name="IsDone">True when the notice is delivered or needs no delivery. Otherwise it comes again.</param>
/// <param name="Detail">One sentence for the operator.</param>
internal sealed record HookOutcome(
    AlertNotice Notice,
    bool IsDone,
    DecisionWord Decision,
    string? Detail = null,
    AlertTicket? Ticket = null
)
{
    /// <summary>Time until a retry can succeed, for example while Slack limits the rate. Zero: at once.</summary>
    public TimeSpan RetryAfter { get; init; }

    /// <summary>When it was delivered, if not now: a notice that needs no delivery keeps the time of the last one.</summary>
    public DateTimeOffset? DeliveredAt { get; init; }

    /// <summary>The notice is dropped: done, but nothing was delivered.</summary>
    public bool IsDropped { get; init; }

    /// <summary>An alert of the console's own that this outcome raises, such as a tripped flood breaker.</summary>
    public Observation? Raises { get; init; }
}
