using AutoTicket.Alerts;

namespace AutoTicket.Tickets;

/// <summary>Why the budget allows no ticket.</summary>
/// <param name="Alert">The alert to raise, when this refusal tripped the breaker.</param>
internal sealed record FloodRefusal(string Reason, Observation? Alert = null);

/// <summary>The flood budget during one pass over the alerts. A filing holds a place until it settles. Only a new ticket uses the place
/// up, so an outage of FreeScout can't trip the breaker.</summary>
/// <param name="filed">Number of tickets filed in the window; the key is <see cref="FloodBudget.FiledBy(string)"/> of the scope.</param>
internal sealed class FloodPass(
    FloodBudget budget,
    TicketingOptions options,
    DateTimeOffset now,
    IReadOnlyList<FloodRow> rows,
    Dictionary<string, long> filed
)
{
    private readonly Lock _lock = new();
    private readonly HashSet<string> _tripped = [];
    private readonly Dictionary<string, int> _underWay = [];
    private TaskCompletionSource _settled = New();

    /// <summary>Takes a place in the budget. If filings under way hold the last places, waits until one settles.</summary>
    /// <returns>Null: file it; its place is held until <see cref="Settle"/>. Otherwise why it may not be filed.</returns>
    public async Task<FloodRefusal?> TakeAsync(Alert alert)
    {
        if (FloodBreaker.IsSummary(alert))
        {
            return null;
        }

        var scopes = ScopesOf(alert);
        while (true)
        {
            Task settled;
            string? full = null;
            long count = 0;
            lock (_lock)
            {
                // First: an alert of a paused source must not use up the budget of all alerts, or trip it.
                if (scopes.FirstOrDefault(scope => StateOf(scope) == FloodState.Tripped || _tripped.Contains(scope)) is { } paused)
                {
                    return new(RowOf(paused)?.Reason ?? "The flood breaker tripped just now.");
                }

                full = scopes.FirstOrDefault(scope => filed.GetValueOrDefault(FloodBudget.FiledBy(scope)) >= LimitOf(scope));
                if (full is not null)
                {
                    count = filed.GetValueOrDefault(FloodBudget.FiledBy(full));
                    _tripped.Add(full);
                }
                else if (
                    !scopes.Any(scope =>
                        filed.GetValueOrDefault(FloodBudget.FiledBy(scope)) + _underWay.GetValueOrDefault(scope) >= LimitOf(scope)
                    )
                )
                {
                    foreach (var scope in scopes)
                    {
                        _underWay[scope] = _underWay.GetValueOrDefault(scope) + 1;
                    }

                    return null;
                }

                settled = _settled.Task;
            }

            if (full is not null)
            {
                return new(
                    full.Length == 0
                        ? "Too many tickets were filed within the window: filing is paused."
                        : $"Too many tickets were filed for {full} within the window: filing for it is paused.",
                    await budget.TripAsync(full, (int)count)
                );
            }

            await settled;
        }
    }

    /// <summary>Ends the filing: its place is used up if it made a new ticket, else free again.</summary>
    /// <param name="isFiled">The filing made a new ticket.</param>
    public void Settle(Alert alert, bool isFiled)
    {
        if (FloodBreaker.IsSummary(alert))
        {
            return;
        }

        TaskCompletionSource settled;
        lock (_lock)
        {
            foreach (var scope in ScopesOf(alert))
            {
                _underWay[scope]--;
                filed[FloodBudget.FiledBy(scope)] = filed.GetValueOrDefault(FloodBudget.FiledBy(scope)) + (isFiled ? 1 : 0);
            }

            (settled, _settled) = (_settled, New());
        }

        settled.SetResult();
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static string[] ScopesOf(Alert alert) => alert.Source == Observation.Console ? [""] : [alert.Source, ""];

    private FloodRow? RowOf(string scope) => rows.FirstOrDefault(row => row.Scope == scope);

    private FloodState StateOf(string scope) => RowOf(scope) is { } row ? FloodBreaker.StateOf(row, now) : FloodState.Closed;

    private int LimitOf(string scope)
    {
        var budget = scope.Length == 0 ? options.FloodBudget : options.FloodBudgetPerSource;
        return StateOf(scope) == FloodState.HalfOpen ? Math.Max(1, budget / 4) : budget;
    }
}
