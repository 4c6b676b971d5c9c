using System.Globalization;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Audit;

/// <summary>Which entries of the audit log to read.</summary>
/// <param name="Before">Only entries with a smaller id: the page after the one that ended with it.</param>
public sealed record AuditQuery(
    string? Action = null,
    string? Actor = null,
    DateTimeOffset? From = null,
    DateTimeOffset? To = null,
    long? Before = null
);

/// <summary>Reads the audit log, last written first.</summary>
internal sealed partial class AuditQueries(IDbContextFactory<AutoTicketDbContext> contexts, ILogger<AuditQueries> logger)
{
    private const int CsvPageRows = 500;

    private readonly OutageNotice _outage = new();

    /// <returns>Null when the database can't be reached.</returns>
    public async Task<IReadOnlyList<AuditEntry>?> ReadAsync(AuditQuery query, int count, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        try
        {
            var entries = await Matching(db, query).Take(count).ToListAsync(cancellationToken);
            _outage.End();
            return entries;
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            LogOutage(exception);
            return null;
        }
    }

    /// <summary>Writes all matching entries as CSV. Each page of rows is read completely before it is written, so that a slow reader does
    /// not hold a database connection.</summary>
    /// <returns>False: the database went away after the first page, so rows are missing.</returns>
    public async Task<bool> WriteCsvAsync(AuditQuery query, TextWriter writer, CancellationToken cancellationToken)
    {
        var page = await ReadPageAsync(query, cancellationToken);
        await writer.WriteAsync("id,created_at,action,actor,payload\r\n");
        while (page.Count > 0)
        {
            foreach (var entry in page)
            {
                var time = entry.CreatedAt.UtcDateTime.ToString("O", CultureInfo.InvariantCulture);
                await writer.WriteAsync($"{entry.Id},{time},{Cell(entry.Action)},{Cell(entry.Actor)},{Cell(entry.Payload)}\r\n");
            }

            try
            {
                page = await ReadPageAsync(query with { Before = page[^1].Id }, cancellationToken);
            }
            catch (Exception exception) when (Outages.IsOutage(exception))
            {
                LogOutage(exception);
                return false;
            }
        }

        return true;
    }

    private async Task<List<AuditEntry>> ReadPageAsync(AuditQuery query, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        return await Matching(db, query).Take(CsvPageRows).ToListAsync(cancellationToken);
    }

    private void LogOutage(Exception exception)
    {
        if (_outage.Begin())
        {
            Log.NotRead(logger, exception.GetBaseException().Message);
        }
    }

    private static IQueryable<AuditEntry> Matching(AutoTicketDbContext db, AuditQuery query)
    {
        var entries = db.AuditLog.AsNoTracking();
        entries = query.Action is { Length: > 0 } action ? entries.Where(entry => entry.Action == action) : entries;
        entries = query.Actor is { Length: > 0 } actor ? entries.Where(entry => entry.Actor == actor) : entries;
        entries = query.From is { } from ? entries.Where(entry => entry.CreatedAt >= from) : entries;
        entries = query.To is { } to ? entries.Where(entry => entry.CreatedAt <= to) : entries;
        entries = query.Before is { } before ? entries.Where(entry => entry.Id < before) : entries;
        return entries.OrderByDescending(entry => entry.Id);
    }

    /// <summary>Quotes the text. A leading apostrophe keeps a spreadsheet from running it as a formula.</summary>
    private static string Cell(string text)
    {
        var mark = text is ['=' or '+' or '-' or '@' or '\t' or '\r', ..] ? "'" : "";
        return $"\"{mark}{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "audit log can't be read: {Problem}")]
        public static partial void NotRead(ILogger logger, string problem);
    }
}
