using AutoTicket.Surfaces;

namespace AutoTicket.Alerts;

/// <summary>The order of a list of alerts.</summary>
public enum AlertSort
{
    /// <summary>The last opened first. It can't be reversed.</summary>
    Newest,

    /// <summary>Active alerts by severity, worst first, then ended ones; each newest first.</summary>
    Severity,
    Name,
    Source,

    /// <summary>The youngest first.</summary>
    Age,
}

/// <summary>The last episode of a page.</summary>
/// <param name="Rank">0 to 3: active, by severity; 4: ended.</param>
public sealed record AlertCursor(int Rank, long Row)
{
    public static AlertCursor Of(AlertView alert) =>
        new(alert.Status == AlertStatus.Firing ? alert.Severity - Severity.P1 : Ended, alert.Row);

    internal const int Ended = 4;
}

/// <summary>Which episodes to show.</summary>
/// <param name="Active">True: active ones; false: ended ones; null: all.</param>
/// <param name="Before">Only episodes that were opened before this row.</param>
/// <param name="Search">Part of the name, summary, surface or source, in any case, or the beginning of the alert's key.</param>
/// <param name="IsDescending">Reverses <paramref name="Sort"/>; of equals, the newest still comes first.</param>
/// <param name="After">Only episodes that follow this one in the order.</param>
public sealed record AlertQuery(
    bool? Active = null,
    string? AlertKey = null,
    long? Before = null,
    string? Surface = null,
    string? Search = null,
    Severity? Severity = null,
    AlertSort Sort = AlertSort.Newest,
    bool IsDescending = false,
    AlertCursor? After = null
);
