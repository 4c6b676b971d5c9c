using System.Diagnostics;
using System.Globalization;
using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.Flags;
using AutoTicket.FreeScout;
using AutoTicket.Maintenance;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;

namespace AutoTicket.Diagnostics;

/// <summary>Gathers what every page shows about the whole console, once per process instead of once per page.</summary>
internal sealed class AttentionWatch(
    StatusBoard board,
    AlertQueries alerts,
    FloodBreaker breaker,
    FlagWatch flags,
    FreeScoutHealth freeScout,
    DeliveryWatch delivery,
    MaintenanceWatch maintenance,
    DatabaseGate gate,
    TimeProvider clock,
    ILogger<AttentionWatch> logger
) : Loop(clock, logger)
{
    private const int LongestReason = 120;
    private const int MostNamed = 3;

    private static readonly TimeSpan ShortestRest = TimeSpan.FromMilliseconds(100);

    private readonly Dictionary<string, (bool, bool, bool)> _shown = [];
    private volatile Attention _current = Attention.None;
    private volatile bool _isStale = true;
    private UrgentAlerts _urgent = Attention.None.Alerts;
    private IReadOnlyList<FloodStatus> _floods = [];

    /// <summary>Raised when <see cref="Current"/> changed. Handlers return at once and never throw.</summary>
    public event Action? Changed;

    public Attention Current => _current;

    protected override void Begin()
    {
        board.Subscribe(OnReading);
        alerts.Changed += () =>
        {
            _isStale = true;
            WakeSoon();
        };
        flags.Changed += Wake;
        freeScout.Changed += Wake;
        delivery.Changed += Wake;
        maintenance.Changed += Wake;
        gate.Changed += Wake;
    }

    protected override async Task<TimeSpan> TurnAsync(CancellationToken stoppingToken)
    {
        var begun = Stopwatch.GetTimestamp();
        if (_isStale)
        {
            _isStale = false;
            var (urgent, floods) = (await alerts.CountUrgentAsync(stoppingToken), await breaker.ReadAsync(stoppingToken));
            // Without the database the last known values stay.
            (_urgent, _floods) = (urgent ?? _urgent, floods ?? _floods);
            _isStale |= urgent is null || floods is null;
        }

        var next = new Attention(
            [.. Problems().OrderBy(problem => problem.Kind)],
            board.All().Count(surface => surface is { NeedsAttention: true, IsUnchecked: false }),
            _urgent
        );
        if (next != _current)
        {
            _current = next;
            Changed?.Invoke();
        }

        await RestAsync(Stopwatch.GetElapsedTime(begun), 20, ShortestRest, stoppingToken);
        return _isStale ? AfterFailure : DatabaseSignals.LongestPause;
    }

    // Most readings change nothing here.
    private void OnReading(SurfaceSnapshot surface)
    {
        var shown = (surface.NeedsAttention, surface.IsUnchecked, board.OwnNetworkLostSince is not null);
        lock (_shown)
        {
            if (_shown.TryGetValue(surface.Key, out var before) && before == shown)
            {
                return;
            }

            _shown[surface.Key] = shown;
        }

        Wake();
    }

    private IEnumerable<ConsoleProblem> Problems()
    {
        var isUnreachable = gate.Problem is not null || flags.Current.IsStale;
        if (isUnreachable)
        {
            // The delivery watch says more, but a moment later.
            var text = gate.Problem is null ? DatabaseUnreachable : delivery.Problem ?? DatabaseUnreachable;
            yield return new(ProblemKind.DatabaseUnreachable, text, delivery.Since);
        }
        else if (delivery.Problem is not null)
        {
            // Its causes follow in lines of their own.
            yield return new(ProblemKind.AlertsReachNobody, $"{DeliveryWatch.Nobody} {DeliveryWatch.SentLater}", delivery.Since);
        }

        if (board.OwnNetworkLostSince is { } lostSince)
        {
            yield return new(ProblemKind.OwnNetworkLost, "The console itself is offline; tiles are stale, not down.", lostSince);
        }

        if (freeScout is { Failure: { } failure, FailingSince: var failingSince })
        {
            yield return new(
                ProblemKind.FreeScoutFails,
                failure.IsOutage ? $"{failure.Message.TrimEnd('.')}.{AfterOutage()}" : $"No tickets can be filed. {failure.Message}",
                failingSince
            );
        }

        if (!isUnreachable && delivery.Messages is { } messages)
        {
            yield return new(ProblemKind.SlackFails, $"No DMs are sent. {messages.Problem}", messages.Since);
        }

        if (Off(FlagNames.AlertsAutoTicket) is { } filing)
        {
            yield return new(ProblemKind.FilingOff, $"Automatic tickets for alerts are {Reason(filing)}", filing.SwitchedOff?.Since);
        }
        else if (_floods.Count > 0)
        {
            yield return Paused();
        }

        if (Off(FlagNames.InvestigateFromStatus) is { } investigate)
        {
            yield return new(
                ProblemKind.InvestigateOff,
                $"Tickets by click on the board are {Reason(investigate)}",
                investigate.SwitchedOff?.Since
            );
        }

        // A pause that was forgotten must stand out.
        if (maintenance.Current.InMaintenance is { Count: > 0 } surfaces)
        {
            yield return InMaintenance(surfaces);
        }

        if (maintenance.Current.Snoozed is { Count: > 0 } snoozed)
        {
            yield return new(
                ProblemKind.Snoozed,
                snoozed is [var only]
                    ? $"1 alert is snoozed by {only.Actor}: “{Cut(only.Reason)}”."
                    : string.Create(CultureInfo.InvariantCulture, $"{snoozed.Count} alerts are snoozed."),
                snoozed.Min(snooze => snooze.CreatedAt),
                snoozed is [{ EndsAt: var endsAt }] ? endsAt : null
            );
        }
    }

    private ConsoleProblem InMaintenance(IReadOnlyList<SurfaceMaintenance> surfaces)
    {
        var since = surfaces.Min(one => one.From);
        return new(
            ProblemKind.InMaintenance,
            surfaces is [var only]
                ? $"{NameOf(only)} is in maintenance, set by {only.Actor}: “{Cut(only.Reason)}”."
                : $"{surfaces.Count} surfaces are in maintenance: {Named([.. surfaces.Select(NameOf)])}.",
            since == DateTimeOffset.MinValue ? null : since,
            surfaces is [{ Until: var until }] ? until : null
        );

        string NameOf(SurfaceMaintenance one) => board.Find(one.SurfaceKey)?.Surface.Name ?? one.SurfaceKey;
    }

    private static string Named(IReadOnlyList<string> names) =>
        string.Join(", ", names.Take(MostNamed).Select(Cut)) + (names.Count > MostNamed ? $" and {names.Count - MostNamed} more" : "");

    private string AfterOutage() =>
        (IsOn(FlagNames.AlertsAutoTicket), IsOn(FlagNames.InvestigateFromStatus)) switch
        {
            (true, true) => " Active alerts get their tickets when it is back; repeat clicks.",
            (true, false) => " Active alerts get their tickets when it is back.",
            (false, true) => " Repeat clicks when it is back.",
            _ => "",
        };

    private bool IsOn(string name) => flags.Current.Flags.Any(flag => flag.Name == name && flag.Enabled);

    private const string DatabaseUnreachable =
        "The console's database can't be reached. No tickets can be filed; flags keep their last value.";

    /// <summary>The flag if it is off. Until the first read all flags are off for safety, which is no decision.</summary>
    private FlagState? Off(string name) =>
        flags.IsKnown(name) ? flags.Current.Flags.FirstOrDefault(flag => flag.Name == name && !flag.Enabled) : null;

    private static string Reason(FlagState flag) =>
        flag switch
        {
            { IsPinned: true } => $"switched off by the environment: {flag.Name}=0.",
            { DecidedBy: FlagLayer.Store, SwitchedOff: { Reason: { } reason } off } => $"switched off by {off.By}: “{Cut(reason)}”.",
            { DecidedBy: FlagLayer.Store, SwitchedOff: { } off } => $"switched off by {off.By}.",
            _ => $"off, which is the default. An admin can switch {flag.Name} on.",
        };

    private ConsoleProblem Paused()
    {
        var paused = _floods.Where(flood => flood.State == FloodState.Tripped).ToList();
        var worst = paused.Count > 0 ? paused : _floods;
        var of = worst.Any(flood => flood.Scope.Length == 0)
            ? "all alerts"
            : $"alerts from {Named([.. worst.Select(flood => flood.Scope)])}";
        return new(
            ProblemKind.FilingPaused,
            paused.Count > 0
                ? $"Tickets for {of} are paused by the flood breaker."
                : $"After a flood, tickets for {of} are limited to a quarter of the budget until the flood breaker is reset.",
            worst.Min(flood => flood.Since),
            paused.Max(flood => flood.Until)
        );
    }

    private static string Cut(string text) => AlertText.Cut(text, LongestReason);
}
