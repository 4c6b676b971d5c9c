using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tickets;

/// <summary>Counts the tickets that alerts filed within the window. A scope over its budget trips its flood breaker.</summary>
internal sealed partial class FloodBudget(
    IDbContextFactory<AutoTicketDbContext> contexts,
    IOptions<TicketingOptions> options,
    TimeProvider clock,
    ILogger<FloodBudget> logger
)
{
    /// <summary>The breaker as an actor. It files the summary ticket, which does not count as part of the flood.</summary>
    private const string Actor = "breaker";

    /// <summary>How often the database counts filed tickets: a flood has thousands. In between, passes add their own; only the leader
    /// files for alerts.</summary>
    private static readonly TimeSpan CountEvery = TimeSpan.FromSeconds(1);

    private Counted? _counted;

    private sealed record Counted(DateTimeOffset At, IReadOnlyList<(string, int)> Versions, Dictionary<string, long> Filed);

    /// <summary>The value of <c>filed_by</c> for the alert's ticket, by which the budget counts tickets per source.</summary>
    public static string FiledBy(Alert alert) => FloodBreaker.IsSummary(alert) ? Actor : FiledBy(alert.Source);

    public static string FiledBy(string source) => $"alert:{source}";

    /// <summary>Reads the state and counts the window's tickets, for one pass over the alerts.</summary>
    public async Task<FloodPass> BeginAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var now = clock.GetUtcNow();
        var rows = await db.QueryAsync(
            $"SELECT scope, state, since, until, reason, version FROM flood_breaker ORDER BY scope",
            row => new FloodRow
            {
                Scope = row.Text("scope"),
                State = Words.Parse<FloodState>(row.Text("state")),
                Since = db.TimeOf(row, "since"),
                Until = db.TimeOrNull(row, "until"),
                Reason = row.TextOrNull("reason"),
                Version = row.Int("version"),
            },
            cancellationToken
        );
        var versions = rows.Select(row => (row.Scope, row.Version)).ToList();
        if (_counted is { } counted && now >= counted.At && now - counted.At < CountEvery && counted.Versions.SequenceEqual(versions))
        {
            return new FloodPass(this, options.Value, now, rows, counted.Filed);
        }

        var windowStart = now - options.Value.FloodWindow;
        var filed = await db.QueryAsync(
            $"""
            SELECT filed_by,
              count(CASE WHEN overall.count_from IS NULL OR posted_at > overall.count_from THEN 1 END) AS overall,
              count(CASE WHEN own.count_from IS NULL OR posted_at > own.count_from THEN 1 END) AS own
            FROM tickets LEFT JOIN flood_breaker overall ON overall.scope = ''
              LEFT JOIN flood_breaker own ON own.scope <> '' AND 'alert:' || own.scope = filed_by
            WHERE posted_at > {windowStart} AND audit_action = {AuditActions.AlertTicketFiled} AND filed_by <> {Actor}
              AND conversation_id IS NOT NULL
            GROUP BY filed_by
            """,
            row => (By: row.Text("filed_by"), Overall: row.Long("overall"), Own: row.Long("own")),
            cancellationToken
        );
        _counted = new(
            now,
            versions,
            filed.Select(source => (source.By, source.Own)).Append((FiledBy(""), filed.Sum(source => source.Overall))).ToDictionary()
        );
        return new FloodPass(this, options.Value, now, rows, _counted.Filed);
    }

    /// <summary>Stops filing for the scope, in every process.</summary>
    /// <returns>The alert to raise; null when another process tripped the breaker first.</returns>
    internal async Task<Observation?> TripAsync(string scope, int filed)
    {
        var now = clock.GetUtcNow();
        var until = now + options.Value.FloodWindow;
        var what = scope.Length == 0 ? "alerts" : $"alerts from {scope}";
        var reason =
            $"{filed} tickets were filed for {what} within {options.Value.FloodWindow.TotalMinutes:0.#} min: "
            + $"filing for {what} is paused until {until.UtcDateTime:HH:mm:ss} UTC, "
            + "then a quarter of the budget is let through until an operator resets the breaker.";
        await using (var db = await contexts.CreateDbContextAsync())
        {
            if (!await FloodBreaker.TripAsync(db, scope, filed, reason, Actor, now, until))
            {
                return null;
            }
        }

        Log.Tripped(logger, scope, filed, until);
        return FloodBreaker.Flood(scope, true, reason);
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "auto_ticket flood breaker tripped scope={Scope} filed={Filed} until={Until:O}")]
        public static partial void Tripped(ILogger logger, string scope, int filed, DateTimeOffset until);
    }
}
