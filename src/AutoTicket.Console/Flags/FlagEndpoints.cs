using AutoTicket.Security;

namespace AutoTicket.Flags;

/// <summary><c>GET /api/flags</c> and <c>PUT /api/flags/{name}</c>: the flags page as JSON.</summary>
internal static class FlagEndpoints
{
    internal sealed record FlagsAnswer(IReadOnlyList<FlagState> Flags, DateTimeOffset? ReadAt, bool Stale);

    /// <param name="Enabled">Required.</param>
    /// <param name="At">When it takes effect; absent: now.</param>
    internal sealed record FlagRequest(bool? Enabled, string? Reason, DateTimeOffset? At);

    public static void MapFlags(this IEndpointRouteBuilder api)
    {
        api.MapGet("/api/flags", (FlagWatch flags) => Answer(flags));
        api.MapPut(
                "/api/flags/{name}",
                async (
                    string name,
                    FlagRequest request,
                    FlagWatch flags,
                    TimeProvider clock,
                    HttpContext context,
                    CancellationToken cancellationToken
                ) =>
                {
                    if (request is not { Enabled: { } enabled, Reason: { } reason })
                    {
                        return Results.Problem(title: "The body must contain “enabled” and “reason”.", statusCode: 400);
                    }

                    var change = new FlagChangeRequest(enabled, reason, request.At);
                    return await flags.ChangeAsync(name, change, context.User.Identity?.Name ?? "api", cancellationToken) switch
                    {
                        FlagChangeResult.Changed or FlagChangeResult.Scheduled => Results.Ok(
                            flags.Current.Flags.First(flag => flag.Name == name)
                        ),
                        FlagChangeResult.UnknownFlag => Results.Problem(
                            title: $"There is no flag of this name. The flags are {string.Join(" and ", FlagNames.All)}.",
                            statusCode: 404
                        ),
                        FlagChangeResult.PinnedByEnvironment => Results.Problem(
                            title: $"{name} is switched off in the environment and can't be switched on here: remove the variable.",
                            statusCode: 409
                        ),
                        FlagChangeResult.BadRequest => Results.Problem(title: change.Mistake(clock.GetUtcNow()), statusCode: 400),
                        _ => Results.Problem(title: "The flag store can't be reached: nothing was changed. Try again.", statusCode: 503),
                    };
                }
            )
            .RequireAuthorization(Rights.Administer)
            .RequireSameOriginJson()
            .Produces<FlagState>()
            .ProducesProblem(400)
            .ProducesProblem(404)
            .ProducesProblem(409)
            .ProducesProblem(503);
    }

    private static FlagsAnswer Answer(FlagWatch flags) => new(flags.Current.Flags, flags.Current.ReadAt, flags.Current.IsStale);
}
