using System.Diagnostics;

namespace AutoTicket.Alerts;

/// <summary>All that is done for one episode is one trace, in whichever process and after however many restarts: its id follows from
/// the episode.</summary>
internal static class AlertTrace
{
    /// <returns>Null: nobody collects traces.</returns>
    public static Activity? Start(string name, Alert alert)
    {
        if (!Telemetry.Activities.HasListeners())
        {
            return null;
        }

        // The databases keep less of a moment than .NET does.
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
