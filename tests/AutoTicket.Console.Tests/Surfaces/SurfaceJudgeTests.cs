using AutoTicket.Surfaces;
using static AutoTicket.Surfaces.SurfaceStatus;
using static AutoTicket.Tests.Surfaces.Readings;

namespace AutoTicket.Tests.Surfaces;

public sealed class SurfaceJudgeTests
{
    [Theory]
    [InlineData("+", Operational)]
    [InlineData("-", Unknown)]
    [InlineData("~", Unknown)]
    [InlineData("--", Down)]
    [InlineData("~~", Degraded)]
    [InlineData("-~", Degraded)]
    [InlineData("-+", Operational)]
    public void The_first_readings_stay_unknown_until_confirmed(string marks, SurfaceStatus expected) =>
        Assert.Equal(expected, Judge(Surface(), Outcomes(marks))[^1]);

    [Theory, Trait("Pitfall", "T-23")]
    [InlineData("-")]
    [InlineData("~")]
    public void One_bad_reading_before_a_good_one_changes_nothing(string blip)
    {
        var statuses = Judge(Surface(), Outcomes($"+++ {blip} +++"));

        Assert.All(statuses, status => Assert.Equal(Operational, status));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    [InlineData(60)]
    public void Down_is_confirmed_by_exactly_as_many_failures_as_are_configured(int downAfter)
    {
        var statuses = Judge(Surface(downAfter: downAfter), [ReadingOutcome.Ok, .. Enumerable.Repeat(ReadingOutcome.Failed, downAfter)]);

        Assert.DoesNotContain(Down, statuses.SkipLast(1));
        Assert.Equal(Down, statuses[^1]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void Recovery_is_confirmed_by_exactly_as_many_good_answers_as_are_configured(int upAfter)
    {
        var statuses = Judge(
            Surface(upAfter: upAfter),
            [ReadingOutcome.Failed, ReadingOutcome.Failed, .. Enumerable.Repeat(ReadingOutcome.Ok, upAfter)]
        );

        Assert.All(statuses[1..^1], status => Assert.Equal(Down, status));
        Assert.Equal(Operational, statuses[^1]);
    }

    [Fact]
    public void A_failure_during_the_recovery_restarts_its_count() =>
        Assert.Equal([Unknown, Down, Down, Down, Down, Degraded], Judge(Surface(), Outcomes("-- +-+ +")));

    [Fact]
    public void Slow_answers_turn_down_into_degraded() =>
        Assert.Equal([Unknown, Down, Down, Degraded, Degraded], Judge(Surface(), Outcomes("-- ~~ +")));

    [Fact]
    public void Three_failures_in_ten_are_partly_failing_even_if_never_two_in_a_row()
    {
        var statuses = Judge(Surface(), Outcomes("++++ -+ -++ -+"));

        Assert.All(statuses[..9], status => Assert.Equal(Operational, status));
        Assert.All(statuses[9..], status => Assert.Equal(Degraded, status));
        Assert.Equal(
            "3 of the last 10 checks failed or were slow",
            SurfaceJudge.Explain(Surface(), Degraded, [.. Outcomes("++++ -+ -++ -+").Select(outcome => Reading(outcome))])
        );
    }

    [Fact]
    public void Partly_failing_ends_when_fewer_than_three_of_the_last_ten_were_bad()
    {
        var statuses = Judge(Surface(), Outcomes("+ -+-+- ++++ +++++"));

        Assert.Equal(Degraded, statuses[5]);
        Assert.Equal(Degraded, statuses[10]);
        Assert.Equal(Operational, statuses[11]);
        Assert.DoesNotContain(Degraded, statuses[11..]);
    }

    [Fact, Trait("Pitfall", "T-24")]
    public void An_hour_of_flapping_is_one_change_and_marked_as_flapping()
    {
        var hour = Enumerable.Range(0, 120).Select(n => n % 2 == 0 ? ReadingOutcome.Failed : ReadingOutcome.Ok).ToList();

        var statuses = Judge(Surface(), hour, before: Operational);

        Assert.Equal(1, Changes([Operational, .. statuses]));
        Assert.Equal(Degraded, statuses[^1]);
        Assert.True(SurfaceJudge.IsFlapping([.. hour.TakeLast(60).Select(outcome => Reading(outcome))]));
    }

    [Theory]
    [InlineData("-+-+-", true)]
    [InlineData("+-+-", false)]
    [InlineData("-?+?-?+?-", true)]
    [InlineData("~+~+~+~+", false)]
    [InlineData("-+-+ ++++++++++++++++++++", false)]
    public void Flapping_is_four_changes_between_failing_and_answering_in_twenty(string marks, bool expected) =>
        Assert.Equal(expected, SurfaceJudge.IsFlapping([.. Outcomes(marks).Select(outcome => Reading(outcome))]));

    [Theory]
    [InlineData(Operational, "++", null)]
    [InlineData(Operational, "+-", "HTTP 503 (seen 1 of 2 times)")]
    [InlineData(Unknown, "-", "HTTP 503 (seen 1 of 2 times)")]
    [InlineData(Unknown, "??", null)]
    [InlineData(Down, "--", "HTTP 503")]
    [InlineData(Down, "--?", "HTTP 503")]
    [InlineData(Down, "--+", "Recovering: 1 of 2 good checks")]
    [InlineData(Degraded, "~~", "Slow: 3 s (limit 2 s)")]
    public void The_cause_names_the_fault_or_the_pending_confirmation(SurfaceStatus status, string marks, string? expected) =>
        Assert.Equal(expected, SurfaceJudge.Explain(Surface(), status, [.. Outcomes(marks).Select(outcome => Reading(outcome))]));

    internal static int Changes(IReadOnlyList<SurfaceStatus> statuses) =>
        statuses.Zip(statuses.Skip(1)).Count(pair => pair.First != pair.Second);
}
