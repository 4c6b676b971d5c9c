using AutoTicket.Mailbox;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;

namespace AutoTicket.Components.Board;

/// <summary>What a tile says of a surface's ticket.</summary>
/// <param name="Link">The open ticket; null: none is known.</param>
/// <param name="IsRecovered">The surface is operational again, and the ticket waits to be resolved.</param>
/// <param name="IsUnconfirmed">FreeScout's answer to the filing was lost: the ticket may exist, and is being looked for.</param>
public sealed record TileTicket(TicketLink? Link, bool IsRecovered = false, bool IsUnconfirmed = false)
{
    /// <summary>Null when there is nothing to say of a ticket.</summary>
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
