namespace AutoTicket.Surfaces;

/// <summary>Judges readings. It is pure, so that every process and every restart come to the same status.</summary>
internal static class SurfaceJudge
{
    /// <summary>With this many bad readings among the last <see cref="PartlyOf"/> a surface is degraded, even if they are not in a
    /// row.</summary>
    private const int PartlyBad = 3;
    private const int PartlyOf = 10;
    private const int FlappingChanges = 4;
    private const int FlappingOf = 20;

    /// <returns>The status that the readings, newest last, confirm.</returns>
    /// <param name="previous">The status before the newest reading; it stays until a threshold is reached.</param>
    public static SurfaceStatus Confirm(Surface surface, SurfaceStatus previous, IReadOnlyList<SurfaceReading> readings)
    {
        var known = Known(readings);
        var failures = known.TakeWhile(reading => reading.Outcome == ReadingOutcome.Failed).Count();
        var bad = known.TakeWhile(reading => reading.Outcome != ReadingOutcome.Ok).Count();
        var good = known.TakeWhile(reading => reading.Outcome == ReadingOutcome.Ok).Count();
        var partly = BadOfLast(known) >= PartlyBad;
        return failures >= surface.DownAfter ? SurfaceStatus.Down
            // Down ends only after enough answers, slow or not.
            : previous == SurfaceStatus.Down
            && known.TakeWhile(reading => reading.Outcome != ReadingOutcome.Failed).Count() < surface.UpAfter
                ? SurfaceStatus.Down
            : bad >= surface.DownAfter ? SurfaceStatus.Degraded
            : partly ? SurfaceStatus.Degraded
            : good >= surface.UpAfter || (previous == SurfaceStatus.Unknown && good > 0) ? SurfaceStatus.Operational
            : previous;
    }

    /// <returns>One line: what is wrong, or what is being confirmed; null: all is well.</returns>
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
                $"{BadOfLast(known)} of the last {Math.Min(PartlyOf, known.Count)} checks failed or were slow",
            _ when good > 0 => $"Recovering: {good} of {surface.UpAfter} good checks",
            _ => newest.Cause,
        };
    }

    public static bool IsFlapping(IReadOnlyList<SurfaceReading> readings) => LastChanges(readings).Changes >= FlappingChanges;

    /// <summary>How often the last checks changed between failed and not failed, and how many they are.</summary>
    public static (int Changes, int Checks) LastChanges(IReadOnlyList<SurfaceReading> readings)
    {
        var outcomes = Known(readings).Take(FlappingOf).Select(reading => reading.Outcome == ReadingOutcome.Failed).ToList();
        return (outcomes.Zip(outcomes.Skip(1)).Count(pair => pair.First != pair.Second), outcomes.Count);
    }

    private static int BadOfLast(List<SurfaceReading> known) => known.Take(PartlyOf).Count(reading => reading.Outcome != ReadingOutcome.Ok);

    /// <returns>The readings newest first, without the blind ones.</returns>
    private static List<SurfaceReading> Known(IReadOnlyList<SurfaceReading> readings) =>
        [.. readings.Reverse().Where(reading => reading.Outcome != ReadingOutcome.Blind)];
}
