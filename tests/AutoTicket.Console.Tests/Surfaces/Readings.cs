using AutoTicket.Surfaces;

namespace AutoTicket.Tests.Surfaces;

/// <summary>Surfaces and readings for tests without HTTP.</summary>
internal static class Readings
{
    public static readonly DateTimeOffset Start = new(2026, 11, 20, 12, 0, 0, TimeSpan.Zero);

    public static Surface Surface(string key = "pay", int downAfter = 2, int upAfter = 2) =>
        new()
        {
            Key = key,
            Name = $"Surface {key}",
            Url = new Uri("http://127.0.0.1/"),
            DownAfter = downAfter,
            UpAfter = upAfter,
        };

    public static SurfaceReading Reading(ReadingOutcome outcome, DateTimeOffset? at = null, string key = "pay", int? latencyMs = null) =>
        new()
        {
            SurfaceKey = key,
            CheckedAt = at ?? Start,
            Outcome = outcome,
            LatencyMs = outcome is ReadingOutcome.Ok or ReadingOutcome.Slow ? latencyMs ?? 20 : null,
            Cause =
                outcome == ReadingOutcome.Ok ? null
                : outcome == ReadingOutcome.Slow ? "Slow: 3 s (limit 2 s)"
                : "HTTP 503",
            Reached = outcome != ReadingOutcome.Blind,
        };

    /// <summary>One outcome per character, oldest first: + ok, ~ slow, - failed, ? blind.</summary>
    public static IEnumerable<ReadingOutcome> Outcomes(string marks) =>
        marks
            .Where(mark => mark != ' ')
            .Select(mark =>
                mark switch
                {
                    '+' => ReadingOutcome.Ok,
                    '~' => ReadingOutcome.Slow,
                    '-' => ReadingOutcome.Failed,
                    '?' => ReadingOutcome.Blind,
                    _ => throw new ArgumentException($"“{mark}” marks no outcome."),
                }
            );

    /// <summary>The status after each reading, judged in order as the board does.</summary>
    public static List<SurfaceStatus> Judge(
        Surface surface,
        IEnumerable<ReadingOutcome> outcomes,
        SurfaceStatus before = SurfaceStatus.Unknown
    )
    {
        var readings = new List<SurfaceReading>();
        var statuses = new List<SurfaceStatus>();
        foreach (var outcome in outcomes)
        {
            readings.Add(Reading(outcome));
            before =
                outcome == ReadingOutcome.Blind
                    ? before
                    : SurfaceJudge.Confirm(surface, before, [.. readings.TakeLast(StatusBoard.HistoryLength + 1)]);
            statuses.Add(before);
        }

        return statuses;
    }
}
