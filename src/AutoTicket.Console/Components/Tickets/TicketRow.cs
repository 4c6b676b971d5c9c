using AutoTicket.Alerts;
using AutoTicket.Mailbox;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;

namespace AutoTicket.Components.Tickets;

/// <summary>An open ticket with the current state of its surface.</summary>
/// <param name="SurfaceName">Null when the ticket names no surface, or one that is no longer configured.</param>
/// <param name="SurfaceStatus">Null when <paramref name="SurfaceName"/> is.</param>
public sealed record TicketRow(OpenTicket Ticket, string? SurfaceName, SurfaceStatus? SurfaceStatus)
{
    internal static TicketRow Of(OpenTicket ticket, StatusBoard board, RecoveredTickets recovered) =>
        ticket.Surface is { } key && board.Find(key) is { } surface
            ? new(ticket, surface.Surface.Name, surface.Status)
            {
                IsRecovered = ticket.Kind == TicketKind.Surface && recovered.HasRecovered(key),
            }
            : new(ticket, null, null);

    /// <summary>The surface has recovered: the ticket is on the worklist.</summary>
    public bool IsRecovered { get; init; }

    /// <summary>Sorts the worst first, and tickets without a severity last.</summary>
    public int SeverityRank => (int?)Ticket.Severity ?? int.MaxValue;

    /// <summary>The surface's name, or the key in the ticket if there is no name.</summary>
    public string Surface => SurfaceName ?? Ticket.Surface ?? "";

    /// <summary>Who filed the ticket; <c>automatic (…)</c> with the sender for one filed for an alert.</summary>
    public string FiledBy =>
        Ticket.FiledForSource switch
        {
            null => Ticket.FiledBy,
            Observation.Console => "automatic (surface check)",
            var source => $"automatic ({source})",
        };

    /// <summary>True for the same ticket, so that the table keeps its row and focus when the rest changes.</summary>
    public bool Equals(TicketRow? other) => other?.Ticket.Id == Ticket.Id;

    public override int GetHashCode() => Ticket.Id.GetHashCode();
}
