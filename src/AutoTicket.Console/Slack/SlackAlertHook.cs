using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using AutoTicket.Alerts;
using Microsoft.Extensions.Options;

namespace AutoTicket.Slack;

/// <summary>Sends a DM when an alert begins, gets worse or ends. A flapping alert is sent once a quiet period, many alerts at once as a
/// digest. A new P1 does not wait for the next digest. A message that fails is sent in a later pass.</summary>
internal sealed class SlackAlertHook(
    SlackClient client,
    SlackHealth health,
    ConsoleAddress address,
    AlertMutes mutes,
    IOptions<SlackOptions> options,
    IOptions<AlertsOptions> alerts,
    TimeProvider clock
) : IAlertHook
{
    private readonly SlackPace _pace = new(clock, options.Value.SinglesPerMinute);

    /// <summary>Counts the single messages of P1 alone, so that a flood of others does not use up their share.</summary>
    private readonly SlackPace _urgentPace = new(clock, options.Value.SinglesPerMinute);

    /// <summary>Messages that Slack refused are left out for a while, so that the others get through.</summary>
    private readonly Dictionary<(string AlertId, long Row, NoticeKind Kind), (SlackFailure Failure, long At)> _refused = [];

    /// <summary>When the response to a message was lost. The next pass sends the others first: a slow Slack delivers each message, but the
    /// same one would go first for as long as it is slow.</summary>
    private readonly Dictionary<(string AlertId, long Row, NoticeKind Kind), long> _unanswered = [];
    private const int MostUnanswered = 10_000;

    /// <summary>When each alert was sent while the database couldn't be reached. Once its row exists, don't send it again.</summary>
    private readonly ConcurrentDictionary<string, DateTimeOffset> _sentFromMemory = new();

    public string Name => DecisionSources.Slack;

    /// <summary>The operator wants to know of an outage that has already ended.</summary>
    public bool WantsEndedAlerts => true;

    public bool WorksWithoutDatabase => true;

    public async IAsyncEnumerable<IReadOnlyList<HookOutcome>> DeliverAsync(
        IReadOnlyList<AlertNotice> notices,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        if (notices.Count == 0)
        {
            yield break;
        }

        if (client.NotConfigured() is { } missing)
        {
            yield return [.. notices.Select(notice => new HookOutcome(notice, IsDone: false, DecisionWord.NotSetUp, missing.Message))];
            yield break;
        }

        foreach (
            var old in _refused
                .Where(refusal => clock.GetElapsedTime(refusal.Value.At) >= SlackHealth.LongestHold)
                .Select(refusal => refusal.Key)
                .ToList()
        )
        {
            _refused.Remove(old);
        }

        var withoutMessage = notices.Select(WithoutMessage).ToList();
        if (withoutMessage.OfType<HookOutcome>().ToList() is { Count: > 0 } silent)
        {
            yield return silent;
        }

        var due = notices
            .Where((_, i) => withoutMessage[i] is null)
            .OrderBy(notice => _unanswered.GetValueOrDefault(KeyOf(notice)))
            .ToList();
        var failure = health.IsHeld ? health.Failure : null;
        var single =
            failure is not null || due.Count <= _pace.Room ? due
            : _pace.UntilDigest > TimeSpan.Zero && due.FindAll(IsUrgent) is var urgent && urgent.Count <= _urgentPace.Room ? urgent
            : [];

        foreach (var notice in single)
        {
            // Stop between two messages only, so that the outcome of each is recorded.
            cancellationToken.ThrowIfCancellationRequested();
            // The mute may have begun during this pass.
            if (mutes.OutcomeOf(notice) is { } muted)
            {
                yield return [muted];
                continue;
            }

            // After one failure the rest of the pass would run into the same timeout.
            failure ??= await SendAsync(notice);
            yield return [failure is null ? Sent(notice, DecisionWord.Sent) : Degraded(notice, failure)];
        }

        if (due.Except(single).ToList() is { Count: > 0 } together)
        {
            // A refusal is about one message.
            failure = failure?.Kind == SlackFailureKind.Refused ? null : failure;
            var isDue = _pace.UntilDigest == TimeSpan.Zero;
            cancellationToken.ThrowIfCancellationRequested();
            failure ??= isDue ? await SendDigestAsync(together) : health.Failure;
            yield return together.ConvertAll(notice =>
                failure is not null ? Degraded(notice, failure)
                : isDue ? Sent(notice, DecisionWord.InDigest)
                : new HookOutcome(
                    notice,
                    IsDone: false,
                    DecisionWord.WaitingForDigest,
                    $"More than {options.Value.SinglesPerMinute} messages a minute go out together."
                )
                {
                    RetryAfter = _pace.UntilDigest,
                }
            );
        }
    }

    /// <summary>A new P1 does not wait for the next digest of a flood.</summary>
    private static bool IsUrgent(AlertNotice notice) => notice is { Kind: not NoticeKind.Ended, Alert.IsP1: true };

    /// <summary>The outcome of a notice that needs no message; null when it needs one.</summary>
    private HookOutcome? WithoutMessage(AlertNotice notice)
    {
        if (notice is { Kind: NoticeKind.SeverityChanged, LastDelivery: { } last } && notice.Alert.Severity >= last.Severity)
        {
            // Recorded only after the quiet period: until then the severity that was sent is no news when it comes back.
            var mustWait = alerts.Value.MustWait(alerts.Value.RepeatFrom(last.At), clock.GetUtcNow());
            return new HookOutcome(notice, IsDone: !mustWait, DecisionWord.NotMoreSevere) { DeliveredAt = last.At };
        }

        if (
            notice is { Kind: NoticeKind.Firing or NoticeKind.FiringAgain, Alert: { IsStored: true, IsFiring: true } }
            && _sentFromMemory.TryGetValue(notice.Alert.AlertId, out var at)
            && notice.Alert.StartedAt <= at
            // Later than now: the clock was set back, and the alert may have begun since.
            && at <= clock.GetUtcNow()
        )
        {
            _sentFromMemory.TryRemove(notice.Alert.AlertId, out _);
            return new HookOutcome(notice, IsDone: true, DecisionWord.Sent, "It was sent while the database couldn't be reached.")
            {
                DeliveredAt = at,
            };
        }

        if (HeldUntil(notice) is { } until && alerts.Value.MustWait(until, clock.GetUtcNow()))
        {
            return new HookOutcome(
                notice,
                IsDone: false,
                DecisionWord.HeldFlapping,
                $"It fired again {notice.Alert.Reopened}×. The next DM is sent at {until.UtcDateTime:HH:mm:ss} UTC, unless it changes."
            );
        }

        return _refused.TryGetValue(KeyOf(notice), out var refusal) ? Degraded(notice, refusal.Failure) : null;
    }

    /// <summary>When an alert first fires again, a message is sent at once and says that the rest waits. From then on firing is sent once a
    /// quiet period, and the end after a quiet period. An alert that is worse than what was sent does not wait.</summary>
    private DateTimeOffset? HeldUntil(AlertNotice notice) =>
        notice switch
        {
            { Kind: NoticeKind.FiringAgain, Alert.Reopened: > 1, LastDelivery: { } last } when notice.Alert.Severity >= last.Severity =>
                alerts.Value.RepeatFrom(last.At),
            { Kind: NoticeKind.Ended, Alert: var alert } => alerts.Value.EndHeldUntil(alert),
            _ => null,
        };

    private Task<SlackFailure?> SendDigestAsync(List<AlertNotice> notices)
    {
        _pace.Digest();
        return client.SendAsync(SlackText.Digest(notices, address.Url));
    }

    private async Task<SlackFailure?> SendAsync(AlertNotice notice)
    {
        _pace.Single();
        if (IsUrgent(notice))
        {
            _urgentPace.Single();
        }

        using var trace = AlertTrace.Start("alert to slack", notice.Alert);
        var failure = await client.SendAsync(SlackText.Single(notice, address.Url, alerts.Value.QuietPeriod));
        if (failure?.Kind == SlackFailureKind.Refused)
        {
            _refused[KeyOf(notice)] = (failure, clock.GetTimestamp());
        }
        else if (failure is { MayHaveSent: true })
        {
            if (_unanswered.Count >= MostUnanswered)
            {
                // Alerts that ended since leave their entries behind.
                _unanswered.Clear();
            }

            _unanswered[KeyOf(notice)] = clock.GetTimestamp();
        }

        return failure;
    }

    /// <summary>Alerts from memory have no row yet, so the row alone does not tell them apart.</summary>
    private static (string, long, NoticeKind) KeyOf(AlertNotice notice) => (notice.Alert.AlertId, notice.Alert.Id, notice.Kind);

    private HookOutcome Sent(AlertNotice notice, DecisionWord word)
    {
        _unanswered.Clear();
        if (notice is { Kind: NoticeKind.Firing, Alert.IsStored: false })
        {
            _sentFromMemory[notice.Alert.AlertId] = clock.GetUtcNow();
        }

        return new HookOutcome(notice, IsDone: true, word);
    }

    private HookOutcome Degraded(AlertNotice notice, SlackFailure failure) =>
        new(notice, IsDone: false, DecisionWord.Degraded(failure.Kind), failure.Message)
        {
            RetryAfter = health.IsHeld ? health.HoldUntil - clock.GetUtcNow() : TimeSpan.Zero,
        };
}
