using AutoTicket.Surfaces;

namespace AutoTicket.Components.Board;

/// <summary>Sorts the tiles worst first, but keeps their order while the board is in use, so that no tile moves under a click.</summary>
internal sealed class TileOrder
{
    // A pointer left on a wall screen must not hide a surface that went down.
    private static readonly TimeSpan HoldLimit = TimeSpan.FromSeconds(30);

    private Dictionary<string, int> _places = [];
    private DateTimeOffset? _heldSince;

    public void Hold(DateTimeOffset now) => _heldSince = now;

    public void Release() => _heldSince = null;

    /// <summary>The surfaces in display order. While the order is held, new surfaces come last.</summary>
    public IReadOnlyList<SurfaceSnapshot> Arrange(IEnumerable<SurfaceSnapshot> surfaces, DateTimeOffset now)
    {
        var sorted = surfaces
            .OrderBy(surface => surface.Status.Rank())
            .ThenBy(surface => surface.Surface.Severity)
            .ThenBy(surface => surface.Surface.Name, StringComparer.OrdinalIgnoreCase)
            .ThenBy(surface => surface.Key, StringComparer.Ordinal);
        var isHeld = _heldSince is { } since && now - since < HoldLimit;
        List<SurfaceSnapshot> arranged =
        [
            .. isHeld ? sorted.OrderBy(surface => _places.GetValueOrDefault(surface.Key, int.MaxValue)) : sorted,
        ];
        _places = arranged.Select((surface, place) => (surface.Key, place)).ToDictionary(pair => pair.Key, pair => pair.place);
        return arranged;
    }
}
