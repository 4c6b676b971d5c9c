using System.Linq.Expressions;
using AutoTicket.FreeScout;

namespace AutoTicket.Tickets;

/// <summary>What a filing does next.</summary>
internal abstract record FilingStep
{
    private FilingStep() { }

    /// <summary>No ticket blocks it, and the claim is ours: post a new one.</summary>
    /// <param name="Older">The newest ticket about the same, to link; null: there is none.</param>
    /// <param name="MayBeReopened"><paramref name="Older"/> is the alert's closed ticket: ask FreeScout first if it is open again.</param>
    public sealed record Post(Ticket? Older, bool MayBeReopened) : FilingStep;

    /// <summary>Another filing holds the claim, or held it a moment ago: look again soon.</summary>
    public sealed record Wait : FilingStep;

    /// <summary>The answer to an earlier post was lost: take its claim over and look its marker up.</summary>
    public sealed record LookUp(Ticket Held) : FilingStep;

    /// <summary>An open ticket has no conversation id: treat it as a lost answer.</summary>
    public sealed record Forget(Ticket Nameless) : FilingStep;

    /// <summary>Another filing confirmed this ticket after ours began: it is open, and FreeScout need not be asked.</summary>
    public sealed record AlreadyOpen(Ticket Ticket) : FilingStep;

    /// <summary>These block a new ticket if FreeScout still has one of them open: ask it.</summary>
    public sealed record Ask(IReadOnlyList<Ticket> Tickets) : FilingStep;
}

/// <summary>What FreeScout answered when asked for a ticket.</summary>
/// <param name="Found">Null: FreeScout does not have it, or did not answer.</param>
/// <param name="WasCutOff">The console stopped waiting, to leave a post its time.</param>
internal sealed record TicketLook(Ticket Ticket, Conversation? Found, FreeScoutFailure? Failure, bool WasCutOff = false)
{
    public bool IsOpen => Found is { IsOpen: true };

    /// <summary>FreeScout no longer has it.</summary>
    public bool IsGone => Failure is null && Found is null or { State: "deleted" };

    /// <summary>Why its state is unknown; null: it is known. A ticket last seen closed counts as closed when FreeScout is too slow, or
    /// refuses this ticket alone.</summary>
    public FreeScoutFailure? Unknown =>
        Ticket.State == TicketState.Closed && (WasCutOff || Failure is { IsOfRequest: true }) ? null : Failure;
}

/// <summary>Decides the next step of a filing from the rows of its key, its claim and the clock. Pure.
/// <see cref="TicketingService"/> carries the step out.</summary>
internal static class FilingRules
{
    /// <summary>Less time than this is not worth a call to FreeScout.</summary>
    public static readonly TimeSpan LeastTime = TimeSpan.FromMilliseconds(300);

    /// <summary>Empty look-ups, at least <see cref="TicketingOptions.LookupSpacing"/> apart, after which a post counts as never
    /// committed.</summary>
    public const int LookupsToBeSure = 2;

    private static readonly TimeSpan LongestLookupPause = TimeSpan.FromMinutes(5);

    /// <summary>After this time nobody still asks for the ticket, and FreeScout no longer commits it.</summary>
    private static readonly TimeSpan LongestSearch = TimeSpan.FromDays(1);

    /// <summary>A ticket of this age is returned instead of a new one.</summary>
    public static bool IsInWindow(DateTimeOffset postedAt, DateTimeOffset now, TimeSpan window) => now - postedAt < window;

    /// <summary>The row keeps a new ticket out, unless FreeScout says that it is closed. A click heeds its window; an alert also heeds its
    /// own open ticket, however old. <see cref="TicketBook"/> says the same in SQL.</summary>
    public static bool Blocks(Ticket row, bool isForAlert, DateTimeOffset now, TimeSpan window) =>
        IsHeld(row)
        || (isForAlert && row.State == TicketState.Open)
        || (
            IsInWindow(row.PostedAt, now, window)
            && (row.State == TicketState.Open || row is { State: TicketState.Closed, ConversationId: not null })
        );

    /// <param name="claim">Ours; null: another filing holds it, or a row blocks it.</param>
    /// <param name="standing">The rows that block it, newest first, without the claim.</param>
    /// <param name="latest">The newest ticket of the key that FreeScout ever confirmed.</param>
    /// <param name="closed">Rows that FreeScout called closed during this filing.</param>
    /// <param name="begunAt">When this filing began.</param>
    public static FilingStep Next(
        bool isForAlert,
        Ticket? claim,
        IReadOnlyList<Ticket> standing,
        Ticket? latest,
        IReadOnlySet<long> closed,
        DateTimeOffset begunAt,
        DateTimeOffset now
    )
    {
        var blocking = standing.Where(row => !closed.Contains(row.Id)).ToList();
        if (blocking.Count == 0)
        {
            return claim is null
                ? new FilingStep.Wait()
                : new FilingStep.Post(
                    latest,
                    isForAlert && latest is { State: TicketState.Closed, ConversationId: not null } && !closed.Contains(latest.Id)
                );
        }

        if (blocking.Find(IsHeld) is { } held)
        {
            return held.State == TicketState.Filing && held.LeaseUntil > now ? new FilingStep.Wait() : new FilingStep.LookUp(held);
        }

        return blocking.Find(row => row.ConversationId is null) is { } nameless ? new FilingStep.Forget(nameless)
            : blocking.Find(row => row.ConfirmedAt >= begunAt && row.State == TicketState.Open) is { } recent
                ? new FilingStep.AlreadyOpen(recent)
            : new FilingStep.Ask(blocking);
    }

    /// <summary>The look that decides: the first open ticket, else the first unknown one, open ones first; null: all are closed.</summary>
    public static TicketLook? Deciding(IReadOnlyList<TicketLook> looks) =>
        looks.FirstOrDefault(look => look.IsOpen) ?? looks.Where(look => look.Unknown is not null).MinBy(look => look.Ticket.State);

    /// <summary>A post that is cut off on its way is a lost answer: it needs as much time as FreeScout took for a look.</summary>
    public static bool IsTimeToPost(TimeSpan left, TimeSpan lookTook) => left >= LeastTime && left >= lookTook;

    /// <summary>It holds the key: no other filing gets the claim.</summary>
    public static bool IsHeld(Ticket row) => row.State is TicketState.Filing or TicketState.Unconfirmed;

    /// <summary>Its owner is gone, or its answer was lost: the first to come takes it over.</summary>
    public static Expression<Func<Ticket, bool>> MayBeTakenOver(DateTimeOffset now) =>
        row => row.State == TicketState.Unconfirmed || (row.State == TicketState.Filing && row.LeaseUntil <= now);

    /// <summary>Its answer was lost. A look-up holds the claim as <c>filing</c>: then the problem tells that the answer was lost.</summary>
    public static readonly Expression<Func<Ticket, bool>> IsUnconfirmed = row =>
        row.State == TicketState.Unconfirmed || (row.State == TicketState.Filing && row.Problem != null);

    /// <summary>It is open, and its conversation id is lost: it is looked up like a lost answer.</summary>
    public static readonly Expression<Func<Ticket, bool>> IsNameless = row => row.State == TicketState.Open && row.ConversationId == null;

    /// <summary>One query for two rules.</summary>
    public static Expression<Func<Ticket, bool>> Or(this Expression<Func<Ticket, bool>> one, Expression<Func<Ticket, bool>> other) =>
        Expression.Lambda<Func<Ticket, bool>>(Expression.OrElse(one.Body, Expression.Invoke(other, one.Parameters)), one.Parameters);

    /// <summary>The row after a look-up that found nothing. Look-ups close together count once, because FreeScout may read stale.</summary>
    public static Ticket AfterEmptyLookup(Ticket row, DateTimeOffset now, TimeSpan spacing) =>
        row.LookedUpAt is { } last && now - last < spacing ? row : row with { EmptyLookups = row.EmptyLookups + 1, LookedUpAt = now };

    /// <summary>A look-up found nothing: the post was never committed, and may be repeated.</summary>
    /// <param name="row">As it was before the look-up.</param>
    public static bool IsNeverCommitted(Ticket row, DateTimeOffset now, TicketingOptions options) =>
        IsNeverCommitted(AfterEmptyLookup(row, now, options.LookupSpacing), now, options.Grace);

    /// <summary>Its answer was lost, and FreeScout does not have it: nobody looks for it just now, so it may be given up.</summary>
    public static bool IsMissing(Ticket row, TimeSpan grace) =>
        IsHeld(row) && row is { ConversationId: null, LookedUpAt: { } at } && IsNeverCommitted(row, at, grace);

    /// <param name="at">When FreeScout was last asked for it.</param>
    private static bool IsNeverCommitted(Ticket row, DateTimeOffset at, TimeSpan grace) =>
        row.EmptyLookups >= LookupsToBeSure && at - row.PostedAt >= grace;

    /// <summary>The sweep looks a lost answer up more and more rarely; a filing that wants the ticket looks at once.</summary>
    public static bool IsLookupDue(Ticket row, DateTimeOffset now, TimeSpan spacing)
    {
        var pause = (now - row.PostedAt) / 4;
        pause =
            pause < spacing ? spacing
            : pause > LongestLookupPause ? LongestLookupPause
            : pause;
        return row.LookedUpAt is not { } last || now - last >= pause;
    }

    /// <summary>The search has ended: the row is deleted.</summary>
    public static bool IsGivenUp(Ticket row, DateTimeOffset now) => now - row.PostedAt >= LongestSearch;
}
