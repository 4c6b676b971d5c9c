using AutoTicket.Data;
using AutoTicket.Surfaces;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Alerts;

/// <summary>
/// Turns observations into episodes: the one place where an alert begins and ends. Requests that come while it writes are
/// written together, so the cost of a commit is shared and a process never races with itself.
/// </summary>
internal sealed partial class AlertAggregator(
    AlertStore table,
    DecisionLog decisions,
    SurfaceList surfaces,
    LeaderLease leader,
    IOptions<AlertsOptions> options,
    TimeProvider clock,
    ILogger<AlertAggregator> logger
) : LeaderLoop(leader, clock, logger)
{
    /// <summary>More than this waiting is refused: memory is not a queue.</summary>
    private const int MostWaiting = 20_000;
    private const int Tries = 10;
    private static readonly TimeSpan ForgetEvery = TimeSpan.FromHours(1);
    private static readonly TimeSpan SweepEvery = TimeSpan.FromSeconds(5);

    private readonly CommitGroup<Request, IReadOnlyList<Observed>?> _requests = new(request => request.Observations.Count);
    private readonly OutageNotice _outage = new();
    private DateTimeOffset _forgotAt = DateTimeOffset.MinValue;

    /// <param name="IsRehearsal">It goes the same way and leaves nothing behind.</param>
    /// <param name="IsLeaders">Only the leader may say it.</param>
    private sealed record Request(IReadOnlyList<Observation> Observations, bool IsRehearsal, bool IsLeaders);

    /// <summary>Raised when an episode began, changed or ended here. Handlers return at once and never throw.</summary>
    public event Action? Changed;

    /// <summary>Takes one request's observations; returns once they are durable.</summary>
    /// <param name="request">What one sender said at one moment: ids that stand side by side in it are different alerts.</param>
    /// <param name="isLeaders">Only the leader may say it: said late, by a process that was frozen, it would open again what has ended.</param>
    /// <returns>What became of each, in their order; null: nothing was taken, because the database can't be had, too much is
    /// waiting for it, or this process leads no more. Whoever sent it should send it again.</returns>
    public Task<IReadOnlyList<Observed>?> ObserveAsync(
        IReadOnlyList<Observation> request,
        CancellationToken cancellationToken,
        bool isLeaders = false
    ) => TakeAsync(request, isRehearsal: false, isLeaders, cancellationToken);

    /// <summary>Takes an observation twice, as if it were real, and writes nothing.</summary>
    /// <returns>What would become of it the first and the second time; null: it was not taken.</returns>
    public async Task<(ObservationResult First, ObservationResult Second)?> RehearseAsync(
        Observation observation,
        CancellationToken cancellationToken
    ) =>
        await TakeAsync([observation], isRehearsal: true, isLeaders: false, cancellationToken) is [var first, var second]
            ? (first.Result, second.Result)
            : null;

    private async Task<IReadOnlyList<Observed>?> TakeAsync(
        IReadOnlyList<Observation> request,
        bool isRehearsal,
        bool isLeaders,
        CancellationToken cancellationToken
    )
    {
        if (request.Count == 0)
        {
            return [];
        }

        return _requests.TryAdd(new Request(request, isRehearsal, isLeaders), TakeAsync, MostWaiting) is { } taking
            ? await taking.WaitAsync(cancellationToken)
            : null;
    }

    private async Task<List<IReadOnlyList<Observed>?>> TakeAsync(List<Request> batch)
    {
        try
        {
            var taken = await WriteAsync(batch);
            _outage.End();
            return taken ?? batch.ConvertAll(_ => (IReadOnlyList<Observed>?)null);
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            if (_outage.Begin())
            {
                Log.NotTaken(logger, batch.Sum(request => request.Observations.Count), exception.GetBaseException().Message);
            }

            return batch.ConvertAll(_ => (IReadOnlyList<Observed>?)null);
        }
    }

    /// <returns>Null: other processes were faster every time.</returns>
    private async Task<List<IReadOnlyList<Observed>?>?> WriteAsync(List<Request> batch)
    {
        var logicalIds = batch.SelectMany(request => request.Observations).Select(o => o.LogicalId).Distinct().ToList();
        for (var attempt = 0; attempt < Tries; attempt++)
        {
            var now = Clock.GetUtcNow();
            var known = await table.ReadAsync(logicalIds, now - EpisodeRules.Memory, CancellationToken.None);
            var episodes = new EpisodeRules(known, options.Value, now);
            // Asked after the reading: when another leads next and changes what was read, the write below fails.
            var leads = Leader.IsLeader;
            var answers = batch.ConvertAll(request =>
                request.IsRehearsal ? Rehearse(request, new EpisodeRules(known, options.Value, now))
                : request.IsLeaders && !leads ? null
                : episodes.Apply(request.Observations)
            );
            var (opened, changed) = (episodes.Opened, episodes.Changed);
            if (opened.Count + changed.Count == 0)
            {
                return answers;
            }

            if (await table.WriteAsync(opened, changed, CancellationToken.None))
            {
                foreach (var alert in opened)
                {
                    AlertTrace.Start("alert opened", alert)?.Dispose();
                }

                await ExplainAsync(batch, answers, now);
                Changed?.Invoke();
                return answers;
            }
        }

        return null;
    }

    private static IReadOnlyList<Observed> Rehearse(Request request, EpisodeRules stage) =>
        [.. stage.Apply(request.Observations), .. stage.Apply(request.Observations)];

    /// <summary>What never reaches a hook is decided here.</summary>
    private Task ExplainAsync(List<Request> batch, List<IReadOnlyList<Observed>?> answers, DateTimeOffset now) =>
        decisions.RecordAsync(
            [
                .. batch
                    .SelectMany(
                        (request, r) =>
                            request.Observations.Zip(
                                request.IsRehearsal ? [] : answers[r] ?? [],
                                (o, answer) => (Observation: o, Answer: answer)
                            )
                    )
                    .SelectMany(one =>
                        Explain(one.Observation, one.Answer)
                            .Select(why => new Decision
                            {
                                AlertId = one.Answer.AlertId,
                                AlertRow = 0,
                                Path = DecisionSources.Intake,
                                Word = why.Word,
                                Detail = why.Detail,
                                FirstAt = now,
                                LastAt = now,
                            })
                    ),
            ],
            CancellationToken.None
        );

    private IEnumerable<(DecisionWord Word, string Detail)> Explain(Observation observation, Observed answer)
    {
        if (answer.Result == ObservationResult.Folded)
        {
            yield return (DecisionWord.Folded, $"{observation.Source} sent the new id {observation.ProducerId} for an alert that is open.");
        }

        if (answer.Result == ObservationResult.Opened && !options.Value.ReachesHooks(observation.Severity))
        {
            yield return (DecisionWord.BelowSeverity, $"{observation.Severity} is below {options.Value.NotifySeverity}.");
        }

        if (answer.Result == ObservationResult.Opened && observation.Remark is { } remark)
        {
            yield return (DecisionWord.Remark, remark);
        }
    }

    /// <summary>Ends what nobody stands by any more.</summary>
    protected override async Task<TimeSpan> LeadAsync(CancellationToken stoppingToken)
    {
        var now = Clock.GetUtcNow();
        var abandoned = await table.ReadAbandonedAsync(now, [.. surfaces.All.Select(surface => surface.Key)], stoppingToken);
        if (abandoned.Count > 0)
        {
            var episodes = new EpisodeRules(abandoned, options.Value, now);
            episodes.ExpireAll();
            // Whatever was heard of again meanwhile is left alone.
            await table.WriteAsync([], episodes.Changed, CancellationToken.None);
            Log.Expired(logger, abandoned.Count);
            Changed?.Invoke();
        }

        if (now - _forgotAt >= ForgetEvery)
        {
            await table.DeleteAsync(now - options.Value.Retention, stoppingToken);
            _forgotAt = now;
        }

        return SweepEvery;
    }

    private static partial class Log
    {
        [LoggerMessage(
            LogLevel.Warning,
            "alert_aggregator can't take alerts count={Count}, their senders are told to try again: {Problem}"
        )]
        public static partial void NotTaken(ILogger logger, int count, string problem);

        [LoggerMessage(LogLevel.Information, "alert_aggregator expired count={Count}: their sources fell silent")]
        public static partial void Expired(ILogger logger, int count);
    }
}
