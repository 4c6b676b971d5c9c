using AutoTicket.Data;
using AutoTicket.FreeScout;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tickets;

/// <summary>Finishes filings that a lost answer, a crash or a failed tag call left half-way: looks up their markers, adopts their tickets,
/// sets their tags. It never posts a ticket: only a click or an alert does.</summary>
internal sealed partial class UnfinishedFilings(
    TicketingService ticketing,
    TicketStore store,
    FreeScoutClient freeScout,
    FreeScoutHealth health,
    IDbContextFactory<AutoTicketDbContext> contexts,
    DatabaseSignals signals,
    LeaderLease leader,
    IOptions<TicketingOptions> options,
    TimeProvider clock,
    ILogger<UnfinishedFilings> logger
) : LeaderLoop(leader, clock, logger)
{
    /// <summary>In a flood each filing wakes the loop. This pause lets their tags be set together.</summary>
    private static readonly TimeSpan BatchPause = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan AtLeastEvery = TimeSpan.FromSeconds(2);
    private static readonly Backoff AfterOutage = new(TimeSpan.FromSeconds(5), FreeScoutFailure.LongestPause);
    private static readonly TimeSpan AfterRefusedTags = TimeSpan.FromMinutes(10);
    private const int MostRefused = 3;

    // Times by the monotonic clock, because the database may set the other one back.
    private long _tagsRefusedAt;

    /// <summary>Tickets up to this id wait since <see cref="_tagsRefusedAt"/>; zero: none.</summary>
    private long _tagsRefusedThrough;

    /// <summary>The ticket whose tags were refused last. The next try begins after it, so that no ticket starves.</summary>
    private long _lastRefused;
    private readonly OutageNotice _tagging = new();
    private long _lastTryAt;
    private int _failures;

    /// <summary>FreeScout's reads failed in the last try.</summary>
    private bool _isDown;

    /// <summary>FreeScout works again after a failure, which may be why it refused tags.</summary>
    private volatile bool _isBack;

    protected override void Begin()
    {
        base.Begin();
        signals.Subscribe(DatabaseSignals.Tickets, Wake);
        health.Changed += () =>
        {
            if (health.Failure is null)
            {
                _isBack = true;
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
        if (_failures == 0 || Clock.GetElapsedTime(_lastTryAt) >= pause)
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
        if (_isBack || Clock.GetElapsedTime(_tagsRefusedAt) >= AfterRefusedTags)
        {
            _isBack = false;
            _tagsRefusedThrough = 0;
        }

        List<Ticket> unfinished,
            untagged;
        await using (var db = await contexts.CreateDbContextAsync(cancellationToken))
        {
            unfinished = await db
                .Tickets.AsNoTracking()
                .Where(FilingRules.MayBeTakenOver(Clock.GetUtcNow()).Or(FilingRules.HasLostId))
                .OrderBy(ticket => ticket.Id)
                .ToListAsync(cancellationToken);
            foreach (var nameless in unfinished.Where(ticket => ticket.State == TicketState.Open).ToList())
            {
                // Its conversation id is lost, as after a lost answer. The next pass looks it up.
                unfinished.Remove(nameless);
                await TicketStore.MarkIdLostAsync(db, nameless, cancellationToken);
            }

            // Closed tickets too: a ticket that is reopened without its tag would be in no list.
            untagged = await db
                .Tickets.AsNoTracking()
                .Where(ticket =>
                    ticket.TagsPending
                    && ticket.ConversationId != null
                    && (ticket.State == TicketState.Open || ticket.State == TicketState.Closed)
                    && ticket.Id > _tagsRefusedThrough
                )
                .OrderBy(ticket => ticket.Id <= _lastRefused)
                .ThenBy(ticket => ticket.Id)
                .Take(100)
                .ToListAsync(cancellationToken);
        }

        foreach (var ticket in unfinished.Where(ticket => FilingRules.IsLookupDue(ticket, Clock.GetUtcNow(), options.Value.LookupSpacing)))
        {
            await ticketing.LookUpLostAnswerAsync(ticket, cancellationToken);
            if (health.ReadFailure is not null)
            {
                return false;
            }
        }

        var (tagged, refused, isDown) = (new List<Ticket>(), 0, false);
        // Without the Tags module FreeScout refuses all tags: after a few refusals the other tickets wait much longer.
        foreach (var ticket in untagged)
        {
            if (await TagAsync(ticket, cancellationToken) is not { } failure)
            {
                tagged.Add(ticket);
                _tagging.End();
            }
            else if (failure.IsOfRequest)
            {
                refused++;
                _tagsRefusedAt = _tagsRefusedThrough == 0 ? Clock.GetTimestamp() : _tagsRefusedAt;
                _lastRefused = ticket.Id;
                _tagsRefusedThrough = Math.Max(
                    _tagsRefusedThrough,
                    refused < MostRefused ? ticket.Id : untagged.Max(waiting => waiting.Id)
                );
                if (refused == MostRefused)
                {
                    break;
                }
            }
            else
            {
                isDown = true;
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
        var failure = await freeScout.AddTagsAsync(
            ticket.ConversationId!.Value,
            TicketDraft.TagsOf(ticket.Tag, ticket.Severity, ticket.SurfaceKey),
            cancellationToken,
            instead: TicketDraft.SeverityTag
        );
        if (failure is null && TicketDraft.WithSeverity(ticket.Subject, ticket.Severity) is var subject && subject != ticket.Subject)
        {
            failure = await freeScout.RenameAsync(
                ticket.ConversationId.Value,
                TicketMarker.Append(ticket.Subject, ticket.Marker),
                TicketMarker.Append(subject, ticket.Marker),
                cancellationToken
            );
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
