using AutoTicket.Alerts;
using AutoTicket.Surfaces;

namespace AutoTicket.Tests.Alerts;

/// <summary>The rules that turn observations into episodes, without a database or a real clock.</summary>
public sealed class EpisodeRulesTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 24, 3, 0, 0, TimeSpan.Zero);
    private static readonly AlertsOptions Options = new();

    private readonly List<Alert> _stored = [];
    private AlertsOptions _options = Options;
    private DateTimeOffset _now = Start;

    private IReadOnlyList<Alert> Firing => [.. _stored.Where(alert => alert.IsFiring)];

    [Fact]
    public void A_repeat_belongs_to_the_episode_that_is_open()
    {
        var first = Observe(Say());
        var second = Observe(Say());

        Assert.Equal([ObservationResult.Opened, ObservationResult.Known], [first.Result, second.Result]);
        Assert.Equal(first.AlertId, second.AlertId);
        Assert.Single(_stored);
    }

    [Fact]
    public void A_repeat_without_news_is_not_written()
    {
        Observe(Say());
        Assert.False(Apply(TimeSpan.FromSeconds(30), [Say()]).Wrote);
        Assert.True(Apply(EpisodeRules.TouchEvery - TimeSpan.FromSeconds(30), [Say() with { Summary = "93 % full" }]).Wrote);
        Assert.Equal((_now, "93 % full"), (_stored[0].SeenAt, _stored[0].Summary));
    }

    [Fact]
    public void A_repeat_that_is_the_first_to_have_an_expiry_or_to_have_none_is_written()
    {
        Observe(Say());
        Assert.True(Apply(TimeSpan.FromSeconds(1), [Say() with { ExpiresAt = _now.AddHours(1) }]).Wrote);
        Assert.True(Apply(TimeSpan.FromSeconds(1), [Say()]).Wrote);
        Assert.Null(_stored[0].ExpiresAt);
    }

    /// <summary>A Prometheus that evaluates every second lets an alert expire after four.</summary>
    [Fact]
    public void A_repeat_is_written_if_the_alert_would_expire_without_it()
    {
        Observe(Say() with { ExpiresAt = _now.AddSeconds(34) });
        Assert.True(Apply(TimeSpan.FromSeconds(1), [Say() with { ExpiresAt = _now.AddSeconds(5) }]).Wrote);
    }

    /// <param name="left">Seconds until the stored expiry.</param>
    /// <param name="more">Seconds by which the new expiry is later than the stored one.</param>
    [Theory]
    [InlineData(600, -1, true)]
    [InlineData(600, 0, false)]
    [InlineData(600, 59, false)]
    [InlineData(600, 60, true)]
    [InlineData(60, 1, false)]
    [InlineData(59, 1, true)]
    [InlineData(59, 0, false)]
    public void A_new_expiry_is_written_if_it_is_earlier_or_a_minute_later_or_the_old_one_is_near(int left, int more, bool expected)
    {
        Observe(Say());
        var repeat = _now.AddSeconds(1);
        var expiresAt = repeat.AddSeconds(left);
        _stored[0] = _stored[0] with { ExpiresAt = expiresAt };

        Assert.Equal(expected, Apply(TimeSpan.FromSeconds(1), [Say() with { ExpiresAt = expiresAt.AddSeconds(more) }]).Wrote);
        Assert.Equal(expiresAt.AddSeconds(expected ? more : 0), _stored[0].ExpiresAt);
    }

    [Fact]
    public void An_episode_expires_with_the_last_report_that_fires_and_never_while_one_has_no_expiry()
    {
        var (sooner, later) = (Start.AddMinutes(20), Start.AddMinutes(40));
        Observe(Say(variant: "a") with { ExpiresAt = later }, Say(variant: "b") with { ExpiresAt = sooner });
        Assert.Equal(later, Firing.Single().ExpiresAt);
        Observe(Say(variant: "c"));
        Assert.Null(Firing.Single().ExpiresAt);
        Observe(Say(variant: "c", firing: false));
        Assert.Equal(later, Firing.Single().ExpiresAt);
        Observe(Say(variant: "a", firing: false));
        Assert.Equal(sooner, Firing.Single().ExpiresAt);
    }

    [Theory]
    [InlineData(-90, -90)]
    [InlineData(90, 0)]
    [InlineData(null, 0)]
    public void An_episode_starts_when_its_producer_says_but_not_in_the_future(int? said, int expected)
    {
        var now = _now.AddSeconds(30);
        Observe(Say() with { StartsAt = said is { } seconds ? now.AddSeconds(seconds) : null });
        Assert.Equal(now.AddSeconds(expected), Firing.Single().StartedAt);
    }

    [Fact]
    public void The_first_of_two_reports_in_one_request_opens_the_episode()
    {
        var answers = Apply(TimeSpan.FromSeconds(30), [Say(variant: "a"), Say(variant: "b")]).Answers;
        Assert.Equal([ObservationResult.Opened, ObservationResult.Known], answers.Select(answer => answer.Result));
        Assert.Equal(["a", "b"], Firing.Single().Members.Select(member => member.Key));
    }

    /// <summary><see cref="Alert.NotifyAt"/> makes the hooks look at the alert.</summary>
    [Fact]
    public void Only_a_changed_severity_of_an_open_episode_notifies()
    {
        Observe(Say(variant: "a"));
        Observe(Say(variant: "b"));
        Apply(EpisodeRules.TouchEvery, [Say(variant: "b")]);
        Assert.Null(Firing.Single().NotifyAt);

        Observe(Say(variant: "b", severity: Severity.P1));
        var changed = _now;
        Observe(Say(variant: "b", severity: Severity.P1));
        Assert.Equal(changed, Firing.Single().NotifyAt);
    }

    [Fact, Trait("Pitfall", "T-24")]
    public void The_end_of_an_episode_notifies_at_once_and_after_the_quiet_period_if_it_flapped()
    {
        Observe(Say());
        Observe(Say(firing: false));
        Assert.Equal(_now, _stored.Single().NotifyAt);
        Observe(Say());
        Assert.Equal(_now, _stored.Single().NotifyAt);
        Observe(Say(firing: false));
        Assert.Equal(_now + Options.QuietPeriod, _stored.Single().NotifyAt);
    }

    [Fact, Trait("Pitfall", "T-6"), Trait("Pitfall", "T-27")]
    public void An_alert_whose_severity_changes_stays_one_episode()
    {
        var id = Observe(Say(severity: Severity.P2)).AlertId;
        Assert.Equal(id, Observe(Say(severity: Severity.P1)).AlertId);
        Assert.Equal(Severity.P1, Firing.Single().Severity);
        Assert.Equal(id, Observe(Say(severity: Severity.P3)).AlertId);
        Assert.Equal(ObservationResult.Resolved, Observe(Say(severity: Severity.P3, firing: false)).Result);
        Assert.Single(_stored);
        Assert.Empty(Firing);
    }

    [Fact, Trait("Pitfall", "T-6")]
    public void A_severity_that_is_a_label_changes_the_episode_and_ends_none()
    {
        Observe(Say(variant: "severity=warning", severity: Severity.P3));
        // Prometheus sends the end of the old severity before the start of the new one.
        Observe(
            Say(variant: "severity=warning", severity: Severity.P3, firing: false),
            Say(variant: "severity=critical", severity: Severity.P1)
        );

        var alert = Assert.Single(_stored);
        Assert.True(alert.IsFiring);
        Assert.Equal(Severity.P1, alert.Severity);
        Assert.Equal((0, 0), (alert.FoldedIds, alert.Reopened));

        Observe(Say(variant: "severity=critical", severity: Severity.P1, firing: false));
        Assert.Empty(Firing);
    }

    [Fact]
    public void The_worse_of_two_firing_severities_counts_until_it_ends()
    {
        Observe(Say(variant: "severity=warning", severity: Severity.P3), Say(variant: "severity=critical", severity: Severity.P1));
        Assert.Equal(Severity.P1, Assert.Single(Firing).Severity);
        Observe(Say(variant: "severity=critical", severity: Severity.P1, firing: false));
        Assert.Equal(Severity.P3, Assert.Single(Firing).Severity);
    }

    /// <summary>As of twenty pods, where the label pod is ignored.</summary>
    [Fact, Trait("Pitfall", "T-25")]
    public void Reports_without_ids_all_count_until_each_has_ended()
    {
        Observation Pod(int n, bool firing = true) =>
            Say(variant: $"pod={n}", severity: n == 1 ? Severity.P1 : Severity.P2, firing: firing);
        Observe([.. Enumerable.Range(0, 20).Select(n => Pod(n))]);
        Assert.Equal(Severity.P1, Firing.Single().Severity);

        for (var n = 0; n < 20; n++)
        {
            Assert.Single(Firing);
            Observe(Pod((n + 10) % 20, firing: false));
        }

        Assert.Empty(Firing);
    }

    [Fact]
    public void An_episode_keeps_a_bounded_number_of_reports_without_ids()
    {
        for (var n = 0; n < 1_000; n++)
        {
            Observe(Say(variant: $"pod={n}"));
        }

        Assert.InRange(Firing.Single().Members.Count, 20, 100);
    }

    [Fact, Trait("Pitfall", "T-1")]
    public void A_producer_with_a_new_id_each_time_has_one_episode_and_is_unstable_at_the_third()
    {
        var id = Observe(Say(id: "0")).AlertId;
        for (var cycle = 1; cycle < 120; cycle++)
        {
            var observed = Observe(Say(id: $"{cycle}"));
            Assert.Equal((id, ObservationResult.Folded), (observed.AlertId, observed.Result));
            Assert.Equal(cycle >= 2, Firing.Single().IsUnstable);
        }

        Assert.Single(_stored);
        // The episode keeps the first report, which gave it its identity, and the newest ones.
        Assert.Equal([0, .. Enumerable.Range(71, 49)], IdsOf(_stored[0]));
    }

    [Fact, Trait("Pitfall", "T-1")]
    public void A_producer_that_replaces_each_id_by_another_has_one_episode()
    {
        Observe(Say(id: "0"));
        for (var cycle = 1; cycle < 20; cycle++)
        {
            Observe(Say(id: $"{cycle - 1}", firing: false), Say(id: $"{cycle}"));
        }

        Assert.Single(_stored);
        Assert.Single(Firing);
        Observe(Say(id: "19", firing: false));
        Assert.Empty(Firing);
    }

    [Fact]
    public void An_unstable_producer_keeps_its_identity_in_a_later_episode()
    {
        var id = Observe(Say(id: "a")).AlertId;
        Observe(Say(id: "b"));
        Observe(Say(id: "c"));
        Observe(Say(id: "c", firing: false));
        _now += TimeSpan.FromHours(3);
        Assert.Equal(id, Observe(Say(id: "d")).AlertId);
        Assert.Equal(2, _stored.Count);
        Assert.Equal(3, Firing.Single().FoldedIds);
    }

    /// <summary>A restarted producer sends only its new id from now on.</summary>
    [Fact, Trait("Pitfall", "T-1")]
    public void An_id_that_replaced_another_stays_in_its_episode_however_often_it_is_repeated()
    {
        var id = Observe(Say(id: "a")).AlertId;
        Assert.True(Apply(EpisodeRules.TouchEvery, [Say(id: "a")]).Wrote);
        Observe(Say(id: "b"));
        for (var repeat = 0; repeat < 3; repeat++)
        {
            Assert.Equal(new(id, ObservationResult.Known), Observe(Say(id: "b")));
        }

        Assert.Single(Firing);
    }

    /// <summary>All reports of one request count as seen at the same time.</summary>
    [Fact, Trait("Pitfall", "T-1")]
    public void An_id_last_seen_when_another_began_does_not_count_as_seen_after_it()
    {
        Observe(Say(id: "a"));
        Assert.True(Apply(EpisodeRules.TouchEvery, [Say(id: "a")]).Wrote);
        Apply(TimeSpan.Zero, [Say(id: "b")]);
        Observe(Say(id: "b"));
        Assert.Single(Firing);

        Apply(EpisodeRules.TouchEvery, [Say(id: "b")]);
        Apply(TimeSpan.Zero, [Say(id: "a")]);
        Observe(Say(id: "b"));
        Assert.Equal(2, Firing.Count);
    }

    [Fact]
    public void The_first_id_of_an_alert_without_one_starts_no_second_alert()
    {
        var id = Observe(Say()).AlertId;
        Assert.Equal(new(id, ObservationResult.Known), Observe(Say(id: "a")));
        Assert.Equal(0, Firing.Single().FoldedIds);
        Assert.Equal(new(id, ObservationResult.Known), Observe(Say()));
        Assert.Equal(new(id, ObservationResult.Folded), Observe(Say(id: "b")));
        Assert.Equal(1, Firing.Single().FoldedIds);
    }

    [Fact]
    public void The_end_of_an_id_does_not_end_the_report_without_an_id()
    {
        Observe(Say());
        Observe(Say(id: "a"));
        Assert.Equal(ObservationResult.Known, Observe(Say(id: "a", firing: false)).Result);
        Assert.Equal(ObservationResult.Resolved, Observe(Say(firing: false)).Result);
    }

    [Fact]
    public void The_end_of_a_report_without_an_id_does_not_end_an_id()
    {
        Observe(Say(id: "a"));
        Observe(Say());
        Assert.Equal(ObservationResult.Known, Observe(Say(firing: false)).Result);
        Assert.Single(Firing);
    }

    [Fact]
    public void The_end_of_an_id_does_not_end_one_that_was_last_seen_at_the_same_moment()
    {
        Observe(Say(id: "a"));
        Apply(EpisodeRules.TouchEvery, [Say(id: "a")]);
        Apply(TimeSpan.Zero, [Say(id: "b")]);
        Assert.Equal(ObservationResult.Known, Observe(Say(id: "b", firing: false)).Result);
        Assert.Single(Firing);
    }

    [Fact, Trait("Pitfall", "T-7")]
    public void Ids_in_one_request_are_different_alerts_even_if_they_begin_alike()
    {
        Observe(Say(id: "0123456789abcdef1"), Say(id: "0123456789abcdef2"));
        Assert.Equal(2, Firing.Count);
        Assert.Equal(2, Firing.Select(alert => alert.AlertKey).Distinct().Count());
    }

    [Fact]
    public void A_new_id_in_one_request_with_a_known_one_is_another_alert()
    {
        Observe(Say(id: "a"));
        var answers = Apply(TimeSpan.FromSeconds(30), [Say(id: "a"), Say(id: "b")]).Answers;
        Assert.Equal([new(Say(id: "a").AlertId, ObservationResult.Known), new(Say(id: "b").AlertId, ObservationResult.Opened)], answers);
    }

    [Fact]
    public void Ids_that_are_both_repeated_after_the_later_one_began_are_split()
    {
        Observe(Say(id: "a"));
        Assert.Equal(ObservationResult.Folded, Observe(Say(id: "b")).Result);
        Observe(Say(id: "a"));
        Assert.Single(Firing);
        Assert.Equal(ObservationResult.Opened, Observe(Say(id: "b")).Result);
        Assert.Equal(2, Firing.Count);
        Assert.DoesNotContain(Firing, alert => alert.FoldedIds > 0);
        Assert.Equal([Say(id: "a").AlertId, Say(id: "b").AlertId], Firing.Select(alert => alert.AlertId));

        // Each ends on its own, and stays a separate alert when it fires again.
        Observe(Say(id: "b", firing: false));
        Assert.Equal(Say(id: "a").AlertId, Firing.Single().AlertId);
        _now += TimeSpan.FromHours(1);
        Observe(Say(id: "b"));
        Assert.Equal(2, Firing.Count);
    }

    /// <summary>Neither id was repeated after the other began.</summary>
    [Fact]
    public void Folded_ids_are_split_by_one_request_that_holds_both()
    {
        Observe(Say(id: "a"));
        Observe(Say(id: "b"));
        Apply(TimeSpan.Zero, [Say(id: "a"), Say(id: "b")]);
        Assert.Equal(2, Firing.Count);
    }

    [Theory]
    [InlineData("a b b a b")]
    [InlineData("a b a b")]
    public void Split_ids_have_their_own_severity_and_expiry(string order)
    {
        var expiry = Start.AddHours(1);
        foreach (var id in order.Split(' '))
        {
            Observe(id == "a" ? Say(id: "a") with { ExpiresAt = expiry } : Say(id: "b", severity: Severity.P1));
        }

        Assert.Equal([(Severity.P2, expiry), (Severity.P1, null)], Firing.Select(alert => (alert.Severity, alert.ExpiresAt)));
    }

    /// <summary>The report of one id says nothing about the other, which would get a ticket with the text and link of the first.</summary>
    [Fact]
    public void An_id_is_split_off_by_its_own_report_and_has_its_own_text()
    {
        var (a, b) = (
            Say(id: "a") with
            {
                Summary = "the disk of a is full",
                Url = "https://a.example.org",
            },
            Say(id: "b", severity: Severity.P1) with
            {
                Summary = "the disk of b is full",
                Url = "https://b.example.org",
            }
        );
        Observe(a);
        Observe(b);
        var began = _now;
        Observe(b);
        Assert.Equal(new(a.AlertId, ObservationResult.Known), Observe(a));
        Assert.Single(Firing);

        Assert.Equal(new(b.AlertId, ObservationResult.Opened), Observe(b));

        Assert.Equal([a.AlertId, b.AlertId], Firing.Select(alert => alert.AlertId));
        Assert.Equal(["id:a", "id:b"], Firing.Select(alert => Assert.Single(alert.Members).Key));
        Assert.DoesNotContain(Firing, alert => alert.FoldedIds > 0);
        Assert.Equal((Severity.P1, began), (Firing[1].Severity, Firing[1].StartedAt));
        Assert.Equal([(a.Summary, a.Url), (b.Summary, b.Url)], Firing.Select(alert => (alert.Summary, alert.Url)));
    }

    [Fact]
    public void The_rest_of_a_split_episode_takes_severity_and_expiry_from_its_remaining_ids()
    {
        var (sooner, later) = (Start.AddMinutes(20), Start.AddMinutes(40));
        Observe(Say(id: "a") with { ExpiresAt = sooner });
        Observe(Say(id: "b", severity: Severity.P1) with { ExpiresAt = later });
        Assert.Equal((Severity.P1, later), (Firing.Single().Severity, Firing.Single().ExpiresAt));

        Observe(Say(id: "a") with { ExpiresAt = sooner }, Say(id: "b", severity: Severity.P1) with { ExpiresAt = later });

        Assert.Equal([(Severity.P2, sooner), (Severity.P1, later)], Firing.Select(alert => (alert.Severity, alert.ExpiresAt!.Value)));
    }

    [Fact]
    public void An_ended_id_is_not_split_from_a_firing_one()
    {
        Observe(Say(id: "a"));
        Observe(Say(id: "b"));
        Observe(Say(id: "a", firing: false));

        // Otherwise the episode would keep firing without a firing report, and nothing could end it.
        Observe(Say(id: "b"), Say(id: "c"));
        Assert.Equal(["id:b", "id:c"], Firing.Select(alert => Assert.Single(alert.Members, member => member.IsFiring).Key));

        Observe(Say(id: "b", firing: false));
        Observe(Say(id: "c", firing: false));
        Assert.Empty(Firing);
    }

    [Fact]
    public void An_ended_id_does_not_fire_again_when_another_id_joins()
    {
        Observe(Say(id: "a"));
        Observe(Say(id: "b"));
        Observe(Say(id: "a"));
        Observe(Say(id: "b", firing: false));

        Observe(Say(id: "a"), Say(id: "c"));

        Assert.Equal(["id:a", "id:c"], Firing.Select(alert => Assert.Single(alert.Members, member => member.IsFiring).Key));
    }

    [Fact]
    public void A_split_id_no_longer_counts_as_folded()
    {
        foreach (var id in new[] { "a", "b", "c", "a", "b" })
        {
            Observe(Say(id: id));
        }

        Assert.Equal([1, 0], Firing.Select(alert => alert.FoldedIds));
    }

    [Fact]
    public void Split_ids_fire_again_in_their_own_episodes()
    {
        Observe(Say(id: "a"), Say(id: "b"));
        Observe(Say(id: "b", firing: false));
        Observe(Say(id: "a", firing: false));

        Assert.Equal(Say(id: "b").AlertId, Observe(Say(id: "b")).AlertId);

        Assert.Equal(Say(id: "b").AlertId, Firing.Single().AlertId);
        Assert.Equal([0, 1], _stored.Select(alert => alert.Reopened));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(7)]
    [InlineData(50)]
    public void Stable_ids_in_separate_requests_are_told_apart_in_the_second_round(int ids)
    {
        for (var round = 0; round < 4; round++)
        {
            for (var id = 0; id < ids; id++)
            {
                Apply(TimeSpan.FromSeconds(1), [Say(id: $"{id}")]);
            }

            Assert.Equal(round == 0 ? 1 : ids, Firing.Count);
        }

        Assert.DoesNotContain(Firing, alert => alert.IsUnstable);
        Observe(Say(id: "2", firing: false));
        Assert.Equal(ids - 1, Firing.Count);
    }

    /// <summary>One replica saw the id alone, the other beside another id.</summary>
    [Theory, Trait("Pitfall", "T-4")]
    [InlineData(false)]
    [InlineData(true)]
    public void An_id_for_which_two_replicas_opened_an_episode_each_keeps_its_own_one(bool isOwnFirst)
    {
        StoreTwice("b", isOwnFirst);

        Assert.Equal(ObservationResult.Known, Observe(Say(id: "b")).Result);
        Assert.Equal("b", Firing.Single().Slot);
        // The alert goes on: nobody is told of an end.
        Assert.Null(_stored.Single(alert => !alert.IsFiring).NotifyAt);

        Assert.Equal(ObservationResult.Resolved, Observe(Say(id: "b", firing: false)).Result);
        Assert.Empty(Firing);
    }

    [Theory, Trait("Pitfall", "T-4")]
    [InlineData(false)]
    [InlineData(true)]
    public void The_end_of_an_id_for_which_two_replicas_opened_an_episode_each_ends_both(bool isOwnFirst)
    {
        StoreTwice("b", isOwnFirst);

        Assert.Equal(ObservationResult.Resolved, Observe(Say(id: "b", firing: false)).Result);

        Assert.Empty(Firing);
        Assert.Equal(_now, Assert.Single(_stored, alert => alert.NotifyAt is not null).NotifyAt);
    }

    [Theory, Trait("Pitfall", "T-4")]
    [InlineData(false)]
    [InlineData(true)]
    public void An_id_with_its_own_episode_says_nothing_about_the_ids_of_the_shared_one(bool firing)
    {
        Observe(Say(id: "a"));
        var shared = _stored[0];
        StoreTwice("b", isOwnFirst: false);
        _stored.RemoveAt(1);
        _stored[0] = shared with { Members = [.. shared.Members, .. _stored[1].Members], FoldedIds = 1 };

        Observe(Say(id: "b", firing: firing));

        var left = Firing.Single(alert => alert.Slot.Length == 0);
        Assert.Equal(("id:a", 0), (Assert.Single(left.Members).Key, left.FoldedIds));
        Assert.Equal(firing, Firing.Any(alert => alert.Slot == "b"));
    }

    private void StoreTwice(string id, bool isOwnFirst)
    {
        _now += TimeSpan.FromSeconds(30);
        var o = Say(id: id);
        foreach (var slot in isOwnFirst ? new[] { id, "" } : ["", id])
        {
            _stored.Add(
                Alert.From(o, _now) with
                {
                    Id = _stored.Count + 1,
                    Slot = slot,
                    Members = [new(o.MemberKey, _now, _now, true, o.Severity, null)],
                }
            );
        }
    }

    [Fact, Trait("Pitfall", "T-24")]
    public void An_alert_that_fires_again_within_the_quiet_period_continues_its_episode()
    {
        Observe(Say());
        for (var cycle = 0; cycle < 60; cycle++)
        {
            Observe(Say(firing: false));
            Observe(Say());
        }

        Assert.Equal(60, Assert.Single(_stored).Reopened);
        Observe(Say(firing: false));
        Apply(Options.QuietPeriod, [Say()]);
        Assert.Equal((61, null), Assert.Single(_stored) is var again ? (again.Reopened, again.EndedAt) : default);
        Observe(Say(firing: false));
        _now += Options.QuietPeriod;
        Observe(Say());
        Assert.Equal(2, _stored.Count);

        // The newer of the two episodes fires again.
        Observe(Say(firing: false));
        Observe(Say());
        Assert.Equal([61, 1], _stored.Select(alert => alert.Reopened));
    }

    [Fact, Trait("Pitfall", "T-1"), Trait("Pitfall", "T-24")]
    public void A_new_id_within_the_quiet_period_is_folded_and_a_known_one_is_not()
    {
        var id = Observe(Say(id: "a")).AlertId;
        Observe(Say(id: "a", firing: false));
        Assert.Equal(new(id, ObservationResult.Folded), Observe(Say(id: "b")));
        Assert.Equal(["id:a", "id:b"], Firing.Single().Members.Select(member => member.Key));
        Observe(Say(id: "b", firing: false));
        Assert.Equal(new(id, ObservationResult.Opened), Observe(Say(id: "a")));
        // The first report keeps its place, because it gave the episode its identity.
        Assert.Equal(["id:a", "id:b"], Firing.Single().Members.Select(member => member.Key));
        Assert.Equal(1, Firing.Single().FoldedIds);

        Observe(Say(id: "b"));
        Observe(Say(id: "a"));
        Observe(Say(id: "b"));
        Assert.Equal([Say(id: "a").AlertId, Say(id: "b").AlertId], Firing.Select(alert => alert.AlertId));
    }

    [Fact]
    public void Within_the_quiet_period_a_first_id_starts_no_second_alert()
    {
        var id = Observe(Say()).AlertId;
        Observe(Say(firing: false));
        Assert.Equal(new(id, ObservationResult.Opened), Observe(Say(id: "a")));
        Observe(Say(id: "a", firing: false));
        Assert.Equal(new(id, ObservationResult.Folded), Observe(Say(id: "b")));
        Assert.Equal(1, Firing.Single().FoldedIds);
    }

    [Fact]
    public void Within_the_quiet_period_a_report_without_an_id_starts_no_second_alert()
    {
        var id = Observe(Say(id: "a")).AlertId;
        Observe(Say(id: "a", firing: false));
        Assert.Equal(new(id, ObservationResult.Opened), Observe(Say()));
        Assert.Equal(0, Firing.Single().FoldedIds);
    }

    [Fact, Trait("Pitfall", "T-1"), Trait("Pitfall", "T-24")]
    public void An_episode_that_fires_again_with_a_new_id_each_time_keeps_fifty_of_them()
    {
        for (var cycle = 0; cycle < 60; cycle++)
        {
            Observe(Say(id: $"{cycle}"));
            Observe(Say(id: $"{cycle}", firing: false));
        }

        Assert.Equal([0, .. Enumerable.Range(11, 49)], IdsOf(_stored.Single()));
    }

    private static IEnumerable<int> IdsOf(Alert alert) => alert.Members.Select(member => int.Parse(member.Key["id:".Length..], null));

    [Fact, Trait("Pitfall", "T-6"), Trait("Pitfall", "T-24")]
    public void An_alert_that_fires_again_has_the_severity_of_its_firing_reports()
    {
        Observe(Say(variant: "severity=critical", severity: Severity.P1));
        Observe(Say(variant: "severity=critical", severity: Severity.P1, firing: false));
        Observe(Say(variant: "severity=warning", severity: Severity.P3));
        Assert.Equal(Severity.P3, Firing.Single().Severity);
        Assert.Equal(ObservationResult.Resolved, Observe(Say(variant: "severity=warning", severity: Severity.P3, firing: false)).Result);
    }

    /// <summary>Its end was lost, as when Alertmanager was restarted meanwhile.</summary>
    [Fact, Trait("Pitfall", "T-25")]
    public void An_alert_that_began_anew_after_its_end_was_lost_is_a_new_episode()
    {
        var first = Observe(Exact(Start));
        _now += TimeSpan.FromDays(3);
        var began = _now;

        Assert.Equal(new(first.AlertId, ObservationResult.Opened), Observe(Exact(began)));

        Assert.Equal([AlertStatus.Expired, AlertStatus.Firing], _stored.Select(alert => alert.Status));
        Assert.Equal((_now, null), (_stored[0].NotifyAt, _stored[0].ExpiresAt));
        // What was done about the first one until its end belongs to it, and the second one does not continue it.
        Assert.Equal(began - Options.QuietPeriod, _stored[0].EndedAt);
        Assert.Equal((began, 0), (_stored[1].StartedAt, _stored[1].Reopened));
        Assert.Equal(ObservationResult.Known, Observe(Exact(began)).Result);
        Assert.Equal(ObservationResult.Resolved, Observe(Exact(began) with { IsFiring = false }).Result);
        Assert.Empty(Firing);
    }

    /// <param name="unseen">Seconds from the last report to the new start.</param>
    [Theory]
    [InlineData(15, 15 * 60, false)]
    [InlineData(15, (15 * 60) + 1, true)]
    // The last report is known to the minute.
    [InlineData(0, 60, false)]
    [InlineData(0, 61, true)]
    public void An_alert_began_anew_if_it_was_not_reported_for_a_quiet_period_before_its_start(int quietMinutes, int unseen, bool expected)
    {
        _options = new() { QuietPeriod = TimeSpan.FromMinutes(quietMinutes) };
        Observe(Exact(Start));
        var began = _now.AddSeconds(unseen);
        Apply(TimeSpan.FromSeconds(unseen), [Exact(began)]);
        Assert.Equal(expected ? 2 : 1, _stored.Count);
        Assert.Single(Firing);
    }

    /// <summary>Alertmanager repeats it every <c>repeat_interval</c>.</summary>
    [Fact]
    public void A_repeat_after_days_with_the_same_start_belongs_to_the_episode()
    {
        Observe(Exact(Start));
        _now += TimeSpan.FromDays(5);
        Assert.Equal(ObservationResult.Known, Observe(Exact(Start)).Result);
        Assert.Single(_stored);
    }

    [Fact, Trait("Pitfall", "T-1")]
    public void A_producer_that_says_at_each_report_that_the_alert_begins_now_has_one_episode()
    {
        for (var day = 0; day < 5; day++)
        {
            _now += TimeSpan.FromDays(1);
            Observe(Say() with { StartsAt = _now });
        }

        Assert.Single(_stored);
    }

    [Fact, Trait("Pitfall", "T-6")]
    public void An_alert_with_another_severity_that_was_reported_meanwhile_keeps_the_episode()
    {
        Observe(Exact(Start), Exact(Start) with { Variant = "severity=warning" });
        _now += TimeSpan.FromDays(1);
        Observe(Exact(Start) with { Variant = "severity=warning" });
        Assert.Equal(ObservationResult.Known, Observe(Exact(_now)).Result);
        Assert.Single(_stored);
    }

    [Fact]
    public void A_repeat_that_only_expires_later_is_written_once_a_minute()
    {
        Apply(TimeSpan.Zero, [Exact(Start)]);
        _now += TimeSpan.FromSeconds(59);
        Assert.False(Apply(TimeSpan.Zero, [Exact(Start)]).Wrote);
        _now += TimeSpan.FromSeconds(1);
        Assert.True(Apply(TimeSpan.Zero, [Exact(Start)]).Wrote);
        Assert.Equal(_now.AddDays(7), _stored[0].ExpiresAt);
    }

    [Fact, Trait("Pitfall", "T-25")]
    public void An_alert_that_is_no_longer_reported_expires_without_a_recovery()
    {
        Observe(Say(name: "over") with { ExpiresAt = _now.AddMinutes(5) });
        Observe(Say(name: "over", firing: false));
        Assert.Null(_stored[0].ExpiresAt);
        Observe(Say());
        var episodes = new EpisodeRules(_stored, Options, _now);
        episodes.ExpireAll();
        Assert.Equal(("disk_full", AlertStatus.Expired), episodes.Changed.Single() is var one ? (one.Name, one.Status) : default);
    }

    [Fact, Trait("Pitfall", "T-29")]
    public void An_end_without_a_start_is_ignored()
    {
        Assert.Equal(ObservationResult.NotOpen, Observe(Say(firing: false)).Result);
        Assert.Empty(_stored);
    }

    [Fact]
    public void The_last_of_two_reports_of_one_alert_in_a_request_counts()
    {
        Observe(Say(), Say(firing: false));
        Assert.Empty(Firing);
    }

    [Fact]
    public void A_thousand_alerts_with_stable_ids_are_never_called_unstable_in_a_day()
    {
        var random = new Random(1);
        for (var cycle = 0; cycle < 24 * 12; cycle++)
        {
            _now += TimeSpan.FromMinutes(5);
            // A thousand alerts with stable ids, four per logical alert, from two senders. Some end and fire again.
            for (var sender = 0; sender < 2; sender++)
            {
                Observe([
                    .. Enumerable
                        .Range(0, 500)
                        .Where(_ => random.Next(100) > 2)
                        .Select(n => Say(id: $"{sender}-{n}", name: $"alert-{n / 4}-{sender}", firing: random.Next(100) > 1)),
                ]);
            }

            Assert.DoesNotContain(Firing, alert => alert.IsUnstable);
        }
    }

    private static Observation Say(
        string? id = null,
        string name = "disk_full",
        Severity severity = Severity.P2,
        bool firing = true,
        string variant = ""
    ) => new("test", name, null, severity, "the disk is full", firing, new Dictionary<string, string> { ["host"] = "db1" }, variant, id);

    /// <summary>As from Alertmanager.</summary>
    private Observation Exact(DateTimeOffset startsAt) =>
        Say() with
        {
            StartsAt = startsAt,
            HasExactStart = true,
            ExpiresAt = _now.AddDays(7),
        };

    private Observed Observe(params Observation[] request) => Apply(TimeSpan.FromSeconds(30), request).Answers[^1];

    private (IReadOnlyList<Observed> Answers, bool Wrote) Apply(TimeSpan later, Observation[] request)
    {
        _now += later;
        var logical = request.Select(o => o.LogicalId).ToHashSet();
        var known = _stored.Where(alert =>
            logical.Contains(alert.LogicalId) && (alert.IsFiring || alert.EndedAt > _now - EpisodeRules.RememberEndedFor)
        );
        var episodes = new EpisodeRules(known, _options, _now);
        var answers = episodes.Apply(request);
        foreach (var changed in episodes.Changed)
        {
            _stored[_stored.FindIndex(alert => alert.Id == changed.Id)] = changed;
        }

        foreach (var opened in episodes.Opened)
        {
            _stored.Add(opened with { Id = _stored.Count + 1 });
        }

        // The database has the same unique index.
        Assert.Distinct(Firing.Select(alert => (alert.LogicalId, alert.Slot)));

        return (answers, episodes.Changed.Count + episodes.Opened.Count > 0);
    }
}
