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
        DateTimeOffset? CertificateUntil,
        TicketOnBoard? Ticket,
        MaintenanceAnswer? Maintenance
    );

    /// <param name="Assignee">Null: nobody has it, or it is not listed yet.</param>
    internal sealed record TicketOnBoard(
        long Id,
        long? Number,
        string Url,
        DateTimeOffset OpenedAt,
        TicketAssignee? Assignee,
        DateTimeOffset? LastReplyAt
    );

    internal sealed record MaintenanceAnswer(DateTimeOffset Until, string Actor, string Reason);

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
                                    surface.CertificateUntil,
                                    tickets.Of(surface.Key).Ticket is { } ticket
                                        ? new TicketOnBoard(
                                            ticket.Id,
                                            ticket.Number,
                                            ticket.Url,
                                            ticket.OpenedAt,
                                            ticket.Assignee,
                                            ticket.LastReplyAt
                                        )
                                        : null,
                                    surface.Maintenance is { } maintenance
                                        ? new MaintenanceAnswer(maintenance.Until, maintenance.Actor, maintenance.Reason)
                                        : null
                                )),
                        ],
                        board.CheckedAt,
                        board.OwnNetworkLostSince
                    )
            )
            .WithName("GetStatus")
            .WithSummary("The surfaces of the board, each with its ticket.")
            .Produces<StatusAnswer>();
}
