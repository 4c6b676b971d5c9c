using System.Net.Mime;
using AutoTicket.Alerts;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;

namespace AutoTicket.Incidents;

/// <summary><c>GET /api/incidents</c>: incidents as their pages show them.</summary>
internal static class IncidentEndpoints
{
    private const int Most = 100;

    /// <param name="Key">Names this episode for good.</param>
    /// <param name="State"><c>open</c> or <c>ended</c>.</param>
    internal sealed record IncidentAnswer(
        string Key,
        string AlertKey,
        string Title,
        string Summary,
        string Name,
        string Source,
        string? Surface,
        string? Group,
        Severity Severity,
        string State,
        AlertStatus Status,
        DateTimeOffset OpenedAt,
        DateTimeOffset? EndedAt,
        int Reopened,
        IncidentTicket? Ticket
    );

    /// <param name="Next">The <c>before</c> of the next page; null: this is the last one.</param>
    internal sealed record IncidentsAnswer(IReadOnlyList<IncidentAnswer> Incidents, string? Next);

    /// <summary>Seconds after the beginning; null: not yet, or not known.</summary>
    internal sealed record FiguresAnswer(
        double? DetectSeconds,
        double? NotifySeconds,
        double? TicketSeconds,
        double? PersonSeconds,
        double? RecoverSeconds,
        double? ResolveSeconds
    );

    /// <param name="FreescoutProblem">Why the timeline lacks what only FreeScout knows; null: it lacks nothing.</param>
    internal sealed record IncidentDetailsAnswer(
        IncidentAnswer Incident,
        DateTimeOffset BeganAt,
        FiguresAnswer Figures,
        IReadOnlyList<IncidentTicket> Tickets,
        IReadOnlyList<IncidentEntry> Timeline,
        IReadOnlyList<IncidentAnswer> Earlier,
        string? FreescoutProblem
    );

    public static RouteGroupBuilder MapIncidents(this IEndpointRouteBuilder app)
    {
        var api = app.MapGroup("/api/incidents");
        api.MapGet(
                "",
                async (
                    IncidentQueries queries,
                    string? state,
                    string? surface,
                    string? group,
                    string? severity,
                    DateTimeOffset? since,
                    DateTimeOffset? until,
                    string? before,
                    CancellationToken cancellationToken
                ) =>
                {
                    if (state is not (null or "open" or "ended"))
                    {
                        return Results.Problem(title: "“state” must be “open”, “ended” or absent.", statusCode: 400);
                    }

                    if (severity is not null && SeverityOf(severity) is null)
                    {
                        return Results.Problem(title: "“severity” must be “p1”, “p2”, “p3”, “p4” or absent.", statusCode: 400);
                    }

                    if (before is not null && IncidentKey.Parse(before)?.Row is null)
                    {
                        return Results.Problem(title: "“before” must be the “next” of a page before, or absent.", statusCode: 400);
                    }

                    var query = new IncidentQuery(
                        state is not "ended",
                        surface,
                        group,
                        severity is null ? null : SeverityOf(severity),
                        since?.ToUniversalTime(),
                        until?.ToUniversalTime(),
                        IncidentKey.Parse(before)?.Row
                    );
                    return await queries.ListAsync(query, Most, cancellationToken) is { } page
                        ? Results.Ok(new IncidentsAnswer([.. page.Incidents.Select(Answer)], page.HasOlder ? page.Incidents[^1].Key : null))
                        : Lost();
                }
            )
            .WithName("ListIncidents")
            .WithSummary("Open or ended incidents, newest first, 100 a page.")
            .Produces<IncidentsAnswer>()
            .ProducesProblem(400)
            .ProducesProblem(503);

        api.MapGet(
                "/{key}",
                async (string key, IncidentQueries queries, TicketActivityReader activity, CancellationToken cancellationToken) =>
                    await FindAsync(key, queries, activity, cancellationToken) switch
                    {
                        (_, true) => Lost(),
                        ({ } incident, _) => Results.Ok(Answer(incident)),
                        _ => NotFound(),
                    }
            )
            .WithName("GetIncident")
            .WithSummary("One incident with its figures and its timeline.")
            .Produces<IncidentDetailsAnswer>()
            .ProducesProblem(404)
            .ProducesProblem(503);

        api.MapGet(
                "/{key}/markdown",
                async (
                    string key,
                    IncidentQueries queries,
                    TicketActivityReader activity,
                    ConsoleAddress address,
                    HttpContext context,
                    CancellationToken cancellationToken
                ) =>
                {
                    var (incident, isLost) = await FindAsync(key, queries, activity, cancellationToken);
                    if (incident is null)
                    {
                        return isLost ? Lost() : NotFound();
                    }

                    context.Response.Headers.ContentDisposition = $"attachment; filename=\"incident-{incident.Summary.Key}.md\"";
                    return Results.Text(IncidentMarkdown.Of(incident, address.Url), MediaTypeNames.Text.Markdown);
                }
            )
            .WithName("GetIncidentMarkdown")
            .WithSummary("One incident as a Markdown file.")
            .Produces<string>(200, MediaTypeNames.Text.Markdown)
            .ProducesProblem(404)
            .ProducesProblem(503);
        return api;
    }

    private static async Task<(Incident? Incident, bool IsLost)> FindAsync(
        string key,
        IncidentQueries queries,
        TicketActivityReader activity,
        CancellationToken cancellationToken
    )
    {
        if (IncidentKey.Parse(key) is not { } known)
        {
            return (null, false);
        }

        var (rows, isLost) = await queries.ReadAsync(known, cancellationToken);
        return (rows is null ? null : Incident.Of(rows, await activity.ReadAsync(rows.Conversations)), isLost);
    }

    private static Severity? SeverityOf(string word) =>
        Enum.GetValues<Severity>().Cast<Severity?>().FirstOrDefault(one => $"{one}".Equals(word, StringComparison.OrdinalIgnoreCase));

    private static IResult Lost() => Results.Problem(title: "The console's database can't be reached.", statusCode: 503);

    private static IResult NotFound() => Results.Problem(title: "There is no incident with this key.", statusCode: 404);

    public static IncidentAnswer Answer(IncidentSummary one) =>
        new(
            one.Key,
            one.AlertKey,
            one.Title,
            one.Summary,
            one.Name,
            one.Source,
            one.Surface,
            one.Group,
            one.Severity,
            one.IsOpen ? "open" : "ended",
            one.Status,
            one.OpenedAt,
            one.EndedAt,
            one.Reopened,
            one.Ticket
        );

    private static IncidentDetailsAnswer Answer(Incident incident)
    {
        return new(
            Answer(incident.Summary),
            incident.BeganAt,
            new(
                Seconds(IncidentFigures.Detect),
                Seconds(IncidentFigures.Notify),
                Seconds(IncidentFigures.Ticket),
                Seconds(IncidentFigures.Person),
                Seconds(IncidentFigures.Recover),
                Seconds(IncidentFigures.Resolve)
            ),
            incident.Tickets,
            incident.Timeline,
            [.. incident.Earlier.Select(Answer)],
            incident.FreeScoutProblem
        );

        double? Seconds(string key) => incident.Figures.First(figure => figure.Key == key).After?.TotalSeconds;
    }
}
