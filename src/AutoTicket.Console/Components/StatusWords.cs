using AutoTicket.Surfaces;

namespace AutoTicket.Components;

/// <summary>How a status looks: a shape, a word and a class for its colour. The shape and the word alone tell all six apart.</summary>
public static class StatusWords
{
    /// <summary>Worst first, as the board sorts and filters.</summary>
    public static readonly IReadOnlyList<SurfaceStatus> WorstFirst = [.. Enum.GetValues<SurfaceStatus>().OrderBy(Rank)];

    /// <summary>0 is worst.</summary>
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

    /// <summary>The contract's word in lower case.</summary>
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

    /// <summary>The shape's name: ● disc, ◆ diamond, ■ square, ◌ ring, ⧗ hourglass, ⏸ pause.</summary>
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
