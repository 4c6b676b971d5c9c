using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Surfaces;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace AutoTicket.Tickets;

/// <summary>State of the flood breaker. Closed and tripped are stored, as lower-case words.</summary>
public enum FloodState
{
    Closed,

    /// <summary>No ticket is filed until <see cref="FloodRow.Until"/>.</summary>
    Tripped,

    /// <summary>Up to a quarter of the budget is filed, until a person resets the breaker. Computed, not stored: a trip whose
    /// <see cref="FloodRow.Until"/> has passed.</summary>
    HalfOpen,
}

/// <summary>The breaker of one scope: a row of <c>flood_breaker</c>, shared by all processes.</summary>
internal sealed class FloodRow
{
    /// <summary>The source whose filing it stops; empty: all alerts.</summary>
    public required string Scope { get; init; }

    public required FloodState State { get; set; }

    public required DateTimeOffset Since { get; set; }

    public DateTimeOffset? Until { get; set; }

    /// <summary>Tickets before this don't count against the budget: a person has looked at them.</summary>
    public DateTimeOffset CountFrom { get; set; }

    public string? ChangedBy { get; set; }

    public string? Reason { get; set; }

    public int Version { get; set; }
}

internal sealed class FloodMapping : IEntityTypeConfiguration<FloodRow>
{
    public void Configure(EntityTypeBuilder<FloodRow> builder)
    {
        builder.ToTable("flood_breaker");
        builder.HasKey(flood => flood.Scope);
    }
}

/// <summary>How a reset ended.</summary>
public enum FloodResetResult
{
    Done,
    NotTripped,
    ReasonMissing,

    /// <summary>A source still sends unstable ids, so the flood would go on. Can be overridden.</summary>
    ProducerStillUnstable,
    Unavailable,
}

/// <param name="Scope">The source whose filing is stopped; empty: all alerts.</param>
public sealed record FloodStatus(string Scope, FloodState State, DateTimeOffset Since, DateTimeOffset? Until, string? Reason);

/// <summary>
/// Stops filing for all alerts, or for one source's, when a window's new tickets exceed the budget. The state is in the database, so it
/// holds in every process. A trip raises one alert with one DM and one summary ticket. Alerts about the console's own
/// surfaces count only against the budget of all alerts.
/// </summary>
internal sealed partial class FloodBreaker(
    AlertAggregator aggregator,
    LeaderLease leader,
    IDbContextFactory<AutoTicketDbContext> contexts,
    TimeProvider clock,
    ILogger<FloodBreaker> logger
) : LeaderLoop(leader, clock, logger)
{
    /// <summary>The name of the alert that a trip raises.</summary>
    public const string AlertName = "ticket_flood";

    /// <summary>The breaker as an actor: it trips, and files the summary ticket.</summary>
    public const string Actor = "breaker";

    public static readonly Expiry Expiry = new(
        "DELETE FROM flood_breaker WHERE scope IN (SELECT scope FROM flood_breaker WHERE state = 'closed' AND since < {0} LIMIT {1})"
    );

    private static readonly TimeSpan SweepEvery = TimeSpan.FromSeconds(5);

    public static bool IsSummary(Alert alert) => alert is { Source: Observation.Console, Name: AlertName };

    /// <returns>The breakers that are tripped or half open; null when the database can't be reached.</returns>
    public async Task<IReadOnlyList<FloodStatus>?> ReadAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var now = Clock.GetUtcNow();
        try
        {
            return
            [
                .. (
                    await db
                        .FloodBreaker.AsNoTracking()
                        .Where(row => row.State != FloodState.Closed)
                        .OrderBy(row => row.Scope)
                        .ToListAsync(cancellationToken)
                ).Select(row => new FloodStatus(row.Scope, StateOf(row, now), row.Since, row.Until, row.Reason)),
            ];
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            return null;
        }
    }

    /// <summary>Raises or ends the breaker's alert if that failed at the trip or reset, which writes the breaker first.</summary>
    protected override async Task<TimeSpan> LeadAsync(CancellationToken stoppingToken)
    {
        if (await DifferencesAsync(stoppingToken) is { Count: > 0 } differences)
        {
            await aggregator.ObserveAsync(differences, stoppingToken, onlyAsLeader: true);
        }

        return SweepEvery;
    }

    /// <returns>The observations that raise each missing alert and end each one whose breaker is closed.</returns>
    private async Task<List<Observation>> DifferencesAsync(CancellationToken cancellationToken)
    {
        var now = Clock.GetUtcNow();
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var rows = await db.FloodBreaker.AsNoTracking().ToListAsync(cancellationToken);
        var firing = await db
            .Alerts.WhereFiring()
            .Where(alert => alert.Source == Observation.Console && alert.Name == AlertName)
            .Select(alert => alert.LogicalId)
            .ToListAsync(cancellationToken);
        return
        [
            .. rows.Select(row =>
                    row.State == FloodState.Closed
                        ? AlertEnd(row.Scope)
                        : AlertOf(row.Scope, true, Paused(row.Reason, row.Until > now ? row.Until : null))
                )
                .Where(one => one.IsFiring != firing.Contains(one.LogicalId)),
        ];
    }

    /// <summary>Closes the breaker of a scope. Tickets until now no longer count.</summary>
    /// <param name="anyway">Reset even while a source still sends unstable ids.</param>
    public async Task<FloodResetResult> ResetAsync(
        string scope,
        string actor,
        string reason,
        bool anyway,
        CancellationToken cancellationToken
    )
    {
        (scope, reason) = (CleanText.Of(scope), CleanText.Of(reason).Trim());
        if (reason.Length == 0)
        {
            return FloodResetResult.ReasonMissing;
        }

        try
        {
            await using var db = await contexts.CreateDbContextAsync(cancellationToken);
            if (
                !anyway
                && await db.Alerts.WhereFiring().WhereUnstable().AnyAsync(alert => scope == "" || alert.Source == scope, cancellationToken)
            )
            {
                return FloodResetResult.ProducerStillUnstable;
            }

            var now = Clock.GetUtcNow();
            if (
                !await db.UpdateWithAuditAsync(
                    $"""
                    UPDATE flood_breaker SET state = 'closed', since = {now}, until = NULL, count_from = {now}, changed_by = {actor},
                      reason = {reason}, version = version + 1
                    WHERE scope = {scope} AND state <> 'closed'
                    """,
                    Entry(
                        AuditActions.FloodReset,
                        actor,
                        now,
                        new
                        {
                            scope,
                            reason,
                            overridden = anyway,
                        }
                    ),
                    cancellationToken
                )
            )
            {
                return FloodResetResult.NotTripped;
            }

            Log.Reset(logger, scope, actor);
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            return FloodResetResult.Unavailable;
        }

        await aggregator.ObserveAsync([AlertEnd(scope)], CancellationToken.None);
        return FloodResetResult.Done;
    }

    internal static FloodState StateOf(FloodRow row, DateTimeOffset now) =>
        row.State == FloodState.Tripped && row.Until <= now ? FloodState.HalfOpen : row.State;

    /// <returns>Why filing is paused, and until when.</returns>
    internal static string Paused(string? reason, DateTimeOffset? until) =>
        (reason ?? "The flood breaker tripped.") + (until is { } at ? $" Paused until {UtcTime.Stamp(at)}." : "");

    private static Observation AlertEnd(string scope) => AlertOf(scope, false, "The flood breaker was reset.");

    internal static Observation AlertOf(string scope, bool isFiring, string summary) =>
        new(
            Observation.Console,
            AlertName,
            null,
            Severity.P1,
            summary,
            isFiring,
            scope.Length == 0 ? new Dictionary<string, string>() : new() { ["source"] = scope }
        );

    internal static AuditEntry Entry(string action, string actor, DateTimeOffset at, object payload) =>
        new()
        {
            CreatedAt = at,
            Action = action,
            Actor = actor,
            Payload = JsonSerializer.Serialize(payload),
        };

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "auto_ticket flood breaker reset scope={Scope} actor={Actor}")]
        public static partial void Reset(ILogger logger, string scope, string actor);
    }
}
