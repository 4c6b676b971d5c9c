using System.Diagnostics.CodeAnalysis;
using AutoTicket.Surfaces;

namespace AutoTicket.Components.Board;

/// <summary>Which tiles the board shows, and how. It is kept in the URL, so that a view can be linked.</summary>
/// <param name="Status">Only surfaces in this status.</param>
/// <param name="NeedsAttention">Only surfaces that need attention.</param>
/// <param name="Search">Part of a name, key or group; empty for all.</param>
/// <param name="IsGrouped">Tiles are shown by group instead of in one list.</param>
public sealed record BoardFilter(
    SurfaceStatus? Status = null,
    bool NeedsAttention = false,
    string Search = "",
    bool IsGrouped = false,
    BoardView View = BoardView.Tiles
)
{
    private const string AttentionWord = "needs-human";
    private const string DenseWord = "dense";
    private const string WallWord = "wall";

    public static readonly BoardFilter All = new();

    /// <summary>Reads <c>show</c>, <c>q</c>, <c>by</c> and <c>view</c> from the query string; unknown values show all.</summary>
    public static BoardFilter FromQuery(string? show, string? search, string? by, string? view) =>
        new(
            StatusWords.WorstFirst.Cast<SurfaceStatus?>().FirstOrDefault(status => status!.Value.Word() == show),
            show == AttentionWord,
            search ?? "",
            by == "group",
            view switch
            {
                DenseWord => BoardView.Dense,
                WallWord => BoardView.Wall,
                _ => BoardView.Tiles,
            }
        );

    /// <summary>The query parameters that <see cref="FromQuery"/> reads; null removes one.</summary>
    public IReadOnlyDictionary<string, object?> ToQuery() =>
        new Dictionary<string, object?>
        {
            ["show"] = NeedsAttention ? AttentionWord : Status?.Word(),
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
        && (!NeedsAttention || BoardSummary.NeedsAttention(surface))
        && (Search is "" || Matches(surface.Surface.Name) || Matches(surface.Key) || Matches(surface.Surface.Group));

    private bool Matches(string text) => text.Contains(Search.Trim(), StringComparison.OrdinalIgnoreCase);
}
