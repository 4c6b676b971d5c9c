using System.Data.Common;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tickets;

/// <summary>Counts the tickets that alerts filed within the window, for all alerts and for each source.</summary>
internal sealed class FloodBudget(
    FloodTrip trip,
    IDbContextFactory<AutoTicketDbContext> contexts,
    IOptions<TicketingOptions> options,
    TimeProvider clock
)
{
    /// <summary>What <c>filed_by</c> of an alert's ticket begins with; the alert's source follows.</summary>
    public const string FiledByAlert = "alert:";

    /// <summary>At most one count a second, because a flood has thousands of tickets. Between counts, each pass adds its own filings to the
    /// cached numbers. Only the leader files for alerts.</summary>
    private static readonly TimeSpan CountEvery = TimeSpan.FromSeconds(1);

    private Counted? _counted;

    /// <param name="Filed">The window's tickets by scope. Shared by all passes until the next count; each pass changes it.</param>
    private sealed record Counted(DateTimeOffset At, IReadOnlyList<(string, int)> Versions, Dictionary<string, long> Filed);

    /// <summary>The value of <c>filed_by</c> for the alert's ticket, by which the budget counts tickets per source. A summary ticket does
    /// not count as part of the flood.</summary>
    public static string FiledBy(Alert alert) => FloodBreaker.IsSummary(alert) ? FloodBreaker.Actor : FiledByAlert + alert.Source;

    /// <summary>Reads the state and counts the window's tickets, for one pass over the alerts. One round trip.</summary>
    public async Task<FloodPass> BeginAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var now = clock.GetUtcNow();
        FormattableString breakers = $"SELECT scope, state, since, until, reason, version FROM flood_breaker ORDER BY scope";
        if (_counted is { } counted && now >= counted.At && now - counted.At < CountEvery)
        {
            var read = await db.QueryAsync(breakers, Row, cancellationToken);
            if (counted.Versions.SequenceEqual(VersionsOf(read)))
            {
                return new FloodPass(trip, options.Value, now, read, counted.Filed);
            }
        }

        var (rows, filed) = await db.QueryTogetherAsync(
            breakers,
            Row,
            $"""
            SELECT filed_by,
              count(CASE WHEN overall.count_from IS NULL OR posted_at > overall.count_from THEN 1 END) AS overall,
              count(CASE WHEN own.count_from IS NULL OR posted_at > own.count_from THEN 1 END) AS own
            FROM tickets LEFT JOIN flood_breaker overall ON overall.scope = ''
              LEFT JOIN flood_breaker own ON own.scope <> '' AND {FiledByAlert} || own.scope = filed_by
            WHERE posted_at > {now - options.Value.FloodWindow} AND audit_action = {AuditActions.AlertTicketFiled}
              AND filed_by <> {FloodBreaker.Actor} AND conversation_id IS NOT NULL
            GROUP BY filed_by
            """,
            row => (By: row.Text("filed_by"), Overall: row.Long("overall"), Own: row.Long("own")),
            cancellationToken
        );
        _counted = new(
            now,
            VersionsOf(rows),
            filed
                .Where(row => row.By.StartsWith(FiledByAlert, StringComparison.Ordinal))
                .Select(row => (Scope: row.By[FiledByAlert.Length..], row.Own))
                .Append((Scope: "", filed.Sum(row => row.Overall)))
                .ToDictionary()
        );
        return new FloodPass(trip, options.Value, now, rows, _counted.Filed);

        FloodRow Row(DbDataReader row) =>
            new()
            {
                Scope = row.Text("scope"),
                State = Words.Parse<FloodState>(row.Text("state")),
                Since = db.TimeOf(row, "since"),
                Until = db.TimeOrNull(row, "until"),
                Reason = row.TextOrNull("reason"),
                Version = row.Int("version"),
            };
    }

    private static List<(string, int)> VersionsOf(List<FloodRow> rows) => rows.ConvertAll(row => (row.Scope, row.Version));
}
