using AutoTicket.Data;
using AutoTicket.Surfaces;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Alerts;

/// <summary>While the database is away the operator is still told that a surface went down, and of escalations: from memory, once, by the process that led
/// when the database was last heard of; and that it is over. When the database is back the episode is stored with what was told.</summary>
internal sealed partial class InMemoryAlerts(
    AlertEmitter emitter,
    AlertStore table,
    LeaderLease leader,
    IDbContextFactory<AutoTicketDbContext> contexts,
    IOptions<AlertsOptions> options,
    TimeProvider clock,
    ILogger<InMemoryAlerts> logger
) : IDisposable
{
    private static readonly RowBatch<Word> Told = new(
        ("alert_id", "text", word => word.Seen.AlertId),
        ("hook", "text", word => word.Hook),
        ("at", "timestamptz", word => word.At),
        ("severity", "text", word => Words.Of(word.Seen.Severity))
    );

    /// <summary>The poller and the escalation watch come side by side.</summary>
    private readonly SemaphoreSlim _one = new(1, 1);
    private readonly HashSet<string> _firing = [];

    /// <summary>The last of each hook about each alert of which there is no episode yet.</summary>
    private readonly List<Word> _words = [];

    /// <param name="Seen">It firing.</param>
    /// <param name="Again">How many times it had been told that it was over, and fired again.</param>
    private sealed record Word(string Hook, Observation Seen, NoticeKind Kind, DateTimeOffset At, int Again);

    /// <summary>The database took what was seen: from here on the notification log knows who was told.</summary>
    public Task TookAsync(IReadOnlyList<Observation> request, IReadOnlyList<Observed> answers, CancellationToken cancellationToken) =>
        AloneAsync(() => StoreAsync(request, answers, cancellationToken), cancellationToken);

    /// <summary>The database took nothing: tells of what began since, and of its end.</summary>
    public Task TellAsync(IReadOnlyList<Observation> request, CancellationToken cancellationToken) =>
        leader.ActsAsLeader ? AloneAsync(() => TellAllAsync(request, cancellationToken), cancellationToken) : Task.CompletedTask;

    public void Dispose() => _one.Dispose();

    private async Task AloneAsync(Func<Task> work, CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            await work();
        }
        finally
        {
            _one.Release();
        }
    }

    private async Task StoreAsync(IReadOnlyList<Observation> request, IReadOnlyList<Observed> answers, CancellationToken cancellationToken)
    {
        for (var i = 0; i < request.Count; i++)
        {
            _ = request[i].IsFiring ? _firing.Add(answers[i].AlertId) : _firing.Remove(answers[i].AlertId);
        }

        if (_words.Count == 0)
        {
            return;
        }

        // What was over before it could be stored has no episode that would tell of it.
        await TellEndsAsync(request, cancellationToken);
        // Of others the episode may not be stored yet.
        var told = _words
            .Where(word => word.Kind == NoticeKind.Firing && request.Any(o => o.IsFiring && o.AlertId == word.Seen.AlertId))
            .ToList();
        var over = _words.Where(word => word.Kind == NoticeKind.Ended).ToList();
        try
        {
            await table.WriteAsync(
                [
                    .. over.DistinctBy(word => word.Seen.AlertId)
                        .Select(word => AlertOf(word.Seen, word.At) with { Status = AlertStatus.Resolved, EndedAt = word.At }),
                ],
                [],
                cancellationToken
            );
            _words.RemoveAll(over.Contains);
            if (told.Count == 0)
            {
                return;
            }

            await using var db = await contexts.CreateDbContextAsync(cancellationToken);
            // What was told is not of an episode that began later.
            await db.ExecuteAsync(
                $"""
                INSERT INTO alert_deliveries (alert_row, hook, kind, at, severity, reopened)
                SELECT alerts.id, r.hook, 'firing', r.at, r.severity, alerts.reopened FROM alerts JOIN {Told.Of(
                    told
                )} ON alerts.alert_id = r.alert_id AND alerts.started_at <= r.at WHERE alerts.status = 'firing'
                ON CONFLICT (alert_row, hook, kind) DO NOTHING
                """,
                cancellationToken
            );
            _words.RemoveAll(told.Contains);
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            // Away again: the next time.
        }
    }

    private async Task TellAllAsync(IReadOnlyList<Observation> request, CancellationToken cancellationToken)
    {
        await TellEndsAsync(request, cancellationToken);
        var now = clock.GetUtcNow();
        foreach (var hook in emitter.HooksForNews)
        {
            // Told again when it was told to be over, or once a quiet period.
            await TellAsync(
                hook,
                NoticeKind.Firing,
                request
                    .Where(o =>
                        o.IsFiring
                        && options.Value.ReachesHooks(o.Severity)
                        && !_firing.Contains(o.AlertId)
                        && (LastWord(hook, o) is not { Kind: NoticeKind.Firing } last || (o.StartsAt is { } startsAt && startsAt > options.Value.RepeatFrom(last.At)))
                    )
                    .Select(o => (o, AlertOf(o, now))),
                cancellationToken
            );
        }
    }

    private async Task TellEndsAsync(IReadOnlyList<Observation> request, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        foreach (var hook in emitter.HooksForNews)
        {
            // Of what comes and goes the first end is told at once, the others once a quiet period.
            await TellAsync(
                hook,
                NoticeKind.Ended,
                request
                    .Where(o => !o.IsFiring)
                    .Select(o => LastWord(hook, o))
                    .OfType<Word>()
                    .Where(last => last.Kind == NoticeKind.Firing && (last.Again == 0 || now >= options.Value.RepeatFrom(last.At)))
                    .Select(last => (last.Seen, AlertOf(last.Seen, last.At) with { Status = AlertStatus.Resolved, EndedAt = now })),
                cancellationToken
            );
        }
    }

    private Word? LastWord(string hook, Observation o) => _words.Find(word => word.Hook == hook && word.Seen.AlertId == o.AlertId);

    private async Task TellAsync(
        string hook,
        NoticeKind kind,
        IEnumerable<(Observation Seen, Alert Alert)> news,
        CancellationToken cancellationToken
    )
    {
        var all = news.ToDictionary(one => one.Seen.AlertId);
        if (all.Count == 0)
        {
            return;
        }

        await foreach (
            var outcomes in emitter.DeliverFromMemoryAsync(
                hook,
                [.. all.Values.Select(one => new AlertNotice(one.Alert, kind, null, null))],
                cancellationToken
            )
        )
        {
            foreach (var alert in outcomes.Where(outcome => outcome.IsDone).Select(outcome => outcome.Notice.Alert))
            {
                var seen = all[alert.AlertId].Seen;
                var again = 0;
                if (LastWord(hook, seen) is { } last)
                {
                    again = last.Again + (kind == NoticeKind.Firing ? 1 : 0);
                    _words.Remove(last);
                }

                _words.Add(new Word(hook, seen, kind, clock.GetUtcNow(), again));
                Log.Told(logger, alert.AlertKey, hook, kind);
            }
        }
    }

    /// <summary>An episode that has no row yet.</summary>
    private static Alert AlertOf(Observation o, DateTimeOffset now) =>
        new()
        {
            AlertId = o.AlertId,
            LogicalId = o.LogicalId,
            Status = AlertStatus.Firing,
            Source = o.Source,
            Name = o.Name,
            Surface = o.Surface,
            Severity = o.Severity,
            Summary = o.Summary,
            Labels = o.AllLabels,
            StartedAt = o.StartsAt ?? now,
            OpenedAt = o.StartsAt ?? now,
            SeenAt = now,
        };

    private static partial class Log
    {
        [LoggerMessage(
            LogLevel.Information,
            "alert_aggregator emit alert_key={AlertKey} hook={Hook} kind={Kind} from memory: the database is away"
        )]
        public static partial void Told(ILogger logger, string alertKey, string hook, NoticeKind kind);
    }
}
