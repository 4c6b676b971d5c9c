namespace AutoTicket.Components.Alerts;

/// <summary>Which alerts the page shows. Each choice has an address, so that a view can be linked to.</summary>
/// <param name="Search">Part of a name, summary, surface or source; empty: all.</param>
public sealed record AlertFilter(bool ActiveOnly = true, string Search = "")
{
    private const string AllWord = "all";

    /// <summary>From the query string's <c>show</c> and <c>q</c>; a word that means nothing shows the active ones.</summary>
    public static AlertFilter FromQuery(string? show, string? search) => new(show != AllWord, search ?? "");

    /// <summary>What <see cref="FromQuery"/> reads, null where there is nothing to say.</summary>
    public IReadOnlyDictionary<string, object?> ToQuery() =>
        new Dictionary<string, object?> { ["show"] = ActiveOnly ? null : AllWord, ["q"] = Search is "" ? null : Search };
}
