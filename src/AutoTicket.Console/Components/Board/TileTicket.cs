using AutoTicket.Mailbox;
using AutoTicket.Tickets;

namespace AutoTicket.Components.Board;

/// <summary>A surface's ticket as its tile shows it.</summary>
/// <param name="Link">The open ticket; null if none is known.</param>
/// <param name="IsRecovered">The surface has recovered: the ticket is on the worklist.</param>
/// <param name="IsUnconfirmed">FreeScout's response was lost: the ticket may exist and is being looked up.</param>
public sealed record TileTicket(TicketLink? Link, bool IsRecovered = false, bool IsUnconfirmed = false)
{
    /// <summary>Null: nobody has it, or it is not known.</summary>
    public TicketAssignee? Assignee { get; init; }

    /// <summary>FreeScout's list has it, so that <see cref="Assignee"/> is known.</summary>
    public bool IsListed { get; init; }

    /// <summary>The last reply of a person; null: there is none, or it is not known.</summary>
    public DateTimeOffset? LastReplyAt { get; init; }

    /// <summary>Null when there is no ticket to show.</summary>
    public static TileTicket? Of(SurfaceTicket known, bool isRecovered) =>
        known switch
        {
            { Ticket: { } ticket } => new(
                new TicketLink(ticket.Id, ticket.Number, ticket.Url, ticket.OpenedAt),
                isRecovered,
                known.IsUnconfirmed
            )
            {
                Assignee = ticket.Assignee,
                IsListed = ticket.IsListed,
                LastReplyAt = ticket.LastReplyAt,
            },
            { IsUnconfirmed: true } => new(null, IsUnconfirmed: true),
            _ => null,
        };
}
