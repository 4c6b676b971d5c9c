using System.Globalization;
using AutoTicket.Audit;

namespace AutoTicket.Components.Audit;

/// <summary>Which audit entries are shown; null means any. It is kept in the URL, so that a view can be linked.</summary>
/// <param name="From">Inclusive.</param>
/// <param name="To">Inclusive.</param>
/// <param name="Before">The id of the last entry of the page before; null on the first page.</param>
public sealed record AuditFilter(
    string? Action = null,
    string? Actor = null,
    DateTimeOffset? From = null,
    DateTimeOffset? To = null,
    long? Before = null
)
{
    /// <summary>Reads <c>action</c>, <c>actor</c>, <c>from</c>, <c>to</c> and <c>before</c> from the query string. A time that is none
    /// counts as absent.</summary>
    public static AuditFilter FromQuery(string? action, string? actor, string? from, string? to, string? before) =>
        new(OrNull(action), OrNull(actor), Time(from), Time(to), Row(before));

    /// <summary>The query parameters that <see cref="FromQuery"/> reads; null removes one.</summary>
    public IReadOnlyDictionary<string, object?> ToQuery() =>
        new Dictionary<string, object?>
        {
            ["action"] = Action,
            ["actor"] = Actor,
            ["from"] = Text(From),
            ["to"] = Text(To),
            ["before"] = Before,
        };

    public AuditQuery ToQueryOfEntries() => new(Action, Actor, From, To, Before);

    private static long? Row(string? text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var row) ? row : null;

    private static string? OrNull(string? text) => string.IsNullOrWhiteSpace(text) ? null : text.Trim();

    private static string? Text(DateTimeOffset? time) =>
        time?.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static DateTimeOffset? Time(string? text) =>
        DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
            ? time.ToUniversalTime()
            : null;
}
