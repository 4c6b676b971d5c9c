using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.FreeScout;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tickets;

/// <summary>Finishes filings that a lost answer, a crash or a failed call left half-way: looks up their markers, adopts their tickets, sets
/// their tags, closes test tickets. It never posts a ticket: only a click or an alert does.</summary>
internal sealed partial class UnfinishedFilings(
    TicketingService ticketing,
    TicketStore store,
    FreeScoutClient freeScout,
    FreeScoutHealth health,
    IDbContextFactory<AutoTicketDbContext> contexts,
    DatabaseSignals signals,
    LeaderLease leader,
    IOptions<TicketingOptions> options,
    IOptions<FreeScoutOptions> freeScoutOptions,
    TimeProvider clock,
    ILogger<UnfinishedFilings> logger
) : LeaderLoop(leader, clock, logger)
{
    /// <summary>In a flood each filing wakes the loop. This pause lets their tags be set together.</summary>
    private static readonly TimeSpan BatchPause = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan AtLeastEvery = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan CloseTestsEvery = TimeSpan.FromMinutes(1);
    private static readonly Backoff AfterOutage = new(TimeSpan.FromSeconds(5), FreeScoutFailure.LongestPause);

    private readonly TagsBackoff _tagsBackoff = new(clock);
    private readonly OutageNotice _tagging = new();
    private long _lastTryAt;
    private long? _closedTestsAt;
    private long? _lookUpRefusedAt;
    private int _failures;

    /// <summary>FreeScout's reads failed in the last try.</summary>
    private bool _isDown;

    protected override void Begin()
    {
        base.Begin();
        signals.Subscribe(DatabaseSignals.Tickets, WakeSoon);
        health.Changed += () =>
        {
            if (health.Failure is null)
            {
                _tagsBackoff.FreeScoutIsBack();
            }
        };
    }

    protected override async Task<TimeSpan> LeadAsync(CancellationToken stoppingToken)
    {
        if (_isDown && health.ReadFailure is null)
        {
            // Another call reached FreeScout meanwhile: don't wait out a long pause.
            _failures = Math.Min(_failures, 1);
            _isDown = false;
        }

        var pause = health.ReadFailure?.NeedsPerson == true ? FreeScoutFailure.RetryRefused : AfterOutage.After(_failures);
        // Not while FreeScout asked for a pause: each try would only write rows, and their change would wake this loop again.
        if (freeScout.CallsBlockedBy is null && (_failures == 0 || Clock.GetElapsedTime(_lastTryAt) >= pause))
        {
            _failures = await FinishAllAsync(stoppingToken) ? 0 : _failures + 1;
            _lastTryAt = Clock.GetTimestamp();
            _isDown = _failures > 0 && health.ReadFailure is not null;
        }

        await Task.Delay(BatchPause, Clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return AtLeastEvery;
    }

    /// <returns>False when FreeScout failed and the next ticket would fail the same way.</returns>
    private async Task<bool> FinishAllAsync(CancellationToken cancellationToken)
    {
        await CloseTestsAsync(cancellationToken);
        _tagsBackoff.BeginPass();
        var (unconfirmed, untagged) = await ReadAsync(cancellationToken);
        return await LookUpLostAnswersAsync(unconfirmed, cancellationToken) && await SetTagsAsync(untagged, cancellationToken);
    }

    /// <summary>Closes the test tickets that are still open: FreeScout's answer to the post or the close was lost, or the process was
    /// killed. One that a person opened again stays open.</summary>
    private async Task CloseTestsAsync(CancellationToken cancellationToken)
    {
        if (
            freeScoutOptions.Value.UserId is not { } agent
            || (_closedTestsAt is { } before && Clock.GetElapsedTime(before) < CloseTestsEvery)
        )
        {
            return;
        }

        _closedTestsAt = Clock.GetTimestamp();
        var now = Clock.GetUtcNow();
        var latestLease = FilingRules.LatestLease(now, options.Value.Lease);
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var open = await db
            .Tickets.AsNoTracking()
            .Where(ticket =>
                ticket.State == TicketState.Open
                && ticket.AuditAction == AuditActions.TestTicketFiled
                && ticket.ConversationId != null
                && ticket.ReopenedAt == null
                && (ticket.LeaseUntil <= now || ticket.LeaseUntil > latestLease)
            )
            .ToListAsync(cancellationToken);
        foreach (var ticket in open)
        {
            var id = ticket.ConversationId!.Value;
            var (found, failure) = await freeScout.FindAsync(id, cancellationToken);
            if (found is { IsOpen: true } && await freeScout.CloseAsync(id, agent, cancellationToken) is null)
            {
                (found, failure) = await freeScout.FindAsync(id, cancellationToken);
            }

            if (failure is null)
            {
                await store.RecordAnswerAsync(ticket, found, cancellationToken);
            }
        }
    }

    /// <returns>The filings whose owner is gone or whose answer was lost, and the tickets whose tags are not set.</returns>
    private async Task<(List<Ticket> Unconfirmed, List<Ticket> Untagged)> ReadAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var unconfirmed = await db
            .Tickets.AsNoTracking()
            .Where(FilingRules.MayBeTakenOver(Clock.GetUtcNow(), options.Value.Lease).Or(FilingRules.HasLostId))
            .OrderBy(ticket => ticket.Id)
            .ToListAsync(cancellationToken);
        foreach (var lost in unconfirmed.Where(ticket => ticket.State == TicketState.Open).ToList())
        {
            // The next pass looks it up.
            unconfirmed.Remove(lost);
            await TicketStore.MarkIdLostAsync(db, lost, cancellationToken);
        }

        var (pausedThrough, lastRefused) = (_tagsBackoff.PausedThrough, _tagsBackoff.LastRefused);
        // Closed tickets too: a ticket that is reopened without its tag would be in no list.
        var untagged = await db
            .Tickets.AsNoTracking()
            .Where(ticket =>
                ticket.TagsPending
                && ticket.ConversationId != null
                && (ticket.State == TicketState.Open || ticket.State == TicketState.Closed)
                && ticket.Id > pausedThrough
            )
            .OrderBy(ticket => ticket.Id <= lastRefused)
            .ThenBy(ticket => ticket.Id)
            .Take(100)
            .ToListAsync(cancellationToken);
        return (unconfirmed, untagged);
    }

    /// <summary>After a look-up that FreeScout refused, all rest for a minute: the row stays due.</summary>
    /// <returns>False when FreeScout's reads fail.</returns>
    private async Task<bool> LookUpLostAnswersAsync(IEnumerable<Ticket> unconfirmed, CancellationToken cancellationToken)
    {
        if (_lookUpRefusedAt is { } at && Clock.GetElapsedTime(at) < FreeScoutFailure.RetryRefused)
        {
            return true;
        }

        foreach (var ticket in unconfirmed.Where(row => FilingRules.IsLookupDue(row, Clock.GetUtcNow(), options.Value.LookupSpacing)))
        {
            var answered = await ticketing.LookUpLostAnswerAsync(ticket, cancellationToken);
            if (health.ReadFailure is not null || freeScout.CallsBlockedBy is not null)
            {
                return false;
            }

            if (!answered)
            {
                _lookUpRefusedAt = Clock.GetTimestamp();
            }
        }

        return true;
    }

    /// <returns>False when FreeScout failed and the next ticket would fail the same way.</returns>
    private async Task<bool> SetTagsAsync(List<Ticket> untagged, CancellationToken cancellationToken)
    {
        var (tagged, isDown) = (new List<Ticket>(), false);
        foreach (var ticket in untagged)
        {
            if (await TagAsync(ticket, cancellationToken) is not { } failure)
            {
                tagged.Add(ticket);
                _tagging.End();
            }
            else if (!failure.IsOfRequest)
            {
                isDown = true;
                break;
            }
            else if (!_tagsBackoff.Refused(ticket, untagged))
            {
                break;
            }
        }

        if (tagged.Count > 0)
        {
            await store.TaggedAsync(tagged, cancellationToken);
        }

        return !isDown;
    }

    private async Task<FreeScoutFailure?> TagAsync(Ticket ticket, CancellationToken cancellationToken)
    {
        var (found, failure) = await freeScout.AddTagsAsync(
            ticket.ConversationId!.Value,
            TicketDraft.TagsOf(ticket.Tag, ticket.Severity, ticket.SurfaceKey),
            cancellationToken,
            instead: TicketDraft.SeverityTag
        );
        // Not by the row's subject: FreeScout may have a later one, whose change was not recorded. What a person wrote stays.
        var subject = TicketMarker.Append(TicketDraft.WithSeverity(ticket.Subject, ticket.Severity), ticket.Marker);
        if (found?.Subject is { } was && was != subject && TicketDraft.WithSeverity(was, ticket.Severity) == subject)
        {
            failure = await freeScout.RenameAsync(ticket.ConversationId.Value, subject, cancellationToken);
            if (failure is { Kind: FreeScoutFailureKind.Refused })
            {
                // Some versions refuse a new subject. The tag shows the severity.
                failure = null;
            }
        }

        // Logged once, until a ticket is tagged.
        if (failure is not null && _tagging.Begin())
        {
            Log.NotTagged(logger, ticket.ConversationId.Value, failure.Message);
        }

        return failure;
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "ticket tagging failed conversation={Conversation}, trying again: {Message}")]
        public static partial void NotTagged(ILogger logger, long conversation, string message);
    }
}
