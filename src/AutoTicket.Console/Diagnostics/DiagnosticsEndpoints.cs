using AutoTicket.Security;

namespace AutoTicket.Diagnostics;

/// <summary><c>GET /api/diagnostics</c>: the diagnostics page as JSON.</summary>
internal static class DiagnosticsEndpoints
{
    internal sealed record DiagnosticsAnswer(
        string Verdict,
        IReadOnlyList<DiagnosticStep> Steps,
        IReadOnlyList<EscalationClock> Escalations,
        DateTimeOffset CheckedAt
    );

    public static void MapDiagnosticsReport(this IEndpointRouteBuilder api)
    {
        api.MapGet(
                "/api/diagnostics",
                async (PipelineDiagnostics diagnostics, EscalationWatch escalations, CancellationToken cancellationToken) =>
                {
                    var clocks = escalations.ReadInTimeAsync(cancellationToken);
                    var report = await diagnostics.RunToEndAsync(cancellationToken);
                    return new DiagnosticsAnswer(report.Verdict, report.Steps, await clocks, report.CheckedAt);
                }
            )
            .WithName("GetDiagnostics")
            .WithSummary("Checks the whole pipeline, step by step, with one verdict.")
            .Produces<DiagnosticsAnswer>();
        api.MapTest("/api/diagnostics/test-dm", (test, actor) => test.SendDmAsync(actor))
            .WithName("SendTestDm")
            .WithSummary("Sends a test DM to the operator.");
        api.MapTest("/api/diagnostics/test-ticket", (test, actor) => test.FileTicketAsync(actor))
            .WithName("FileTestTicket")
            .WithSummary("Files a test ticket and closes it.");
    }

    private static RouteHandlerBuilder MapTest(
        this IEndpointRouteBuilder api,
        string path,
        Func<DeliveryTest, string, Task<DeliveryTestResult>> run
    ) =>
        api.MapPost(path, async (DeliveryTest test, HttpContext context) => await run(test, context.User.Identity?.Name ?? "api"))
            .RequireAuthorization(Rights.Administer)
            .RequireSameOriginJson()
            .Produces<DeliveryTestResult>();
}
