using System.ComponentModel.DataAnnotations;

namespace AutoTicket.Tickets;

/// <summary>Settings under <c>Ticketing__*</c>.</summary>
internal sealed class TicketingOptions : IValidatableObject
{
    /// <summary>A click returns an open ticket up to this age; for an older one it files a new ticket.</summary>
    public TimeSpan Window { get; set; } = TimeSpan.FromMinutes(60);

    /// <summary>The time that all FreeScout calls of one filing get together, for a click or an alert.</summary>
    [Range(typeof(TimeSpan), "00:00:00.5", "00:00:30")]
    public TimeSpan ClickBudget { get; set; } = TimeSpan.FromSeconds(4);

    /// <summary>How long a claim holds without an outcome: longer than any call to FreeScout, so that two processes never post at once.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How long FreeScout may still commit a post; a lost answer is posted again only after that. MySQL lets a statement wait
    /// 50 s for a lock, and PHP goes on after the caller hung up.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan Grace { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>How far apart <see cref="FilingRules.LookupsToBeSure"/> empty look-ups must be, because FreeScout may read stale.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:05:00")]
    public TimeSpan LookupSpacing { get; set; } = TimeSpan.FromSeconds(5);

    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan SyncInterval { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>One sync in this many reads the whole list, because an incremental one misses changed tags and deletions.</summary>
    [Range(1, 1000)]
    public int FullSyncEvery { get; set; } = 10;

    /// <summary>How often the console's tickets are compared with FreeScout's.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan ReconcileInterval { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>A surface that has been operational for this time has recovered: its open tickets can be resolved.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "1.00:00:00")]
    public TimeSpan RecoveredAfter { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>How many new tickets alerts may file within <see cref="FloodWindow"/>; one more trips the flood breaker.</summary>
    [Range(1, 1_000_000)]
    public int FloodBudget { get; set; } = 20;

    /// <summary>The same for one source.</summary>
    [Range(1, 1_000_000)]
    public int FloodBudgetPerSource { get; set; } = 5;

    [Range(typeof(TimeSpan), "00:00:10", "01:00:00")]
    public TimeSpan FloodWindow { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>How many new tickets may be filed within <see cref="FloodWindow"/>: half open, a quarter of the budget.</summary>
    /// <param name="scope">A source; empty for all alerts together.</param>
    internal int FloodLimit(string scope, FloodState state)
    {
        var budget = scope.Length == 0 ? FloodBudget : FloodBudgetPerSource;
        return state == FloodState.HalfOpen ? Math.Max(1, budget / 4) : budget;
    }

    /// <summary>What a half-open breaker lets through: <c>5 tickets per 5 min</c>.</summary>
    internal string FloodLimitText(string scope)
    {
        var limit = FloodLimit(scope, FloodState.HalfOpen);
        return $"{limit} {(limit == 1 ? "ticket" : "tickets")} per {FloodWindow.TotalMinutes:0.#} min";
    }

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Window < TimeSpan.FromMinutes(1) || Window > TimeSpan.FromDays(1))
        {
            yield return new(
                $"Ticketing__Window must be between 1m and 1d, but is {Settings.Text(Window)}. "
                    + "Zero is refused because every click would file another ticket."
            );
        }

        if (Lease < ClickBudget + TimeSpan.FromSeconds(2))
        {
            yield return new(
                $"Ticketing__Lease must be at least 2s longer than Ticketing__ClickBudget ({Settings.Text(ClickBudget)}), "
                    + $"but is {Settings.Text(Lease)}: otherwise two processes could file the same ticket."
            );
        }

        if (Grace < ClickBudget)
        {
            yield return new(
                $"Ticketing__Grace must not be shorter than Ticketing__ClickBudget ({Settings.Text(ClickBudget)}), "
                    + $"but is {Settings.Text(Grace)}."
            );
        }
    }
}
