using System.Diagnostics;

namespace AutoTicket.Alerts;

/// <summary>Puts all work for one episode into one trace, across processes and restarts: the trace id is computed from the
/// episode.</summary>
internal static class AlertTrace
{
    /// <returns>Null when no listener collects traces.</returns>
    public static Activity? Start(string name, Alert alert)
    {
        if (!Telemetry.Activities.HasListeners())
        {
            return null;
        }

        // Milliseconds, because the databases store times less precisely than .NET does.
        var episode = AlertIdentity.Of(alert.AlertId, $"{alert.OpenedAt.ToUnixTimeMilliseconds()}", null, []);
        var trace = new ActivityContext(
            ActivityTraceId.CreateFromString(episode.AsSpan(0, 32)),
            ActivitySpanId.CreateFromString(episode.AsSpan(32, 16)),
            ActivityTraceFlags.Recorded,
            isRemote: true
        );
        return Telemetry.Activities.StartActivity(
            name,
            ActivityKind.Internal,
            trace,
            [new("alert_key", alert.AlertKey), new("severity", $"{alert.Severity}")]
        );
    }
}
