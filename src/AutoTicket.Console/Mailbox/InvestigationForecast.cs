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
    FreeScoutDown,
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
                    surface => Forecast(openTickets.Of(surface.Key), health.Failure?.Kind, options.Value.Window, clock.GetUtcNow())
                )
            : new Dictionary<string, InvestigationForecast>();

    internal static InvestigationForecast Forecast(
        SurfaceTicket known,
        FreeScoutFailureKind? failure,
        TimeSpan window,
        DateTimeOffset now
    ) =>
        (known, failure) switch
        {
            (_, FreeScoutFailureKind.NotConfigured) => new(InvestigationForecastKind.FreeScoutDown, "Filing is not set up"),
            (_, not null) => new(InvestigationForecastKind.FreeScoutDown, "File a ticket (FreeScout is down; will be looked up)"),
            ({ Ticket: { } ticket }, _) when FilingRules.IsInWindow(ticket.OpenedAt, now, window) => new(
                InvestigationForecastKind.Opens,
                $"Open ticket {TicketNumber.Of(ticket.Number)} ({UtcTime.Age(now - ticket.OpenedAt)})"
            ),
            ({ Ticket: { } ticket }, _) => new(
                InvestigationForecastKind.FilesNewLinkingOlder,
                $"File a ticket, linked to {TicketNumber.Of(ticket.Number)} ({UtcTime.Age(now - ticket.OpenedAt)})"
            ),
            ({ IsUnconfirmed: true }, _) => new(InvestigationForecastKind.Confirms, "Look up the ticket (response was lost)"),
            _ => new(InvestigationForecastKind.FilesNew, "File a ticket"),
        };
}
