using AutoTicket.Security;

namespace AutoTicket.Flags;

/// <summary><c>GET /api/flags</c> and <c>PUT /api/flags/{name}</c>: the flags page as JSON.</summary>
internal static class FlagEndpoints
{
    internal sealed record FlagsAnswer(IReadOnlyList<FlagState> Flags, DateTimeOffset? ReadAt, bool Stale);

    /// <param name="Enabled">Required.</param>
    /// <param name="At">When it takes effect; absent: now.</param>
    /// <param name="For">When it is reversed, such as <c>1h</c>; absent: never. A request replaces the scheduled change, if any.</param>
    internal sealed record FlagRequest(bool? Enabled, string? Reason, DateTimeOffset? At, string? For);

    public static void MapFlags(this IEndpointRouteBuilder api)
    {
        api.MapGet("/api/flags", (FlagWatch flags) => Answer(flags))
            .WithName("ListFlags")
            .WithSummary("The flags as they are in force, and who decided them.")
            .Produces<FlagsAnswer>();
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

                    var span = request.For is { } text ? Settings.TryDuration(text) : null;
                    if (request.For is not null && span is null)
                    {
                        return Results.Problem(title: $"“for” must be {Settings.DurationForms}.", statusCode: 400);
                    }

                    var change = new FlagChangeRequest(enabled, reason, request.At, span);
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
                        _ => Results.Problem(
                            title: "The flag store can't be reached. It is not known whether the flag was changed: look, then try again.",
                            statusCode: 503
                        ),
                    };
                }
            )
            .WithName("SwitchFlag")
            .WithSummary("Switches a flag on or off: now, for a time, or at a time.")
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
