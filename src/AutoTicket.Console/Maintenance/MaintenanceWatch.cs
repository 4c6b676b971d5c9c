using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.Surfaces;

namespace AutoTicket.Maintenance;

/// <summary>What is muted, as this process knows it.</summary>
/// <param name="Windows">Those in force or planned, and those that ended in the last day.</param>
/// <param name="Snoozes">Those in force, and those that ended in the last day.</param>
/// <param name="InMaintenance">The current maintenance of each surface that is in one, also of the configuration.</param>
/// <param name="Snoozed">The snoozes that are in force.</param>
/// <param name="IsStale">The rows can't be read, and the last known ones are in force.</param>
internal sealed record MaintenanceSnapshot(
    IReadOnlyList<MaintenanceWindow> Windows,
    IReadOnlyList<Snooze> Snoozes,
    IReadOnlyList<SurfaceMaintenance> InMaintenance,
    IReadOnlyList<Snooze> Snoozed,
    bool IsStale
)
{
    public static readonly MaintenanceSnapshot Unread = new([], [], [], [], IsStale: true);

    public bool LooksLike(MaintenanceSnapshot other) =>
        IsStale == other.IsStale
        && Windows.SequenceEqual(other.Windows)
        && Snoozes.SequenceEqual(other.Snoozes)
        && InMaintenance.SequenceEqual(other.InMaintenance)
        && Snoozed.SequenceEqual(other.Snoozed);
}

/// <summary>Reads maintenance and snoozes when the database signals a change, when one begins or ends, and every few seconds, and puts them
/// in force in this process. They begin and end by the clock, also while the database can't be reached.</summary>
internal sealed partial class MaintenanceWatch(
    MaintenanceStore windows,
    SnoozeStore snoozes,
    StatusBoard board,
    AlertMutes mutes,
    DatabaseSignals signals,
    TimeProvider clock,
    ILogger<MaintenanceWatch> logger
) : Loop(clock, logger)
{
    /// <summary>How long ended ones are remembered: an alert that ended undelivered is dropped after a day.</summary>
    private static readonly TimeSpan Memory = TimeSpan.FromHours(25);

    private readonly SemaphoreSlim _reading = new(1, 1);
    private readonly OutageNotice _outage = new();
    private volatile MaintenanceSnapshot _current = MaintenanceSnapshot.Unread;

    /// <summary>Raised when <see cref="Current"/> changed. Handlers return at once and never throw.</summary>
    public event Action? Changed;

    public MaintenanceSnapshot Current => _current;

    /// <summary>When the next one begins or ends; null: none is known.</summary>
    internal DateTimeOffset? Next { get; private set; }

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        // Before the first alert is delivered.
        await RefreshAsync(cancellationToken);
        await base.StartAsync(cancellationToken);
    }

    /// <summary>Reads the rows now. Call it after a write.</summary>
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        await _reading.WaitAsync(CancellationToken.None);
        try
        {
            var since = Clock.GetUtcNow() - Memory;
            Put(await windows.ReadAsync(since, cancellationToken), await snoozes.ReadAsync(since, cancellationToken), isStale: false);
            _outage.End();
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            if (_outage.Begin())
            {
                Log.Unreadable(logger, exception.GetBaseException().Message);
            }

            Put(_current.Windows, _current.Snoozes, isStale: true);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested) { }
        finally
        {
            _reading.Release();
        }
    }

    /// <summary>Changes rows on behalf of a person, and puts the result in force.</summary>
    public async Task<MuteOutcome> ChangeAsync(Func<Task<MuteOutcome>> change, CancellationToken cancellationToken)
    {
        try
        {
            var outcome = await change();
            await RefreshAsync(cancellationToken);
            // Its next turn is when what was just planned begins or ends.
            Wake();
            return outcome;
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            Log.Unwritable(logger, exception.GetBaseException().Message);
            return MuteOutcome.Unreachable;
        }
    }

    protected override void Begin() => signals.Subscribe(DatabaseSignals.Maintenance, Wake);

    protected override async Task<TimeSpan> TurnAsync(CancellationToken stoppingToken)
    {
        try
        {
            await RefreshAsync(stoppingToken);
        }
        catch
        {
            // A bug here must not stop the alerts.
            mutes.IsKnown = true;
            Put(_current.Windows, _current.Snoozes, isStale: true);
            throw;
        }

        return Until(Next, Clock.GetUtcNow(), atMost: _current.IsStale ? AfterFailure : DatabaseSignals.LongestPause);
    }

    private void Put(IReadOnlyList<MaintenanceWindow> rows, IReadOnlyList<Snooze> snoozed, bool isStale)
    {
        var now = Clock.GetUtcNow();
        List<SurfaceMaintenance> times = [.. rows.SelectMany(window => Since(window, now))];
        board.SetMaintenance(times);
        mutes.Set(snoozed.Select(InForce));
        mutes.IsKnown |= !isStale;
        var next = new MaintenanceSnapshot(
            rows,
            snoozed,
            [.. board.All().Select(surface => surface.Maintenance).OfType<SurfaceMaintenance>()],
            [.. snoozed.Where(snooze => snooze is { EndedAt: null, RecoveredAt: null } && snooze.EndsAt > now)],
            isStale
        );
        Next = times
            .SelectMany(time => new[] { time.From, time.Until })
            .Concat(next.InMaintenance.Select(surface => surface.Until))
            .Concat(next.Snoozed.Select(snooze => snooze.EndsAt))
            .Where(time => time > now)
            .Select(time => (DateTimeOffset?)time)
            .Min();
        if (!next.LooksLike(_current))
        {
            _current = next;
            mutes.Announce();
            Changed?.Invoke();
        }
    }

    /// <summary>What was recorded for the past mutes nothing that happened before it was recorded.</summary>
    private static IEnumerable<SurfaceMaintenance> Since(MaintenanceWindow window, DateTimeOffset now) =>
        MaintenanceTimes
            .Of(window, now - Memory, now + MaintenanceRules.LongestWeek)
            .Select(time => time.From < window.CreatedAt ? time with { From = window.CreatedAt } : time);

    private static AlertSnooze InForce(Snooze snooze) =>
        new(
            snooze.AlertId,
            snooze.CreatedAt,
            snooze.EndedAt ?? snooze.EndsAt,
            snooze.Actor,
            snooze.Reason,
            snooze.UntilRecovery ? (snooze.AlertRow, snooze.Reopened) : null
        );

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "maintenance can't be read, the last known windows and snoozes stay in force: {Problem}")]
        public static partial void Unreadable(ILogger logger, string problem);

        [LoggerMessage(LogLevel.Warning, "maintenance can't be written: {Problem}")]
        public static partial void Unwritable(ILogger logger, string problem);
    }
}
