namespace AutoTicket.Flags;

/// <summary>Which layer decides a flag. The names are the contract's words.</summary>
public enum FlagLayer
{
    Environment,
    Store,
    Default,
}

/// <summary>One flag as it is in force in this process.</summary>
/// <param name="IsPinned">The environment switched it off, so neither page nor API can switch it on.</param>
/// <param name="Scheduled">A change that is to come; null: none.</param>
/// <param name="Acks">What every live process of the console has in force.</param>
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
);

public sealed record ScheduledFlagChange(bool Enabled, DateTimeOffset At, string By, string Reason);

/// <param name="Instance">The process: host name and process id.</param>
/// <param name="At">When it last said so.</param>
public sealed record FlagAck(string Instance, bool Enabled, DateTimeOffset At);

/// <summary>All flags, and whether the store behind them can be read.</summary>
/// <param name="ReadAt">When the store was last read; null: never, and then no flag is on that the store would decide.</param>
/// <param name="IsStale">The store can't be read: the last known values are in force.</param>
public sealed record FlagsSnapshot(IReadOnlyList<FlagState> Flags, DateTimeOffset? ReadAt, bool IsStale);
