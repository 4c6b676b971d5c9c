namespace AutoTicket.Audit;

/// <summary><c>GET /api/audit.csv</c>: the audit page's export.</summary>
internal static class AuditEndpoints
{
    public static RouteHandlerBuilder MapAudit(this IEndpointRouteBuilder api) =>
        api.MapGet(
            "/api/audit.csv",
            (AuditQueries log, HttpContext context, string? action, string? actor, DateTimeOffset? from, DateTimeOffset? to) =>
                Results.Stream(
                    async stream =>
                    {
                        var query = new AuditQuery(action, actor, from?.ToUniversalTime(), to?.ToUniversalTime());
                        var writer = new StreamWriter(stream);
                        if (!await log.WriteCsvAsync(query, writer, context.RequestAborted))
                        {
                            // Abort, because a download that ends normally would look complete.
                            context.Abort();
                        }

                        // Not `await using`: after an exception it would start the answer, which must become a 503.
                        await writer.DisposeAsync();
                    },
                    "text/csv; charset=utf-8",
                    "audit_log.csv"
                )
        );
}
