using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Audit;

/// <summary>Which entries of the audit log to read.</summary>
/// <param name="Action">An action or a kind of action, as <see cref="AuditActions.Named"/> takes it.</param>
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
            if (_outage.Begin())
            {
                Log.NotRead(logger, exception.GetBaseException().Message);
            }

            return null;
        }
    }

    private static IQueryable<AuditEntry> Matching(AutoTicketDbContext db, AuditQuery query)
    {
        var entries = db.AuditLog.AsNoTracking();
        if (query.Action is { Length: > 0 } name)
        {
            var actions = AuditActions.Named(name);
            entries = entries.Where(entry => actions.Contains(entry.Action));
        }

        entries = query.Actor is { Length: > 0 } actor ? entries.Where(entry => entry.Actor == actor) : entries;
        entries = query.From is { } from ? entries.Where(entry => entry.CreatedAt >= from) : entries;
        entries = query.To is { } to ? entries.Where(entry => entry.CreatedAt <= to) : entries;
        entries = query.Before is { } before ? entries.Where(entry => entry.Id < before) : entries;
        return entries.OrderByDescending(entry => entry.Id);
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "audit log can't be read: {Problem}")]
        public static partial void NotRead(ILogger logger, string problem);
    }
}
