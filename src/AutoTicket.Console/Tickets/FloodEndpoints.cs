using AutoTicket.Security;

namespace AutoTicket.Tickets;

/// <summary>The body of a reset of the flood breaker.</summary>
/// <param name="Scope">The source whose filing is stopped; empty: all alerts.</param>
/// <param name="Override">Reset even while a source still sends unstable ids.</param>
public sealed record FloodResetRequest(string? Scope, string? Reason, bool Override = false);

/// <summary><c>GET /api/flood</c> and <c>POST /api/flood/reset</c>: the flood breaker, as the flags page shows and resets it.</summary>
internal static class FloodEndpoints
{
    internal sealed record FloodAnswer(IReadOnlyList<FloodStatus> Flood);

    public static void MapFlood(this IEndpointRouteBuilder api)
    {
        api.MapGet("/api/flood", AnswerAsync)
            .WithName("GetFloodBreaker")
            .WithSummary("The state of the flood breaker.")
            .Produces<FloodAnswer>()
            .ProducesProblem(503);
        api.MapPost(
                "/api/flood/reset",
                async (FloodResetRequest request, FloodBreaker breaker, HttpContext context, CancellationToken cancellationToken) =>
                {
                    if (request is not { Scope: { } scope, Reason: { } reason })
                    {
                        return Results.Problem(
                            title: "The body must hold “scope” (a source; empty for all alerts) and “reason”.",
                            statusCode: 400
                        );
                    }

                    return await breaker.ResetAsync(
                        scope,
                        context.User.Identity?.Name ?? "api",
                        reason,
                        request.Override,
                        cancellationToken
                    ) switch
                    {
                        FloodResetResult.Done => await AnswerAsync(breaker, cancellationToken),
                        FloodResetResult.ReasonMissing => Results.Problem(title: "“reason” must not be empty.", statusCode: 400),
                        FloodResetResult.NotTripped => Results.Problem(
                            title: "The flood breaker of this scope is not tripped.",
                            statusCode: 409
                        ),
                        FloodResetResult.ProducerStillUnstable => Results.Problem(
                            title: "A source still sends unstable ids: the flood would go on.",
                            detail: "Fix the source first, or send “override”: true.",
                            statusCode: 409
                        ),
                        _ => Unreachable(),
                    };
                }
            )
            .WithName("ResetFloodBreaker")
            .WithSummary("Resets a tripped flood breaker, so that tickets are filed for alerts again.")
            .RequireAuthorization(Rights.Administer)
            .RequireSameOriginJson()
            .Produces<FloodAnswer>()
            .ProducesProblem(400)
            .ProducesProblem(409)
            .ProducesProblem(503);
    }

    private static async Task<IResult> AnswerAsync(FloodBreaker breaker, CancellationToken cancellationToken) =>
        await breaker.ReadAsync(cancellationToken) is { } flood ? Results.Ok(new FloodAnswer(flood)) : Unreachable();

    private static IResult Unreachable() => Results.Problem(title: "The console's database can't be reached.", statusCode: 503);
}
