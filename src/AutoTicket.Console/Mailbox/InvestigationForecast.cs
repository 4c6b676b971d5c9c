using AutoTicket.Flags;
using AutoTicket.FreeScout;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;
using Microsoft.Extensions.Options;
using Microsoft.FeatureManagement;

namespace AutoTicket.Mailbox;

/// <summary>What a click on Investigate would do.</summary>
public enum InvestigationForecastKind
{
    FilesNew,
    Opens,
    FilesNewLinkingOlder,
    Confirms,

    /// <summary>Nothing: the console lacks settings for FreeScout.</summary>
    NotSetUp,
}

/// <param name="Text">The button's label: “Open ticket #1432 (41 min)”, “File a ticket”.</param>
public sealed record InvestigationForecast(InvestigationForecastKind Kind, string Text);

/// <summary>Forecasts a click on Investigate, for each surface.</summary>
internal sealed class InvestigationForecasts(
    IFeatureManager flags,
    OpenTickets openTickets,
    FreeScoutHealth health,
    IOptions<TicketingOptions> options,
    TimeProvider clock
)
{
    /// <summary>The forecasts by surface key. A surface without one has no button.</summary>
    public async Task<IReadOnlyDictionary<string, InvestigationForecast>> ForecastAsync(IEnumerable<SurfaceSnapshot> surfaces) =>
        await flags.IsEnabledAsync(FlagNames.InvestigateFromStatus)
            ? surfaces
                .Where(surface => surface.Observed != SurfaceStatus.Operational)
                .ToDictionary(
                    surface => surface.Key,
                    surface => Forecast(openTickets.Of(surface.Key), health.Failure, options.Value.Window, clock.GetUtcNow())
                )
            : new Dictionary<string, InvestigationForecast>();

    internal static InvestigationForecast Forecast(SurfaceTicket known, FreeScoutFailure? failure, TimeSpan window, DateTimeOffset now)
    {
        if (failure?.Kind == FreeScoutFailureKind.NotConfigured)
        {
            return new(InvestigationForecastKind.NotSetUp, "Filing is not set up");
        }

        var (kind, text, note) = known switch
        {
            { IsUnconfirmed: true } => (InvestigationForecastKind.Confirms, "Look up the ticket", "response was lost"),
            { Ticket: { } ticket } when FilingRules.IsInWindow(ticket.OpenedAt, now, window) => (
                InvestigationForecastKind.Opens,
                $"Open ticket {TicketNumber.Of(ticket.Number)}",
                UtcTime.Age(now - ticket.OpenedAt)
            ),
            { Ticket: { } ticket } => (
                InvestigationForecastKind.FilesNewLinkingOlder,
                $"File a ticket, linked to {TicketNumber.Of(ticket.Number)}",
                UtcTime.Age(now - ticket.OpenedAt)
            ),
            _ => (InvestigationForecastKind.FilesNew, "File a ticket", null),
        };
        var problem =
            failure is null ? null
            : failure.IsOutage ? "FreeScout is down"
            : "FreeScout rejects calls";
        var notes = string.Join("; ", new[] { note, problem }.OfType<string>());
        return new(kind, notes.Length > 0 ? $"{text} ({notes})" : text);
    }
}
