using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.FreeScout;
using AutoTicket.Surfaces;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tickets;

/// <summary>
/// Returns exactly one ticket for a draft: the open ticket that blocks a new one, else a new ticket. Only this class creates tickets in
/// FreeScout. Callers check the flags. <see cref="FilingRules"/> decides each step.
/// </summary>
internal sealed partial class TicketingService(
    TicketStore store,
    FreeScoutClient freeScout,
    FreeScoutHealth health,
    IOptions<TicketingOptions> options,
    IOptions<FreeScoutOptions> freeScoutOptions,
    TimeProvider clock,
    ILogger<TicketingService> logger
)
{
    private const int MostDegraded = 10_000;
    private static readonly TimeSpan WaitPause = TimeSpan.FromMilliseconds(40);
    private static readonly Counter<long> Filings = Telemetry.Meter.CreateCounter<long>(
        "autoticket.ticket.filings",
        description: "Tickets that a click or an alert asked for, by outcome."
    );

    /// <summary>Raised when a ticket was confirmed as open. Handlers must return at once and never throw.</summary>
    public event Action<Ticket>? Opened;

    /// <summary>The last failure of each alert that has no ticket yet, so that only a change is logged.</summary>
    private readonly ConcurrentDictionary<string, DecisionWord> _degraded = new();

    /// <summary>Files the draft, or returns its open ticket. FreeScout gets <see cref="TicketingOptions.ClickBudget"/>.
    /// An outage is an outcome, not an exception. A caller can't cancel a filing: one that has begun is finished.</summary>
    public async Task<TicketOutcome> FileAsync(TicketDraft draft)
    {
        using var trace = Telemetry.Activities.StartActivity("file ticket");
        using var time = new CancellationTokenSource(options.Value.ClickBudget, clock);
        TicketOutcome outcome;
        try
        {
            outcome = await RunAsync(new Request(draft, clock.GetUtcNow(), clock.GetTimestamp(), time.Token));
            if (draft.IsForAlert && outcome is { Ticket: { } earlier, Decision: var decision } && decision != DecisionWord.Filed)
            {
                // It was posted for an earlier severity, or an earlier episode.
                await store.SetSeverityAsync(earlier.Id, draft.Severity, CancellationToken.None);
            }
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            LogFailed(draft, exception.GetBaseException().Message, DecisionWord.DatabaseDegraded);
            outcome = new(
                TicketDisposition.Unavailable,
                null,
                "The console's database can't be reached. Try again in a moment; a retry files no second ticket.",
                DecisionWord.DatabaseDegraded
            );
        }

        trace
            ?.AddTag("alert_key", draft.AlertKey)
            .AddTag("outcome", Words.Of(outcome.Disposition))
            .AddTag("ticket", outcome.Ticket?.Number);
        if (outcome.Ticket is not null)
        {
            _degraded.TryRemove(draft.DedupKey, out _);
        }

        Filings.Add(1, new("requested_by", draft.IsForAlert ? "alert" : "click"), new("outcome", Words.Of(outcome.Disposition)));
        return outcome;
    }

    /// <summary>Looks up a ticket whose answer was lost, by its marker, and adopts it when FreeScout has it. Never posts.</summary>
    /// <returns>False: FreeScout did not answer the look-up.</returns>
    public async Task<bool> LookUpLostAnswerAsync(Ticket ticket, CancellationToken cancellationToken)
    {
        if (await store.TakeOverAsync(ticket, cancellationToken) is not { } ours)
        {
            return true;
        }

        var lookup = await LookUpAsync(ours, TicketDraft.Of(ours), cancellationToken);
        if (lookup != Lookup.NeverCommitted)
        {
            return lookup != Lookup.Failed;
        }

        if (FilingRules.IsTooOldToLookUp(ours, clock.GetUtcNow()))
        {
            // Also after a second post: after this long FreeScout commits neither.
            await store.DeleteAsync(ours);
        }
        else
        {
            // The next filing for its key may post it again.
            await store.LeaveUnconfirmedAsync(ours, "FreeScout does not have it.", lookupWasEmpty: true, CancellationToken.None);
        }

        return true;
    }

    private async Task<TicketOutcome> RunAsync(Request request)
    {
        while (true)
        {
            // While no call can be made, take no claim.
            if (freeScout.CallsBlockedBy is { } failure)
            {
                return await CallsBlockedAsync(request.Draft, failure);
            }

            var (claim, blocking, latest) = await store.ClaimAsync(request.Draft, evenIfBlocked: request.Closed.Count > 0);
            var step = FilingRules.Next(
                request.Draft.IsForAlert,
                claim,
                blocking,
                latest,
                request.Closed,
                request.StartedAt,
                clock.GetUtcNow(),
                options.Value.Lease
            );
            if (claim is not null && step is not FilingStep.Post)
            {
                // Another ticket was filed at the same moment.
                await store.DeleteAsync(claim);
            }

            var outcome = step switch
            {
                FilingStep.Post post => await PostUnlessReopenedAsync(claim!, post, request),
                FilingStep.LookUp(var held) => await ResumeAsync(held, latest, request),
                FilingStep.MarkIdLost(var lost) => await MarkIdLostAsync(lost),
                FilingStep.AlreadyOpen(var recent) => AlreadyOpen(recent, null),
                FilingStep.Ask(var tickets) => await AskAsync(tickets, request),
                _ => await WaitAsync(request),
            };
            if (outcome is not null)
            {
                return outcome;
            }
        }
    }

    private async Task<TicketOutcome> CallsBlockedAsync(TicketDraft draft, FreeScoutFailure failure)
    {
        var seen = draft.IsForAlert ? null : (await store.ReadAsync(draft)).Blocking.FirstOrDefault(row => row.State == TicketState.Open);
        return Degraded(draft, failure, seen is null ? "" : $" Ticket {TicketNumber.Of(seen.Number)} was open when last seen.");
    }

    private async Task<TicketOutcome?> WaitAsync(Request request)
    {
        if (Remaining(request) < FilingRules.LeastTime + WaitPause)
        {
            return Degraded(
                request.Draft,
                "This ticket is being filed just now and FreeScout is slow to answer."
                    + (request.Draft.IsForAlert ? "" : " Look again in a moment."),
                DecisionWord.Degraded("being filed")
            );
        }

        await Task.Delay(WaitPause, clock, CancellationToken.None);
        return null;
    }

    private async Task<TicketOutcome?> MarkIdLostAsync(Ticket lost)
    {
        await store.MarkIdLostAsync(lost, CancellationToken.None);
        return null;
    }

    private async Task<TicketOutcome?> ResumeAsync(Ticket held, Ticket? latest, Request request)
    {
        if (await store.TakeOverAsync(held, CancellationToken.None) is not { } ours)
        {
            return null;
        }

        var started = clock.GetTimestamp();
        var lookup = await LookUpAsync(ours, request.Draft, request.Token);
        if (lookup == Lookup.Adopted)
        {
            // The next turn decides whether it blocks this filing, as for any other ticket.
            return null;
        }

        if (lookup == Lookup.NeverCommitted && !FilingRules.IsTimeToPost(Remaining(request), clock.GetElapsedTime(started)))
        {
            // A post begun now would be canceled, and looked up as long as one that was sent.
            await store.LeaveUnconfirmedAsync(ours, "FreeScout does not have it.", lookupWasEmpty: true, CancellationToken.None);
            lookup = Lookup.Unknown;
        }

        return lookup == Lookup.NeverCommitted && await store.RepostAsync(ours, CancellationToken.None) is { } again
            ? await PostAsync(again, latest, request)
            : Degraded(
                request.Draft,
                "FreeScout's answer to the last try was lost. The console keeps looking for the ticket and files no second one "
                    + "until it is certain that there is none.",
                DecisionWord.LookedUp
            );
    }

    private async Task<TicketOutcome?> AskAsync(IReadOnlyList<Ticket> tickets, Request request)
    {
        var started = clock.GetTimestamp();
        var checks = await CheckAllAsync(tickets, request);
        var took = clock.GetElapsedTime(started);
        switch (FilingRules.Deciding(checks))
        {
            case { IsOpen: true } open:
                return AlreadyOpen(open.Ticket, open.Found!.Number);
            case { Unknown: { } failure, Ticket: var unknown }:
                var state = unknown.State == TicketState.Open ? "open" : "closed";
                return Degraded(request.Draft, failure, $" Ticket {TicketNumber.Of(unknown.Number)} was {state} when last seen.");
        }

        request.Closed.UnionWith(tickets.Select(ticket => ticket.Id));
        request.Gone.UnionWith(checks.Where(check => check.IsGone).Select(check => check.Ticket.Id));
        // Tickets last seen closed leave a post its time, also without an answer.
        return checks.All(check => check.Failure is null) || tickets.Any(ticket => ticket.State == TicketState.Open)
            ? NoTimeLeft(request, tickets[0], took)
            : null;
    }

    /// <summary>Asks FreeScout for all tickets in parallel, to leave time for the post. It waits for a ticket last seen closed only as long
    /// as a post still has a whole <c>CallTimeout</c> left.</summary>
    private async Task<TicketCheck[]> CheckAllAsync(IEnumerable<Ticket> tickets, Request request)
    {
        var spare = Remaining(request) - freeScoutOptions.Value.CallTimeout;
        using var spareTime = new CancellationTokenSource(spare > TimeSpan.Zero ? spare : TimeSpan.Zero, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(spareTime.Token, request.Token);
        return await Task.WhenAll(
            tickets.Select(async ticket =>
                await CheckAsync(ticket, ticket.State == TicketState.Closed ? either.Token : request.Token) with
                {
                    WasCutOff = either.IsCancellationRequested,
                }
            )
        );
    }

    private async Task<TicketCheck> CheckAsync(Ticket ticket, CancellationToken cancellationToken)
    {
        var (found, failure) = await freeScout.FindAsync(ticket.ConversationId!.Value, cancellationToken);
        if (failure is not null)
        {
            return new(ticket, null, failure);
        }

        await store.RecordAnswerAsync(ticket, found, CancellationToken.None);
        return new(ticket, found, null);
    }

    /// <returns>Null: enough time is left for a post.</returns>
    private TicketOutcome? NoTimeLeft(Request request, Ticket closed, TimeSpan took)
    {
        if (FilingRules.IsTimeToPost(Remaining(request), took))
        {
            return null;
        }

        var seconds = took.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture);
        return Degraded(
            request.Draft,
            $"FreeScout is slow: it took {seconds} s to say that ticket {TicketNumber.Of(closed.Number)} is closed. "
                + $"No time was left to file a new one. {(request.Draft.IsForAlert ? "It is tried again." : "Click again.")}",
            DecisionWord.Degraded("no time left")
        );
    }

    private async Task<TicketOutcome> PostUnlessReopenedAsync(Ticket claim, FilingStep.Post post, Request request)
    {
        if (post is { MayBeReopened: true, Older: { } closed } && await AskAsync([closed], request) is { } known)
        {
            await store.DeleteAsync(claim);
            return known;
        }

        return await PostAsync(claim, post.Older, request);
    }

    /// <param name="latest">The newest ticket of the key. The new one links to it, if FreeScout still has it.</param>
    private async Task<TicketOutcome> PostAsync(Ticket claim, Ticket? latest, Request request)
    {
        var draft = request.Draft;
        var older = latest is not null && request.Gone.Contains(latest.Id) ? null : latest;
        var (made, failure) = await freeScout.CreateAsync(
            draft.Write(claim.Marker, older is null ? null : LinkOf(older)),
            store.PostUntil(claim),
            request.Token
        );
        if (made is not null)
        {
            var link = LinkOf(claim with { ConversationId = made.Id, Number = made.Number });
            await ConfirmAsync(claim, link, isOpen: true, adopted: false);
            return new(
                TicketDisposition.Filed,
                link,
                older is null
                    ? $"Filed ticket {TicketNumber.Of(link.Number)}."
                    : $"Filed {TicketNumber.Of(link.Number)} "
                        + $"(follows {(older.State == TicketState.Closed ? "closed " : "")}{TicketNumber.Of(older.Number)}).",
                DecisionWord.Filed
            );
        }

        if (!failure!.MayHaveCreated && !await MayHaveBlockedTheAnswerAsync(claim, failure, request.Token))
        {
            if (claim.RepostedAt is null)
            {
                await store.DeleteAsync(claim);
            }
            else
            {
                // FreeScout may still commit the first post.
                await store.LeaveUnconfirmedAsync(claim, failure.Message, lookupWasEmpty: false, CancellationToken.None);
            }

            return Degraded(draft, failure);
        }

        // FreeScout may have made the ticket. If time is left, look it up now; otherwise the sweep does.
        await store.LeaveUnconfirmedAsync(claim, failure.Message, lookupWasEmpty: false, CancellationToken.None);
        if (Remaining(request) >= FilingRules.LeastTime)
        {
            // If another filing took the claim over first, this filing returns the ticket that the other one finds.
            var ours = await store.TakeOverAsync(claim with { State = TicketState.Unconfirmed }, CancellationToken.None);
            var isAdopted = ours is not null && await LookUpAsync(ours, draft, request.Token) == Lookup.Adopted;
            if (ours is null || isAdopted)
            {
                // Answers from before the post don't count: with one, the adopted ticket would not block the claim.
                var outcome = await RunAsync(request.WithoutAnswers());
                if (outcome is { Disposition: TicketDisposition.AlreadyOpen, Ticket: { } adopted })
                {
                    return new(
                        TicketDisposition.Filed,
                        adopted,
                        $"Filed ticket {TicketNumber.Of(adopted.Number)}; FreeScout's answer was lost, the ticket was found.",
                        DecisionWord.Adopted
                    );
                }

                if (outcome.Disposition != TicketDisposition.Degraded)
                {
                    return outcome;
                }

                if (isAdopted)
                {
                    // It was closed already, and no new one was filed.
                    return outcome with { Message = $"{failure.Message} {outcome.Message}" };
                }
            }
        }

        // Also while another filing still looks it up.
        return Degraded(
            draft,
            $"{failure.Message} The ticket may have been filed: the console looks for it and files no second one.",
            DecisionWord.LookedUp
        );
    }

    /// <summary>Whether FreeScout may have made the ticket although a firewall blocked the answer. True if the look-up fails: a second
    /// post could be a second ticket.</summary>
    private async Task<bool> MayHaveBlockedTheAnswerAsync(Ticket claim, FreeScoutFailure failure, CancellationToken cancellationToken) =>
        failure.Kind == FreeScoutFailureKind.Blocked
        && await freeScout.FindByMarkerAsync(claim.Marker, cancellationToken) is not { Value.Count: 0 };

    private enum Lookup
    {
        Adopted,

        /// <summary>FreeScout did not answer.</summary>
        Failed,

        /// <summary>The look-up found nothing and proves nothing yet, or a ticket whose text must still be written.</summary>
        Unknown,
        NeverCommitted,
    }

    /// <summary>Looks the marker up. The row is confirmed or left unconfirmed. On <see cref="Lookup.NeverCommitted"/> the caller still
    /// holds the claim and must repost or delete it.</summary>
    private async Task<Lookup> LookUpAsync(Ticket ours, TicketDraft draft, CancellationToken cancellationToken)
    {
        var (found, failure) = await freeScout.FindByMarkerAsync(ours.Marker, cancellationToken);
        if (failure is not null)
        {
            await store.LeaveUnconfirmedAsync(ours, failure.Message, lookupWasEmpty: false, CancellationToken.None);
            return Lookup.Failed;
        }

        if (found is [var first, ..])
        {
            health.FoundCreated();
            // No text yet: FreeScout was killed after it wrote the ticket, or is still writing the text.
            if (
                first is { IsOpen: true, ThreadsCount: 0 }
                && await WriteBodyAsync(ours, draft, first.Id, cancellationToken) is { } unwritten
            )
            {
                var seen = ours with { EmptyLookups = 0, LookedUpAt = clock.GetUtcNow() };
                await store.LeaveUnconfirmedAsync(seen, unwritten, lookupWasEmpty: false, CancellationToken.None);
                return Lookup.Unknown;
            }

            await ConfirmAsync(ours, LinkOf(ours with { ConversationId = first.Id, Number = first.Number }), first.IsOpen, adopted: true);
            return Lookup.Adopted;
        }

        if (FilingRules.IsNeverCommittedAfterEmptyLookup(ours, clock.GetUtcNow(), options.Value))
        {
            return Lookup.NeverCommitted;
        }

        await store.LeaveUnconfirmedAsync(ours, "FreeScout does not have it yet.", lookupWasEmpty: true, CancellationToken.None);
        return Lookup.Unknown;
    }

    /// <returns>Why the text must be written later; null: it is written, or the ticket must do without: FreeScout refuses it, or has failed
    /// to take it for too long.</returns>
    private async Task<string?> WriteBodyAsync(Ticket ours, TicketDraft draft, long conversation, CancellationToken cancellationToken)
    {
        if (clock.GetUtcNow() - ours.PostedAt < options.Value.LookupSpacing)
        {
            return "FreeScout has it without its text, which may be on its way.";
        }

        var failure = await freeScout.AddBodyAsync(conversation, draft.Write(ours.Marker, older: null).Html, cancellationToken);
        return failure is { IsOfRequest: false } && clock.GetUtcNow() - ours.PostedAt < options.Value.Grace ? failure.Message : null;
    }

    private async Task ConfirmAsync(Ticket ticket, TicketLink link, bool isOpen, bool adopted)
    {
        try
        {
            if (await store.ConfirmAsync(ticket, link, isOpen, adopted))
            {
                if (isOpen)
                {
                    Opened?.Invoke(ticket with { ConversationId = link.Id, Number = link.Number });
                }

                Log.Filed(
                    logger,
                    AlertIdentity.KeyOf(ticket.DedupKey),
                    Words.Of(ticket.Severity),
                    link.Id,
                    link.Number,
                    ticket.SurfaceKey,
                    adopted
                );
            }
            else
            {
                // If another row has the conversation, this one would keep its key forever. A row that was confirmed stays.
                await store.DeleteAsync(ticket);
            }
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            // The ticket exists. Its row keeps the claim, and the marker is looked up when the database is back.
            Log.NotRecorded(logger, link.Id, exception.GetBaseException().Message);
        }
    }

    private TicketLink LinkOf(Ticket ticket, long? number = null) =>
        new(
            ticket.ConversationId!.Value,
            number ?? ticket.Number,
            freeScoutOptions.Value.TicketUrl(ticket.ConversationId.Value),
            ticket.PostedAt
        );

    private TicketOutcome AlreadyOpen(Ticket ticket, long? number) =>
        new(
            TicketDisposition.AlreadyOpen,
            LinkOf(ticket, number),
            $"Ticket {TicketNumber.Of(number ?? ticket.Number)} is already open.",
            DecisionWord.AlreadyOpen
        );

    private TicketOutcome Degraded(TicketDraft draft, FreeScoutFailure failure, string more = "") =>
        Degraded(draft, failure.Message + more, DecisionWord.Degraded(failure.Kind), failure.Kind);

    private TicketOutcome Degraded(TicketDraft draft, string message, DecisionWord decision, FreeScoutFailureKind? failure = null)
    {
        LogFailed(draft, message, decision);
        return new(TicketDisposition.Degraded, null, message, decision, failure);
    }

    /// <summary>Logs each failed click, but an alert only when its decision changes, because it is retried until it has its
    /// ticket.</summary>
    private void LogFailed(TicketDraft draft, string message, DecisionWord decision)
    {
        if (!draft.IsForAlert || !_degraded.TryGetValue(draft.DedupKey, out var before) || before != decision)
        {
            Log.Failed(logger, draft.AlertKey, message);
        }

        if (draft.IsForAlert)
        {
            if (_degraded.Count > MostDegraded)
            {
                _degraded.Clear();
            }

            _degraded[draft.DedupKey] = decision;
        }
    }

    private TimeSpan Remaining(Request request) => options.Value.ClickBudget - clock.GetElapsedTime(request.StartedTimestamp);

    /// <param name="StartedAt">In wall-clock time: it is compared with times in the database.</param>
    /// <param name="Token">Canceled when FreeScout's time is used up.</param>
    private sealed record Request(TicketDraft Draft, DateTimeOffset StartedAt, long StartedTimestamp, CancellationToken Token)
    {
        /// <summary>Rows that FreeScout called closed.</summary>
        public HashSet<long> Closed { get; } = [];

        /// <summary>Rows of tickets that FreeScout no longer has: the new ticket does not link to them.</summary>
        public HashSet<long> Gone { get; } = [];

        /// <summary>The same request without FreeScout's answers so far.</summary>
        public Request WithoutAnswers() => new(Draft, StartedAt, StartedTimestamp, Token);
    }

    private static partial class Log
    {
        [LoggerMessage(
            LogLevel.Information,
            "ticket_filed alert_key={AlertKey} severity={Severity} conversation={Conversation} number={Number} "
                + "surface={Surface} adopted={Adopted}"
        )]
        public static partial void Filed(
            ILogger logger,
            string alertKey,
            string severity,
            long conversation,
            long? number,
            string? surface,
            bool adopted
        );

        [LoggerMessage(LogLevel.Warning, "ticket filing failed alert_key={AlertKey}: {Message}")]
        public static partial void Failed(ILogger logger, string alertKey, string message);

        [LoggerMessage(
            LogLevel.Warning,
            "ticket recording failed conversation={Conversation}, it is looked up when the database answers: {Problem}"
        )]
        public static partial void NotRecorded(ILogger logger, long conversation, string problem);
    }
}
