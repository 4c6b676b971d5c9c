using AutoTicket.Surfaces;
using static AutoTicket.Surfaces.SurfaceStatus;
using static AutoTicket.Tests.Surfaces.Readings;

namespace AutoTicket.Tests.Surfaces;

/// <summary>Rules that hold for any readings, tested with hundreds of random histories, the same in every run.</summary>
public sealed class SurfaceJudgeLawsTests
{
    private static readonly ReadingOutcome[] Seen =
    [
        ReadingOutcome.Ok,
        ReadingOutcome.Ok,
        ReadingOutcome.Ok,
        ReadingOutcome.Slow,
        ReadingOutcome.Failed,
        ReadingOutcome.Failed,
    ];

    [Fact]
    public void Never_operational_while_the_last_readings_confirm_a_failure() =>
        ForEachHistory(
            (surface, history, statuses) =>
            {
                for (var end = surface.DownAfter; end <= history.Length; end++)
                {
                    if (history[(end - surface.DownAfter)..end].All(outcome => outcome == ReadingOutcome.Failed))
                    {
                        Assert.Equal(Down, statuses[end - 1]);
                    }
                }
            }
        );

    [Fact]
    public void Never_down_before_enough_failures_in_a_row() =>
        ForEachHistory(
            (surface, history, statuses) =>
            {
                for (var n = 0; n < history.Length; n++)
                {
                    if (statuses[n] == Down && (n == 0 || statuses[n - 1] != Down))
                    {
                        Assert.True(n + 1 >= surface.DownAfter);
                        Assert.All(history[(n + 1 - surface.DownAfter)..(n + 1)], outcome => Assert.Equal(ReadingOutcome.Failed, outcome));
                    }
                }
            }
        );

    [Fact]
    public void A_surface_becomes_operational_only_by_enough_good_answers() =>
        ForEachHistory(
            (surface, history, statuses) =>
            {
                for (var n = 1; n < history.Length; n++)
                {
                    if (statuses[n] == Operational && statuses[n - 1] != Operational)
                    {
                        var needed = statuses[n - 1] == Unknown ? 1 : surface.UpAfter;
                        Assert.All(history[(n + 1 - needed)..(n + 1)], outcome => Assert.Equal(ReadingOutcome.Ok, outcome));
                    }
                }
            }
        );

    [Fact]
    public void Ten_good_answers_are_always_operational() =>
        ForEachHistory(
            (surface, history, _) =>
                Assert.Equal(Operational, Judge(surface, [.. history, .. Enumerable.Repeat(ReadingOutcome.Ok, 10)])[^1])
        );

    [Fact]
    public void A_known_status_never_becomes_unknown() =>
        ForEachHistory((_, _, statuses) => Assert.DoesNotContain(Unknown, statuses.SkipWhile(status => status == Unknown)));

    [Fact, Trait("Pitfall", "T-30")]
    public void Blind_readings_change_no_judgment()
    {
        var random = new Random(30);
        ForEachHistory(
            (surface, history, statuses) =>
            {
                // Only a few, so that all other readings still fit into the board's history.
                var withBlind = history
                    .SelectMany(outcome => random.Next(8) == 0 ? new[] { ReadingOutcome.Blind, outcome } : [outcome])
                    .ToList();
                var judged = Judge(surface, withBlind);
                Assert.Equal(statuses, judged.Where((_, n) => withBlind[n] != ReadingOutcome.Blind));
            }
        );
    }

    private static void ForEachHistory(Action<Surface, ReadingOutcome[], List<SurfaceStatus>> check)
    {
        var random = new Random(24);
        for (var run = 0; run < 300; run++)
        {
            var surface = Surface(downAfter: random.Next(1, 6), upAfter: random.Next(1, 6));
            var history = new ReadingOutcome[random.Next(5, 46)];
            // Runs of the same outcome, as in real outages, and not only noise.
            for (var n = 0; n < history.Length; n++)
            {
                history[n] = n > 0 && random.Next(2) == 0 ? history[n - 1] : Seen[random.Next(Seen.Length)];
            }

            check(surface, history, Judge(surface, history));
        }
    }
}
