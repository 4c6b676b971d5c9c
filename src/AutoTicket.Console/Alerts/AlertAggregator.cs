using AutoTicket.Data;
using AutoTicket.Surfaces;
using Microsoft.Extensions.Options;

namespace AutoTicket.Alerts;

/// <summary>
/// Turns observations into episodes. Only this class changes a firing episode; <see cref="InMemoryAlerts"/> inserts episodes that began and
/// ended during a database outage. Group commit: requests that arrive during a write share the next one, so a process never races with
/// itself.
/// </summary>
internal sealed partial class AlertAggregator(
    AlertStore store,
    DecisionLog decisions,
    SurfaceList surfaces,
    LeaderLease leader,
    IOptions<AlertsOptions> options,
    TimeProvider clock,
    ILogger<AlertAggregator> logger
) : LeaderLoop(leader, clock, logger)
{
    /// <summary>The weight of the observations that may wait for the database. Further requests are refused; senders must retry.</summary>
    private const int MostWaiting = 20_000;

    /// <summary>How much text weighs as much as an observation. Without this limit long alerts could fill the memory.</summary>
    private const int CharactersPerWeight = 4_096;
    private const int Tries = 10;
    private const int MostSeen = 100_000;
    private static readonly TimeSpan CleanEvery = TimeSpan.FromHours(1);
    private static readonly TimeSpan CleanAgainAfter = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan SweepEvery = TimeSpan.FromSeconds(5);

    /// <summary>How long senders get to repeat their alerts after an outage, before one expires. Prometheus repeats each once a
    /// minute.</summary>
    private static readonly TimeSpan TimeToRepeat = TimeSpan.FromMinutes(5);

    /// <summary>Without a sweep for this long, alerts may have been reported in vain: no process led, or the database was away.</summary>
    private static readonly TimeSpan LongestGap = TimeSpan.FromMinutes(1);

    private readonly CommitGroup<Request, IReadOnlyList<Observed>?> _requests = new(request => WeightOf(request.Observations));
    private readonly OutageNotice _outage = new();
    private readonly OutageNotice _cleaningOutage = new();

    /// <summary>Hash codes of logical ids that this process observed. Only a hint: the database decides what is known.</summary>
    private readonly HashSet<int> _seen = [];
    private DateTimeOffset _cleanAt = DateTimeOffset.MinValue;
    private DateTimeOffset _sweptAt = DateTimeOffset.MinValue;
    private long _listensSince;

    /// <param name="IsRehearsal">The rules are applied, and nothing is written.</param>
    /// <param name="OnlyAsLeader">Applied only while this process holds the lease.</param>
    private sealed record Request(IReadOnlyList<Observation> Observations, bool IsRehearsal, bool OnlyAsLeader);

    internal static int WeightOf(IReadOnlyList<Observation> observations) =>
        observations.Count + observations.Sum(o => ((o.FullText?.Length ?? 0) + o.AllLabels.Length) / CharactersPerWeight);

    /// <summary>Raised when episodes began, changed or ended here; true: one of them is a P1 to deliver. Handlers return at once and never
    /// throw.</summary>
    public event Action<bool>? Changed;

    /// <summary>Applies the observations of one request; returns once the result is committed.</summary>
    /// <param name="request">All that one sender sent at once. Two ids of one alert in the same request are two alerts.</param>
    /// <param name="onlyAsLeader">Applied only while this process holds the lease. A former leader that was frozen would reopen ended
    /// alerts.</param>
    /// <returns>A result for each, in their order. Null when the request must be sent again: the database can't be reached, too many
    /// observations wait for it, or this process lost the lease.</returns>
    public Task<IReadOnlyList<Observed>?> ObserveAsync(
        IReadOnlyList<Observation> request,
        CancellationToken cancellationToken,
        bool onlyAsLeader = false
    ) => EnqueueAsync(request, isRehearsal: false, onlyAsLeader, cancellationToken);

    /// <summary>Applies an observation twice and writes nothing.</summary>
    /// <returns>The result of the first and of the second time; null when it was not applied.</returns>
    public async Task<(ObservationResult First, ObservationResult Second)?> RehearseAsync(
        Observation observation,
        CancellationToken cancellationToken
    ) =>
        await EnqueueAsync([observation], isRehearsal: true, onlyAsLeader: false, cancellationToken) is [var first, var second]
            ? (first.Result, second.Result)
            : null;

    private async Task<IReadOnlyList<Observed>?> EnqueueAsync(
        IReadOnlyList<Observation> request,
        bool isRehearsal,
        bool onlyAsLeader,
        CancellationToken cancellationToken
    )
    {
        if (request.Count == 0)
        {
            return [];
        }

        // The console's own alerts are few. If they were refused, the console would report an outage of its database or pipeline.
        var most = request.All(o => o.Source == Observation.Console) ? int.MaxValue : MostWaiting;
        return _requests.TryAdd(new Request(request, isRehearsal, onlyAsLeader), ApplyBatchAsync, most) is { } applying
            ? await applying.WaitAsync(cancellationToken)
            : null;
    }

    private async Task<List<IReadOnlyList<Observed>?>> ApplyBatchAsync(List<Request> batch)
    {
        try
        {
            var answers = await WriteAsync(batch);
            _outage.End();
            return answers.Count > 0 ? answers : batch.ConvertAll(_ => (IReadOnlyList<Observed>?)null);
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            if (_outage.Begin())
            {
                Log.NotStored(logger, batch.Sum(request => request.Observations.Count), exception.GetBaseException().Message);
            }

            return batch.ConvertAll(_ => (IReadOnlyList<Observed>?)null);
        }
    }

    /// <returns>Empty when other processes changed the same alerts at every try.</returns>
    private async Task<List<IReadOnlyList<Observed>?>> WriteAsync(List<Request> batch)
    {
        var logicalIds = batch.SelectMany(request => request.Observations).Select(o => o.LogicalId).Distinct().ToList();
        List<IReadOnlyList<Observed>?> earlier = [];
        List<Decision> severities = [];
        for (var tries = 0; tries < Tries; tries++)
        {
            var now = Clock.GetUtcNow();
            var attempt = tries == 0 ? await OpenUnseenAsync(batch, logicalIds, now) : null;
            attempt ??= await ApplyAsync(batch, logicalIds, now);
            var answers = earlier.Count == 0 ? attempt.Answers : [.. attempt.Answers.Zip(earlier, PreferEarlier)];
            if (attempt.Written > 0)
            {
                earlier = answers;
                // After a partial write the next try finds the rest. What was tried twice is one change.
                severities = [.. severities.UnionBy(SeverityChanges(attempt.Known, attempt.Changed, now), d => (d.AlertRow, d.Word))];
                var delivered = attempt.Opened.Concat(attempt.Changed.Where(alert => alert.NotifyAt is not null));
                Changed?.Invoke(delivered.Any(alert => alert is { IsFiring: true, Severity: Severity.P1 }));
            }

            if (attempt.Written == attempt.Opened.Count + attempt.Changed.Count)
            {
                foreach (var alert in attempt.Opened)
                {
                    AlertTrace.Start("alert opened", alert)?.Dispose();
                }

                Remember(logicalIds);
                await ExplainAsync(batch, earlier, severities, now);
                return answers;
            }
        }

        await ExplainAsync(batch, earlier, severities, Clock.GetUtcNow());
        return [];
    }

    /// <param name="Written">How many episodes were written. Fewer than given: another process changed the others first.</param>
    private sealed record Attempt(
        List<IReadOnlyList<Observed>?> Answers,
        IReadOnlyList<Alert> Known,
        IReadOnlyList<Alert> Opened,
        IReadOnlyList<Alert> Changed,
        int Written
    );

    /// <summary>Opens alerts that this process never saw in one round trip, because they are most likely new.</summary>
    /// <returns>Null when one of them is known, or none is opened: read them first.</returns>
    private async Task<Attempt?> OpenUnseenAsync(List<Request> batch, List<string> logicalIds, DateTimeOffset now)
    {
        if (logicalIds.Exists(id => _seen.Contains(id.GetHashCode(StringComparison.Ordinal))))
        {
            return null;
        }

        var (episodes, answers) = Apply(batch, [], now);
        var written =
            episodes.Opened.Count > 0
                ? await store.OpenUnknownAsync(episodes.Opened, logicalIds, now - EpisodeRules.RememberEndedFor, CancellationToken.None)
                : 0;
        return written > 0 ? new(answers, [], episodes.Opened, [], written) : null;
    }

    private async Task<Attempt> ApplyAsync(List<Request> batch, List<string> logicalIds, DateTimeOffset now)
    {
        var known = await store.ReadAsync(logicalIds, now - EpisodeRules.RememberEndedFor, CancellationToken.None);
        var (episodes, answers) = Apply(batch, known, now);
        var (opened, changed) = (episodes.Opened, episodes.Changed);
        var written = opened.Count + changed.Count > 0 ? await store.WriteAsync(opened, changed, CancellationToken.None) : 0;
        return new(answers, known, opened, changed, written);
    }

    private (EpisodeRules Episodes, List<IReadOnlyList<Observed>?> Answers) Apply(
        List<Request> batch,
        List<Alert> known,
        DateTimeOffset now
    )
    {
        var episodes = new EpisodeRules(known, options.Value, now);
        // Asked after the alerts were read: if a new leader changes them, the write fails on their version.
        var isLeader = Leader.IsLeader;
        return (
            episodes,
            batch.ConvertAll(request =>
                request.IsRehearsal ? Rehearse(request, new EpisodeRules(known, options.Value, now))
                : request.OnlyAsLeader && !isLeader ? null
                : episodes.Apply(request.Observations)
            )
        );
    }

    private void Remember(List<string> logicalIds)
    {
        if (_seen.Count > MostSeen)
        {
            _seen.Clear();
        }

        _seen.UnionWith(logicalIds.Select(id => id.GetHashCode(StringComparison.Ordinal)));
    }

    /// <summary>Merges two tries. What an earlier try opened, this try finds known: the earlier result is the right answer.</summary>
    private static IReadOnlyList<Observed>? PreferEarlier(IReadOnlyList<Observed>? answers, IReadOnlyList<Observed>? earlier) =>
        answers is null || earlier is null
            ? answers
            : [.. answers.Zip(earlier, (now, before) => now.Result is ObservationResult.Known or ObservationResult.NotOpen ? before : now)];

    private static IReadOnlyList<Observed> Rehearse(Request request, EpisodeRules rules) =>
        [.. rules.Apply(request.Observations), .. rules.Apply(request.Observations)];

    private static IEnumerable<Decision> SeverityChanges(IEnumerable<Alert> known, IEnumerable<Alert> changed, DateTimeOffset now) =>
        from before in known
        join after in changed on before.Id equals after.Id
        where after.Severity != before.Severity
        select new Decision
        {
            AlertId = after.AlertId,
            AlertRow = after.Id,
            Path = DecisionSources.Intake,
            Word = DecisionWord.SeverityChanged(before.Severity, after.Severity),
            FirstAt = now,
            LastAt = now,
        };

    /// <summary>Records why an alert reaches no hook, why its id was folded, how the intake corrected it, or that its severity
    /// changed.</summary>
    /// <param name="answers">To each request; empty when nothing was written.</param>
    private Task ExplainAsync(
        List<Request> batch,
        List<IReadOnlyList<Observed>?> answers,
        IEnumerable<Decision> severities,
        DateTimeOffset now
    )
    {
        List<Decision> explained = [.. severities];
        foreach (var (request, observed) in batch.Zip(answers).Where(pair => !pair.First.IsRehearsal))
        {
            foreach (var (observation, answer) in request.Observations.Zip(observed ?? []))
            {
                explained.AddRange(
                    Explain(observation, answer)
                        .Select(why => new Decision
                        {
                            AlertId = answer.AlertId,
                            AlertRow = 0,
                            Path = DecisionSources.Intake,
                            Word = why.Word,
                            Detail = why.Detail,
                            FirstAt = now,
                            LastAt = now,
                        })
                );
            }
        }

        return decisions.RecordAsync(explained, CancellationToken.None);
    }

    private IEnumerable<(DecisionWord Word, string Detail)> Explain(Observation observation, Observed answer)
    {
        if (answer.Result == ObservationResult.Folded)
        {
            yield return (DecisionWord.Folded, $"{observation.Source} sent the new id {observation.ProducerId} for an alert that is open.");
        }

        if (answer.Result == ObservationResult.Opened && !options.Value.ReachesHooks(observation.Severity))
        {
            yield return (DecisionWord.BelowSeverity, $"{observation.Severity} is below the threshold ({options.Value.NotifySeverity}).");
        }

        if (answer.Result == ObservationResult.Opened && observation.Remark is { } remark)
        {
            yield return (DecisionWord.AcceptedWithChange, remark);
        }
    }

    /// <summary>Expires alerts whose source stopped reporting them, repairs the outbox and deletes old rows.</summary>
    protected override async Task<TimeSpan> LeadAsync(CancellationToken stoppingToken)
    {
        var now = Clock.GetUtcNow();
        if (now - _sweptAt > LongestGap)
        {
            _listensSince = Clock.GetTimestamp();
        }

        var expiredBefore = Clock.GetElapsedTime(_listensSince) < TimeToRepeat ? DateTimeOffset.MinValue : now;
        var abandoned = await store.ReadAbandonedAsync(expiredBefore, [.. surfaces.All.Select(surface => surface.Key)], stoppingToken);
        if (abandoned.Count > 0)
        {
            var episodes = new EpisodeRules(abandoned, options.Value, now);
            episodes.ExpireAll();
            // An alert that was observed again in the meantime has a newer version and is left alone.
            var expired = await store.WriteAsync([], episodes.Changed, CancellationToken.None);
            if (expired > 0)
            {
                Log.Expired(logger, expired);
                Changed?.Invoke(false);
            }
        }

        _sweptAt = now;
        if (now >= _cleanAt)
        {
            await CleanAsync(now, stoppingToken);
        }

        return SweepEvery;
    }

    private async Task CleanAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        // Set before the work: a statement that times out must not run all the time.
        _cleanAt = now + CleanAgainAfter;
        try
        {
            await store.QueueUndeliveredAsync(cancellationToken);
            await store.DeleteAsync(now - options.Value.Retention, cancellationToken);
            await decisions.DeleteAsync(now - options.Value.Retention, cancellationToken);
            _cleanAt = now + CleanEvery;
            _cleaningOutage.End();
        }
        catch (Exception exception) when (Outages.IsOutage(exception) && Leader.IsLeader)
        {
            if (_cleaningOutage.Begin())
            {
                Log.NotCleaned(logger, exception.GetBaseException().Message);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(
            LogLevel.Warning,
            "alert_aggregator can't store observations count={Count}: the database can't be reached; the intake answers 503: {Problem}"
        )]
        public static partial void NotStored(ILogger logger, int count, string problem);

        [LoggerMessage(LogLevel.Warning, "alert_aggregator old alerts and decisions are not deleted yet, trying again: {Problem}")]
        public static partial void NotCleaned(ILogger logger, string problem);

        [LoggerMessage(LogLevel.Information, "alert_aggregator expired count={Count}: their sources stopped reporting them")]
        public static partial void Expired(ILogger logger, int count);
    }
}
