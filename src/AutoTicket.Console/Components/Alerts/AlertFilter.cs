namespace AutoTicket.Components.Alerts;

/// <summary>Which alerts the page shows. It is kept in the URL, so that a view can be linked.</summary>
/// <param name="Search">Part of a name, summary, surface or source; empty for all.</param>
public sealed record AlertFilter(bool ActiveOnly = true, string Search = "")
{
    private const string AllWord = "all";

    /// <summary>Reads <c>show</c> and <c>q</c> from the query string; an unknown <c>show</c> means active only.</summary>
    public static AlertFilter FromQuery(string? show, string? search) => new(show != AllWord, search ?? "");

    /// <summary>The query parameters that <see cref="FromQuery"/> reads; null removes one.</summary>
    public IReadOnlyDictionary<string, object?> ToQuery() =>
        new Dictionary<string, object?> { ["show"] = ActiveOnly ? null : AllWord, ["q"] = Search is "" ? null : Search };
}
