using System.Globalization;

namespace AutoTicket.Diagnostics;

/// <summary>The result of a check. The names in snake case are the words of the API.</summary>
public enum DiagnosticState
{
    Ok,

    /// <summary>It works, but needs attention.</summary>
    Warning,
    Failed,

    /// <summary>The check had no result in time.</summary>
    NotKnown,

    /// <summary>Skipped, because another check must pass first.</summary>
    NotReached,
}

/// <summary>One pipeline check with its result.</summary>
/// <param name="Key">A stable snake_case word.</param>
/// <param name="Seen">The result in a sentence, without secrets. Show it as text, never as markup.</param>
/// <param name="Since">When this state began, as far as known.</param>
/// <param name="NextAction">What the operator does next; null when there is nothing to do.</param>
/// <param name="Runbook">A section of a page, e.g. <c>docs/ops/runbooks/x.md#section</c>.</param>
public sealed record DiagnosticStep(
    string Key,
    string Name,
    DiagnosticState State,
    string Seen,
    DateTimeOffset? Since,
    string? NextAction,
    string? Runbook
);

/// <summary>All pipeline checks in their order.</summary>
/// <param name="Verdict">The result of all checks in one sentence.</param>
public sealed record DiagnosticReport(string Verdict, IReadOnlyList<DiagnosticStep> Steps, DateTimeOffset CheckedAt);

/// <summary>What a finding stops.</summary>
[Flags]
internal enum Stops
{
    Nothing = 0,
    Tickets = 1,
    Messages = 2,
    Both = 3,
}

/// <summary>The result of a check.</summary>
/// <param name="Cause">The finding as a part of the verdict, e.g. <c>the FreeScout key was rejected at 10:42 UTC</c>; null:
/// <see cref="Seen"/>.</param>
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

/// <summary>A pipeline check.</summary>
/// <param name="After">The checks that must pass first.</param>
internal sealed record DiagnosticCheck(
    string Key,
    string Name,
    Func<CancellationToken, Task<Finding>> AskAsync,
    params IReadOnlyList<string> After
);

/// <summary>Formats times in findings.</summary>
internal static class When
{
    /// <returns>The time to the minute: <c>10:42 UTC</c>.</returns>
    public static string Clock(DateTimeOffset? at) =>
        at is { } time ? time.UtcDateTime.ToString("HH:mm 'UTC'", CultureInfo.InvariantCulture) : "an unknown time";
}
