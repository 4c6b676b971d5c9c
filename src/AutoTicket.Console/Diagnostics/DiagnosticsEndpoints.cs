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

    public static void MapDiagnosticsReport(this IEndpointRouteBuilder api) =>
        api.MapGet(
                "/api/diagnostics",
                async (PipelineDiagnostics diagnostics, EscalationWatch escalations, CancellationToken cancellationToken) =>
                {
                    var clocks = escalations.ReadInTimeAsync(cancellationToken);
                    var report = await diagnostics.RunToEndAsync(cancellationToken);
                    return new DiagnosticsAnswer(report.Verdict, report.Steps, await clocks, report.CheckedAt);
                }
            )
            .Produces<DiagnosticsAnswer>();
}
