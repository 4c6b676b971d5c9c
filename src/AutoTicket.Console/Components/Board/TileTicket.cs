using AutoTicket.Mailbox;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;

namespace AutoTicket.Components.Board;

/// <summary>A surface's ticket as its tile shows it.</summary>
/// <param name="Link">The open ticket; null if none is known.</param>
/// <param name="IsRecovered">The surface is operational again and the ticket can be resolved.</param>
/// <param name="IsUnconfirmed">FreeScout's response was lost: the ticket may exist and is being looked up.</param>
public sealed record TileTicket(TicketLink? Link, bool IsRecovered = false, bool IsUnconfirmed = false)
{
    /// <summary>Null when there is no ticket to show.</summary>
    public static TileTicket? Of(SurfaceTicket known, SurfaceStatus status) =>
        known switch
        {
            { Ticket: { } ticket } => new(
                new TicketLink(ticket.Id, ticket.Number, ticket.Url, ticket.OpenedAt),
                IsRecovered: status is SurfaceStatus.Operational,
                known.IsUnconfirmed
            ),
            { IsUnconfirmed: true } => new(null, IsUnconfirmed: true),
            _ => null,
        };
}
