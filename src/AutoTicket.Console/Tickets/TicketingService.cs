using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using AutoTicket.Data;
using AutoTicket.FreeScout;
using AutoTicket.Surfaces;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tickets;

/// <summary>
/// Who asks here for a ticket gets exactly one: the open one filed inside the window, or a new one. The only caller of
/// FreeScout's create. Whether a flag allows it is asked at the doors, not here.
/// </summary>
internal sealed partial class TicketingService(
    TicketBook claims,
    FreeScoutClient freeScout,
    IOptions<TicketingOptions> options,
    IOptions<FreeScoutOptions> freeScoutOptions,
    TimeProvider clock,
    ILogger<TicketingService> logger
)
{
    /// <summary>Less time than this is not worth a call to FreeScout.</summary>
    private static readonly TimeSpan LeastTime = TimeSpan.FromMilliseconds(300);
    private const int MostDegraded = 10_000;
    private static readonly TimeSpan LongestSearch = TimeSpan.FromDays(1);
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(40);
    private static readonly Counter<long> Filings = Telemetry.Meter.CreateCounter<long>(
        "autoticket.ticket.filings",
        description: "Times that a ticket was asked for, by door and outcome."
    );

    /// <summary>Raised when a ticket was confirmed and is open. Handlers must return at once and never throw.</summary>
    public event Action<Ticket>? Opened;

    /// <summary>The last decision about each alert that has no ticket yet.</summary>
    private readonly ConcurrentDictionary<string, string> _degraded = new();

    /// <summary>Files the draft or finds the ticket that already stands for it, within <see cref="TicketingOptions.ClickBudget"/>.
    /// Never throws for an outage, and is not cancelled by its caller: a filing that has begun is brought to its end.</summary>
    public async Task<TicketOutcome> FileAsync(TicketDraft draft)
    {
        using var trace = Telemetry.Activities.StartActivity("file ticket");
        var outcome = await FileInTimeAsync(draft);
        trace
            ?.AddTag("alert_key", draft.AlertKey)
            .AddTag("outcome", Words.Of(outcome.Disposition))
            .AddTag("ticket", outcome.Ticket?.Number);
        if (outcome.Ticket is not null)
        {
            _degraded.TryRemove(draft.DedupKey, out _);
        }

        Filings.Add(1, new("door", draft.IsForAlert ? "alert" : "click"), new("outcome", Words.Of(outcome.Disposition)));
        return outcome;
    }

    private async Task<TicketOutcome> FileInTimeAsync(TicketDraft draft)
    {
        using var time = new CancellationTokenSource(options.Value.ClickBudget, clock);
        try
        {
            return await FileAsync(draft, new Budget(clock.GetUtcNow(), clock.GetTimestamp(), time.Token));
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            Log.Failed(logger, draft.AlertKey, exception.GetBaseException().Message);
            return new(
                TicketDisposition.Unavailable,
                null,
                "The console's database can't be reached. Try again in a moment: no second ticket will come of it.",
                "degraded: database"
            );
        }
    }

    /// <summary>Looks a ticket with a lost answer up by its marker, and adopts it when FreeScout has it. Never posts.</summary>
    public async Task SettleAsync(Ticket ticket, CancellationToken cancellationToken)
    {
        if (
            await claims.TakeOverAsync(ticket, cancellationToken) is { } ours
            && await LookUpAsync(ours, TicketDraft.Of(ours), cancellationToken) == Lookup.Certain
        )
        {
            // Nobody asks for it just now: whoever does next may post it. After a day nobody will, and FreeScout commits nothing so late.
            _ =
                clock.GetUtcNow() - ours.PostedAt < LongestSearch
                    ? await claims.LeaveUnconfirmedAsync(ours, "FreeScout does not have it.", lookupWasEmpty: true, CancellationToken.None)
                    : await claims.ReleaseAsync(ours with { RepostedAt = null }, "FreeScout does not have it.", CancellationToken.None);
        }
    }

    private async Task<TicketOutcome> FileAsync(TicketDraft draft, Budget budget)
    {
        var closed = new HashSet<long>();
        // FreeScout no longer has them: the new ticket does not link to them.
        var gone = new HashSet<long>();
        while (true)
        {
            // A call that can't be made now needs no claim.
            if (freeScout.Closed is { } shut)
            {
                var seen = draft.IsForAlert
                    ? null
                    : (await claims.ReadAsync(draft)).Standing.FirstOrDefault(row => row.State == TicketState.Open);
                return Degraded(draft, shut, seen is null ? "" : $" Ticket {TicketNumber.Of(seen.Number)} was open when last seen.");
            }

            // The claim first, because mostly nothing stands; and only who holds it can be sure of what he then reads.
            var claim = await claims.ClaimAsync(draft, anyway: closed.Count > 0);
            var (standing, latest) = await claims.ReadAsync(draft, claim);
            var unseen = standing.Where(row => !closed.Contains(row.Id)).ToList();
            if (claim is not null)
            {
                if (unseen.Count == 0 && await ReopenedAsync(draft, latest, closed, gone, budget) is { } known)
                {
                    await claims.ReleaseAsync(claim, known.Message, CancellationToken.None);
                    return known;
                }

                if (unseen.Count == 0)
                {
                    return await PostAsync(claim, draft, latest is null || gone.Contains(latest.Id) ? null : latest, budget);
                }

                await claims.ReleaseAsync(claim, "another ticket was filed at the same moment", CancellationToken.None);
            }

            var held = unseen.Find(row => row.State is TicketState.Filing or TicketState.Unconfirmed);
            // Another is at it; or was when we claimed, and what it held is released by now.
            if (unseen.Count == 0 || (held is { State: TicketState.Filing } && held.LeaseUntil > clock.GetUtcNow()))
            {
                if (Remaining(budget) < LeastTime + LookAgain)
                {
                    return Degraded(
                        draft,
                        "Another click is filing this ticket just now and FreeScout is slow to answer. Look again in a moment.",
                        "degraded: being filed"
                    );
                }

                await Task.Delay(LookAgain, clock, CancellationToken.None);
                continue;
            }

            if (held is not null)
            {
                if (await claims.TakeOverAsync(held, CancellationToken.None) is not { } ours)
                {
                    continue;
                }

                var lookup = await LookUpAsync(ours, draft, budget.Token);
                if (lookup == Lookup.Adopted)
                {
                    // Whether it still stands for this draft is asked like of any other.
                    continue;
                }

                if (lookup == Lookup.Certain && await claims.RepostAsync(ours, CancellationToken.None) is { } again)
                {
                    return await PostAsync(again, draft, latest, budget);
                }

                return Degraded(
                    draft,
                    "FreeScout's answer to the last try was lost. The console keeps looking for the ticket and files no second one until it is certain that there is none.",
                    LookedUp
                );
            }

            if (unseen.Find(row => row.ConversationId is null) is { } nameless)
            {
                await claims.ForgotAsync(nameless, CancellationToken.None);
                continue;
            }

            if (unseen.Find(row => row.ConfirmedAt >= budget.At && row.State == TicketState.Open) is { } recent)
            {
                // FreeScout told whoever filed it while we waited: no need to ask again.
                return AlreadyOpen(recent, null);
            }

            var begun = clock.GetTimestamp();
            var looks = await LookAtAsync(unseen, budget);
            var took = clock.GetElapsedTime(begun);
            if (looks.Find(look => look.Found?.IsOpen == true) is { } open)
            {
                return AlreadyOpen(open.Ticket, open.Found!.Number);
            }

            // The open one first: it is the one that the operator looks for.
            if (
                looks.Where(look => look.Failure is not null).MinBy(look => look.Ticket.State) is
                { Failure: { } failure, Ticket: var unknown }
            )
            {
                var state = unknown.State == TicketState.Open ? "open" : "closed";
                return Degraded(draft, failure, $" Ticket {TicketNumber.Of(unknown.Number)} was {state} when last seen.");
            }

            closed.UnionWith(unseen.Select(row => row.Id));
            gone.UnionWith(looks.Where(look => look.IsGone).Select(look => look.Ticket.Id));
            if (NoTimeLeft(draft, unseen[0], took, budget) is { } late)
            {
                return late;
            }
        }
    }

    /// <param name="IsGone">FreeScout says that it does not have it any more.</param>
    private sealed record Look(Ticket Ticket, Conversation? Found, FreeScoutFailure? Failure, bool IsGone);

    /// <summary>Asks FreeScout for all of them at once: one after another they would take up the time of the post. For those that were seen
    /// closed it waits only while a post can still take its whole time.</summary>
    private async Task<List<Look>> LookAtAsync(List<Ticket> tickets, Budget budget)
    {
        var spare = Remaining(budget) - freeScoutOptions.Value.CallTimeout;
        using var patience = new CancellationTokenSource(spare > TimeSpan.Zero ? spare : TimeSpan.Zero, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, budget.Token);
        return
        [
            .. await Task.WhenAll(
                tickets.Select(async ticket =>
                {
                    var isClosed = ticket.State == TicketState.Closed;
                    var (found, failure) = await freeScout.FindAsync(ticket.ConversationId!.Value, isClosed ? either.Token : budget.Token);
                    if (failure is null)
                    {
                        await claims.SetOpenAsync(ticket, found, CancellationToken.None);
                        return new Look(ticket, found, null, IsGone: found is null or { State: "deleted" });
                    }

                    // What was seen closed is closed, as long as FreeScout does not say otherwise in time, or of this one alone says nothing.
                    return new Look(
                        ticket,
                        null,
                        isClosed && (either.IsCancellationRequested || failure.IsOfRequest) ? null : failure,
                        IsGone: false
                    );
                })
            ),
        ];
    }

    /// <summary>A post that is cut off on its way is a lost answer: it is not begun with less time than FreeScout took for a look.</summary>
    /// <returns>Null: there is time.</returns>
    private TicketOutcome? NoTimeLeft(TicketDraft draft, Ticket closed, TimeSpan took, Budget budget)
    {
        if (Remaining(budget) is var left && left >= LeastTime && left >= took)
        {
            return null;
        }

        var seconds = took.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture);
        return Degraded(
            draft,
            $"FreeScout is slow: it took {seconds} s to say that ticket {TicketNumber.Of(closed.Number)} is closed. "
                + "No time was left to file a new one. Click again.",
            "degraded: no time left"
        );
    }

    /// <summary>An alert has one ticket for as long as it is open, however old: an agent may have reopened the last one since the sync saw it closed.</summary>
    /// <returns>Null: it is closed still, or there is none.</returns>
    private async Task<TicketOutcome?> ReopenedAsync(
        TicketDraft draft,
        Ticket? latest,
        HashSet<long> closed,
        HashSet<long> gone,
        Budget budget
    )
    {
        if (!draft.IsForAlert || latest is not { State: TicketState.Closed, ConversationId: { } id } || closed.Contains(latest.Id))
        {
            return null;
        }

        var begun = clock.GetTimestamp();
        var (found, failure) = await freeScout.FindAsync(id, budget.Token);
        if (failure is not null)
        {
            // Of this one alone FreeScout says nothing: it was closed when last seen.
            return failure.IsOfRequest ? null : Degraded(draft, failure);
        }

        if (found is not { State: not "deleted" })
        {
            gone.Add(latest.Id);
        }

        await claims.SetOpenAsync(latest, found, CancellationToken.None);
        return found?.IsOpen == true ? AlreadyOpen(latest, found.Number) : NoTimeLeft(draft, latest, clock.GetElapsedTime(begun), budget);
    }

    private async Task<TicketOutcome> PostAsync(Ticket claim, TicketDraft draft, Ticket? older, Budget budget)
    {
        var (made, failure) = await freeScout.CreateAsync(
            draft.Write(claim.Marker, older is null ? null : LinkOf(older)),
            () => claims.MayPost(claim),
            budget.Token
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
                    : $"Filed ticket {TicketNumber.Of(link.Number)}, linked to {TicketNumber.Of(older.Number)}.",
                "filed"
            );
        }

        if (!failure!.MayHaveCreated)
        {
            await claims.ReleaseAsync(claim, failure.Message, CancellationToken.None);
            return Degraded(draft, failure);
        }

        // FreeScout may have made it all the same: if there is time left, look at once; else the reconciler does.
        await claims.LeaveUnconfirmedAsync(claim, failure.Message, lookupWasEmpty: false, CancellationToken.None);
        if (Remaining(budget) >= LeastTime)
        {
            // Another click may have been faster to look: what it finds is ours too.
            var ours = await claims.TakeOverAsync(claim with { State = TicketState.Unconfirmed }, CancellationToken.None);
            if (ours is null || await LookUpAsync(ours, draft, budget.Token) == Lookup.Adopted)
            {
                var outcome = await FileAsync(draft, budget);
                return outcome is { Disposition: TicketDisposition.AlreadyOpen, Ticket: { } adopted }
                        ? new(
                            TicketDisposition.Filed,
                            adopted,
                            $"Filed ticket {TicketNumber.Of(adopted.Number)}; FreeScout's answer was lost, the ticket was found.",
                            "adopted"
                        )
                    : outcome.Disposition == TicketDisposition.Degraded ? outcome with { Message = $"{failure.Message} {outcome.Message}" }
                    : outcome;
            }
        }

        return Degraded(
            draft,
            $"{failure.Message} The ticket may have been filed: the console looks for it and files no second one.",
            LookedUp
        );
    }

    private enum Lookup
    {
        Adopted,
        NotFound,
        Certain,
        Failed,
    }

    /// <summary>Asks FreeScout for the marker of a claim that is ours.</summary>
    private async Task<Lookup> LookUpAsync(Ticket ours, TicketDraft draft, CancellationToken cancellationToken)
    {
        var (found, failure) = await freeScout.FindByMarkerAsync(ours.Marker, cancellationToken);
        if (failure is not null)
        {
            await claims.LeaveUnconfirmedAsync(ours, failure.Message, lookupWasEmpty: false, CancellationToken.None);
            return Lookup.Failed;
        }

        if (found is [var first, ..])
        {
            // FreeScout was killed between the ticket and its text, or is about to write it.
            if (
                first is { IsOpen: true, ThreadsCount: 0 }
                && await WriteBodyAsync(ours, draft, first.Id, cancellationToken) is { } unwritten
            )
            {
                await claims.LeaveUnconfirmedAsync(ours, unwritten, lookupWasEmpty: false, CancellationToken.None);
                return Lookup.Failed;
            }

            await ConfirmAsync(ours, LinkOf(ours with { ConversationId = first.Id, Number = first.Number }), first.IsOpen, adopted: true);
            return Lookup.Adopted;
        }

        // It may still be on its way into FreeScout's database, or not yet in what its search reads.
        var now = clock.GetUtcNow();
        var spaced = ours.EmptyLookups >= 2 || (ours.EmptyLookups == 1 && now - ours.LookedUpAt >= options.Value.LookupSpacing);
        if (spaced && now - ours.PostedAt >= options.Value.Grace)
        {
            return Lookup.Certain;
        }

        await claims.LeaveUnconfirmedAsync(ours, "FreeScout does not have it yet.", lookupWasEmpty: true, CancellationToken.None);
        return Lookup.NotFound;
    }

    /// <returns>Why it is to be tried again; null: it is written, or FreeScout will never take it.</returns>
    private async Task<string?> WriteBodyAsync(Ticket ours, TicketDraft draft, long conversation, CancellationToken cancellationToken)
    {
        if (clock.GetUtcNow() - ours.PostedAt < options.Value.LookupSpacing)
        {
            return "FreeScout has it without its text, which may be on its way.";
        }

        var failure = await freeScout.AddBodyAsync(conversation, draft.Write(ours.Marker, older: null).Html, cancellationToken);
        return failure is { IsOfRequest: false } ? failure.Message : null;
    }

    private async Task ConfirmAsync(Ticket ticket, TicketLink link, bool isOpen, bool adopted)
    {
        try
        {
            if (await claims.ConfirmAsync(ticket, link, isOpen, adopted))
            {
                if (isOpen)
                {
                    Opened?.Invoke(ticket with { ConversationId = link.Id, Number = link.Number });
                }

                Log.Filed(
                    logger,
                    Alerts.AlertIdentity.KeyOf(ticket.DedupKey),
                    Words.Of(ticket.Severity),
                    link.Id,
                    link.Number,
                    ticket.SurfaceKey,
                    adopted
                );
            }
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            // The ticket stands; its row keeps the claim and is found by the marker when the database is back.
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
            "already open"
        );

    private const string LookedUp = "unconfirmed, looked up";

    private TicketOutcome Degraded(TicketDraft draft, FreeScoutFailure failure, string more = "") =>
        Degraded(draft, failure.Message + more, $"degraded: {Words.Of(failure.Kind)}", failure.Kind);

    private TicketOutcome Degraded(TicketDraft draft, string message, string decision, FreeScoutFailureKind? failure = null)
    {
        // A click is answered once; an alert is tried until it has its ticket, and only a change is news.
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

        return new(TicketDisposition.Degraded, null, message, decision, failure);
    }

    private TimeSpan Remaining(Budget budget) => options.Value.ClickBudget - clock.GetElapsedTime(budget.Begun);

    /// <param name="At">When the call came in, by the clock that all replicas share.</param>
    private sealed record Budget(DateTimeOffset At, long Begun, CancellationToken Token);

    private static partial class Log
    {
        [LoggerMessage(
            LogLevel.Information,
            "ticket_filed alert_key={AlertKey} severity={Severity} conversation={Conversation} number={Number} surface={Surface} adopted={Adopted}"
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
            "ticket recording failed conversation={Conversation}, it is adopted when the database answers: {Problem}"
        )]
        public static partial void NotRecorded(ILogger logger, long conversation, string problem);
    }
}
