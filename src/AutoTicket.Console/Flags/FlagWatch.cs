using System.Diagnostics.Metrics;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.FeatureManagement;

namespace AutoTicket.Flags;

/// <summary>
/// The flags in force in this process. It reads them when the database signals a change, when a scheduled change is due, and every few
/// seconds; every second while they can't be read.
/// Use <see cref="IFeatureManager"/>, never IFeatureManagerSnapshot: a Blazor circuit is one scope and would never see a flip.
/// </summary>
internal sealed partial class FlagWatch(
    FlagStore store,
    FlagEnvironment environment,
    DatabaseSignals signals,
    TimeProvider clock,
    ILogger<FlagWatch> logger
) : Loop(clock, logger), IFeatureDefinitionProvider
{
    private static readonly Histogram<double> Propagation = Telemetry.Seconds(
        "autoticket.flag.propagation.duration",
        "From the change of a flag until it is in force in this process."
    );
    private static readonly TimeSpan AckEvery = TimeSpan.FromSeconds(10);
    private static readonly string Instance = $"{Environment.MachineName}/{Environment.ProcessId}";

    private readonly SemaphoreSlim _reading = new(1, 1);
    private volatile FlagsSnapshot _current = new([.. FlagNames.All.Select(name => Unread(name, environment))], null, IsStale: true);
    private long? _ackedAt;
    private readonly OutageNotice _ackOutage = new();

    /// <summary>Raised when <see cref="Current"/> changed. Handlers must return at once and never throw.</summary>
    public event Action? Changed;

    public FlagsSnapshot Current => _current;

    /// <returns>False: the flag is off only because the store has not been read since the start.</returns>
    public bool IsKnown(string name) => _current.ReadAt is not null || _current.Flags.Any(flag => flag.Name == name && flag.IsPinned);

    public Task<FeatureDefinition> GetFeatureDefinitionAsync(string featureName) =>
        Task.FromResult(Definition(featureName, _current.Flags.Any(flag => flag.Name == featureName && flag.Enabled)));

    public async IAsyncEnumerable<FeatureDefinition> GetAllFeatureDefinitionsAsync()
    {
        foreach (var flag in _current.Flags)
        {
            yield return await GetFeatureDefinitionAsync(flag.Name);
        }
    }

    /// <summary>Changes a flag now, or schedules the change. Either replaces the scheduled change, if any.</summary>
    public Task<FlagChangeResult> ChangeAsync(string name, FlagChangeRequest request, string actor, CancellationToken cancellationToken)
    {
        if (_current.Flags.FirstOrDefault(flag => flag.Name == name) is not { } flag)
        {
            return Task.FromResult(FlagChangeResult.UnknownFlag);
        }

        if (request.Mistake(Clock.GetUtcNow()) is not null)
        {
            return Task.FromResult(FlagChangeResult.BadRequest);
        }

        if (flag.IsPinned && request.Enabled)
        {
            return Task.FromResult(FlagChangeResult.PinnedByEnvironment);
        }

        var reason = request.Reason.Trim();
        return request.At is { } at
            ? WriteAsync(
                name,
                actor,
                reason,
                row => Schedule(row, request.Enabled, at.ToUniversalTime(), actor, reason),
                FlagChangeResult.Scheduled,
                cancellationToken
            )
            : WriteAsync(
                name,
                actor,
                reason,
                row =>
                {
                    Decide(row, request.Enabled, actor, reason);
                    // Otherwise a kill switch without an end would be undone by an earlier one with an end.
                    _ = request.For is { } span
                        ? Schedule(row, !request.Enabled, Clock.GetUtcNow() + span, actor, reason)
                        : Unschedule(row);
                    return true;
                },
                FlagChangeResult.Changed,
                cancellationToken
            );
    }

    /// <summary>Cancels the scheduled change, if any.</summary>
    public Task<FlagChangeResult> CancelScheduleAsync(string name, string actor, CancellationToken cancellationToken) =>
        WriteAsync(name, actor, "the scheduled change was cancelled", Unschedule, FlagChangeResult.Changed, cancellationToken);

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        // Until the store is read all flags are off, so read it before the first request.
        await RefreshAsync(cancellationToken);
        await base.StartAsync(cancellationToken);
    }

    protected override void Begin() => signals.Subscribe(DatabaseSignals.Flags, Wake);

    protected override async Task<TimeSpan> TurnAsync(CancellationToken stoppingToken)
    {
        try
        {
            await RefreshAsync(stoppingToken);
        }
        catch
        {
            Put(_current with { IsStale = true });
            throw;
        }

        return PauseAfter(_current, Clock.GetUtcNow());
    }

    /// <summary>A scheduled change takes effect at its time. What other processes acknowledge raises no signal.</summary>
    internal static TimeSpan PauseAfter(FlagsSnapshot read, DateTimeOffset now) =>
        Until(
            // While the flags can't be read, or not be changed, a change that is due stays due.
            read.IsStale
                ? null
                : read.Flags.Min(flag => flag.Scheduled?.At),
            now,
            atMost: read.IsStale || read.Flags.Any(flag => flag.Acks.Any(ack => ack.Enabled != flag.Enabled))
                ? AfterFailure
                : DatabaseSignals.LongestPause
        );

    private async Task<FlagChangeResult> WriteAsync(
        string name,
        string actor,
        string reason,
        Func<FlagRow, bool> change,
        FlagChangeResult done,
        CancellationToken cancellationToken
    )
    {
        try
        {
            await store.ChangeAsync(name, actor, reason, change, cancellationToken);
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            Log.Unwritable(logger, exception.GetBaseException().Message);
            return FlagChangeResult.StoreUnreachable;
        }

        await RefreshAsync(cancellationToken);
        if (PauseAfter(_current, Clock.GetUtcNow()) < DatabaseSignals.LongestPause)
        {
            // The pause under way may be too long for a change that was just scheduled.
            Wake();
        }

        return done;
    }

    /// <summary>Reads the store, applies scheduled changes that are due, and puts the result in force.</summary>
    private async Task RefreshAsync(CancellationToken cancellationToken)
    {
        await _reading.WaitAsync(CancellationToken.None);
        try
        {
            var (rows, acks) = await store.ReadAsync(cancellationToken);
            if (await CatchUpAsync(rows, cancellationToken))
            {
                (rows, acks) = await store.ReadAsync(cancellationToken);
            }

            var flags = FlagNames.All.Select(name => InForce(name, rows.Find(row => row.Name == name), acks)).ToList();
            var changed = Put(new FlagsSnapshot(flags, Clock.GetUtcNow(), IsStale: false));
            if (changed || _ackedAt is not { } ackedAt || Clock.GetElapsedTime(ackedAt) >= AckEvery)
            {
                await AcknowledgeAsync(flags, cancellationToken);
            }
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            if (!_current.IsStale || _current.ReadAt is null)
            {
                Log.Unreadable(logger, exception.GetBaseException().Message);
            }

            Put(_current with { IsStale = true });
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested) { }
        finally
        {
            _reading.Release();
        }
    }

    /// <summary>A database that takes no writes can still be read, so the flags stay current.</summary>
    private async Task AcknowledgeAsync(List<FlagState> flags, CancellationToken cancellationToken)
    {
        _ackedAt = null;
        try
        {
            await store.AcknowledgeAsync(Instance, flags, cancellationToken);
            _ackedAt = Clock.GetTimestamp();
            _ackOutage.End();
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            if (_ackOutage.Begin())
            {
                Log.NotAcknowledged(logger, exception.GetBaseException().Message);
            }
        }
    }

    /// <summary>Applies scheduled changes that are due, and audits changes of the environment.</summary>
    /// <returns>Whether a row may have changed.</returns>
    private async Task<bool> CatchUpAsync(List<FlagRow> rows, CancellationToken cancellationToken)
    {
        var any = false;
        var now = Clock.GetUtcNow();
        foreach (var name in FlagNames.All)
        {
            var row = rows.Find(row => row.Name == name);
            if (row?.ScheduledAt <= now)
            {
                any = true;
                await store.ChangeAsync(
                    name,
                    row.ScheduledBy!,
                    row.ScheduledReason!,
                    current => ApplyScheduled(current, now),
                    cancellationToken
                );
            }

            var word = environment.WordOf(name);
            if (row?.Environment != word && _current.ReadAt is null)
            {
                any = true;
                await store.ChangeAsync(
                    name,
                    "environment",
                    $"the environment says {word ?? "nothing"} since this start",
                    current => SetEnvironment(current, word),
                    cancellationToken
                );
            }
        }

        return any;
    }

    private FlagState InForce(string name, FlagRow? row, List<FlagAckRow> acks)
    {
        var (enabled, layer) = environment.Decide(name, row?.Enabled);
        return new FlagState(
            name,
            enabled,
            layer,
            IsPinned: environment.Values[name] == false,
            row?.ChangedBy,
            row?.ChangedAt,
            row?.Reason,
            row is { ScheduledAt: { } at, ScheduledEnabled: { } to }
                ? new ScheduledFlagChange(to, at, row.ScheduledBy!, row.ScheduledReason!)
                : null,
            [.. acks.Where(ack => ack.Name == name).Select(ack => new FlagAck(ack.Instance, ack.Enabled, ack.At))]
        )
        {
            Off = row is { OffSince: { } since } ? new(since, row.OffBy!, row.OffReason!) : null,
        };
    }

    /// <returns>Whether the value of a flag changed.</returns>
    private bool Put(FlagsSnapshot next)
    {
        var previous = _current;
        _current = next;
        var flips = next.Flags.Where(flag => previous.Flags.First(old => old.Name == flag.Name).Enabled != flag.Enabled).ToList();
        foreach (var flag in flips)
        {
            Log.InForce(logger, flag.Name, flag.Enabled, flag.DecidedBy);
            // Changes from before this start would distort the histogram.
            if (previous.ReadAt is not null && flag is { DecidedBy: FlagLayer.Store, ChangedAt: { } changedAt })
            {
                Propagation.Record(
                    Math.Max(0, (Clock.GetUtcNow() - changedAt).TotalSeconds),
                    new KeyValuePair<string, object?>("flag", flag.Name)
                );
            }
        }

        if (previous.IsStale && !next.IsStale && previous.ReadAt is not null)
        {
            Log.Readable(logger);
        }

        if (previous.IsStale != next.IsStale || !previous.Flags.Zip(next.Flags).All(pair => LooksSame(pair.First, pair.Second)))
        {
            Changed?.Invoke();
        }

        return flips.Count > 0;
    }

    /// <summary>Compares everything except the times of the acknowledgments.</summary>
    private static bool LooksSame(FlagState one, FlagState other) =>
        one with { Acks = [] } == other with { Acks = [] }
        && one.Acks.Select(ack => (ack.Instance, ack.Enabled)).SequenceEqual(other.Acks.Select(ack => (ack.Instance, ack.Enabled)));

    private static bool Decide(FlagRow row, bool enabled, string actor, string reason, DateTimeOffset at)
    {
        (row.Enabled, row.ChangedBy, row.ChangedAt, row.Reason) = (enabled, actor, at, reason);
        return true;
    }

    private bool Decide(FlagRow row, bool enabled, string actor, string reason) => Decide(row, enabled, actor, reason, Clock.GetUtcNow());

    private static bool Schedule(FlagRow row, bool enabled, DateTimeOffset at, string actor, string reason)
    {
        (row.ScheduledEnabled, row.ScheduledAt, row.ScheduledBy, row.ScheduledReason) = (enabled, at, actor, reason);
        return true;
    }

    private static bool Unschedule(FlagRow row)
    {
        var any = row.ScheduledAt is not null;
        (row.ScheduledEnabled, row.ScheduledAt, row.ScheduledBy, row.ScheduledReason) = (null, null, null, null);
        return any;
    }

    /// <summary>Applies the change if it is still due: another process may have applied it, or a person moved it.</summary>
    private static bool ApplyScheduled(FlagRow row, DateTimeOffset now) =>
        row.ScheduledAt <= now && Decide(row, row.ScheduledEnabled!.Value, row.ScheduledBy!, row.ScheduledReason!, now) && Unschedule(row);

    private static bool SetEnvironment(FlagRow row, string? word)
    {
        var isNew = row.Environment != word;
        row.Environment = word;
        return isNew;
    }

    private static FlagState Unread(string name, FlagEnvironment environment) =>
        new(
            name,
            Enabled: false,
            environment.Values[name] == false ? FlagLayer.Environment : FlagLayer.Default,
            environment.Values[name] == false,
            null,
            null,
            null,
            null,
            []
        );

    private static FeatureDefinition Definition(string name, bool enabled) =>
        new() { Name = name, EnabledFor = enabled ? [new FeatureFilterConfiguration { Name = "AlwaysOn" }] : [] };

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "flag in force flag={Flag} enabled={Enabled} decided_by={Layer}")]
        public static partial void InForce(ILogger logger, string flag, bool enabled, FlagLayer layer);

        [LoggerMessage(LogLevel.Warning, "flag store can't be read, the last known values stay in force: {Problem}")]
        public static partial void Unreadable(ILogger logger, string problem);

        [LoggerMessage(LogLevel.Warning, "flags are in force but can't be acknowledged, trying again: {Problem}")]
        public static partial void NotAcknowledged(ILogger logger, string problem);

        [LoggerMessage(LogLevel.Warning, "flag store can't be written: {Problem}")]
        public static partial void Unwritable(ILogger logger, string problem);

        [LoggerMessage(LogLevel.Information, "flag store can be read again")]
        public static partial void Readable(ILogger logger);
    }
}
