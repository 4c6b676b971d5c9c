namespace AutoTicket.Audit;

/// <summary><c>GET /api/audit.csv</c>: the audit page's export.</summary>
internal static class AuditEndpoints
{
    public static RouteHandlerBuilder MapAudit(this IEndpointRouteBuilder api) =>
        api.MapGet(
            "/api/audit.csv",
            (AuditLog log, HttpContext context, string? action, string? actor, DateTimeOffset? from, DateTimeOffset? to) =>
                Results.Stream(
                    async stream =>
                    {
                        var query = new AuditQuery(action, actor, from?.ToUniversalTime(), to?.ToUniversalTime());
                        var writer = new StreamWriter(stream);
                        if (!await log.WriteCsvAsync(query, writer, context.RequestAborted))
                        {
                            // A download that ends here would look complete.
                            context.Abort();
                        }

                        // Not by `await using`: after an exception that would begin the answer, in which a 503 is to be told.
                        await writer.DisposeAsync();
                    },
                    "text/csv; charset=utf-8",
                    "audit_log.csv"
                )
        );
}
