using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using AutoTicket.Data;
using AutoTicket.Surfaces;

namespace AutoTicket.Alerts;

/// <summary>
/// Calls each hook with the alerts in its outbox until it has delivered them. Only the leader does. An undelivered alert leaves no
/// row in the delivery log, so the next pass tries again. The number of queries does not grow with the number of alerts.
/// </summary>
internal sealed partial class AlertEmitter : Loop
{
    private static readonly TimeSpan Cycle = TimeSpan.FromSeconds(2);

    /// <summary>The least rest after a pass that left alerts undelivered: in a flood, each new alert would retry all of them.</summary>
    private static readonly TimeSpan ShortestRest = TimeSpan.FromMilliseconds(250);

    /// <summary>After a pass that left alerts undelivered, the rest is this many times as long as its query: in an outage each pass reads
    /// all of them again.</summary>
    private const int RestFactorAfterFailure = 10;

    /// <summary>After a slower query the pass rests, so that the next one reads more alerts at once.</summary>
    private static readonly TimeSpan SlowQuery = TimeSpan.FromMilliseconds(50);

    /// <summary>How long a hook may work before the next one is called, so that the DM can link to the ticket.</summary>
    private static readonly TimeSpan HeadStart = TimeSpan.FromSeconds(1.5);

    private readonly IReadOnlyList<IAlertHook> _hooks;
    private readonly AlertAggregator _aggregator;
    private readonly DeliveryStore _deliveries;
    private readonly OutcomeRecorder _outcomes;
    private readonly DecisionLog _decisions;
    private readonly AlertMutes _mutes;
    private readonly LeaderLease _leader;
    private readonly DatabaseSignals _signals;
    private readonly ILogger<AlertEmitter> _logger;
    private readonly OutageNotice _outage = new();
    private readonly ConcurrentDictionary<string, HookPass> _passes = new();
    private readonly Dictionary<IAlertHook, SemaphoreSlim> _hookLocks;
    private long _restsEndedAt;

    /// <summary>There may be something new to deliver. While a pass only retries, its rests must not wake the loop.</summary>
    private bool _hasNews;

    /// <param name="hooks">Called in this order.</param>
    public AlertEmitter(
        IEnumerable<IAlertHook> hooks,
        AlertAggregator aggregator,
        DeliveryStore deliveries,
        OutcomeRecorder outcomes,
        DecisionLog decisions,
        AlertMutes mutes,
        LeaderLease leader,
        DatabaseSignals signals,
        TimeProvider clock,
        ILogger<AlertEmitter> logger
    )
        : base(clock, logger)
    {
        _hooks = [.. hooks];
        _hookLocks = _hooks.ToDictionary(hook => hook, _ => new SemaphoreSlim(1, 1));
        (_aggregator, _deliveries, _outcomes, _decisions) = (aggregator, deliveries, outcomes, decisions);
        (_mutes, _leader, _signals, _logger) = (mutes, leader, signals, logger);
        CycledAt = clock.GetTimestamp();
    }

    /// <summary>When a hook was last called with an alert; null when none has been since the start.</summary>
    public DateTimeOffset? EmittedAt { get; private set; }

    /// <summary>When the current turn of the loop began, as a timestamp of the clock; at first, the start.</summary>
    public long CycledAt { get; private set; }

    /// <summary>A hook whose pass has had no outcome for a minute; null when there is none. A healthy call ends within seconds.</summary>
    public string? StuckHook => _passes.FirstOrDefault(pass => pass.Value.IsStuck).Key;

    /// <summary>The hooks that are called from memory while the database can't be reached.</summary>
    public IEnumerable<string> InMemoryHooks => _hooks.Where(hook => hook.WorksWithoutDatabase).Select(hook => hook.Name);

    /// <summary>Delivers notices from memory. Nothing is read from the database, and nothing is recorded.</summary>
    public IAsyncEnumerable<IReadOnlyList<HookOutcome>> DeliverFromMemoryAsync(
        string hook,
        IReadOnlyList<AlertNotice> notices,
        CancellationToken cancellationToken
    ) => CallAsync(_hooks.First(one => one.Name == hook), notices, cancellationToken);

    /// <summary>Calls every hook with nothing to deliver, even while a pass of it runs.</summary>
    /// <returns>The names of the hooks that returned.</returns>
    public async Task<IReadOnlyList<string>> ProbeHooksAsync(CancellationToken cancellationToken)
    {
        var returned = new List<string>();
        foreach (var hook in _hooks)
        {
            await foreach (var _ in hook.DeliverAsync([], cancellationToken)) { }
            returned.Add(hook.Name);
        }

        return returned;
    }

    protected override void Begin()
    {
        _aggregator.Changed += OnChanged;
        _signals.Subscribe(
            DatabaseSignals.Alerts,
            () =>
            {
                Volatile.Write(ref _hasNews, true);
                // What this process stored has woken the loop already, and each delivery raises the signal too.
                WakeSoon();
            }
        );
        _leader.Changed += WakeForNews;
        _mutes.Changed += WakeForNews;
        foreach (var hook in _hooks)
        {
            hook.Ready += WakeForNews;
        }
    }

    private void WakeForNews()
    {
        Volatile.Write(ref _hasNews, true);
        Wake();
    }

    private void OnChanged(bool hasNewP1)
    {
        // Else a P1 that this process took would wait while a pass rests after alerts that the flood breaker holds back. A flood of P1s
        // ends one rest in a cycle.
        if (hasNewP1 && Stopwatch.GetElapsedTime(Volatile.Read(ref _restsEndedAt)) >= Cycle)
        {
            Volatile.Write(ref _restsEndedAt, Stopwatch.GetTimestamp());
            foreach (var pass in _passes.Values)
            {
                pass.EndRest();
            }
        }

        WakeForNews();
    }

    protected override async Task<TimeSpan> TurnAsync(CancellationToken stoppingToken)
    {
        CycledAt = Clock.GetTimestamp();
        // Until the mutes are read, a new leader could send a muted alert.
        if (_leader.IsLeader && _mutes.IsKnown)
        {
            var hasNews = Interlocked.Exchange(ref _hasNews, false);
            foreach (var hook in _hooks)
            {
                var isRunning = _passes.TryGetValue(hook.Name, out var pass) && !pass.IsOver;
                pass = isRunning ? pass! : BeginPass(hook, stoppingToken);
                if (isRunning && hasNews)
                {
                    // New alerts are delivered as soon as the pass is over.
                    pass.CallWhenOver(Wake);
                }

                if (hook != _hooks[^1] && !pass.Ended.IsCompleted)
                {
                    var headStart = Task.Delay(HeadStart, stoppingToken);
                    await Task.WhenAny(pass.Ended, headStart);
                    if (pass.IsRestEnded && pass.IsOver)
                    {
                        // A P1 arrived during the pass: the DM must not be sent before its ticket.
                        await Task.WhenAny(BeginPass(hook, stoppingToken).Ended, headStart);
                    }
                }
            }
        }

        foreach (var (hook, pass) in _passes)
        {
            if (pass.UpdateStuck(Clock.GetUtcNow()))
            {
                Log.Stuck(_logger, hook, HookPass.StuckAfter.TotalSeconds);
            }
        }

        return Cycle;
    }

    private HookPass BeginPass(IAlertHook hook, CancellationToken stoppingToken)
    {
        var pass = _passes[hook.Name] = new HookPass(Clock.GetUtcNow());
        pass.Ended = PassAsync(hook, pass, stoppingToken);
        return pass;
    }

    /// <summary>Waits for deliveries that have begun, so that they are recorded.</summary>
    protected override async Task FinishAsync() =>
        await Task.WhenAll(_passes.Values.Select(pass => pass.Ended)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    private async Task PassAsync(IAlertHook hook, HookPass pass, CancellationToken stoppingToken)
    {
        using var whileLeading = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        try
        {
            var begun = Stopwatch.GetTimestamp();
            var notices = await _deliveries.DueAsync(hook, stoppingToken);
            var queryTook = Stopwatch.GetElapsedTime(begun);
            _outage.End();
            if (notices.Count == 0)
            {
                return;
            }

            var undelivered = new List<Decision>();
            var retryAfter = ShortestRest;
            var left = notices.Count;
            await foreach (var outcomes in CallAsync(hook, notices, whileLeading.Token))
            {
                pass.AdvancedAt = Clock.GetUtcNow();
                retryAfter = outcomes.Where(outcome => !outcome.IsDone).Select(outcome => outcome.RetryAfter).Append(retryAfter).Max();
                left -= outcomes.Count(outcome => outcome.IsDone);
                undelivered.AddRange(await _outcomes.RecordAsync(hook, outcomes, _leader.IsLeader));
                if (!_leader.IsLeader)
                {
                    // This process lost the lease during the pass: the new leader delivers the rest.
                    await whileLeading.CancelAsync();
                }
            }

            pass.AdvancedAt = null;
            await _decisions.RecordAsync(undelivered, CancellationToken.None);
            if (left > 0 || queryTook > SlowQuery)
            {
                pass.Rest = RestAsync(queryTook, left > 0 ? RestFactorAfterFailure : 1, retryAfter, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (whileLeading.IsCancellationRequested) { }
        // At shutdown a database driver may throw another exception than a cancellation.
        catch (Exception exception) when (Outages.IsOutage(exception) || stoppingToken.IsCancellationRequested)
        {
            if (_outage.Begin())
            {
                Log.Interrupted(_logger, hook.Name, exception.GetBaseException().Message);
            }
        }
#pragma warning disable CA1031 // a bug in one hook is logged and does not stop the others
        catch (Exception exception)
#pragma warning restore CA1031
        {
            Log.Failed(_logger, hook.Name, exception);
        }
    }

    /// <summary>Calls a hook with the notices that are not muted. Once at a time, because a pass may meet a delivery from memory when the
    /// database comes back.</summary>
    private async IAsyncEnumerable<IReadOnlyList<HookOutcome>> CallAsync(
        IAlertHook hook,
        IReadOnlyList<AlertNotice> notices,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        var hookLock = _hookLocks[hook];
        await hookLock.WaitAsync(cancellationToken);
        try
        {
            var (muted, due) = _mutes.Apply(notices);
            if (muted.Count > 0)
            {
                yield return muted;
            }

            if (due.Count == 0)
            {
                yield break;
            }

            EmittedAt = Clock.GetUtcNow();
            await foreach (var outcomes in hook.DeliverAsync(due, cancellationToken))
            {
                yield return outcomes;
            }
        }
        finally
        {
            hookLock.Release();
        }
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "alert_aggregator emit interrupted hook={Hook}, the next cycle goes on: {Problem}")]
        public static partial void Interrupted(ILogger logger, string hook, string problem);

        [LoggerMessage(LogLevel.Error, "alert_aggregator emit stuck hook={Hook}: no outcome for {Seconds} s")]
        public static partial void Stuck(ILogger logger, string hook, double seconds);

        [LoggerMessage(LogLevel.Error, "alert_aggregator emit failed hook={Hook}")]
        public static partial void Failed(ILogger logger, string hook, Exception exception);
    }
}
