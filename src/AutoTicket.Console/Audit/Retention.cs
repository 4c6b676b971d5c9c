using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Audit;

/// <summary>Settings under <c>Audit__*</c>.</summary>
internal sealed class AuditOptions
{
    /// <summary>How long the audit log, closed tickets, closed flood breakers and hours of availability are kept. The board shows 30 days
    /// of them.</summary>
    [Range(typeof(TimeSpan), "31.00:00:00", "3650.00:00:00")]
    public TimeSpan Retention { get; set; } = TimeSpan.FromDays(365);
}

/// <summary>Deletes rows past their retention, once an hour, in the leader. Tables with a shorter retention are cleaned by the class that
/// writes them.</summary>
internal sealed class Retention(
    IEnumerable<Expiry> expiries,
    LeaderLease leader,
    IDbContextFactory<AutoTicketDbContext> contexts,
    IOptions<AuditOptions> options,
    TimeProvider clock,
    ILogger<Retention> logger
) : LeaderLoop(leader, clock, logger)
{
    private static readonly TimeSpan Every = TimeSpan.FromHours(1);

    protected override async Task<TimeSpan> LeadAsync(CancellationToken stoppingToken)
    {
        await DeleteAsync(stoppingToken);
        return Every;
    }

    private async Task DeleteAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var before = Clock.GetUtcNow() - options.Value.Retention;
        foreach (var expiry in expiries)
        {
            while (
                await db.ExecuteAsync(FormattableStringFactory.Create(expiry.Delete, before, Expiry.MostAtOnce), cancellationToken)
                >= Expiry.MostAtOnce
            ) { }
        }
    }
}
