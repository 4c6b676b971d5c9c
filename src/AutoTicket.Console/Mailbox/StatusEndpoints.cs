using AutoTicket.Surfaces;
using AutoTicket.Tickets;

namespace AutoTicket.Mailbox;

/// <summary><c>GET /api/status</c>: the surfaces of the board, each with its ticket.</summary>
internal static class StatusEndpoints
{
    internal sealed record SurfaceAnswer(
        string Key,
        string Name,
        string Group,
        SurfaceStatus Status,
        DateTimeOffset? Since,
        DateTimeOffset? CheckedAt,
        int? LatencyMs,
        string? Cause,
        Severity Severity,
        bool Flapping,
        TicketLink? Ticket
    );

    internal sealed record StatusAnswer(
        IReadOnlyList<SurfaceAnswer> Surfaces,
        DateTimeOffset? CheckedAt,
        DateTimeOffset? OwnNetworkLostSince
    );

    public static void MapStatus(this IEndpointRouteBuilder api) =>
        api.MapGet(
            "/api/status",
            (StatusBoard board, OpenTickets tickets) =>
                new StatusAnswer(
                    [
                        .. board
                            .All()
                            .Select(surface => new SurfaceAnswer(
                                surface.Key,
                                surface.Surface.Name,
                                surface.Surface.Group,
                                surface.Status,
                                surface.Since,
                                surface.CheckedAt,
                                surface.LatencyMs,
                                surface.Cause,
                                surface.Surface.Severity,
                                surface.IsFlapping,
                                tickets.Of(surface.Key).Ticket is { } ticket
                                    ? new TicketLink(ticket.Id, ticket.Number, ticket.Url, ticket.OpenedAt)
                                    : null
                            )),
                    ],
                    board.CheckedAt,
                    board.OwnNetworkLostSince
                )
        );
}
