using AutoTicket.Surfaces;

namespace AutoTicket.Components.Layout;

/// <summary>Names the surfaces that went down or recovered.</summary>
internal static class SurfaceChanges
{
    private const int MostNames = 5;

    /// <summary><c>Login and Mail are down. Search has recovered.</c></summary>
    /// <param name="before">The earlier status, by surface key.</param>
    /// <returns>Null when no surface went down or recovered.</returns>
    public static string? Sentence(IReadOnlyDictionary<string, SurfaceStatus> before, IEnumerable<SurfaceSnapshot> now)
    {
        var sentences = now.Where(surface => IsNews(before.GetValueOrDefault(surface.Key), surface.Status))
            .GroupBy(surface => surface.Status)
            .OrderBy(group => group.Key.Rank())
            .Select(group => $"{Names([.. group.Select(surface => surface.Surface.Name)])} {Verb(group.Key, group.Count())}.")
            .ToList();
        return sentences.Count == 0 ? null : string.Join(' ', sentences);
    }

    private static bool IsNews(SurfaceStatus before, SurfaceStatus now) =>
        now != before && (IsFailing(now) || (IsFailing(before) && now == SurfaceStatus.Operational));

    private static bool IsFailing(SurfaceStatus status) => status is SurfaceStatus.Down or SurfaceStatus.Degraded or SurfaceStatus.Stale;

    private static string Verb(SurfaceStatus status, int count) =>
        status == SurfaceStatus.Operational
            ? (count == 1 ? "has recovered" : "have recovered")
            : $"{(count == 1 ? "is" : "are")} {status.Word()}";

    private static string Names(IReadOnlyList<string> names) =>
        names.Count switch
        {
            1 => names[0],
            <= MostNames => $"{string.Join(", ", names.SkipLast(1))} and {names[^1]}",
            _ => $"{string.Join(", ", names.Take(MostNames))} and {names.Count - MostNames} more",
        };
}
