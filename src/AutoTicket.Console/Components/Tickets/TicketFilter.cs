using System.Globalization;
using AutoTicket.Mailbox;

namespace AutoTicket.Components.Tickets;

/// <summary>Which open tickets the page shows, and in which order. It is kept in the URL, so that a view can be linked.</summary>
/// <param name="Kind">Only tickets of this kind.</param>
/// <param name="Search">Part of a surface, subject or number; empty for all.</param>
/// <param name="Sort">The column to sort by.</param>
/// <param name="Page">Counts from 1.</param>
public sealed record TicketFilter(
    TicketKind? Kind = null,
    string Search = "",
    string Sort = TicketFilter.DefaultSort,
    bool IsDescending = false,
    int Page = 1
)
{
    private const string DefaultSort = "severity";
    private const string SurfaceWord = "surface";
    private const string AlertWord = "alert";

    /// <summary>Reads <c>kind</c>, <c>q</c>, <c>sort</c> (<c>-age</c> is descending) and <c>page</c> from the query string. An unknown kind
    /// shows all.</summary>
    public static TicketFilter FromQuery(string? kind, string? search, string? sort, int? page) =>
        new(
            kind switch
            {
                SurfaceWord => TicketKind.Surface,
                AlertWord => TicketKind.Alert,
                _ => null,
            },
            search ?? "",
            sort?.TrimStart('-') is { Length: > 0 } column ? column : DefaultSort,
            sort?.StartsWith('-') == true,
            page is > 1 and { } number ? number : 1
        );

    /// <summary>The query parameters that <see cref="FromQuery"/> reads; null removes one.</summary>
    public IReadOnlyDictionary<string, object?> ToQuery() =>
        new Dictionary<string, object?>
        {
            ["kind"] = Word(Kind),
            ["q"] = Search is "" ? null : Search,
            ["sort"] =
                IsDescending ? $"-{Sort}"
                : Sort == DefaultSort ? null
                : Sort,
            ["page"] = Page == 1 ? null : Page.ToString(CultureInfo.InvariantCulture),
        };

    public bool Shows(OpenTicket ticket) => Kind is null || ticket.Kind == Kind;

    public static string? Word(TicketKind? kind) =>
        kind switch
        {
            TicketKind.Surface => SurfaceWord,
            TicketKind.Alert => AlertWord,
            _ => null,
        };
}
