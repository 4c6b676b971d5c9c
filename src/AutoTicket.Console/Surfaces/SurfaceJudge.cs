namespace AutoTicket.Surfaces;

/// <summary>What readings mean. A pure function of the readings, so that every process and every restart says the same.</summary>
internal static class SurfaceJudge
{
    /// <summary>This many bad readings of the last <see cref="PartlyOf"/> are partly failing, even if never enough in a row.</summary>
    private const int PartlyBad = 3;
    private const int PartlyOf = 10;
    private const int FlappingChanges = 4;
    private const int FlappingOf = 20;

    /// <summary>The status confirmed by the readings, the newest last.</summary>
    /// <param name="previous">What was confirmed before the newest: it holds until the thresholds say otherwise.</param>
    public static SurfaceStatus Confirm(Surface surface, SurfaceStatus previous, IReadOnlyList<SurfaceReading> readings)
    {
        var known = Known(readings);
        var failures = known.TakeWhile(reading => reading.Outcome == ReadingOutcome.Failed).Count();
        var bad = known.TakeWhile(reading => reading.Outcome != ReadingOutcome.Ok).Count();
        var good = known.TakeWhile(reading => reading.Outcome == ReadingOutcome.Ok).Count();
        var partly = known.Take(PartlyOf).Count(reading => reading.Outcome != ReadingOutcome.Ok) >= PartlyBad;
        return failures >= surface.DownAfter ? SurfaceStatus.Down
            // An answer, even a slow one, ends being down only when enough of them came.
            : previous == SurfaceStatus.Down
            && known.TakeWhile(reading => reading.Outcome != ReadingOutcome.Failed).Count() < surface.UpAfter
                ? SurfaceStatus.Down
            : bad >= surface.DownAfter ? SurfaceStatus.Degraded
            : partly ? SurfaceStatus.Degraded
            : good >= surface.UpAfter || (previous == SurfaceStatus.Unknown && good > 0) ? SurfaceStatus.Operational
            : previous;
    }

    /// <summary>One line on what is wrong, or what is being confirmed; null when there is nothing to say.</summary>
    public static string? Explain(Surface surface, SurfaceStatus status, IReadOnlyList<SurfaceReading> readings)
    {
        var known = Known(readings);
        if (known is [])
        {
            return null;
        }

        var newest = known[0];
        var bad = known.TakeWhile(reading => reading.Outcome != ReadingOutcome.Ok).Count();
        var good = known.TakeWhile(reading => reading.Outcome == ReadingOutcome.Ok).Count();
        return status switch
        {
            SurfaceStatus.Operational or SurfaceStatus.Unknown => bad > 0
                ? $"{newest.Cause} (seen {bad} of {surface.DownAfter} times)"
                : null,
            SurfaceStatus.Degraded when bad < surface.DownAfter =>
                $"{known.Take(PartlyOf).Count(reading => reading.Outcome != ReadingOutcome.Ok)} "
                    + $"of the last {Math.Min(PartlyOf, known.Count)} checks failed or were slow",
            _ when good > 0 => $"answering again ({good} of {surface.UpAfter} times)",
            _ => newest.Cause,
        };
    }

    public static bool IsFlapping(IReadOnlyList<SurfaceReading> readings)
    {
        var outcomes = Known(readings).Take(FlappingOf).Select(reading => reading.Outcome == ReadingOutcome.Failed).ToList();
        return outcomes.Zip(outcomes.Skip(1)).Count(pair => pair.First != pair.Second) >= FlappingChanges;
    }

    /// <summary>Newest first, without those that say nothing of the surface.</summary>
    private static List<SurfaceReading> Known(IReadOnlyList<SurfaceReading> readings) =>
        [.. readings.Reverse().Where(reading => reading.Outcome != ReadingOutcome.Blind)];
}
