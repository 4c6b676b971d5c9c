using AutoTicket.Security;

namespace AutoTicket.Maintenance;

/// <summary>A maintenance window, as the API and the pages show it.</summary>
/// <param name="EndsAt">When it ends; null: a weekly one without an end.</param>
/// <param name="Active">It is in force now.</param>
/// <param name="NextFrom">When it is in force next, or since when it is; null: never again.</param>
/// <param name="NextUntil">The end of that.</param>
public sealed record MaintenanceView(
    long Id,
    string Surface,
    DateTimeOffset StartsAt,
    DateTimeOffset? EndsAt,
    WeeklyView? Weekly,
    bool Active,
    DateTimeOffset? NextFrom,
    DateTimeOffset? NextUntil,
    string Reason,
    string Actor,
    DateTimeOffset CreatedAt,
    DateTimeOffset? EndedAt,
    string? EndedBy
);

/// <param name="Days"><c>mon</c> to <c>sun</c>.</param>
/// <param name="At">As <c>22:00</c>, in <paramref name="TimeZone"/>.</param>
public sealed record WeeklyView(IReadOnlyList<string> Days, string At, int Minutes, string TimeZone);

/// <summary><c>/api/surfaces/{surface}/maintenance</c> and <c>/api/alerts/{key}/snooze</c>.</summary>
internal static class MaintenanceEndpoints
{
    private const int MostListed = 100;

    internal sealed record MaintenanceAnswer(IReadOnlyList<MaintenanceView> Windows);

    public static void MapMaintenance(this IEndpointRouteBuilder api)
    {
        const string surfacePath = "/api/surfaces/{surface}/maintenance";
        api.MapGet(
                surfacePath,
                async (string surface, MaintenancePlanner planner, CancellationToken cancellationToken) =>
                    await planner.LatestAsync(surface, MostListed, cancellationToken) is var (outcome, windows)
                    && outcome.Result == MuteResult.Done
                        ? Results.Ok(new MaintenanceAnswer(windows))
                        : Problem(outcome)
            )
            .WithName("ListMaintenance")
            .WithSummary("The open maintenance windows of a surface and the last ones that are over: at most 100.")
            .Produces<MaintenanceAnswer>()
            .ProducesProblem(404)
            .ProducesProblem(503);
        api.MapPost(
                surfacePath,
                async (
                    string surface,
                    MaintenanceRequest request,
                    MaintenancePlanner planner,
                    HttpContext context,
                    CancellationToken cancellationToken
                ) =>
                {
                    var (outcome, added) = await planner.AddAsync(surface, request, ActorOf(context), cancellationToken);
                    return added is null ? Problem(outcome) : Results.Ok(planner.ViewOf(added));
                }
            )
            .Guarded()
            .WithName("PlanMaintenance")
            .WithSummary("Puts a surface in maintenance: now, later, every week, or in the past.")
            .Produces<MaintenanceView>()
            .ProducesProblem(400);
        api.MapDelete(
                surfacePath,
                async (string surface, MaintenancePlanner planner, HttpContext context, CancellationToken cancellationToken) =>
                    NoContentOr(await planner.EndAsync(surface, ActorOf(context), cancellationToken))
            )
            .Guarded()
            .WithName("EndMaintenance")
            .WithSummary("Ends the maintenance of a surface that is in force.")
            .Produces(204);
        api.MapDelete(
                surfacePath + "/{id}",
                async (string surface, long id, MaintenancePlanner planner, HttpContext context, CancellationToken cancellationToken) =>
                    NoContentOr(await planner.CancelAsync(surface, id, ActorOf(context), cancellationToken))
            )
            .Guarded()
            .WithName("CancelMaintenance")
            .WithSummary("Cancels one maintenance window.")
            .Produces(204);

        const string alertPath = "/api/alerts/{key}/snooze";
        api.MapPost(
                alertPath,
                async (string key, SnoozeRequest request, Snoozer snoozer, HttpContext context, CancellationToken cancellationToken) =>
                    NoContentOr(await snoozer.SnoozeAsync(key, request, ActorOf(context), cancellationToken))
            )
            .Guarded()
            .WithName("SnoozeAlert")
            .WithSummary("Snoozes an active alert, for a time or until it recovers.")
            .Produces(204)
            .ProducesProblem(400);
        api.MapDelete(
                alertPath,
                async (string key, Snoozer snoozer, HttpContext context, CancellationToken cancellationToken) =>
                    NoContentOr(await snoozer.EndAsync(key, ActorOf(context), cancellationToken))
            )
            .Guarded()
            .WithName("EndSnooze")
            .WithSummary("Ends the snooze of an alert.")
            .Produces(204);
    }

    private static RouteHandlerBuilder Guarded(this RouteHandlerBuilder endpoint) =>
        endpoint
            .RequireAuthorization(Rights.Operate)
            .RequireSameOriginJson()
            .ProducesProblem(404)
            .ProducesProblem(409)
            .ProducesProblem(503);

    private static string ActorOf(HttpContext context) => context.User.Identity?.Name ?? "api";

    private static IResult NoContentOr(MuteOutcome outcome) => outcome.Result == MuteResult.Done ? Results.NoContent() : Problem(outcome);

    private static IResult Problem(MuteOutcome outcome) =>
        Results.Problem(
            title: outcome.Message,
            statusCode: outcome.Result switch
            {
                MuteResult.UnknownTarget => 404,
                MuteResult.Invalid => 400,
                MuteResult.Conflict => 409,
                _ => 503,
            }
        );
}
