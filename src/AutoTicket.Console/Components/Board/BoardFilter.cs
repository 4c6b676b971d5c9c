using System.Diagnostics.CodeAnalysis;
using AutoTicket.Surfaces;

namespace AutoTicket.Components.Board;

/// <summary>Which tiles the board shows, and how. Each one has an address, so that a view can be linked to.</summary>
/// <param name="Status">Only surfaces in this status.</param>
/// <param name="NeedsHuman">Only surfaces that need somebody.</param>
/// <param name="Search">Part of a name, key or group; empty: all.</param>
/// <param name="IsGrouped">By the surfaces' groups instead of one list.</param>
public sealed record BoardFilter(
    SurfaceStatus? Status = null,
    bool NeedsHuman = false,
    string Search = "",
    bool IsGrouped = false,
    BoardView View = BoardView.Tiles
)
{
    private const string HumanWord = "needs-human";
    private const string DenseWord = "dense";
    private const string WallWord = "wall";

    public static readonly BoardFilter All = new();

    /// <summary>From the query string's <c>show</c>, <c>q</c>, <c>by</c> and <c>view</c>; words that mean nothing show all.</summary>
    public static BoardFilter FromQuery(string? show, string? search, string? by, string? view) =>
        new(
            StatusWords.WorstFirst.Cast<SurfaceStatus?>().FirstOrDefault(status => status!.Value.Word() == show),
            show == HumanWord,
            search ?? "",
            by == "group",
            view switch
            {
                DenseWord => BoardView.Dense,
                WallWord => BoardView.Wall,
                _ => BoardView.Tiles,
            }
        );

    /// <summary>What <see cref="FromQuery"/> reads, null where there is nothing to say: for
    /// <c>NavigationManager.GetUriWithQueryParameters</c>.</summary>
    public IReadOnlyDictionary<string, object?> ToQuery() =>
        new Dictionary<string, object?>
        {
            ["show"] = NeedsHuman ? HumanWord : Status?.Word(),
            ["q"] = Search is "" ? null : Search,
            ["by"] = IsGrouped ? "group" : null,
            ["view"] = View switch
            {
                BoardView.Dense => DenseWord,
                BoardView.Wall => WallWord,
                _ => null,
            },
        };

    public bool Shows([NotNull] SurfaceSnapshot surface) =>
        (Status is null || surface.Status == Status)
        && (!NeedsHuman || BoardSummary.NeedsHuman(surface))
        && (Search is "" || Matches(surface.Surface.Name) || Matches(surface.Key) || Matches(surface.Surface.Group));

    private bool Matches(string text) => text.Contains(Search.Trim(), StringComparison.OrdinalIgnoreCase);
}
