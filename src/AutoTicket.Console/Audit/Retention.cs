using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Audit;

/// <summary>Settings under <c>Audit__*</c>.</summary>
internal sealed class AuditOptions
{
    /// <summary>How long the audit log, closed tickets, closed flood breakers, ended maintenance and snoozes, and the hours of surfaces are
    /// kept. The board shows 30 days of hours, a surface's page up to 90.</summary>
    [Range(typeof(TimeSpan), "31.00:00:00", "3650.00:00:00")]
    public TimeSpan Retention { get; set; } = TimeSpan.FromDays(365);
}

/// <summary>Deletes rows past their retention, once an hour, in the leader. Tables with a shorter retention are cleaned by the class that
/// writes them.</summary>
internal sealed partial class Retention(
    IEnumerable<Expiry> expiries,
    LeaderLease leader,
    IDbContextFactory<AutoTicketDbContext> contexts,
    IOptions<AuditOptions> options,
    TimeProvider clock,
    ILogger<Retention> logger
) : LeaderLoop(leader, clock, logger)
{
    private static readonly TimeSpan Every = TimeSpan.FromHours(1);
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMinutes(1);

    private readonly OutageNotice _outage = new();

    protected override async Task<TimeSpan> LeadAsync(CancellationToken stoppingToken)
    {
        if (!await DeleteAsync(stoppingToken))
        {
            return RetryAfter;
        }

        _outage.End();
        return Every;
    }

    /// <returns>False: not all tables are cleaned.</returns>
    private async Task<bool> DeleteAsync(CancellationToken cancellationToken)
    {
        var isDone = true;
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var before = Clock.GetUtcNow() - options.Value.Retention;
        foreach (var expiry in expiries)
        {
            try
            {
                while (
                    await db.ExecuteAsync(FormattableStringFactory.Create(expiry.Delete, before, Expiry.MostAtOnce), cancellationToken)
                    >= Expiry.MostAtOnce
                ) { }
            }
            catch (Exception exception) when (Outages.IsOutage(exception) && Leader.IsLeader)
            {
                // It may be this table alone that times out, so the next ones have their turn.
                isDone = false;
                if (_outage.Begin())
                {
                    Log.NotDeleted(logger, expiry.Delete, exception.GetBaseException().Message);
                }
            }
        }

        return isDone;
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "old rows are not deleted yet by {Statement}, trying again: {Problem}")]
        public static partial void NotDeleted(ILogger logger, string statement, string problem);
    }
}
