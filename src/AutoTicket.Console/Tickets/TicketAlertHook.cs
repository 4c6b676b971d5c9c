using System.Globalization;
using System.Threading.Channels;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Flags;
using AutoTicket.FreeScout;
using AutoTicket.Surfaces;
using Microsoft.FeatureManagement;

namespace AutoTicket.Tickets;

/// <summary>Door 2: an alert gets its ticket, when <see cref="FlagNames.AlertsAutoTicket"/> is on and the flood breaker lets it, and a
/// note when its severity changes or it ends. Closing the ticket stays the operator's.</summary>
internal sealed partial class TicketAlertHook : IAlertHook, IDisposable
{
    /// <summary>What a person has to mend is tried this seldom, and at once when FreeScout works again.</summary>
    private static readonly TimeSpan WithoutHope = TimeSpan.FromMinutes(1);

    private readonly TicketingService _ticketing;
    private readonly FloodBreaker _breaker;
    private readonly AlertAggregator _aggregator;
    private readonly TicketNotes _notes;
    private readonly IFeatureManager _flags;
    private readonly FlagStore _flagStore;
    private readonly FreeScoutHealth _health;
    private readonly StatusBoard _board;
    private readonly ConsoleAddress _address;
    private readonly TimeProvider _clock;
    private readonly ILogger<TicketAlertHook> _logger;
    private readonly FilingWidth _width = new();
    private DateTimeOffset _triedAt = DateTimeOffset.MinValue;

    public TicketAlertHook(
        TicketingService ticketing, FloodBreaker breaker, AlertAggregator aggregator, TicketNotes notes, IFeatureManager flags, FlagStore flagStore, FreeScoutHealth health,
        StatusBoard board, ConsoleAddress address, TimeProvider clock, ILogger<TicketAlertHook> logger)
    {
        (_ticketing, _breaker, _aggregator, _notes, _flags, _flagStore, _health, _board, _address, _clock, _logger) =
            (ticketing, breaker, aggregator, notes, flags, flagStore, health, board, address, clock, logger);
        _flagStore.Changed += RaiseReady;
        _health.Changed += RaiseReady;
    }

    public event Action? Ready;

    public string Name => AlertPaths.Ticket;

    /// <summary>Tickets are not made after the fact.</summary>
    public bool WantsWhatEnded => false;

    public void Dispose()
    {
        _flagStore.Changed -= RaiseReady;
        _health.Changed -= RaiseReady;
    }

    public async IAsyncEnumerable<IReadOnlyList<HookOutcome>> DeliverAsync(IReadOnlyList<AlertNotice> notices, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        yield return [.. notices.Where(notice => notice.Alert.IsEscalation)
            .Select(notice => new HookOutcome(notice, IsDone: true, "no ticket: escalation", "An escalation is told by direct message; FreeScout may be what fails."))];
        var left = new Queue<AlertNotice>(notices.Where(notice => !notice.Alert.IsEscalation));
        if (left.Count == 0)
        {
            yield break;
        }

        var pass = await _breaker.BeginAsync(cancellationToken);

        // While FreeScout fails, one goes ahead and the others wait for what comes of it.
        while (left.Count > 0 && _health.Failure is { } failing)
        {
            if (failing.Kind == FreeScoutFailureKind.NotConfigured || (failing.NeedsPerson && _clock.GetUtcNow() - _triedAt < WithoutHope))
            {
                yield return await WaitingAsync(left, failing);
                yield break;
            }

            var ahead = left.Dequeue();
            var outcome = await RefuseAsync(ahead, pass) ?? await DeliverAsync(ahead, pass);
            yield return [outcome];
            if (outcome is { IsDone: false } && _health.Failure is { } still)
            {
                yield return await WaitingAsync(left, still);
                yield break;
            }
        }

        var outcomes = Channel.CreateUnbounded<HookOutcome>();
        var delivering = Task.Run(
            async () =>
            {
                try
                {
                    using var places = new SemaphoreSlim(_width.Now);
                    var underWay = new List<Task>();
                    try
                    {
                        foreach (var notice in left)
                        {
                            await places.WaitAsync(CancellationToken.None);
                            // One after another, so that what is left of the budget is the worst ones'.
                            underWay.Add(WriteAsync(
                                cancellationToken.IsCancellationRequested ? new HookOutcome(notice, false, "degraded: ending", "The console is ending.")
                                : _health.Failure is { } failure ? await ClosedAsync(notice) ?? Degraded(notice, failure)
                                : await RefuseAsync(notice, pass),
                                notice,
                                places));
                        }
                    }
                    finally
                    {
                        await Task.WhenAll(underWay);
                    }

                    outcomes.Writer.Complete();
                }
#pragma warning disable CA1031 // handed on to who reads the outcomes
                catch (Exception exception)
#pragma warning restore CA1031
                {
                    outcomes.Writer.Complete(exception);
                }
            },
            CancellationToken.None);
        while (await outcomes.Reader.WaitToReadAsync(CancellationToken.None))
        {
            var together = new List<HookOutcome>();
            while (outcomes.Reader.TryRead(out var outcome))
            {
                together.Add(outcome);
            }

            yield return together;
        }

        await delivering;

        async Task WriteAsync(HookOutcome? refusal, AlertNotice notice, SemaphoreSlim places)
        {
            var begun = _clock.GetTimestamp();
            try
            {
                outcomes.Writer.TryWrite(refusal ?? await DeliverAsync(notice, pass));
            }
            finally
            {
                if ((refusal is null ? _width.After(_clock.GetElapsedTime(begun), _aggregator.IsTaking) : 1) is > 0 and var next)
                {
                    places.Release(next);
                }
            }
        }
    }

    public async Task<string> RehearseAsync(AlertNotice notice, CancellationToken cancellationToken)
    {
        var draft = Draft(notice.Alert).Write("at-rehearsal", older: null);
        return await ClosedAsync(notice) is { } off ? off.Decision
            : _health.Failure is { } failure ? Degraded(notice, failure).Decision
            : draft.Subject.Length > 0 ? "would be filed" : "nothing to say";
    }

    private async Task<HookOutcome> DeliverAsync(AlertNotice notice, FloodPass pass)
    {
        _triedAt = _clock.GetUtcNow();
        using var trace = AlertTrace.Start("alert to ticket", notice.Alert);
        return notice.Kind is NoticeKind.SeverityChanged or NoticeKind.Ended
            // A note that has begun is finished and recorded; the client limits its time.
            ? await _notes.WriteAsync(notice, CancellationToken.None)
            : await FileAsync(notice, pass);
    }

    /// <returns>Why FreeScout is not asked; null: it is, and a new ticket has its place in the budget.</returns>
    private async Task<HookOutcome?> RefuseAsync(AlertNotice notice, FloodPass pass) =>
        await ClosedAsync(notice) is { } closed ? closed
        : notice.Kind is NoticeKind.Firing or NoticeKind.FiringAgain && await pass.TakeAsync(notice.Alert) is { } refusal ? new(notice, false, "breaker tripped", refusal)
        : null;

    private async Task<IReadOnlyList<HookOutcome>> WaitingAsync(IEnumerable<AlertNotice> notices, FreeScoutFailure failure)
    {
        var outcomes = new List<HookOutcome>();
        foreach (var notice in notices)
        {
            outcomes.Add(await ClosedAsync(notice) ?? Degraded(notice, failure));
        }

        return outcomes;
    }

    /// <summary>The flag is asked for each ticket: it is the kill switch.</summary>
    private async Task<HookOutcome?> ClosedAsync(AlertNotice notice) =>
        notice.Kind is NoticeKind.Firing or NoticeKind.FiringAgain && !await _flags.IsEnabledAsync(FlagNames.AlertsAutoTicket)
            ? new(notice, false, "flag off", $"{FlagNames.AlertsAutoTicket} is off.")
            : null;

    private async Task<HookOutcome> FileAsync(AlertNotice notice, FloodPass pass)
    {
        var outcome = await _ticketing.FileAsync(Draft(notice.Alert));
        if (outcome.Disposition != TicketDisposition.Filed)
        {
            pass.GiveBack(notice.Alert);
        }

        if (outcome.Ticket is not { } ticket)
        {
            return new(notice, false, outcome.Decision, outcome.Message);
        }

        Log.Done(_logger, notice.Alert.AlertKey, outcome.Decision, ticket.Id);
        return new(notice, true, outcome.Decision, outcome.Message, new AlertTicket(ticket.Id, ticket.Number, ticket.Url));
    }

    private TicketDraft Draft(Alert alert)
    {
        var surface = alert.Surface is { } key ? _board.Find(key) : null;
        return new TicketDraft(
            alert.AlertId, alert.Surface, alert.Severity, OpenTickets.TagOf(alert), AuditActions.AlertTicketFiled, FloodBreaker.FiledBy(alert),
            alert.IsSurfaceOutage ? $"[{alert.Severity}] {alert.Summary}" : $"[{alert.Severity}] {alert.Name}: {alert.Summary}",
            [
                ("Alert", $"{alert.Name} (from {alert.Source})"),
                .. surface is null ? [] : new[] { ("Surface", $"{surface.Surface.Name} ({surface.Key})") },
                ("Severity", alert.Severity.ToString()),
                ("Since", UtcTime.Stamp(alert.StartedAt)),
                ("Summary", alert.Summary + (alert.FullText is null ? "" : " (cut; the whole text is in the console)")),
                .. alert.Url is { } url ? new[] { ("More", url) } : [],
                ("Console", $"{_address.Url}/console/alerts/{alert.AlertKey}"),
            ],
            IsForAlert: true);
    }

    private static HookOutcome Degraded(AlertNotice notice, FreeScoutFailure failure) => new(notice, false, $"degraded: {Words.Of(failure.Kind)}", failure.Message);

    private void RaiseReady() => Ready?.Invoke();

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "auto_ticket alert_key={AlertKey} decision={Decision} conversation={Conversation}")]
        public static partial void Done(ILogger logger, string alertKey, string decision, long conversation);
    }
}
