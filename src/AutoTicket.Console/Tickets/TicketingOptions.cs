using System.ComponentModel.DataAnnotations;

namespace AutoTicket.Tickets;

/// <summary>Settings under <c>Ticketing__*</c>.</summary>
internal sealed class TicketingOptions : IValidatableObject
{
    /// <summary>A ticket filed less than this ago and still open in FreeScout is returned instead of filing another.</summary>
    public TimeSpan Window { get; set; } = TimeSpan.FromMinutes(60);

    /// <summary>The whole time FreeScout gets for a click.</summary>
    public TimeSpan ClickBudget { get; set; } = TimeSpan.FromSeconds(4);

    /// <summary>How long a claim holds without an outcome. Longer than any call to FreeScout, or two processes could post at once.</summary>
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How long after a post with a lost answer FreeScout may still commit it. Before that it is not posted again. MySQL lets a
    /// statement wait 50 s for a lock, and PHP goes on after the caller hung up.</summary>
    public TimeSpan Grace { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>Two look-ups this far apart must find nothing before a second post: FreeScout may read stale.</summary>
    public TimeSpan LookupSpacing { get; set; } = TimeSpan.FromSeconds(5);

    public TimeSpan SyncInterval { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Every that many syncs the whole list is read: tags and deletions do not show in an incremental one.</summary>
    public int FullSyncEvery { get; set; } = 10;

    /// <summary>How often what was filed is compared with all that FreeScout holds.</summary>
    public TimeSpan ReconcileInterval { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>A surface that has been operational for so long is recovered: its open tickets wait for somebody to resolve them.</summary>
    public TimeSpan RecoveredAfter { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>New tickets by alerts within <see cref="FloodWindow"/>; with one more the flood breaker trips.</summary>
    public int FloodBudget { get; set; } = 20;

    /// <summary>The same for one source.</summary>
    public int FloodBudgetPerSource { get; set; } = 5;

    public TimeSpan FloodWindow { get; set; } = TimeSpan.FromMinutes(5);

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Window < TimeSpan.FromMinutes(1) || Window > TimeSpan.FromDays(1))
        {
            yield return new($"Ticketing__Window must be between 00:01:00 and 1.00:00:00, but is {Window}. Zero is refused because every click would file another ticket.");
        }

        if (ClickBudget < TimeSpan.FromMilliseconds(500) || ClickBudget > TimeSpan.FromSeconds(30))
        {
            yield return new($"Ticketing__ClickBudget must be between 00:00:00.5 and 00:00:30, but is {ClickBudget}.");
        }

        if (Lease < ClickBudget + TimeSpan.FromSeconds(2))
        {
            yield return new($"Ticketing__Lease must be at least two seconds longer than Ticketing__ClickBudget ({ClickBudget}), but is {Lease}: otherwise two processes could file the same ticket.");
        }

        if (Grace < ClickBudget)
        {
            yield return new($"Ticketing__Grace must not be shorter than Ticketing__ClickBudget ({ClickBudget}), but is {Grace}.");
        }

        if (LookupSpacing < TimeSpan.Zero || LookupSpacing > TimeSpan.FromMinutes(5))
        {
            yield return new($"Ticketing__LookupSpacing must be between 00:00:00 and 00:05:00, but is {LookupSpacing}.");
        }

        if (SyncInterval < TimeSpan.FromSeconds(1) || SyncInterval > TimeSpan.FromHours(1))
        {
            yield return new($"Ticketing__SyncInterval must be between 00:00:01 and 01:00:00, but is {SyncInterval}.");
        }

        if (ReconcileInterval < TimeSpan.FromSeconds(1) || ReconcileInterval > TimeSpan.FromHours(1))
        {
            yield return new($"Ticketing__ReconcileInterval must be between 00:00:01 and 01:00:00, but is {ReconcileInterval}.");
        }

        if (RecoveredAfter < TimeSpan.Zero || RecoveredAfter > TimeSpan.FromDays(1))
        {
            yield return new($"Ticketing__RecoveredAfter must be between 00:00:00 and 1.00:00:00, but is {RecoveredAfter}.");
        }

        if (FloodBudget is < 1 or > 1_000_000)
        {
            yield return new($"Ticketing__FloodBudget must be between 1 and 1000000, but is {FloodBudget}.");
        }

        if (FloodBudgetPerSource is < 1 or > 1_000_000)
        {
            yield return new($"Ticketing__FloodBudgetPerSource must be between 1 and 1000000, but is {FloodBudgetPerSource}.");
        }

        if (FloodWindow < TimeSpan.FromSeconds(10) || FloodWindow > TimeSpan.FromHours(1))
        {
            yield return new($"Ticketing__FloodWindow must be between 00:00:10 and 01:00:00, but is {FloodWindow}.");
        }

        if (FullSyncEvery is < 1 or > 1000)
        {
            yield return new($"Ticketing__FullSyncEvery must be between 1 and 1000, but is {FullSyncEvery}.");
        }
    }
}
