using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tickets;

/// <summary>Trips the flood breaker. Not part of <see cref="FloodBreaker"/>, because the ticket hook trips it and must not need the
/// aggregator, which needs the hooks.</summary>
internal sealed partial class FloodTrip(
    IDbContextFactory<AutoTicketDbContext> contexts,
    IOptions<TicketingOptions> options,
    TimeProvider clock,
    ILogger<FloodTrip> logger
)
{
    /// <summary>Stops filing for the scope in every process, unless its breaker is tripped already.</summary>
    /// <param name="filed">How many tickets the window has.</param>
    /// <returns>The alert to raise; null when another process tripped the breaker first.</returns>
    public async Task<Observation?> TripAsync(string scope, int filed)
    {
        var now = clock.GetUtcNow();
        var until = now + options.Value.FloodWindow;
        // Before every window, so that a first trip forgets no ticket.
        var countFrom = now - TimeSpan.FromDays(1);
        var what = scope.Length == 0 ? "alerts" : $"alerts from {scope}";
        var reason = $"Too many {what} ({filed} tickets in {options.Value.FloodWindow.TotalMinutes:0.#} min).";
        await using var db = await contexts.CreateDbContextAsync();
        if (
            !await db.UpdateWithAuditAsync(
                $"""
                INSERT INTO flood_breaker (scope, state, since, until, count_from, changed_by, reason, version)
                VALUES ({scope}, 'tripped', {now}, {until}, {countFrom}, {FloodBreaker.Actor}, {reason}, 0)
                ON CONFLICT (scope) DO UPDATE SET state = excluded.state,
                  since = CASE WHEN flood_breaker.state = 'closed' THEN excluded.since ELSE flood_breaker.since END,
                  until = excluded.until, changed_by = excluded.changed_by, reason = excluded.reason, version = flood_breaker.version + 1
                WHERE flood_breaker.state = 'closed' OR flood_breaker.until <= {now}
                """,
                FloodBreaker.Entry(
                    AuditActions.FloodTripped,
                    FloodBreaker.Actor,
                    now,
                    new
                    {
                        scope,
                        filed,
                        until,
                    }
                ),
                CancellationToken.None
            )
        )
        {
            return null;
        }

        Log.Tripped(logger, scope, filed, until);
        return FloodBreaker.AlertOf(
            scope,
            true,
            $"{FloodBreaker.Paused(reason, until)} Then {options.Value.FloodLimitText(scope)} until an operator resets the breaker."
        );
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "auto_ticket flood breaker tripped scope={Scope} filed={Filed} until={Until:O}")]
        public static partial void Tripped(ILogger logger, string scope, int filed, DateTimeOffset until);
    }
}
