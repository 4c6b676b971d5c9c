using AutoTicket.Surfaces;

namespace AutoTicket.Alerts;

/// <summary>
/// Applies observations to the episodes of their logical alerts. Pure: no clock, no database. Two ids of one producer become two alerts
/// when one request holds both, or when both are reported again after the later one began. Until then the later id is folded into the
/// first one's episode. So a producer that sends a new id each time gets one ticket.
/// </summary>
/// <param name="known">All firing and recently ended episodes of the observed logical alerts.</param>
internal sealed class EpisodeRules(IEnumerable<Alert> known, AlertsOptions options, DateTimeOffset now)
{
    /// <summary>An unchanged repeat is written at most this often, unless the alert would expire first.</summary>
    public static readonly TimeSpan TouchEvery = TimeSpan.FromMinutes(1);

    /// <summary>An alert with an exact start began anew if nobody reported it for this long before. Last reports are known to the
    /// minute.</summary>
    private readonly TimeSpan _longestUnseen = options.QuietPeriod > TouchEvery ? options.QuietPeriod : TouchEvery;

    /// <summary>How long an ended episode still shows that two ids are two alerts, or that their producer is unstable.</summary>
    public static readonly TimeSpan RememberEndedFor = TimeSpan.FromHours(24);

    /// <summary>The most members with ids that an episode keeps. An unstable producer adds one with each new id. So many ids that arrive in
    /// separate requests can be told apart; of more, each would be dropped before it is repeated.</summary>
    private const int MostIds = 50;

    /// <summary>The most members without ids that an episode keeps. If one is dropped while it fires, its severity and its end are not
    /// known.</summary>
    private const int MostVariants = 100;

    private readonly Dictionary<string, List<Tracked>> _all = known
        .GroupBy(alert => alert.LogicalId)
        .ToDictionary(group => group.Key, group => group.Select(alert => new Tracked { Alert = alert }).ToList());

    private sealed class Tracked
    {
        public required Alert Alert { get; set; }
        public bool IsChanged { get; set; }
    }

    /// <summary>Episodes to insert.</summary>
    public IReadOnlyList<Alert> Opened =>
        [.. _all.Values.SelectMany(episodes => episodes).Where(episode => !episode.Alert.IsStored).Select(episode => episode.Alert)];

    /// <summary>Episodes to update.</summary>
    public IReadOnlyList<Alert> Changed =>
        [
            .. _all
                .Values.SelectMany(episodes => episodes)
                .Where(episode => episode is { IsChanged: true, Alert.IsStored: true })
                .Select(episode => episode.Alert),
        ];

    /// <param name="request">All that one sender sent at once.</param>
    public IReadOnlyList<Observed> Apply(IReadOnlyList<Observation> request)
    {
        // Only the last observation of each member counts. Firing ones go first: some producers send a changed severity as the end of one
        // alert and the start of another, and the episode must not end between the two.
        var last = new Dictionary<(string, string), int>();
        for (var i = 0; i < request.Count; i++)
        {
            last[(request[i].LogicalId, request[i].MemberKey)] = i;
        }

        var sideBySide = request
            .Where(o => o is { IsFiring: true, ProducerId: not null })
            .GroupBy(o => o.LogicalId)
            .Where(group => group.Select(o => o.ProducerId).Distinct().Count() > 1)
            .Select(group => group.Key)
            .ToHashSet();
        var results = new Observed[request.Count];
        foreach (var i in last.Values.OrderBy(i => request[i].IsFiring ? 0 : 1).ThenBy(i => i))
        {
            results[i] = request[i].IsFiring ? Fire(request[i], sideBySide.Contains(request[i].LogicalId)) : Resolve(request[i]);
        }

        for (var i = 0; i < request.Count; i++)
        {
            results[i] ??= results[last[(request[i].LogicalId, request[i].MemberKey)]];
        }

        return results;
    }

    /// <summary>Expires every firing episode.</summary>
    public void ExpireAll()
    {
        foreach (var episode in _all.Values.SelectMany(episodes => episodes).Where(episode => episode.Alert.IsFiring))
        {
            End(episode, AlertStatus.Expired, now);
        }
    }

    private Observed Fire(Observation o, bool isSideBySide)
    {
        var episodes = _all.TryGetValue(o.LogicalId, out var list) ? list : _all[o.LogicalId] = [];
        if (TakeFiringEpisodeOf(episodes, o) is { } mine)
        {
            if (BeganAnew(mine.Alert, o))
            {
                // It ended at some time before this start. This end is early enough that the new episode does not continue the old one.
                // The first write ends the old one, which holds its place until then; the next try opens the new one.
                End(mine, AlertStatus.Expired, o.StartsAt!.Value - _longestUnseen);
                return Open(episodes, o, mine.Alert.Slot, mine.Alert);
            }

            if (SplitIfSideBySide(episodes, mine, o, isSideBySide) is { } split)
            {
                return split;
            }

            Touch(mine, o);
            return new(mine.Alert.AlertId, ObservationResult.Known);
        }

        var shared = episodes.Find(e => e.Alert is { IsFiring: true, Slot: "" });
        var isApart = o.ProducerId is { } id && ((isSideBySide && shared is not null) || episodes.Exists(e => e.Alert.Slot == id));
        if (shared is not null && !isApart)
        {
            return Fold(shared, o);
        }

        var slot = isApart ? o.ProducerId! : "";
        var before = episodes.Where(e => !e.Alert.IsFiring && e.Alert.Slot == slot).MaxBy(e => e.Alert.EndedAt);
        if (before is { Alert.EndedAt: { } endedAt } && options.ContinuesEpisode(endedAt, now))
        {
            return Reopen(before, o);
        }

        return Open(episodes, o, slot, isApart ? null : before?.Alert);
    }

    /// <summary>The firing episode of an observation's member. Two replicas can each open one for the same id: then it leaves the shared
    /// one.</summary>
    private Tracked? TakeFiringEpisodeOf(List<Tracked> episodes, Observation o)
    {
        var shared = episodes.Find(e =>
            e.Alert is { IsFiring: true, Slot: "" } && e.Alert.Members.Any(member => member.Key == o.MemberKey)
        );
        var own = o.ProducerId is null ? null : episodes.Find(e => e.Alert.IsFiring && e.Alert.Slot == o.ProducerId);
        if (own is null || shared is null)
        {
            return own ?? shared;
        }

        var mine = shared.Alert.Members.First(member => member.Key == o.MemberKey);
        if (shared.Alert.Members.Any(other => other != mine && other.IsFiring))
        {
            RemoveMember(shared, mine);
        }
        else
        {
            // The alert goes on in its own episode, so the hooks are not notified of an end.
            End(shared, AlertStatus.Expired, now);
            shared.Alert = shared.Alert with { NotifyAt = null };
        }

        return own;
    }

    /// <summary>The end of the alert was lost: none of its firing members was reported in the quiet period before the new start.</summary>
    private bool BeganAnew(Alert alert, Observation o) =>
        o is { HasExactStart: true, StartsAt: { } startsAt }
        && alert.Members.Any(member => member.IsFiring && member.Key == o.MemberKey)
        && alert.Members.All(member => !member.IsFiring || startsAt - member.LastSeen > _longestUnseen);

    /// <summary>Splits an id off an episode whose ids were seen side by side. The first one keeps the episode. Each other one is split off
    /// by its own observation, which has its text.</summary>
    /// <returns>Null when the observed id stays in its episode.</returns>
    private Observed? SplitIfSideBySide(List<Tracked> episodes, Tracked shared, Observation o, bool isSideBySide)
    {
        if (o.ProducerId is null || shared.Alert.Slot.Length > 0)
        {
            return null;
        }

        var members = shared.Alert.Members.Where(member => member.HasProducerId).ToList();
        var mine = members.Find(member => member.Key == o.MemberKey)!;
        // The other id must fire, or the old episode would keep no firing member.
        if (
            mine == members[0]
            || !members.Exists(other =>
                other != mine && other.IsFiring && (isSideBySide || WereBothRepeated(mine with { LastSeen = now }, other))
            )
        )
        {
            return null;
        }

        RemoveMember(shared, mine);
        return Open(episodes, o with { StartsAt = o.StartsAt ?? mine.FirstSeen }, o.ProducerId, null);

        static bool WereBothRepeated(AlertMember one, AlertMember other)
        {
            var (earlier, later) = one.FirstSeen <= other.FirstSeen ? (one, other) : (other, one);
            return earlier.LastSeen > later.FirstSeen && later.LastSeen > later.FirstSeen;
        }
    }

    private void RemoveMember(Tracked from, AlertMember member)
    {
        List<AlertMember> rest = [.. from.Alert.Members.Where(other => other != member)];
        var left = from.Alert with { Members = rest, FoldedIds = Math.Max(0, from.Alert.FoldedIds - 1) };
        Replace(from, rest.Exists(other => other.IsFiring) ? SummarizeFiring(left) : left);
    }

    private Observed Fold(Tracked shared, Observation o)
    {
        var isNewId = o.ProducerId is not null && shared.Alert.Members.Any(member => member.HasProducerId);
        Replace(
            shared,
            SummarizeFiring(
                shared.Alert with
                {
                    Members = WithMember(shared.Alert.Members, o),
                    FoldedIds = shared.Alert.FoldedIds + (isNewId ? 1 : 0),
                    SeenAt = now,
                }
            )
        );
        return new(shared.Alert.AlertId, isNewId ? ObservationResult.Folded : ObservationResult.Known);
    }

    private Observed Open(List<Tracked> episodes, Observation o, string slot, Alert? before)
    {
        var opened = Alert.From(o, now) with
        {
            // An unstable producer keeps the identity that its ticket has.
            AlertId = before is { IsUnstable: true } ? before.AlertId : o.AlertId,
            Slot = slot,
            Members = [Member(o)],
            FoldedIds = before is { IsUnstable: true } ? before.FoldedIds + 1 : 0,
            StartedAt = NotAfterNow(o.StartsAt),
            ExpiresAt = o.ExpiresAt,
        };
        episodes.Add(new Tracked { Alert = opened, IsChanged = true });
        return new(opened.AlertId, ObservationResult.Opened);
    }

    private Observed Reopen(Tracked episode, Observation o)
    {
        var isKnown = episode.Alert.Members.Any(member => member.Key == o.MemberKey);
        var isNewId = !isKnown && o.ProducerId is not null && episode.Alert.Members.Any(member => member.HasProducerId);
        Replace(
            episode,
            SummarizeFiring(
                episode.Alert with
                {
                    Status = AlertStatus.Firing,
                    EndedAt = null,
                    StartedAt = NotAfterNow(o.StartsAt),
                    Reopened = episode.Alert.Reopened + 1,
                    Members = isKnown
                        ? [.. episode.Alert.Members.Select(member => member.Key == o.MemberKey ? Member(o) : member)]
                        : WithMember(episode.Alert.Members, o),
                    FoldedIds = episode.Alert.FoldedIds + (isNewId ? 1 : 0),
                    Summary = o.Summary,
                    FullText = o.FullText,
                    SeenAt = now,
                    NotifyAt = now,
                }
            )
        );
        return new(episode.Alert.AlertId, isNewId ? ObservationResult.Folded : ObservationResult.Opened);
    }

    private void Touch(Tracked episode, Observation o)
    {
        var before = episode.Alert;
        // An unchanged repeat of the only member is not written. With several members, their times decide whether they are one alert,
        // so all repeats are written.
        if (
            before.Members.Count == 1
            && o.Severity == before.Severity
            && now - before.SeenAt < TouchEvery
            && !MustStoreExpiry(before.ExpiresAt, o.ExpiresAt)
        )
        {
            return;
        }

        Replace(
            episode,
            SummarizeFiring(
                before with
                {
                    Members =
                    [
                        .. before.Members.Select(member =>
                            member.Key == o.MemberKey
                                ? member with
                                {
                                    LastSeen = now,
                                    IsFiring = true,
                                    Severity = o.Severity,
                                    ExpiresAt = o.ExpiresAt,
                                }
                                : member
                        ),
                    ],
                    SeenAt = now,
                    Summary = o.Summary,
                    FullText = o.FullText,
                }
            )
        );
    }

    /// <summary>An expiry that moves a little later is not stored, unless the known one is about to pass.</summary>
    private bool MustStoreExpiry(DateTimeOffset? known, DateTimeOffset? observed) =>
        (known, observed) switch
        {
            (null, null) => false,
            ({ } before, { } after) => after < before || after - before >= TouchEvery || (after > before && before - now < TouchEvery),
            _ => true,
        };

    private Observed Resolve(Observation o)
    {
        if (!_all.TryGetValue(o.LogicalId, out var episodes) || TakeFiringEpisodeOf(episodes, o) is not { } episode)
        {
            return new(o.AlertId, ObservationResult.NotOpen);
        }

        var mine = episode.Alert.Members.First(member => member.Key == o.MemberKey);
        // The end of the id that was observed last ends the alert's other ids too.
        var members = episode
            .Alert.Members.Select(member =>
                member.Key == mine.Key || (member.HasProducerId && mine.HasProducerId && member.LastSeen < mine.LastSeen)
                    ? member with
                    {
                        IsFiring = false,
                    }
                    : member
            )
            .ToList();
        if (members.Exists(member => member.IsFiring))
        {
            Replace(episode, SummarizeFiring(episode.Alert with { Members = members }));
            return new(episode.Alert.AlertId, ObservationResult.Known);
        }

        End(episode, AlertStatus.Resolved, now);
        return new(episode.Alert.AlertId, ObservationResult.Resolved);
    }

    private void End(Tracked episode, AlertStatus status, DateTimeOffset at)
    {
        var ended = episode.Alert with
        {
            Status = status,
            EndedAt = at,
            Members = [.. episode.Alert.Members.Select(member => member with { IsFiring = false })],
            ExpiresAt = null,
        };
        Replace(episode, ended with { NotifyAt = options.EndHeldUntil(ended) ?? now });
    }

    /// <summary>Sets severity and expiry from the firing members, and notifies the hooks if the severity changed.</summary>
    private Alert SummarizeFiring(Alert alert)
    {
        var firing = alert.Members.Where(member => member.IsFiring).ToList();
        var severity = firing.Min(member => member.Severity);
        return alert with
        {
            Severity = severity,
            ExpiresAt = firing.Exists(member => member.ExpiresAt is null) ? null : firing.Max(member => member.ExpiresAt),
            NotifyAt = severity != alert.Severity ? now : alert.NotifyAt,
        };
    }

    private static void Replace(Tracked episode, Alert alert) => (episode.Alert, episode.IsChanged) = (alert, true);

    /// <summary>Keeps the first member, which gave the episode its identity, and the newest ones.</summary>
    private List<AlertMember> WithMember(IReadOnlyList<AlertMember> members, Observation o)
    {
        var added = Member(o);
        var dropped = members
            .Skip(1)
            .Where(member => member.HasProducerId == added.HasProducerId)
            .SkipLast((added.HasProducerId ? MostIds : MostVariants) - 2);
        return [.. members.Except(dropped), added];
    }

    private AlertMember Member(Observation o) => new(o.MemberKey, now, now, true, o.Severity, o.ExpiresAt);

    private DateTimeOffset NotAfterNow(DateTimeOffset? at) => at is { } earlier && earlier < now ? earlier : now;
}
