namespace AutoTicket.Diagnostics;

/// <summary>What is known of one step of the chain. The names are the contract's words.</summary>
public enum DiagnosticState
{
    Ok,

    /// <summary>The line works, and somebody should look at it.</summary>
    Warning,
    Failed,

    /// <summary>It could not be found out in time.</summary>
    NotKnown,

    /// <summary>It was not asked, because another step must be mended first.</summary>
    NotReached,
}

/// <summary>One step of the chain from the configuration to the last ticket.</summary>
/// <param name="Key">A snake_case word that stays.</param>
/// <param name="Seen">A sentence. Text from outside in it is text; there is no secret in it.</param>
/// <param name="Since">Since when it is so, as far as is known.</param>
/// <param name="NextAction">What the operator does; null: nothing.</param>
/// <param name="Runbook">A section of a page in <c>docs/ops</c>, as <c>docs/ops/runbooks/x.md#section</c>.</param>
public sealed record DiagnosticStep(
    string Key,
    string Name,
    DiagnosticState State,
    string Seen,
    DateTimeOffset? Since,
    string? NextAction,
    string? Runbook
);

/// <summary>The whole chain, in its order.</summary>
/// <param name="Verdict">One sentence for somebody who has no time.</param>
public sealed record DiagnosticReport(string Verdict, IReadOnlyList<DiagnosticStep> Steps, DateTimeOffset CheckedAt);

/// <summary>What a finding keeps from going out.</summary>
[Flags]
internal enum Stops
{
    Nothing = 0,
    Tickets = 1,
    Messages = 2,
    Both = 3,
}

/// <summary>What a check found.</summary>
/// <param name="Cause">The finding as part of the verdict's sentence, such as <c>the FreeScout key was rejected at 10:42 UTC</c>; null:
/// <see cref="Seen"/> serves.</param>
internal sealed record Finding(
    DiagnosticState State,
    string Seen,
    DateTimeOffset? Since = null,
    string? Next = null,
    string? Runbook = null,
    Stops Stops = Stops.Nothing,
    string? Cause = null
)
{
    public static Finding Ok(string seen, DateTimeOffset? since = null) => new(DiagnosticState.Ok, seen, since);

    public static Finding Warning(
        string seen,
        string next,
        string runbook,
        DateTimeOffset? since = null,
        Stops stops = Stops.Nothing,
        string? cause = null
    ) => new(DiagnosticState.Warning, seen, since, next, runbook, stops, cause);

    public static Finding Failed(
        string seen,
        string next,
        string runbook,
        Stops stops,
        DateTimeOffset? since = null,
        string? cause = null
    ) => new(DiagnosticState.Failed, seen, since, next, runbook, stops, cause);
}

/// <summary>One question of the chain.</summary>
/// <param name="After">Steps without which there is no use in asking.</param>
internal sealed record DiagnosticCheck(
    string Key,
    string Name,
    Func<CancellationToken, Task<Finding>> AskAsync,
    params IReadOnlyList<string> After
);
