using System.Linq.Expressions;
using AutoTicket.FreeScout;

namespace AutoTicket.Tickets;

/// <summary>What a filing does next.</summary>
internal abstract record FilingStep
{
    private FilingStep() { }

    /// <summary>No ticket blocks the filing, and it holds the claim: post a new ticket.</summary>
    /// <param name="Older">The newest confirmed ticket of the same key, to link; null: there is none.</param>
    /// <param name="MayBeReopened">The alert's ticket <paramref name="Older"/> was last seen closed: ask FreeScout first whether it is
    /// open again.</param>
    public sealed record Post(Ticket? Older, bool MayBeReopened) : FilingStep;

    /// <summary>Another filing holds the claim, or held it a moment ago: read the rows again soon.</summary>
    public sealed record Wait : FilingStep;

    /// <summary>The answer to an earlier post was lost: take its claim over and look its marker up.</summary>
    public sealed record LookUp(Ticket Held) : FilingStep;

    /// <summary>An open ticket lost its conversation id: mark it unconfirmed, so that it is looked up.</summary>
    public sealed record MarkIdLost(Ticket Ticket) : FilingStep;

    /// <summary>Another filing confirmed this ticket after this filing began: it is open, so don't ask FreeScout.</summary>
    public sealed record AlreadyOpen(Ticket Ticket) : FilingStep;

    /// <summary>Ask FreeScout for these tickets. One that is still open blocks a new ticket.</summary>
    public sealed record Ask(IReadOnlyList<Ticket> Tickets) : FilingStep;
}

/// <summary>What FreeScout answered when asked for a ticket.</summary>
/// <param name="Found">Null: FreeScout does not have it, or did not answer.</param>
/// <param name="WasCutOff">The console stopped waiting for the answer, to leave time for a post.</param>
internal sealed record TicketCheck(Ticket Ticket, Conversation? Found, FreeScoutFailure? Failure, bool WasCutOff = false)
{
    public bool IsOpen => Found is { IsOpen: true };

    /// <summary>FreeScout no longer has it.</summary>
    public bool IsGone => Failure is null && Found is null or { State: "deleted" };

    /// <summary>Why the ticket's state is unknown; null: it is known. A ticket last seen closed counts as closed if FreeScout is too
    /// slow, or refuses only this ticket.</summary>
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

    /// <summary>How much later than a lease given now another process's lease may end.</summary>
    private static readonly TimeSpan MostSkew = TimeSpan.FromMinutes(1);

    /// <summary>After this time FreeScout no longer commits a post, and no operator waits for its ticket.</summary>
    private static readonly TimeSpan LongestSearch = TimeSpan.FromDays(1);

    /// <summary>The ticket is young enough to be returned instead of a new one.</summary>
    public static bool IsInWindow(DateTimeOffset postedAt, DateTimeOffset now, TimeSpan window) => now - postedAt < window;

    /// <summary>The row blocks a new ticket, unless FreeScout says that it is closed. A held row or one in the window blocks clicks and
    /// alerts; an open ticket of any age blocks alerts. <see cref="TicketStore"/> has the same rule in SQL.</summary>
    public static bool Blocks(Ticket row, bool isForAlert, DateTimeOffset now, TimeSpan window) =>
        IsHeld(row)
        || (isForAlert && row.State == TicketState.Open)
        || (
            IsInWindow(row.PostedAt, now, window)
            && (row.State == TicketState.Open || row is { State: TicketState.Closed, ConversationId: not null })
        );

    /// <param name="claim">This filing's claim; null: another filing holds the claim, or a row blocks it.</param>
    /// <param name="blocking">The rows that block this filing, newest first, without its own claim.</param>
    /// <param name="latest">The newest ticket of the key that FreeScout ever confirmed.</param>
    /// <param name="closed">Rows that FreeScout called closed during this filing.</param>
    /// <param name="startedAt">When this filing began.</param>
    /// <param name="lease"><see cref="TicketingOptions.Lease"/>.</param>
    public static FilingStep Next(
        bool isForAlert,
        Ticket? claim,
        IReadOnlyList<Ticket> blocking,
        Ticket? latest,
        IReadOnlySet<long> closed,
        DateTimeOffset startedAt,
        DateTimeOffset now,
        TimeSpan lease
    )
    {
        var stillBlocking = blocking.Where(row => !closed.Contains(row.Id)).ToList();
        var mayBeReopened = isForAlert && latest is { State: TicketState.Closed, ConversationId: not null } && !closed.Contains(latest.Id);
        if (stillBlocking.Count == 0)
        {
            return claim is null ? new FilingStep.Wait() : new FilingStep.Post(latest, mayBeReopened);
        }

        var held = stillBlocking.Find(IsHeld);
        if (held is { State: TicketState.Filing } && held.LeaseUntil > now && held.LeaseUntil <= LatestLease(now, lease))
        {
            return new FilingStep.Wait();
        }

        if (held is null && stillBlocking.Find(row => row.ConversationId is null) is { } lost)
        {
            return new FilingStep.MarkIdLost(lost);
        }

        if (stillBlocking.Find(row => row.ConfirmedAt >= startedAt && row.State == TicketState.Open) is { } recent)
        {
            return new FilingStep.AlreadyOpen(recent);
        }

        // Also before a lost answer is looked up, because it may be posted again.
        var known = stillBlocking.Where(row => row.ConversationId is not null);
        List<Ticket> asked = [.. mayBeReopened ? known.Append(latest!).DistinctBy(row => row.Id) : known];
        return asked.Count > 0 ? new FilingStep.Ask(asked) : new FilingStep.LookUp(held!);
    }

    /// <summary>The answer that decides: the first open ticket, else the first unknown one (last seen open before last seen closed). Null:
    /// all are closed.</summary>
    public static TicketCheck? Deciding(IReadOnlyList<TicketCheck> checks) =>
        checks.FirstOrDefault(check => check.IsOpen) ?? checks.Where(check => check.Unknown is not null).MinBy(check => check.Ticket.State);

    /// <summary>Enough time is left for a post: at least as long as FreeScout took for the last read. A post that runs out of time is a
    /// lost answer.</summary>
    public static bool IsTimeToPost(TimeSpan left, TimeSpan checkTook) => left >= LeastTime && left >= checkTook;

    /// <summary><see cref="IsHeld"/> in SQL: <c>state IN …</c>.</summary>
    public const string HeldStates = "('filing', 'unconfirmed')";

    /// <summary>The row holds its key's claim: no other filing gets it.</summary>
    public static bool IsHeld(Ticket row) => row.State is TicketState.Filing or TicketState.Unconfirmed;

    /// <summary>The row's owner is gone, or its answer was lost: the first process that tries takes the claim over.</summary>
    public static Expression<Func<Ticket, bool>> MayBeTakenOver(DateTimeOffset now, TimeSpan lease)
    {
        var latest = LatestLease(now, lease);
        return row =>
            row.State == TicketState.Unconfirmed || (row.State == TicketState.Filing && (row.LeaseUntil <= now || row.LeaseUntil > latest));
    }

    /// <summary>A lease that ends later was given before the clock was set back, and is over.</summary>
    public static DateTimeOffset LatestLease(DateTimeOffset now, TimeSpan lease) => now + lease + MostSkew;

    /// <summary>The row's answer was lost. During a look-up its state is <c>filing</c>, so the problem tells it apart from a first
    /// post.</summary>
    public static readonly Expression<Func<Ticket, bool>> IsUnconfirmed = row =>
        row.State == TicketState.Unconfirmed || (row.State == TicketState.Filing && row.Problem != null);

    /// <summary>An open ticket whose conversation id is lost. It is looked up like a lost answer.</summary>
    public static readonly Expression<Func<Ticket, bool>> HasLostId = row => row.State == TicketState.Open && row.ConversationId == null;

    /// <summary>Combines two rules, so that one query reads the rows of both.</summary>
    public static Expression<Func<Ticket, bool>> Or(this Expression<Func<Ticket, bool>> one, Expression<Func<Ticket, bool>> other) =>
        Expression.Lambda<Func<Ticket, bool>>(Expression.OrElse(one.Body, Expression.Invoke(other, one.Parameters)), one.Parameters);

    /// <summary>The row after a look-up that found nothing. Look-ups close together count once, because FreeScout may read stale.</summary>
    public static Ticket AfterEmptyLookup(Ticket row, DateTimeOffset now, TimeSpan spacing) =>
        row.LookedUpAt is { } last && now - last < spacing ? row : row with { EmptyLookups = row.EmptyLookups + 1, LookedUpAt = now };

    /// <summary>A look-up has just found nothing. With it, FreeScout never committed the post, so it may be repeated.</summary>
    /// <param name="row">The row before this look-up.</param>
    public static bool IsNeverCommittedAfterEmptyLookup(Ticket row, DateTimeOffset now, TicketingOptions options) =>
        IsNeverCommitted(AfterEmptyLookup(row, now, options.LookupSpacing), now, options.Grace);

    /// <summary>The answer was lost, and by the last look-up FreeScout never committed the post: an operator may give it up.</summary>
    public static bool IsMissing(Ticket row, TimeSpan grace) =>
        IsHeld(row) && row is { ConversationId: null, LookedUpAt: { } at } && IsNeverCommitted(row, at, grace);

    /// <param name="at">When FreeScout was last asked for the ticket.</param>
    private static bool IsNeverCommitted(Ticket row, DateTimeOffset at, TimeSpan grace) =>
        row.EmptyLookups >= LookupsToBeSure && at - row.PostedAt >= grace;

    /// <summary>The sweep is due to look the lost answer up. Its pause grows with the post's age; a filing of the same key looks it up
    /// at once.</summary>
    public static bool IsLookupDue(Ticket row, DateTimeOffset now, TimeSpan spacing)
    {
        var pause = (now - row.PostedAt) / 4;
        pause =
            pause < spacing ? spacing
            : pause > LongestLookupPause ? LongestLookupPause
            : pause;
        return row.LookedUpAt is not { } last || now - last >= pause;
    }

    /// <summary>The post is too old to be looked up again: its row is deleted.</summary>
    public static bool IsTooOldToLookUp(Ticket row, DateTimeOffset now) => now - row.PostedAt >= LongestSearch;
}
