namespace AutoTicket.Flags;

/// <summary>A change of a flag, as a person requests it. It replaces the scheduled change, if any.</summary>
/// <param name="Reason">3 to 500 characters for the audit log.</param>
/// <param name="At">When the change takes effect; null: now.</param>
/// <param name="For">After this time a change that takes effect now is reversed; null: it stays until the next request.</param>
public sealed record FlagChangeRequest(bool Enabled, string Reason, DateTimeOffset? At = null, TimeSpan? For = null)
{
    public string Reason { get; } = CleanText.Of(Reason);

    /// <returns>Why the request is invalid, and what to change, in a sentence; null when it is valid.</returns>
    public string? Mistake(DateTimeOffset now) =>
        Reason.Trim().Length is < 3 or > 500 ? "Enter a reason (3–500 characters)."
        : At <= now ? "The time of a scheduled change must be in the future."
        : At is not null && For is not null ? "A change has either a time or a duration."
        : For < TimeSpan.FromMinutes(1) || For > TimeSpan.FromDays(30) ? "A duration must be from one minute to 30 days."
        : At > now.AddYears(1) ? "A change can be scheduled at most a year ahead."
        : null;
}

/// <summary>The result of a requested change.</summary>
public enum FlagChangeResult
{
    Changed,
    Scheduled,
    UnknownFlag,
    PinnedByEnvironment,
    BadRequest,
    StoreUnreachable,
}
