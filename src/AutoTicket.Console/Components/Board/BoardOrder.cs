using System.Runtime.CompilerServices;
using AutoTicket.Surfaces;

namespace AutoTicket.Components.Board;

/// <summary>Where a surface stands on the board.</summary>
/// <param name="IsTile">It is shown as a tile; otherwise as a row.</param>
internal readonly record struct PlacedSurface(SurfaceSnapshot Snapshot, bool IsTile);

/// <summary>What is on the board while somebody uses it.</summary>
internal enum BoardUse
{
    Pointer,
    Focus,
}

/// <summary>Places the surfaces worst first, but moves none while the board is in use, so that no tile moves under a click.</summary>
internal sealed class BoardOrder
{
    /// <summary>Further surfaces are rows even if they need attention, so that an outage of everything stays readable.</summary>
    public const int MostTiles = 48;

    // A pointer left on a wall screen must not hide a surface that went down. app.js renews the hold while the pointer moves.
    private static readonly TimeSpan HoldLimit = TimeSpan.FromSeconds(60);

    // Focus passes from one button to the next through none, and a finger leaves before its tap becomes a click.
    public static readonly TimeSpan Linger = TimeSpan.FromSeconds(2);

    // All open boards show the same list, which is sorted once.
    private static readonly ConditionalWeakTable<IReadOnlyList<SurfaceSnapshot>, SurfaceSnapshot[]> Sorted = [];

    private readonly Dictionary<BoardUse, DateTimeOffset> _heldUntil = [];
    private IReadOnlyList<PlacedSurface> _arranged = [];

    /// <summary>Of <see cref="_arranged"/>; null until the order is held.</summary>
    private Dictionary<string, (int Place, bool IsTile, SurfaceStatus Status)>? _places;

    /// <summary>How many surfaces have changed their status since the order is held; 0 when it is not.</summary>
    public int Changed { get; private set; }

    /// <summary>Until when the order is held.</summary>
    public DateTimeOffset HeldUntil => _heldUntil.Values.DefaultIfEmpty().Max();

    public void Hold(BoardUse use, DateTimeOffset now) => _heldUntil[use] = now + HoldLimit;

    /// <summary>The pointer or the focus has left the board.</summary>
    public void Leave(BoardUse use, DateTimeOffset now) => _heldUntil[use] = now + Linger;

    /// <summary>Sorts the next time, even if the board is in use.</summary>
    public void Release() => _heldUntil.Clear();

    /// <summary>The surfaces in display order. While the order is held, new surfaces come last.</summary>
    /// <param name="deservesTile">Whether the surface needs the room of a tile.</param>
    public IReadOnlyList<PlacedSurface> Arrange(
        IReadOnlyList<SurfaceSnapshot> surfaces,
        Func<SurfaceSnapshot, bool> deservesTile,
        DateTimeOffset now
    )
    {
        var sorted = Sorted.GetValue(surfaces, Sort);
        if (_heldUntil.Values.Any(until => now < until))
        {
            _places ??= _arranged
                .Select((placed, place) => (placed, place))
                .ToDictionary(pair => pair.placed.Snapshot.Key, pair => (pair.place, pair.placed.IsTile, pair.placed.Snapshot.Status));
            List<PlacedSurface> held =
            [
                .. sorted
                    .OrderBy(surface => _places.TryGetValue(surface.Key, out var old) ? old.Place : int.MaxValue)
                    .Select(surface => new PlacedSurface(
                        surface,
                        _places.TryGetValue(surface.Key, out var old) ? old.IsTile : deservesTile(surface)
                    )),
            ];
            Changed = held.Count(placed => _places.TryGetValue(placed.Snapshot.Key, out var old) && old.Status != placed.Snapshot.Status);
            return held;
        }

        var tiles = 0;
        List<PlacedSurface> arranged =
        [
            .. sorted.Select(surface => new PlacedSurface(surface, deservesTile(surface) && tiles++ < MostTiles)),
        ];
        (_arranged, _places, Changed) = (arranged, null, 0);
        return arranged;
    }

    private static SurfaceSnapshot[] Sort(IReadOnlyList<SurfaceSnapshot> surfaces) =>
        [
            .. surfaces
                .OrderBy(surface => surface.Status.Rank())
                .ThenBy(surface => surface.Surface.Severity)
                .ThenBy(surface => surface.Surface.Name, StringComparer.OrdinalIgnoreCase)
                .ThenBy(surface => surface.Key, StringComparer.Ordinal),
        ];
}
