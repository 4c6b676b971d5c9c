using AutoTicket.Data;
using AutoTicket.Surfaces;

namespace AutoTicket.Alerts;

/// <summary>Turns the status board into observations.</summary>
internal static class SurfaceAlerts
{
    private static readonly Dictionary<string, string> NoLabels = [];

    /// <summary>A surface that is down or degraded fires, also in maintenance; an operational one ends its alert. A stale or unknown
    /// surface gives no observation, because a missing check does not prove a recovery. The loss of the console's own network is one
    /// more alert.</summary>
    public static IEnumerable<Observation> Of(StatusBoard board)
    {
        var lost = board.OwnNetworkLostSince;
        yield return new Observation(
            Observation.Console,
            Observation.OwnNetworkLost,
            null,
            Severity.P2,
            "The console's own network seems lost: none of the surfaces can be reached.",
            lost is not null,
            NoLabels,
            StartsAt: lost
        );
        foreach (var surface in board.All())
        {
            if (surface.Observed is SurfaceStatus.Down or SurfaceStatus.Degraded or SurfaceStatus.Operational)
            {
                yield return Of(surface);
            }
        }
    }

    /// <summary>The surface and its status: <c>Checkout is down</c>. Without the cause, which changes from check to check.</summary>
    public static string TitleOf(SurfaceSnapshot surface) => $"{surface.Surface.Name} is {Words.Of(surface.Observed)}";

    /// <summary>The <see cref="TitleOf"/> at the start of an outage's summary, or the whole summary if it does not begin so.</summary>
    /// <param name="surfaceName">The surface's name now; null: it is no longer configured.</param>
    public static string TitleIn(string summary, string? surfaceName) =>
        surfaceName is { } name && summary.StartsWith(name, StringComparison.Ordinal)
            ? name + summary[name.Length..].Split(':')[0]
            : summary;

    private static Observation Of(SurfaceSnapshot surface)
    {
        var summary = TitleOf(surface) + (surface.Cause is { } cause ? $": {cause}" : "");
        return new Observation(
            Observation.Console,
            Observation.SurfaceOutage,
            surface.Key,
            surface.Surface.Severity,
            AlertText.Cut(summary, Alert.LongestSummary),
            surface.Observed != SurfaceStatus.Operational,
            NoLabels,
            StartsAt: surface.Since
        );
    }
}
