using System.Collections.Immutable;
using AutoTicket.Mailbox;

namespace AutoTicket.Components.Tickets;

/// <summary>An operator's attempt to resolve tickets, as far as it has come.</summary>
/// <param name="Outcomes">Of the tickets that have ended, by id.</param>
/// <param name="IsStopped">The operator stopped it: tickets that have begun are finished, the others stay open.</param>
public sealed record ResolveRun(
    ResolveRequest Request,
    ImmutableDictionary<long, ResolutionOutcome> Outcomes,
    bool IsRunning = false,
    bool IsStopped = false
)
{
    /// <summary>No attempt was made yet.</summary>
    public static readonly ResolveRun None = new(new ResolveRequest([], null), ImmutableDictionary<long, ResolutionOutcome>.Empty);

    public static ResolveRun Of(ResolveRequest request) => None with { Request = request, IsRunning = true };

    /// <summary>The tickets that are still open, as far as is known.</summary>
    public IReadOnlyList<ResolutionOutcome> Failed =>
        [.. Request.Ids.Select(id => Outcomes.GetValueOrDefault(id)).OfType<ResolutionOutcome>().Where(IsFailure)];

    private static bool IsFailure(ResolutionOutcome outcome) => outcome.Result is Resolution.Failed;

    /// <summary>The result; null while it runs and before the first attempt.</summary>
    public string? Summary
    {
        get
        {
            if (IsRunning || Request.Ids.Count is 0)
            {
                return null;
            }

            var resolved = Outcomes.Values.Count(outcome => outcome.Result is Resolution.Resolved);
            var failed = Outcomes.Values.Count(IsFailure);
            var closed = Outcomes.Count - resolved - failed;
            var left = Request.Ids.Count - Outcomes.Count;
            return $"{resolved} resolved"
                + (closed > 0 ? $", {closed} {(closed == 1 ? "was" : "were")} closed already" : "")
                + (failed > 0 ? $", {failed} failed (reasons below)" : "")
                + (left > 0 ? $", {left} left open because you stopped" : "")
                + ".";
        }
    }
}
