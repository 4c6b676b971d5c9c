namespace AutoTicket.Flags;

/// <summary>What a person asks of a flag.</summary>
/// <param name="Reason">Why, in 3 to 500 characters; kept in the audit log.</param>
/// <param name="At">When it takes effect; null: now.</param>
public sealed record FlagChangeRequest(bool Enabled, string Reason, DateTimeOffset? At = null)
{
    public string Reason { get; } = CleanText.Of(Reason);

    /// <summary>Null when the request can be carried out; otherwise what to change about it.</summary>
    public string? Mistake(DateTimeOffset now) =>
        Reason.Trim().Length is < 3 or > 500 ? "Give a reason of 3 to 500 characters."
        : At <= now ? "The time of a scheduled change must lie in the future."
        : At > now.AddYears(1) ? "A change can be scheduled a year ahead at most."
        : null;
}

/// <summary>How a change of a flag ended.</summary>
public enum FlagChangeResult
{
    Changed,
    Scheduled,
    UnknownFlag,
    PinnedByEnvironment,
    BadRequest,
    StoreUnreachable,
}
