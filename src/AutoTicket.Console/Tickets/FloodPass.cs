using AutoTicket.Alerts;

namespace AutoTicket.Tickets;

/// <summary>Why the budget allows no ticket.</summary>
/// <param name="Alert">The alert to raise, when this refusal tripped the breaker.</param>
internal sealed record FloodRefusal(string Reason, Observation? Alert = null);

/// <summary>The flood budget during one pass over the alerts. A filing reserves budget until it ends. Only a new ticket uses it up, so an
/// outage of FreeScout can't trip the breaker.</summary>
/// <param name="filed">Number of tickets filed in the window, by scope. The pass adds its own.</param>
internal sealed class FloodPass(
    FloodTrip trip,
    TicketingOptions options,
    DateTimeOffset now,
    IReadOnlyList<FloodRow> rows,
    Dictionary<string, long> filed
)
{
    private readonly Lock _lock = new();
    private readonly HashSet<string> _tripped = [];
    private readonly Dictionary<string, int> _reserved = [];
    private TaskCompletionSource _released = New();

    private abstract record Attempt
    {
        public sealed record Reserved : Attempt;

        public sealed record Paused(string Reason) : Attempt;

        /// <summary>The scope's budget is used up: its breaker must trip.</summary>
        public sealed record Exhausted(string Scope, long Filed) : Attempt;

        /// <summary>Filings under way have reserved the rest of the budget.</summary>
        public sealed record Wait(Task Released) : Attempt;
    }

    /// <summary>Reserves budget for a ticket. If filings under way have reserved the rest, waits until one ends.</summary>
    /// <returns>Null: file it; the budget is reserved until <see cref="Release"/>. Otherwise why it may not be filed.</returns>
    public async Task<FloodRefusal?> ReserveAsync(Alert alert)
    {
        if (FloodBreaker.IsSummary(alert))
        {
            return null;
        }

        var scopes = ScopesOf(alert);
        while (true)
        {
            switch (TryReserve(scopes))
            {
                case Attempt.Reserved:
                    return null;
                case Attempt.Paused(var reason):
                    return new(reason);
                case Attempt.Exhausted(var scope, var count):
                    return await TripAsync(scope, count);
                case Attempt.Wait(var released):
                    await released;
                    break;
            }
        }
    }

    /// <summary>Ends the filing: its budget is used up if it made a new ticket, else free again.</summary>
    /// <param name="isFiled">The filing made a new ticket.</param>
    public void Release(Alert alert, bool isFiled)
    {
        if (FloodBreaker.IsSummary(alert))
        {
            return;
        }

        TaskCompletionSource released;
        lock (_lock)
        {
            foreach (var scope in ScopesOf(alert))
            {
                _reserved[scope]--;
                filed[scope] = FiledFor(scope) + (isFiled ? 1 : 0);
            }

            (released, _released) = (_released, New());
        }

        released.SetResult();
    }

    private Attempt TryReserve(string[] scopes)
    {
        lock (_lock)
        {
            // First: an alert of a paused source must not use up the budget of all alerts, or trip it.
            if (Array.Find(scopes, scope => StateOf(scope) == FloodState.Tripped || _tripped.Contains(scope)) is { } paused)
            {
                return new Attempt.Paused(
                    RowOf(paused) is { } row && StateOf(paused) == FloodState.Tripped
                        ? FloodBreaker.Paused(row.Reason, row.Until)
                        : "The flood breaker tripped just now."
                );
            }

            if (Array.Find(scopes, scope => FiledFor(scope) >= LimitOf(scope)) is { } exhausted)
            {
                return new Attempt.Exhausted(exhausted, FiledFor(exhausted));
            }

            if (Array.Exists(scopes, scope => FiledFor(scope) + _reserved.GetValueOrDefault(scope) >= LimitOf(scope)))
            {
                return new Attempt.Wait(_released.Task);
            }

            foreach (var scope in scopes)
            {
                _reserved[scope] = _reserved.GetValueOrDefault(scope) + 1;
            }

            return new Attempt.Reserved();
        }
    }

    private async Task<FloodRefusal> TripAsync(string scope, long count)
    {
        var alert = await trip.TripAsync(scope, (int)count);
        lock (_lock)
        {
            // Not before the trip is written: if that fails, the next alert tries again.
            _tripped.Add(scope);
        }

        return new(
            scope.Length == 0 ? "Too many alerts. Filing is paused." : $"Too many alerts from {scope}. Filing for it is paused.",
            alert
        );
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static string[] ScopesOf(Alert alert) => alert.Source == Observation.Console ? [""] : [alert.Source, ""];

    private long FiledFor(string scope) => filed.GetValueOrDefault(scope);

    private FloodRow? RowOf(string scope) => rows.FirstOrDefault(row => row.Scope == scope);

    private FloodState StateOf(string scope) => RowOf(scope) is { } row ? FloodBreaker.StateOf(row, now) : FloodState.Closed;

    private int LimitOf(string scope) => options.FloodLimit(scope, StateOf(scope));
}
