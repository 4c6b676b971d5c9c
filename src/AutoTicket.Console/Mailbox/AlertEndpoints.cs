using AutoTicket.Alerts;

namespace AutoTicket.Mailbox;

/// <summary><c>GET /api/alerts</c>: the episodes with their tickets, as the alerts page shows them.</summary>
internal static class AlertEndpoints
{
    private const int Most = 500;

    internal sealed record AlertsAnswer(IReadOnlyList<AlertView> Alerts);

    public static void MapAlerts(this IEndpointRouteBuilder api) =>
        api.MapGet(
                "/api/alerts",
                async (AlertQueries queries, OpenTickets tickets, bool? active, long? before, CancellationToken cancellationToken) =>
                    await queries.ReadAsync(new AlertQuery(active, Before: before), Most, cancellationToken) is { } alerts
                        ? Results.Ok(new AlertsAnswer([.. alerts.Select(tickets.WithTicket)]))
                        : Results.Problem(title: "The console's database can't be reached.", statusCode: 503)
            )
            .WithName("ListAlerts")
            .WithSummary("Alerts with their tickets and decisions, newest first, 500 a page: all, the active or the ended ones.")
            .Produces<AlertsAnswer>()
            .ProducesProblem(503);
}
