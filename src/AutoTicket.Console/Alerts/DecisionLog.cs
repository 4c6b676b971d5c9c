using System.Diagnostics.Metrics;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Alerts;

/// <summary>Writes decisions. A repeated decision about the same episode counts up.</summary>
internal sealed partial class DecisionLog(IDbContextFactory<AutoTicketDbContext> contexts, ILogger<DecisionLog> logger)
{
    private const int LongestDetail = 500;

    private readonly OutageNotice _outage = new();
    private static readonly Counter<long> Decided = Telemetry.Meter.CreateCounter<long>(
        "autoticket.decisions",
        description: "Decisions for or against a ticket or DM, by path and word."
    );

    private static readonly RowBatch<Decision> New = RowBatch
        .Of<Decision>(
            d => d.AlertId,
            d => d.AlertRow,
            d => d.Path,
            d => d.Word,
            d => d.Actor,
            d => d.Count,
            d => d.LastAt,
            d => d.TicketNumber,
            d => d.TicketUrl
        )
        .And(("detail", "text", d => d.Detail is { } text ? CleanText.Cut(text, LongestDetail) : null));

    /// <summary>Records decisions in one statement. It logs a failure as a WARNING, once per outage, and does not throw: the decided
    /// effects have already happened.</summary>
    public async Task RecordAsync(IReadOnlyCollection<Decision> decisions, CancellationToken cancellationToken)
    {
        if (Statement(decisions) is not { } statement)
        {
            return;
        }

        try
        {
            await using var db = await contexts.CreateDbContextAsync(cancellationToken);
            await db.ExecuteAsync(statement, cancellationToken);
            Count(decisions);
            _outage.End();
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            if (_outage.Begin())
            {
                Log.NotRecorded(logger, decisions.Count, exception.GetBaseException().Message);
            }
        }
    }

    /// <summary>Deletes decisions that were last made before this time.</summary>
    public async Task DeleteAsync(DateTimeOffset before, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var old = db.Decisions.Where(decision => decision.LastAt < before).OrderBy(decision => decision.LastAt).Take(Expiry.MostAtOnce);
        while (await old.ExecuteDeleteAsync(cancellationToken) == Expiry.MostAtOnce) { }
    }

    /// <summary>Counts decisions in the metric. Call it after they were recorded.</summary>
    public static void Count(IEnumerable<Decision> decisions)
    {
        foreach (var decision in decisions)
        {
            Decided.Add(decision.Count, new("path", decision.Path), new("decision", decision.Word.Text));
        }
    }

    /// <summary>The statement that records decisions, for a transaction of the caller; null when there are none.</summary>
    public static FormattableString? Statement(IEnumerable<Decision> decisions)
    {
        // One statement must not change a row twice. A click has no episode and gets a row of its own. All processes use one order, so
        // that two statements can't deadlock.
        List<Decision> rows =
        [
            .. decisions
                .GroupBy(d => d.AlertRow is null ? (object)d : (d.AlertId, d.AlertRow, d.Path, d.Word))
                .Select(group => group.Last() with { Count = group.Sum(d => d.Count) })
                .OrderBy(d => d.AlertId, StringComparer.Ordinal)
                .ThenBy(d => d.AlertRow)
                .ThenBy(d => d.Path, StringComparer.Ordinal)
                .ThenBy(d => d.Word.Text, StringComparer.Ordinal),
        ];
        if (rows.Count == 0)
        {
            return null;
        }

        return $"""
            INSERT INTO decisions (alert_id, alert_row, path, word, detail, actor, count, first_at, last_at, ticket_number, ticket_url)
            SELECT alert_id, alert_row, path, word, detail, actor, count, last_at, last_at, ticket_number, ticket_url FROM {New.Of(
                rows
            )} WHERE true
            ON CONFLICT (alert_id, alert_row, path, word) DO UPDATE SET count = decisions.count + excluded.count,
              last_at = excluded.last_at, detail = excluded.detail, ticket_number = excluded.ticket_number,
              ticket_url = excluded.ticket_url
            """;
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "decisions can't be recorded count={Count}: {Problem}")]
        public static partial void NotRecorded(ILogger logger, int count, string problem);
    }
}
