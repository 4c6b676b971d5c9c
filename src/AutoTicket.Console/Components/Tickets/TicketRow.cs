using AutoTicket.Mailbox;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;

namespace AutoTicket.Components.Tickets;

/// <summary>An open ticket beside what its surface is doing now.</summary>
/// <param name="SurfaceName">Null when the ticket names no surface, or one that is watched no more.</param>
/// <param name="SurfaceStatus">Null with it.</param>
public sealed record TicketRow(OpenTicket Ticket, string? SurfaceName, SurfaceStatus? SurfaceStatus)
{
    /// <summary>The surface is operational again: somebody may resolve the ticket.</summary>
    public bool IsRecovered => SurfaceStatus is AutoTicket.Surfaces.SurfaceStatus.Operational;

    /// <summary>What the table shows and sorts by: a name where there is one, else the key the ticket carries.</summary>
    public string Surface => SurfaceName ?? Ticket.Surface ?? "";

    /// <summary>Of the same ticket: a table keeps its row, with its focus, when more is known of it.</summary>
    public bool Equals(TicketRow? other) => other?.Ticket.Id == Ticket.Id;

    public override int GetHashCode() => Ticket.Id.GetHashCode();
}
