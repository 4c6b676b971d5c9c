namespace AutoTicket.Audit;

/// <summary><c>GET /api/audit.csv</c>: the audit page's export.</summary>
internal static class AuditEndpoints
{
    public static void MapAudit(this IEndpointRouteBuilder api) =>
        api.MapGet("/api/audit.csv", (AuditLog log, HttpContext context, string? action, string? actor, DateTimeOffset? from, DateTimeOffset? to) => Results.Stream(
            async stream =>
            {
                await using var writer = new StreamWriter(stream);
                await log.WriteCsvAsync(new AuditQuery(action, actor, from?.ToUniversalTime(), to?.ToUniversalTime()), writer, context.RequestAborted);
            },
            "text/csv; charset=utf-8",
            "audit_log.csv"));
}
