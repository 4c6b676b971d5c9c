using System.Globalization;
using AutoTicket.Alerts;
using AutoTicket.Incidents;
using AutoTicket.Surfaces;

namespace AutoTicket.Components.Incidents;

/// <summary>Which incidents the page shows. It is kept in the URL, so that a view can be linked.</summary>
/// <param name="Surface">A surface's key; empty for all.</param>
/// <param name="Group">A group of surfaces; empty for all.</param>
/// <param name="Since">Opened at this time or later.</param>
/// <param name="Until">Opened at this time or earlier.</param>
/// <param name="Before">The key of the last incident of the page before.</param>
public sealed record IncidentFilter(
    bool IsOpen = true,
    string Surface = "",
    string Group = "",
    Severity? Severity = null,
    DateTimeOffset? Since = null,
    DateTimeOffset? Until = null,
    string? Before = null
)
{
    private const string EndedWord = "ended";

    /// <summary>Only the state and the page differ from the default.</summary>
    public bool IsUnfiltered => this with { IsOpen = true, Before = null } == new IncidentFilter();

    /// <summary>Reads the query string. What it can't read counts as absent.</summary>
    public static IncidentFilter FromQuery(
        string? state,
        string? surface,
        string? group,
        string? severity,
        string? since,
        string? until,
        string? before
    ) =>
        new(
            state != EndedWord,
            surface ?? "",
            group ?? "",
            Enum.GetValues<Severity>().Cast<Severity?>().FirstOrDefault(one => Word(one) == severity),
            Time(since),
            Time(until),
            IncidentKey.Parse(before)?.Row is null ? null : before
        );

    /// <summary>The query parameters that <see cref="FromQuery"/> reads; null removes one.</summary>
    public IReadOnlyDictionary<string, object?> ToQuery() =>
        new Dictionary<string, object?>
        {
            ["state"] = IsOpen ? null : EndedWord,
            ["surface"] = Surface is "" ? null : Surface,
            ["group"] = Group is "" ? null : Group,
            ["severity"] = Word(Severity),
            ["since"] = Text(Since),
            ["until"] = Text(Until),
            ["before"] = Before,
        };

    public IncidentQuery ToQueryOfRows() =>
        new(IsOpen, Surface is "" ? null : Surface, Group is "" ? null : Group, Severity, Since, Until, IncidentKey.Parse(Before)?.Row);

    private static string? Word(Severity? severity) => severity is { } known ? Data.Words.Of(known) : null;

    private static string? Text(DateTimeOffset? at) => at?.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static DateTimeOffset? Time(string? text) =>
        DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at)
            ? at.ToUniversalTime()
            : null;
}
