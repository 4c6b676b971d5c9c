using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using AutoTicket.Alerts;
using Microsoft.Extensions.Options;

namespace AutoTicket.Slack;

/// <summary>Tells the operator of alerts by direct message: what began, got worse and ended, each once; what flaps once a quiet period;
/// many at once in digests. What could not be said stays undone, and is said in a later pass.</summary>
internal sealed class SlackAlertHook(
    SlackClient client,
    SlackHealth health,
    ConsoleAddress address,
    IOptions<SlackOptions> options,
    IOptions<AlertsOptions> alerts,
    TimeProvider clock
) : IAlertHook
{
    private readonly SlackPace _pace = new(clock, options.Value.SinglesPerMinute);

    /// <summary>Messages that Slack refused step back, so that the others get through.</summary>
    private readonly Dictionary<(string AlertId, long Row, NoticeKind Kind), (SlackFailure Failure, long At)> _refused = [];

    /// <summary>When was told of what no row is of yet: of its episode, once it is stored, all is said.</summary>
    private readonly ConcurrentDictionary<string, DateTimeOffset> _toldFromMemory = new();

    public string Name => DecisionSources.Slack;

    /// <summary>That something was wrong is news also when it is over.</summary>
    public bool WantsWhatEnded => true;

    private string AlertsPage => $"{address.Url}/console/alerts";

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

        var settled = notices.Select(WithoutSaying).ToList();
        if (settled.OfType<HookOutcome>().ToList() is { Count: > 0 } silent)
        {
            yield return silent;
        }

        var due = notices.Where((_, i) => settled[i] is null).ToList();
        var failure = health.IsHeld ? health.Failure : null;
        if (failure is null && due.Count > _pace.Room)
        {
            var isDue = _pace.UntilDigest == TimeSpan.Zero;
            cancellationToken.ThrowIfCancellationRequested();
            failure = isDue ? await SendDigestAsync(due) : health.Failure;
            yield return due.ConvertAll(notice =>
                failure is not null ? Degraded(notice, failure)
                : isDue ? Said(notice, DecisionWord.InDigest)
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
            yield break;
        }

        foreach (var notice in due)
        {
            // Between two messages, never in the middle of one: what has begun is recorded.
            cancellationToken.ThrowIfCancellationRequested();
            // One failure is enough for a pass: the next would wait for the same time-out.
            failure ??= await SendAsync(notice);
            yield return [failure is null ? Said(notice, DecisionWord.Sent) : Degraded(notice, failure)];
        }
    }

    /// <summary>What becomes of it without a word to Slack; null: it is to be told.</summary>
    private HookOutcome? WithoutSaying(AlertNotice notice)
    {
        if (notice is { Kind: NoticeKind.SeverityChanged, Told: { } told } && notice.Alert.Severity >= told.Severity)
        {
            return new HookOutcome(notice, IsDone: true, DecisionWord.GotNoWorse);
        }

        if (
            notice is { Kind: NoticeKind.Firing, Alert.IsStored: true }
            && _toldFromMemory.TryGetValue(notice.Alert.AlertId, out var at)
            && notice.Alert.StartedAt <= at
        )
        {
            return new HookOutcome(notice, IsDone: true, DecisionWord.Sent, "It was told while the database was away.");
        }

        if (HeldUntil(notice) is { } until && clock.GetUtcNow() < until)
        {
            return new HookOutcome(
                notice,
                IsDone: false,
                DecisionWord.HeldFlapping,
                $"It fired again {notice.Alert.Reopened}×: told at {until.UtcDateTime:HH:mm:ss} UTC unless it changes again."
            );
        }

        return _refused.TryGetValue(KeyOf(notice), out var refusal) ? Degraded(notice, refusal.Failure) : null;
    }

    /// <summary>The first time that it fires again is told at once, and says that the rest waits: that it fires still once a quiet
    /// period, that it ended once it has been quiet for one.</summary>
    private DateTimeOffset? HeldUntil(AlertNotice notice) =>
        notice switch
        {
            { Kind: NoticeKind.FiringAgain, Alert.Reopened: > 1, Told: { } told } => alerts.Value.RepeatFrom(told.At),
            { Kind: NoticeKind.Ended, Alert: var alert } => alerts.Value.EndHeldUntil(alert),
            _ => null,
        };

    private Task<SlackFailure?> SendDigestAsync(List<AlertNotice> notices)
    {
        _pace.Digest();
        return client.SendAsync(SlackText.Digest(notices, AlertsPage));
    }

    private async Task<SlackFailure?> SendAsync(AlertNotice notice)
    {
        _pace.Single();
        using var trace = AlertTrace.Start("alert to slack", notice.Alert);
        var failure = await client.SendAsync(SlackText.Single(notice, AlertsPage, alerts.Value.QuietPeriod));
        if (failure?.Kind == SlackFailureKind.Refused)
        {
            _refused[KeyOf(notice)] = (failure, clock.GetTimestamp());
        }

        return failure;
    }

    /// <summary>What is told from memory has no row yet.</summary>
    private static (string, long, NoticeKind) KeyOf(AlertNotice notice) => (notice.Alert.AlertId, notice.Alert.Id, notice.Kind);

    private HookOutcome Said(AlertNotice notice, DecisionWord word)
    {
        if (notice is { Kind: NoticeKind.Firing, Alert.IsStored: false })
        {
            _toldFromMemory[notice.Alert.AlertId] = clock.GetUtcNow();
        }

        return new HookOutcome(notice, IsDone: true, word);
    }

    private HookOutcome Degraded(AlertNotice notice, SlackFailure failure) =>
        new(notice, IsDone: false, DecisionWord.Degraded(failure.Kind), failure.Message)
        {
            RetryAfter = health.IsHeld ? health.HoldUntil - clock.GetUtcNow() : TimeSpan.Zero,
        };
}
