using AutoTicket.Surfaces;
using static AutoTicket.Surfaces.SurfaceStatus;
using static AutoTicket.Tests.Surfaces.Readings;

namespace AutoTicket.Tests.Surfaces;

/// <summary>What holds for whatever readings come: thousands of random histories, the same ones in every run.</summary>
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
    public void Operational_is_reached_only_by_a_good_answer_and_after_trouble_only_by_enough_of_them() =>
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
    public void Ten_good_answers_are_operational_whatever_went_before() =>
        ForEachHistory(
            (surface, history, _) =>
                Assert.Equal(Operational, Judge(surface, [.. history, .. Enumerable.Repeat(ReadingOutcome.Ok, 10)])[^1])
        );

    [Fact]
    public void A_status_once_known_is_never_unknown_again() =>
        ForEachHistory((_, _, statuses) => Assert.DoesNotContain(Unknown, statuses.SkipWhile(status => status == Unknown)));

    [Fact, Trait("Pitfall", "T-30")]
    public void Blind_readings_say_nothing_of_the_surface()
    {
        var random = new Random(30);
        ForEachHistory(
            (surface, history, statuses) =>
            {
                // A few only, so that those that tell something stay within what the board keeps.
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
            // Runs of one outcome, as the world has them, rather than noise alone.
            for (var n = 0; n < history.Length; n++)
            {
                history[n] = n > 0 && random.Next(2) == 0 ? history[n - 1] : Seen[random.Next(Seen.Length)];
            }

            check(surface, history, Judge(surface, history));
        }
    }
}
