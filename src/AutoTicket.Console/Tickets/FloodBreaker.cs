using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Surfaces;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tickets;

/// <summary>State of the flood breaker. Stored as the lower-case word.</summary>
public enum FloodState
{
    Closed,

    /// <summary>No ticket is filed until <see cref="FloodRow.Until"/>.</summary>
    Tripped,

    /// <summary>A quarter of the budget is filed, until a person resets it.</summary>
    HalfOpen,
}

/// <summary>The breaker of one scope: a row of <c>flood_breaker</c>, shared by all processes.</summary>
internal sealed class FloodRow
{
    /// <summary>The source that it stops; empty: all alerts.</summary>
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

/// <param name="Scope">The source that is stopped; empty: all alerts.</param>
public sealed record FloodStatus(string Scope, FloodState State, DateTimeOffset Since, DateTimeOffset? Until, string? Reason);

/// <summary>
/// Stops filing for alerts, all or one source's, when a window saw more new tickets than the budget. The state is in the database, so
/// it holds in every process. After the window a quarter of the budget is filed, until a person resets the breaker. A trip raises an
/// alert: its DM is the one DM, its ticket the summary ticket. The console's own surfaces count against the whole budget only.
/// </summary>
internal sealed partial class FloodBreaker(
    AlertAggregator aggregator,
    LeaderLease leader,
    IDbContextFactory<AutoTicketDbContext> contexts,
    IOptions<TicketingOptions> options,
    TimeProvider clock,
    ILogger<FloodBreaker> logger
) : LeaderLoop(leader, clock, logger)
{
    /// <summary>The name of the alert that a trip raises.</summary>
    public const string AlertName = "ticket_flood";

    /// <summary>Files the summary ticket, which does not count as part of the flood.</summary>
    private const string Actor = "breaker";

    /// <summary>How often filed tickets are counted: a flood has thousands. Between two counts each pass counts its own, and no process but
    /// the leader files for alerts.</summary>
    private static readonly TimeSpan CountEvery = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan SweepEvery = TimeSpan.FromSeconds(5);

    private Counted? _counted;

    private sealed record Counted(DateTimeOffset At, IReadOnlyList<(string, int)> Versions, Dictionary<string, long> Taken);

    /// <summary>Names the source, whose tickets the budget counts.</summary>
    public static string FiledBy(Alert alert) => IsSummary(alert) ? Actor : FiledBy(alert.Source);

    public static string FiledBy(string source) => $"alert:{source}";

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

    /// <summary>A trip and its alert are two writes. If the second one failed, the alert is raised, or ended, here.</summary>
    protected override async Task<TimeSpan> LeadAsync(CancellationToken stoppingToken)
    {
        if (await DifferencesAsync(stoppingToken) is { Count: > 0 } differences)
        {
            await aggregator.ObserveAsync(differences, stoppingToken, isLeaders: true);
        }

        return SweepEvery;
    }

    /// <returns>The observations after which exactly the scopes that are not closed have an alert.</returns>
    private async Task<List<Observation>> DifferencesAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var rows = await db.FloodBreaker.AsNoTracking().ToListAsync(cancellationToken);
        var firing = await db
            .Alerts.Where(alert => alert.Status == AlertStatus.Firing && alert.Source == Observation.Console && alert.Name == AlertName)
            .Select(alert => alert.LogicalId)
            .ToListAsync(cancellationToken);
        return
        [
            .. rows.Select(row =>
                    row.State == FloodState.Closed
                        ? FloodReset(row.Scope)
                        : Flood(row.Scope, true, row.Reason ?? "The flood breaker tripped.")
                )
                .Where(one => one.IsFiring != firing.Contains(one.LogicalId)),
        ];
    }

    /// <summary>Reads the state and counts the window's tickets, for one pass over the alerts.</summary>
    public async Task<FloodPass> BeginAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var now = Clock.GetUtcNow();
        // In SQL, because it runs before each ticket.
        var rows = await db.QueryAsync(
            $"SELECT scope, state, since, until, reason, version FROM flood_breaker ORDER BY scope",
            row => new FloodRow
            {
                Scope = row.GetString(0),
                State = Words.Parse<FloodState>(row.GetString(1)),
                Since = db.TimeOf(row, 2),
                Until = row.IsDBNull(3) ? null : db.TimeOf(row, 3),
                Reason = row.IsDBNull(4) ? null : row.GetString(4),
                Version = row.GetInt32(5),
            },
            cancellationToken
        );
        var versions = rows.Select(row => (row.Scope, row.Version)).ToList();
        if (_counted is { } counted && now >= counted.At && now - counted.At < CountEvery && counted.Versions.SequenceEqual(versions))
        {
            return new FloodPass(this, options.Value, now, rows, counted.Taken);
        }

        var windowStart = now - options.Value.FloodWindow;
        var filed = await db.QueryAsync(
            $"""
            SELECT filed_by,
              count(CASE WHEN overall.count_from IS NULL OR posted_at > overall.count_from THEN 1 END),
              count(CASE WHEN own.count_from IS NULL OR posted_at > own.count_from THEN 1 END)
            FROM tickets LEFT JOIN flood_breaker overall ON overall.scope = ''
              LEFT JOIN flood_breaker own ON own.scope <> '' AND 'alert:' || own.scope = filed_by
            WHERE posted_at > {windowStart} AND audit_action = {AuditActions.AlertTicketFiled} AND filed_by <> {Actor}
              AND conversation_id IS NOT NULL
            GROUP BY filed_by
            """,
            row => (By: row.GetString(0), Overall: row.GetInt64(1), Own: row.GetInt64(2)),
            cancellationToken
        );
        _counted = new(
            now,
            versions,
            filed.Select(source => (source.By, source.Own)).Append((FiledBy(""), filed.Sum(source => source.Overall))).ToDictionary()
        );
        return new FloodPass(this, options.Value, now, rows, _counted.Taken);
    }

    /// <summary>Closes it again.</summary>
    /// <param name="anyway">Even while a source still sends unstable ids.</param>
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
                && await db.Alerts.AnyAsync(
                    alert => alert.Status == AlertStatus.Firing && alert.FoldedIds >= 2 && (scope == "" || alert.Source == scope),
                    cancellationToken
                )
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

        await aggregator.ObserveAsync([FloodReset(scope)], CancellationToken.None);
        return FloodResetResult.Done;
    }

    /// <summary>Stops filing for the scope, in every process.</summary>
    internal async Task TripAsync(string scope, int filed)
    {
        var now = Clock.GetUtcNow();
        var until = now + options.Value.FloodWindow;
        var countFrom = now - TimeSpan.FromDays(1);
        var what = scope.Length == 0 ? "alerts" : $"alerts from {scope}";
        var reason =
            $"{filed} tickets were filed for {what} within {options.Value.FloodWindow.TotalMinutes:0.#} min: "
            + $"filing for {what} is paused until {until.UtcDateTime:HH:mm:ss} UTC, "
            + "then a quarter of the budget is let through until somebody resets the breaker.";
        await using (var db = await contexts.CreateDbContextAsync())
        {
            var tripped = await db.UpdateWithAuditAsync(
                $"""
                INSERT INTO flood_breaker (scope, state, since, until, count_from, changed_by, reason, version)
                VALUES ({scope}, 'tripped', {now}, {until}, {countFrom}, {Actor}, {reason}, 0)
                ON CONFLICT (scope) DO UPDATE SET state = excluded.state,
                  since = CASE WHEN flood_breaker.state = 'closed' THEN excluded.since ELSE flood_breaker.since END,
                  until = excluded.until, changed_by = excluded.changed_by, reason = excluded.reason, version = flood_breaker.version + 1
                WHERE flood_breaker.state = 'closed' OR flood_breaker.until <= {now}
                """,
                Entry(
                    AuditActions.FloodTripped,
                    Actor,
                    now,
                    new
                    {
                        scope,
                        filed,
                        until,
                    }
                ),
                CancellationToken.None
            );
            if (!tripped)
            {
                return;
            }
        }

        Log.Tripped(logger, scope, filed, until);
        await aggregator.ObserveAsync([Flood(scope, true, reason)], CancellationToken.None);
    }

    internal static FloodState StateOf(FloodRow row, DateTimeOffset now) =>
        row.State == FloodState.Tripped && row.Until <= now ? FloodState.HalfOpen : row.State;

    private static Observation FloodReset(string scope) => Flood(scope, false, "The flood breaker was reset.");

    private static Observation Flood(string scope, bool isFiring, string summary) =>
        new(
            Observation.Console,
            AlertName,
            null,
            Severity.P1,
            summary,
            isFiring,
            scope.Length == 0 ? new Dictionary<string, string>() : new() { ["source"] = scope }
        );

    private static AuditEntry Entry(string action, string actor, DateTimeOffset at, object payload) =>
        new()
        {
            CreatedAt = at,
            Action = action,
            Actor = actor,
            Payload = JsonSerializer.Serialize(payload),
        };

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "auto_ticket flood breaker tripped scope={Scope} filed={Filed} until={Until:O}")]
        public static partial void Tripped(ILogger logger, string scope, int filed, DateTimeOffset until);

        [LoggerMessage(LogLevel.Information, "auto_ticket flood breaker reset scope={Scope} actor={Actor}")]
        public static partial void Reset(ILogger logger, string scope, string actor);
    }
}
