using System.Runtime.CompilerServices;
using System.Threading.Channels;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Flags;
using AutoTicket.FreeScout;
using AutoTicket.Surfaces;
using Microsoft.FeatureManagement;

namespace AutoTicket.Tickets;

/// <summary>Files a ticket for an alert, if <see cref="FlagNames.AlertsAutoTicket"/> is on and the flood breaker allows it. Files another
/// one if an operator closed it and the alert gets worse or fires again. Writes a note when the alert's severity changes, it ends or fires
/// again. Only an operator closes the ticket.</summary>
internal sealed partial class TicketAlertHook : IAlertHook, IDisposable
{
    private readonly TicketingService _ticketing;
    private readonly FloodBudget _budget;
    private readonly TicketNotes _notes;
    private readonly AlertMutes _mutes;
    private readonly IFeatureManager _flags;
    private readonly FlagWatch _flagWatch;
    private readonly FreeScoutHealth _health;
    private readonly StatusBoard _board;
    private readonly ConsoleAddress _address;
    private readonly ILogger<TicketAlertHook> _logger;
    private readonly TicketRetries _retries;

    public TicketAlertHook(
        TicketingService ticketing,
        FloodBudget budget,
        TicketNotes notes,
        AlertMutes mutes,
        IFeatureManager flags,
        FlagWatch flagWatch,
        FreeScoutHealth health,
        StatusBoard board,
        ConsoleAddress address,
        TimeProvider clock,
        ILogger<TicketAlertHook> logger
    )
    {
        (_ticketing, _budget, _notes, _mutes, _flags, _flagWatch, _health, _board, _address, _logger) = (
            ticketing,
            budget,
            notes,
            mutes,
            flags,
            flagWatch,
            health,
            board,
            address,
            logger
        );
        _retries = new(clock);
        _flagWatch.Changed += RaiseReady;
        _health.Changed += OnHealthChanged;
    }

    public event Action? Ready;

    public string Name => DecisionSources.Ticket;

    public void Dispose()
    {
        _flagWatch.Changed -= RaiseReady;
        _health.Changed -= OnHealthChanged;
    }

    public async IAsyncEnumerable<IReadOnlyList<HookOutcome>> DeliverAsync(
        IReadOnlyList<AlertNotice> notices,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        var (withoutTicket, left) = (new List<HookOutcome>(), new List<AlertNotice>());
        foreach (var notice in notices)
        {
            if (NoTicketOutcome(notice) is { } done)
            {
                withoutTicket.Add(done);
            }
            else if (_retries.IsDue(notice))
            {
                left.Add(notice);
            }
        }

        yield return withoutTicket;
        if (left.Count == 0)
        {
            yield break;
        }

        // So that notes which always fail don't hold up the others while one at a time is tried.
        left = [.. WithoutLaterEpisodes(left).OrderBy(notice => notice.IsNote ? _retries.TriedAt(notice) : 0)];
        var pass = await _budget.BeginAsync(cancellationToken);
        await foreach (var outcomes in DeliverFirstAsync(left, pass, cancellationToken))
        {
            yield return outcomes;
        }

        await foreach (var outcomes in DeliverRestAsync(left, pass, cancellationToken))
        {
            yield return outcomes;
        }
    }

    /// <summary>An alert that fires again waits a pass for the first try to note its end: otherwise the end would be the last note. While
    /// notes fail it does not wait.</summary>
    private IEnumerable<AlertNotice> WithoutLaterEpisodes(List<AlertNotice> left)
    {
        var ended = left.Where(notice => notice.Kind == NoticeKind.Ended && _retries.TriedAt(notice) == 0)
            .Select(notice => notice.Alert.AlertId)
            .ToHashSet();
        return _retries.FailedNote is null ? left.Where(notice => notice.IsNote || !ended.Contains(notice.Alert.AlertId)) : left;
    }

    /// <summary>Tries one alert alone: if FreeScout is down, its ticket is the only one that may exist although its call failed.</summary>
    /// <param name="left">Loses the alert that was tried and those that were refused before it.</param>
    private async IAsyncEnumerable<IReadOnlyList<HookOutcome>> DeliverFirstAsync(
        List<AlertNotice> left,
        FloodPass pass,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        var refused = new List<HookOutcome>();
        while (!cancellationToken.IsCancellationRequested && GoesFirst(left) is { } first)
        {
            left.Remove(first);
            if (await ReserveAsync(first, pass) is { } refusal)
            {
                refused.Add(refusal);
                continue;
            }

            yield return refused;
            refused = [];
            var isNew = IsNew(first);
            var outcome = await DeliverOneAsync(first, pass);
            yield return [outcome];
            if (_health.Failure is not { } failure)
            {
                break;
            }

            if (outcome.IsDone)
            {
                // FreeScout made the ticket, although it calls that a failure.
                _retries.ProbeSucceeded();
            }
            else
            {
                if (isNew)
                {
                    _retries.ProbeFailed(failure, areReadsFailing: _health.ReadFailure is { IsOutage: true });
                }

                break;
            }
        }

        yield return refused;
    }

    /// <summary>Delivers in parallel, and yields outcomes as soon as they are known. A call that has begun is finished, even when the
    /// caller stops reading.</summary>
    private async IAsyncEnumerable<IReadOnlyList<HookOutcome>> DeliverRestAsync(
        List<AlertNotice> left,
        FloodPass pass,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var outcomes = Channel.CreateUnbounded<HookOutcome>();
        var delivering = DeliverAllAsync(left, pass, outcomes.Writer, stop.Token);
        try
        {
            while (await outcomes.Reader.WaitToReadAsync(CancellationToken.None))
            {
                var together = new List<HookOutcome>();
                while (outcomes.Reader.TryRead(out var outcome))
                {
                    together.Add(outcome);
                }

                yield return together;
            }
        }
        finally
        {
            await stop.CancelAsync();
            await delivering;
        }
    }

    /// <summary>The notice that is tried before the others: the worst. During an outage the least one is the probe, because its ticket may
    /// exist although the call failed, and is posted again only when it is certain that it does not. A create tells most.</summary>
    /// <returns>Null: nothing has to go first, or no probe is due.</returns>
    private AlertNotice? GoesFirst(List<AlertNotice> left)
    {
        if (_health.Failure is not { } failure)
        {
            return _health.HasJustFoundCreated ? null : left.Find(IsNew);
        }

        return failure.Kind == FreeScoutFailureKind.NotConfigured || !_retries.MayProbe
            ? null
            : (failure.IsOutage && !_health.HasJustFoundCreated ? left.FindLast(IsNew) : left.Find(IsNew))
                ?? left.Find(notice => FailureOf(notice) is not null);
    }

    /// <summary>A try of it is a create.</summary>
    private bool IsNew(AlertNotice notice) => !notice.IsNote && !_retries.IsLookedUp(notice);

    /// <summary>Why the notice waits; null: it can be delivered. A note needs no create.</summary>
    private FreeScoutFailure? FailureOf(AlertNotice notice) =>
        notice.IsNote && _health.Failure is { NeedsPerson: false } ? _health.ReadFailure : _health.Failure;

    /// <summary>Delivers the notices in parallel and writes each outcome when it is known. After the stop no delivery begins.</summary>
    private async Task DeliverAllAsync(
        IEnumerable<AlertNotice> notices,
        FloodPass pass,
        ChannelWriter<HookOutcome> outcomes,
        CancellationToken stop
    )
    {
        try
        {
            await Parallel.ForEachAsync(
                AdmitAsync(notices, pass, stop),
                new ParallelOptions { MaxDegreeOfParallelism = FreeScoutClient.MostAtOnce },
                async (admitted, _) => outcomes.TryWrite(admitted.Refusal ?? await DeliverOneAsync(admitted.Notice, pass))
            );
            outcomes.Complete();
        }
#pragma warning disable CA1031 // handed on to the reader of the outcomes
        catch (Exception exception)
#pragma warning restore CA1031
        {
            outcomes.Complete(exception);
        }
    }

    /// <summary>Reserves budget in the order of the notices, so that the worst alerts get the last of it.</summary>
    private async IAsyncEnumerable<(AlertNotice Notice, HookOutcome? Refusal)> AdmitAsync(
        IEnumerable<AlertNotice> notices,
        FloodPass pass,
        [EnumeratorCancellation] CancellationToken stop
    )
    {
        foreach (var notice in notices)
        {
            if (stop.IsCancellationRequested)
            {
                yield break;
            }

            yield return (
                notice,
                FailureOf(notice) is { } failure
                    ? await FlagRefusalAsync(notice) ?? Degraded(notice, failure)
                    : await ReserveAsync(notice, pass) ?? NoteRefusal(notice)
            );
        }
    }

    /// <summary>The outcome of an alert that is sent only by DM; null: it gets a ticket.</summary>
    private static HookOutcome? NoTicketOutcome(AlertNotice notice) =>
        !notice.Alert.HasNoTicket ? null
        : notice.Alert.IsEscalation
            ? new(notice, true, DecisionWord.EscalationHasNoTicket, "Escalations are sent only by DM: FreeScout itself may be failing.")
        : new(
            notice,
            true,
            DecisionWord.OwnNetworkHasNoTicket,
            "Loss of the console's own network is sent only by DM: there is no surface to repair."
        );

    /// <summary>Delivers one notice. Never throws, so that one alert can't stop the others.</summary>
    private async Task<HookOutcome> DeliverOneAsync(AlertNotice notice, FloodPass pass)
    {
        using var trace = AlertTrace.Start("alert to ticket", notice.Alert);
        try
        {
            // Not canceled: a note that has begun is finished and recorded. The client limits its time.
            var (outcome, failure) = notice.IsNote
                ? await _notes.WriteAsync(notice, CancellationToken.None)
                : await FileAsync(notice, pass);
            if (notice is { Kind: NoticeKind.SeverityChanged, IsWorse: true } && outcome.Decision == DecisionWord.TicketClosed)
            {
                (outcome, failure) = await FileAnotherAsync(notice, pass);
            }

            _retries.Tried(outcome, failure);
            return outcome;
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            return DatabaseUnreachable(notice);
        }
#pragma warning disable CA1031 // a bug with one alert is logged and does not stop the others
        catch (Exception exception)
#pragma warning restore CA1031
        {
            Log.Failed(_logger, notice.Alert.AlertKey, exception);
            var error = $"The console failed with {exception.GetType().Name}. See the console's log.";
            var outcome = new HookOutcome(notice, false, DecisionWord.Error, error);
            _retries.Tried(outcome, FreeScoutFailureKind.Refused);
            return outcome;
        }
    }

    /// <summary>Reserves budget for a new ticket.</summary>
    /// <returns>The outcome if a mute, the flag or the budget refuses; null: deliver it.</returns>
    private async Task<HookOutcome?> ReserveAsync(AlertNotice notice, FloodPass pass)
    {
        // The mute may have begun during this pass.
        if (_mutes.OutcomeOf(notice) is { } muted)
        {
            return muted;
        }

        if (notice.IsNote)
        {
            return null;
        }

        try
        {
            if (await FlagRefusalAsync(notice) is { } refused)
            {
                return refused;
            }

            if (await pass.ReserveAsync(notice.Alert) is { } exhausted)
            {
                return new(notice, false, DecisionWord.BreakerTripped, exhausted.Reason) { Raises = exhausted.Alert };
            }

            // It may have waited for other filings to end.
            var late = _mutes.OutcomeOf(notice) ?? await FlagRefusalAsync(notice);
            if (late is not null)
            {
                pass.Release(notice.Alert, isFiled: false);
            }

            return late;
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            return DatabaseUnreachable(notice);
        }
    }

    /// <summary>The outcome when the flag is off or unknown; null: it is on, or a note needs no flag. Read before each ticket: the flag is
    /// the kill switch.</summary>
    private async Task<HookOutcome?> FlagRefusalAsync(AlertNotice notice)
    {
        if (notice.IsNote)
        {
            return null;
        }

        // Read before the flag, as in Investigator.
        var isKnown = _flagWatch.IsKnown(FlagNames.AlertsAutoTicket);
        return await _flags.IsEnabledAsync(FlagNames.AlertsAutoTicket) ? null
            : isKnown ? new(notice, false, DecisionWord.FlagOff, $"{FlagNames.AlertsAutoTicket} is off.")
            : DatabaseUnreachable(notice);
    }

    private async Task<(HookOutcome Outcome, FreeScoutFailureKind? Failure)> FileAsync(AlertNotice notice, FloodPass pass)
    {
        var filed = false;
        try
        {
            var outcome = await _ticketing.FileAsync(Draft(notice.Alert));
            filed = outcome.Disposition == TicketDisposition.Filed;
            if (outcome.Ticket is not { } ticket)
            {
                return (new(notice, false, outcome.Decision, outcome.Message), outcome.Failure);
            }

            Log.Done(_logger, notice.Alert.AlertKey, outcome.Decision, ticket.Id);
            var done = new HookOutcome(
                notice,
                true,
                outcome.Decision,
                outcome.Message,
                new AlertTicket(ticket.Id, ticket.Number, ticket.Url)
            );
            return outcome.Disposition == TicketDisposition.AlreadyOpen ? await NoteAsync(done) : (done, null);
        }
        finally
        {
            pass.Release(notice.Alert, filed);
        }
    }

    /// <summary>An operator closed the ticket of an alert that got worse since: it gets another one.</summary>
    private async Task<(HookOutcome Outcome, FreeScoutFailureKind? Failure)> FileAnotherAsync(AlertNotice notice, FloodPass pass)
    {
        // Until it is filed, each try asks for the ticket first: once a minute is enough.
        const FreeScoutFailureKind inAMinute = FreeScoutFailureKind.Refused;
        // If creates fail, it is a probe, because it may be the only create that is due.
        var failing = _health.Failure;
        if (failing is not null && !_retries.MayProbe)
        {
            return (Degraded(notice, failing), inAMinute);
        }

        if (await ReserveAsync(notice with { Kind = NoticeKind.Firing }, pass) is { } refusal)
        {
            return (refusal with { Notice = notice }, inAMinute);
        }

        var (outcome, _) = await FileAsync(notice, pass);
        if (failing is not null && !outcome.IsDone)
        {
            _retries.ProbeFailed(failing, areReadsFailing: false);
        }
        else if (failing is not null)
        {
            _retries.ProbeSucceeded();
        }

        return (outcome, outcome.IsDone ? null : inAMinute);
    }

    /// <summary>Writes on the open ticket that its alert fires again after a note of its end, or got worse. A note that fails is tried once
    /// more, after a minute: longer the alert does not wait for its delivery to be recorded.</summary>
    /// <param name="open">The outcome without a note.</param>
    private async Task<(HookOutcome Outcome, FreeScoutFailureKind? Failure)> NoteAsync(HookOutcome open)
    {
        if (open.Notice is { Kind: NoticeKind.FiringAgain, IsEndDelivered: false, IsWorse: false })
        {
            return (open, null);
        }

        var (note, failure) = await _notes.WriteAsync(open.Notice with { Ticket = open.Ticket }, CancellationToken.None);
        if (note.Decision == DecisionWord.TicketClosed)
        {
            // An operator has closed it in this moment: the next try files another one.
            return (open with { IsDone = false, Ticket = null }, null);
        }

        return failure is not null && _retries.TriedAt(open.Notice) == 0
            ? (open with { IsDone = false }, FreeScoutFailureKind.Refused)
            : (open, null);
    }

    private TicketDraft Draft(Alert alert)
    {
        var surface = alert.Surface is { } key ? _board.Find(key) : null;
        var summary = alert.Summary + (alert.FullText is null ? "" : " (cut; the whole text is in the console)");
        var title = alert.IsSurfaceOutage ? SurfaceAlerts.TitleIn(alert.Summary, surface?.Surface.Name) : $"{alert.Name}: {alert.Summary}";
        return new TicketDraft(
            alert.AlertId,
            alert.Surface,
            alert.Severity,
            TicketTags.Of(alert),
            AuditActions.AlertTicketFiled,
            FloodBudget.FiledBy(alert),
            $"[{alert.Severity}] {title}",
            [
                ("Severity", alert.Severity.ToString()),
                ("Alert", $"{alert.Name} (from {alert.Source})"),
                .. surface is null ? [] : TicketDraft.FactsOf(surface),
                ("Summary", summary),
                .. TicketDraft.FactsOfLabels(alert.Labels),
            ],
            IsForAlert: true
        )
        {
            FirstLine =
                $"{(alert.IsSurfaceOutage ? "" : $"{alert.Name}: ")}{alert.Summary.TrimEnd('.')}. Since {UtcTime.Stamp(alert.StartedAt)}.",
            Links =
            [
                (TicketDraft.IncidentLabel, _address.Url + alert.IncidentKey.Path),
                .. surface is null ? [] : new[] { ("Surface", $"{_address.Url}/console/status/{surface.Key}") },
                .. alert.Url is { } url ? new[] { ("Source", url) } : [],
            ],
        };
    }

    private static HookOutcome DatabaseUnreachable(AlertNotice notice) =>
        new(notice, false, DecisionWord.DatabaseDegraded, "The console's database can't be reached.");

    private static HookOutcome Degraded(AlertNotice notice, FreeScoutFailure failure) =>
        new(notice, false, DecisionWord.Degraded(failure.Kind), failure.Message);

    /// <returns>Null: it is no note, or a note may be tried.</returns>
    private HookOutcome? NoteRefusal(AlertNotice notice) =>
        notice.IsNote && !_retries.TakesNote() && _retries.FailedNote is { } failed ? failed with { Notice = notice } : null;

    private void RaiseReady() => Ready?.Invoke();

    private void OnHealthChanged()
    {
        if (_health.Failure is null)
        {
            _retries.OutageOver();
        }

        RaiseReady();
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "auto_ticket alert_key={AlertKey} decision={Decision} conversation={Conversation}")]
        public static partial void Done(ILogger logger, string alertKey, DecisionWord decision, long conversation);

        [LoggerMessage(LogLevel.Error, "auto_ticket alert_key={AlertKey} failed")]
        public static partial void Failed(ILogger logger, string alertKey, Exception exception);
    }
}
