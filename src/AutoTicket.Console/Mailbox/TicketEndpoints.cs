using AutoTicket.Alerts;
using AutoTicket.Security;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;

namespace AutoTicket.Mailbox;

/// <summary><c>POST /api/surfaces/{surface}/investigate</c>, and the API of the page <c>/console/tickets</c>.</summary>
internal static class TicketEndpoints
{
    internal sealed record InvestigateAnswer(InvestigationDisposition Disposition, bool Degraded, TicketLink? Ticket, string Message);

    internal record TicketAnswer(
        long Id,
        long? Number,
        string Url,
        string Subject,
        string Status,
        IReadOnlyList<string> Tags,
        string? Surface,
        SurfaceStatus? SurfaceStatus,
        DateTimeOffset OpenedAt,
        string FiledBy,
        bool Recovered,
        TicketKind Kind,
        Severity? Severity,
        string? AlertKey,
        TicketAssignee? Assignee,
        DateTimeOffset? LastReplyAt
    );

    internal sealed record TicketsAnswer(IReadOnlyList<TicketAnswer> Tickets, DateTimeOffset? SyncedAt, bool Stale, string? Problem);

    internal sealed record ResolveAnswer(IReadOnlyList<ResolutionOutcome> Results);

    /// <param name="Class"><c>ghost</c>, <c>orphan</c>, <c>drift</c>, <c>duplicate</c> or <c>unconfirmed</c>.</param>
    /// <param name="Filing">The row id to dismiss a filing that has no conversation; else null.</param>
    internal record FindingAnswer(
        string Class,
        FindingKind Kind,
        long? ConversationId,
        long? Number,
        string? Url,
        string Subject,
        string Detail,
        DateTimeOffset FirstSeenAt,
        DateTimeOffset SeenAt,
        bool Repaired,
        FindingDismissal? Dismissed,
        long? Filing
    );

    /// <param name="Clean">See <see cref="TicketFindings.IsClean"/>.</param>
    internal sealed record FindingsAnswer(IReadOnlyList<FindingAnswer> Findings, DateTimeOffset? ReconciledAt, bool Clean, string? Problem);

    public static void MapTickets(this IEndpointRouteBuilder api)
    {
        api.MapPost(
                "/api/surfaces/{surface}/investigate",
                async (string surface, Investigator investigator, HttpContext context) =>
                {
                    var result = await investigator.InvestigateAsync(surface, context.User.Identity?.Name ?? "api");
                    return result.Disposition switch
                    {
                        InvestigationDisposition.UnknownSurface => Results.Problem(
                            title: "Unknown surface.",
                            detail: result.Message,
                            statusCode: 404
                        ),
                        InvestigationDisposition.FlagOff => Results.Problem(
                            title: "Investigate is switched off.",
                            detail: result.Message,
                            statusCode: 403
                        ),
                        InvestigationDisposition.SurfaceOperational => Results.Problem(
                            title: "The surface is operational.",
                            detail: result.Message,
                            statusCode: 409
                        ),
                        InvestigationDisposition.Unavailable => Results.Problem(
                            title: "The console's database can't be reached.",
                            detail: result.Message,
                            statusCode: 503
                        ),
                        _ => Results.Ok(
                            new InvestigateAnswer(
                                result.Disposition,
                                result.Disposition == InvestigationDisposition.Degraded,
                                result.Ticket,
                                result.Message
                            )
                        ),
                    };
                }
            )
            .WithName("Investigate")
            .WithSummary("Files a ticket for a degraded surface, or returns the one that is open.")
            .RequireAuthorization(Rights.Operate)
            .RequireSameOriginJson()
            .Produces<InvestigateAnswer>()
            .ProducesProblem(403)
            .ProducesProblem(404)
            .ProducesProblem(409)
            .ProducesProblem(503);

        api.MapGet(
                "/api/tickets",
                (OpenTickets tickets, RecoveredTickets recovered, StatusBoard board, string? state, string? tag) =>
                {
                    if (state is not (null or "open"))
                    {
                        return Results.Problem(title: "“state” must be “open” or absent.", statusCode: 400);
                    }

                    var copy = tickets.Current;
                    var worklist = recovered.Current.Select(one => one.Ticket.Id).ToHashSet();
                    return Results.Ok(
                        new TicketsAnswer(
                            [
                                .. copy
                                    .Tickets.Where(ticket => tag is null || ticket.Tags.Contains(tag, StringComparer.OrdinalIgnoreCase))
                                    .Select(ticket => Answer(ticket, board, worklist.Contains(ticket.Id))),
                            ],
                            copy.SyncedAt,
                            copy.IsStale,
                            copy.Problem
                        )
                    );
                }
            )
            .WithName("ListTickets")
            .WithSummary("The open automatic tickets, as last seen in FreeScout.")
            .Produces<TicketsAnswer>()
            .ProducesProblem(400);

        api.MapPost(
                "/api/tickets/resolve",
                async (ResolveRequest request, TicketResolver resolver, HttpContext context) =>
                {
                    if (request is not { Ids.Count: > 0 and <= TicketResolver.Most } || request.Note?.Length > ResolutionNote.Longest)
                    {
                        return Results.Problem(
                            title: $"The body must hold “ids”, 1 to {TicketResolver.Most} of open tickets, "
                                + $"and may hold “note”, of at most {ResolutionNote.Longest} characters.",
                            statusCode: 400
                        );
                    }

                    return resolver.NotSetUp is { } missing
                        ? Results.Problem(title: missing, statusCode: 503)
                        : Results.Ok(new ResolveAnswer(await resolver.ResolveAsync(request, context.User.Identity?.Name ?? "api")));
                }
            )
            .WithName("ResolveTickets")
            .WithSummary("Writes a note on each ticket and closes it, with one result per ticket.")
            .RequireAuthorization(Rights.Operate)
            .RequireSameOriginJson()
            .Produces<ResolveAnswer>()
            .ProducesProblem(400)
            .ProducesProblem(503);

        api.MapPost(
                "/api/tickets/{id}/take",
                async (long id, TakeRequest? request, TicketTaker taker, HttpContext context) =>
                {
                    var outcome = await taker.TakeAsync(
                        id,
                        new(context.User.Identity?.Name ?? "api", Schemes.EmailOf(context.User)),
                        request ?? new()
                    );
                    return outcome.Result switch
                    {
                        TakeResult.NotOpen => Results.Problem(title: "The ticket is not open.", detail: outcome.Message, statusCode: 404),
                        TakeResult.NoAgent => Results.Problem(
                            title: "You are no agent of FreeScout.",
                            detail: outcome.Message,
                            statusCode: 403
                        ),
                        TakeResult.HeldByAnother => Results.Problem(
                            title: $"{outcome.Message} To take it over, send their id as “from”.",
                            statusCode: 409,
                            extensions: new Dictionary<string, object?> { ["assignee"] = outcome.Assignee }
                        ),
                        TakeResult.Failed => Results.Problem(
                            title: "The ticket could not be taken.",
                            detail: outcome.Message,
                            statusCode: 503
                        ),
                        _ => Results.Ok(outcome),
                    };
                }
            )
            .WithName("TakeTicket")
            .WithSummary("Assigns a ticket to the caller.")
            .RequireAuthorization(Rights.Operate)
            .RequireSameOriginJson()
            .Produces<TakeOutcome>()
            .ProducesProblem(403)
            .ProducesProblem(404)
            .ProducesProblem(409)
            .ProducesProblem(503);

        api.MapGet(
                "/api/tickets/findings",
                async (FindingStore log, CancellationToken cancellationToken) =>
                {
                    var known = await log.ReadAsync(cancellationToken);
                    return new FindingsAnswer([.. known.Findings.Select(Answer)], known.ReconciledAt, known.IsClean, known.Problem);
                }
            )
            .WithName("ListFindings")
            .WithSummary("The differences between the console and FreeScout.")
            .Produces<FindingsAnswer>();

        api.MapPost(
                "/api/tickets/findings/{id}/dismiss",
                async (long id, DismissRequest request, FindingStore log, HttpContext context, CancellationToken cancellationToken) =>
                    await log.DismissAsync(id, request, context.User.Identity?.Name ?? "api", cancellationToken) switch
                    {
                        DismissResult.Done => Results.NoContent(),
                        DismissResult.NotThere => Results.Problem(title: "There is no such finding.", statusCode: 404),
                        DismissResult.ReasonMissing => Results.Problem(
                            title: $"“reason” must have {FindingStore.ShortestReason} to {FindingStore.LongestReason} characters.",
                            statusCode: 400
                        ),
                        _ => Results.Problem(title: "The console's database can't be reached.", statusCode: 503),
                    }
            )
            .WithName("DismissFinding")
            .WithSummary("Dismisses a difference between the console and FreeScout.")
            .RequireAuthorization(Rights.Operate)
            .RequireSameOriginJson()
            .Produces(204)
            .ProducesProblem(400)
            .ProducesProblem(404)
            .ProducesProblem(503);
    }

    public static FindingAnswer Answer(TicketFinding finding) =>
        new(
            finding.Class,
            finding.Kind,
            finding.ConversationId,
            finding.Number,
            finding.Url,
            finding.Subject,
            finding.Detail,
            finding.FirstSeenAt,
            finding.SeenAt,
            finding.IsRepaired,
            finding.Dismissed,
            finding.Filing
        );

    /// <param name="isRecovered">Its surface has recovered: it is on the worklist.</param>
    public static TicketAnswer Answer(OpenTicket ticket, StatusBoard board, bool isRecovered)
    {
        var surface = ticket.Surface is { } key ? board.Find(key) : null;
        return new(
            ticket.Id,
            ticket.Number,
            ticket.Url,
            ticket.Subject,
            ticket.Status,
            ticket.Tags,
            ticket.Surface,
            surface?.Status,
            ticket.OpenedAt,
            ticket.FiledBy,
            isRecovered,
            ticket.Kind,
            ticket.Severity,
            ticket.AlertId is { } id ? AlertIdentity.KeyOf(id) : null,
            ticket.Assignee,
            ticket.LastReplyAt
        );
    }
}
