using System.Text.Json;

namespace AutoTicket.Audit;

/// <summary><c>GET /api/audit.csv</c> and <c>.json</c>: the audit page's exports.</summary>
internal static class AuditEndpoints
{
    /// <param name="Payload">A JSON object.</param>
    internal sealed record AuditAnswer(long Id, DateTimeOffset CreatedAt, string Action, string Actor, JsonElement Payload);

    public static readonly TableExport<AuditEntry> Table = new(
        "audit_log",
        [
            ("id", entry => entry.Id),
            ("created_at", entry => entry.CreatedAt),
            ("action", entry => entry.Action),
            ("actor", entry => entry.Actor),
            ("payload", entry => entry.Payload),
        ],
        entry => new AuditAnswer(
            entry.Id,
            entry.CreatedAt,
            entry.Action,
            entry.Actor,
            JsonSerializer.Deserialize<JsonElement>(entry.Payload)
        )
    );

    public static RouteGroupBuilder MapAudit(this IEndpointRouteBuilder app)
    {
        var api = app.MapGroup("");
        foreach (var format in TableExport.Formats)
        {
            api.MapGet(
                    TableExport.PathOf("/api/audit", format),
                    (AuditQueries log, HttpContext context, string? action, string? actor, DateTimeOffset? from, DateTimeOffset? to) =>
                        Table.SendAsync(format, Pages(log, action, actor, from, to), context)
                )
                .Describe<AuditAnswer>(format, "Audit", "The audit log, newest first");
        }

        return api;
    }

    private static Func<AuditEntry?, CancellationToken, Task<IReadOnlyList<AuditEntry>?>> Pages(
        AuditQueries log,
        string? action,
        string? actor,
        DateTimeOffset? from,
        DateTimeOffset? to
    ) =>
        (last, cancellationToken) =>
            log.ReadAsync(
                new AuditQuery(action, actor, from?.ToUniversalTime(), to?.ToUniversalTime(), last?.Id),
                TableExport.PageRows,
                cancellationToken
            );
}
