using AutoTicket.Surfaces;

namespace AutoTicket.Components;

/// <summary>The word, shape and rank of a status. Shape and word differ for all six, so color is never needed.</summary>
public static class StatusWords
{
    /// <summary>All statuses, worst first.</summary>
    public static readonly IReadOnlyList<SurfaceStatus> WorstFirst = [.. Enum.GetValues<SurfaceStatus>().OrderBy(Rank)];

    /// <summary>Sort order; 0 is worst.</summary>
    public static int Rank(this SurfaceStatus status) =>
        status switch
        {
            SurfaceStatus.Down => 0,
            SurfaceStatus.Degraded => 1,
            SurfaceStatus.Stale => 2,
            SurfaceStatus.Unknown => 3,
            SurfaceStatus.Maintenance => 4,
            _ => 5,
        };

    /// <summary>The word the API and the pages use.</summary>
    public static string Word(this SurfaceStatus status) =>
        status switch
        {
            SurfaceStatus.Down => "down",
            SurfaceStatus.Degraded => "degraded",
            SurfaceStatus.Stale => "stale",
            SurfaceStatus.Maintenance => "maintenance",
            SurfaceStatus.Operational => "operational",
            _ => "unknown",
        };

    /// <summary>The name of the shape: ● disc, ◆ diamond, ■ square, ◌ ring, ⧗ hourglass, ⏸ pause.</summary>
    public static string Shape(this SurfaceStatus status) =>
        status switch
        {
            SurfaceStatus.Down => "square",
            SurfaceStatus.Degraded => "diamond",
            SurfaceStatus.Stale => "hourglass",
            SurfaceStatus.Maintenance => "pause",
            SurfaceStatus.Operational => "disc",
            _ => "ring",
        };
}
