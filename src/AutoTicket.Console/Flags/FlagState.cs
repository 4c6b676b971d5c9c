namespace AutoTicket.Flags;

/// <summary>The layer that decides a flag. The names in lower case are the words of the API.</summary>
public enum FlagLayer
{
    Environment,
    Store,
    Default,
}

/// <summary>A flag as it is in force in this process.</summary>
/// <param name="IsPinned">The environment switched it off, and nothing else can switch it on.</param>
/// <param name="Scheduled">The next scheduled change; null: none.</param>
/// <param name="Acks">The flag's value in every live process.</param>
public sealed record FlagState(
    string Name,
    bool Enabled,
    FlagLayer DecidedBy,
    bool IsPinned,
    string? ChangedBy,
    DateTimeOffset? ChangedAt,
    string? Reason,
    ScheduledFlagChange? Scheduled,
    IReadOnlyList<FlagAck> Acks
)
{
    /// <summary>When it was last switched off; null: it is on, or was never on.</summary>
    internal FlagOff? Off { get; init; }

    /// <summary>Who or what made it off; null: not known, or nobody ever decided. A person's last change explains no flag that the
    /// environment switched off.</summary>
    internal FlagOff? SwitchedOff =>
        Enabled ? null
        : Off is not null ? Off
        : !IsPinned && this is { ChangedBy: { } by, ChangedAt: { } at } ? new(at, by, Reason)
        : null;
}

/// <param name="By">A person, or <c>environment</c>.</param>
internal sealed record FlagOff(DateTimeOffset Since, string By, string? Reason);

public sealed record ScheduledFlagChange(bool Enabled, DateTimeOffset At, string By, string Reason);

/// <param name="Instance">The process, as host name and process id.</param>
/// <param name="At">When the process last reported.</param>
public sealed record FlagAck(string Instance, bool Enabled, DateTimeOffset At);

/// <summary>All flags, and whether the store behind them can be read.</summary>
/// <param name="ReadAt">When the store was last read; null: never, and all flags are off.</param>
/// <param name="IsStale">The store can't be read, and the last known values are in force.</param>
public sealed record FlagsSnapshot(IReadOnlyList<FlagState> Flags, DateTimeOffset? ReadAt, bool IsStale);
