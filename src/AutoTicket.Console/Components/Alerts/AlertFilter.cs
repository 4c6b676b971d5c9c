using System.Globalization;
using AutoTicket.Alerts;

namespace AutoTicket.Components.Alerts;

/// <summary>Which alerts the page shows, and in which order. It is kept in the URL, so that a view can be linked.</summary>
/// <param name="Active">True: active ones; false: ended ones; null: all.</param>
/// <param name="Search">Part of a name, summary, surface or source; empty for all.</param>
/// <param name="IsDescending">Reverses <paramref name="Sort"/>.</param>
/// <param name="IsGrouped">One row for each name.</param>
/// <param name="After">The last alert of the page before; null on the first page.</param>
/// <param name="Open">The alert in the side panel, as <see cref="AlertView.Row"/>; null: none.</param>
public sealed record AlertFilter(
    bool? Active = true,
    string Search = "",
    AutoTicket.Surfaces.Severity? Severity = null,
    AlertSort Sort = AlertSort.Severity,
    bool IsDescending = false,
    bool IsGrouped = false,
    AlertCursor? After = null,
    long? Open = null
)
{
    private const string AllWord = "all";
    private const string EndedWord = "ended";
    private const string NameWord = "name";

    /// <summary>Reads <c>show</c>, <c>q</c>, <c>severity</c>, <c>sort</c> (<c>-age</c> is descending), <c>by</c>, <c>after</c> and
    /// <c>open</c> from the query string. Unknown values count as absent.</summary>
    public static AlertFilter FromQuery(
        string? show,
        string? search,
        string? severity,
        string? sort,
        string? by,
        string? after,
        string? open
    ) =>
        new(
            show switch
            {
                AllWord => null,
                EndedWord => false,
                _ => true,
            },
            search ?? "",
            Enum.GetValues<AutoTicket.Surfaces.Severity>()
                .Cast<AutoTicket.Surfaces.Severity?>()
                .FirstOrDefault(one => Word(one) == severity),
            SortOf(sort),
            sort?.StartsWith('-') == true,
            by == NameWord,
            after?.Split('-') is [var rank, var row]
            && int.TryParse(rank, NumberStyles.None, CultureInfo.InvariantCulture, out var parsedRank)
            && long.TryParse(row, NumberStyles.None, CultureInfo.InvariantCulture, out var parsedRow)
                ? new AlertCursor(parsedRank, parsedRow)
                : null,
            long.TryParse(open, NumberStyles.None, CultureInfo.InvariantCulture, out var parsedOpen) ? parsedOpen : null
        );

    /// <summary>The query parameters that <see cref="FromQuery"/> reads; null removes one.</summary>
    public IReadOnlyDictionary<string, object?> ToQuery() =>
        new Dictionary<string, object?>
        {
            ["show"] = Active switch
            {
                null => AllWord,
                false => EndedWord,
                _ => null,
            },
            ["q"] = Search is "" ? null : Search,
            ["severity"] = Word(Severity),
            ["sort"] =
                IsDescending ? $"-{Word(Sort)}"
                : Sort == AlertSort.Severity ? null
                : Word(Sort),
            ["by"] = IsGrouped ? NameWord : null,
            ["open"] = Open,
            ["after"] = After is null ? null : string.Create(CultureInfo.InvariantCulture, $"{After.Rank}-{After.Row}"),
        };

    /// <summary>The page of alerts that the filter asks for.</summary>
    public AlertQuery ToQueryOfAlerts() =>
        new(Active, Search: Search, Severity: Severity, Sort: Sort, IsDescending: IsDescending, After: After);

    private static AlertSort SortOf(string? word) =>
        word?.TrimStart('-') switch
        {
            // As addresses named it before the columns could be sorted.
            "newest" => AlertSort.Age,
            { } column => Enum.GetValues<AlertSort>().FirstOrDefault(sort => Word(sort) == column, AlertSort.Severity),
            null => AlertSort.Severity,
        };

    private static string Word(AlertSort sort) => sort.ToString().ToLowerInvariant();

    private static string? Word(AutoTicket.Surfaces.Severity? severity) => severity?.ToString().ToLowerInvariant();
}
