using AutoTicket.Alerts;
using AutoTicket.Surfaces;

namespace AutoTicket.Tests.Alerts;

/// <summary>The rules by which observations become episodes, without clock and database.</summary>
public sealed class EpisodesTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 24, 3, 0, 0, TimeSpan.Zero);
    private static readonly AlertsOptions Options = new();

    private readonly List<Alert> _stored = [];
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
    public void A_repeat_that_says_nothing_new_is_not_written()
    {
        Observe(Say());
        Assert.False(Apply(TimeSpan.FromSeconds(30), [Say()]).Wrote);
        Assert.True(Apply(Episodes.TouchEvery, [Say()]).Wrote);
    }

    /// <summary>A Prometheus that evaluates each second stands by an alert for four.</summary>
    [Fact]
    public void A_repeat_without_which_it_would_expire_is_written()
    {
        Observe(Say() with { ExpiresAt = _now.AddSeconds(34) });
        Assert.True(Apply(TimeSpan.FromSeconds(1), [Say() with { ExpiresAt = _now.AddSeconds(5) }]).Wrote);
    }

    [Fact, Trait("Pitfall", "T-6"), Trait("Pitfall", "T-27")]
    public void A_changed_severity_is_the_same_episode_and_its_end_is_its_end()
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
        // As Prometheus sends it: the end of the one before the begin of the other.
        Observe(Say(variant: "severity=warning", severity: Severity.P3, firing: false), Say(variant: "severity=critical", severity: Severity.P1));

        var alert = Assert.Single(_stored);
        Assert.True(alert.IsFiring);
        Assert.Equal(Severity.P1, alert.Severity);
        Assert.Equal((0, 0), (alert.FoldedIds, alert.Reopened));

        Observe(Say(variant: "severity=critical", severity: Severity.P1, firing: false));
        Assert.Empty(Firing);
    }

    [Fact]
    public void Of_two_severities_that_fire_together_the_worse_counts_until_it_ends()
    {
        Observe(Say(variant: "severity=warning", severity: Severity.P3), Say(variant: "severity=critical", severity: Severity.P1));
        Assert.Equal(Severity.P1, Assert.Single(Firing).Severity);
        Observe(Say(variant: "severity=critical", severity: Severity.P1, firing: false));
        Assert.Equal(Severity.P3, Assert.Single(Firing).Severity);
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
        Assert.InRange(_stored[0].Members.Count, 3, 10);
    }

    [Fact, Trait("Pitfall", "T-1")]
    public void A_producer_that_ends_each_id_and_begins_another_has_one_episode()
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
    public void A_producer_that_is_known_to_make_up_ids_keeps_its_identity_in_a_later_episode()
    {
        var id = Observe(Say(id: "a")).AlertId;
        Observe(Say(id: "b"));
        Observe(Say(id: "c"));
        Observe(Say(id: "c", firing: false));
        _now += TimeSpan.FromHours(3);
        Assert.Equal(id, Observe(Say(id: "d")).AlertId);
        Assert.Equal(2, _stored.Count);
    }

    [Fact, Trait("Pitfall", "T-7")]
    public void Ids_in_one_request_are_different_alerts_even_if_they_begin_alike()
    {
        Observe(Say(id: "0123456789abcdef1"), Say(id: "0123456789abcdef2"));
        Assert.Equal(2, Firing.Count);
        Assert.Equal(2, Firing.Select(alert => alert.AlertKey).Distinct().Count());
    }

    [Fact]
    public void Ids_that_are_each_repeated_after_the_other_began_are_told_apart()
    {
        Observe(Say(id: "a"));
        Assert.Equal(ObservationResult.Folded, Observe(Say(id: "b")).Result);
        Observe(Say(id: "a"));
        Assert.Single(Firing);
        Assert.Equal(ObservationResult.Opened, Observe(Say(id: "b")).Result);
        Assert.Equal(2, Firing.Count);
        Assert.DoesNotContain(Firing, alert => alert.FoldedIds > 0);
        Assert.Equal([Say(id: "a").AlertId, Say(id: "b").AlertId], Firing.Select(alert => alert.AlertId));

        // And each ends by itself, and is still another when it comes again.
        Observe(Say(id: "b", firing: false));
        Assert.Equal(Say(id: "a").AlertId, Firing.Single().AlertId);
        _now += TimeSpan.FromHours(1);
        Observe(Say(id: "b"));
        Assert.Equal(2, Firing.Count);
    }

    [Fact]
    public void Three_sound_ids_in_requests_of_their_own_lose_none()
    {
        for (var cycle = 0; cycle < 4; cycle++)
        {
            foreach (var id in new[] { "a", "b", "c" })
            {
                Observe(Say(id: id));
            }
        }

        Assert.Equal(3, Firing.Count);
        Assert.DoesNotContain(Firing, alert => alert.IsUnstable);
    }

    [Fact, Trait("Pitfall", "T-24")]
    public void What_fires_again_within_the_quiet_period_is_the_same_episode()
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
        Assert.Equal(61, Assert.Single(_stored).Reopened);
        Observe(Say(firing: false));
        _now += Options.QuietPeriod;
        Observe(Say());
        Assert.Equal(2, _stored.Count);
    }

    [Fact, Trait("Pitfall", "T-25")]
    public void What_nobody_stands_by_any_more_expires_and_does_not_recover()
    {
        Observe(Say());
        var episodes = new Episodes(_stored, Options, _now);
        episodes.ExpireAll();
        Assert.Equal(AlertStatus.Expired, episodes.Changed.Single().Status);
    }

    [Fact, Trait("Pitfall", "T-29")]
    public void An_end_without_a_begin_is_nothing()
    {
        Assert.Equal(ObservationResult.NotOpen, Observe(Say(firing: false)).Result);
        Assert.Empty(_stored);
    }

    [Fact]
    public void Of_what_is_said_twice_in_one_request_the_last_word_counts()
    {
        Observe(Say(), Say(firing: false));
        Assert.Empty(Firing);
    }

    [Fact]
    public void A_sound_population_of_a_thousand_over_a_day_is_never_called_unstable()
    {
        var random = new Random(1);
        for (var cycle = 0; cycle < 24 * 12; cycle++)
        {
            _now += TimeSpan.FromMinutes(5);
            // A thousand alerts with sound ids, four to a logical one, sent by two senders; some come and go.
            for (var sender = 0; sender < 2; sender++)
            {
                Observe([.. Enumerable.Range(0, 500).Where(_ => random.Next(100) > 2).Select(n => Say(id: $"{sender}-{n}", name: $"alert-{n / 4}-{sender}", firing: random.Next(100) > 1))]);
            }

            Assert.DoesNotContain(Firing, alert => alert.IsUnstable);
        }
    }

    private static Observation Say(string? id = null, string name = "disk_full", Severity severity = Severity.P2, bool firing = true, string variant = "") =>
        new("test", name, null, severity, "the disk is full", firing, new Dictionary<string, string> { ["host"] = "db1" }, variant, id);

    private Observed Observe(params Observation[] request) => Apply(TimeSpan.FromSeconds(30), request).Answers[^1];

    private (IReadOnlyList<Observed> Answers, bool Wrote) Apply(TimeSpan later, Observation[] request)
    {
        _now += later;
        var logical = request.Select(o => o.LogicalId).ToHashSet();
        var known = _stored.Where(alert => logical.Contains(alert.LogicalId) && (alert.IsFiring || alert.EndedAt > _now - Episodes.Memory));
        var episodes = new Episodes(known, Options, _now);
        var answers = episodes.Apply(request);
        foreach (var changed in episodes.Changed)
        {
            _stored[_stored.FindIndex(alert => alert.Id == changed.Id)] = changed;
        }

        foreach (var opened in episodes.Opened)
        {
            _stored.Add(opened with { Id = _stored.Count + 1 });
        }

        return (answers, episodes.Changed.Count + episodes.Opened.Count > 0);
    }
}
