using AutoTicket.FreeScout;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;

namespace AutoTicket.Tests.Tickets;

/// <summary>The next step of a filing, tested without host, database and FreeScout.</summary>
public sealed class FilingRulesTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 24, 3, 0, 0, TimeSpan.Zero);
    private static readonly TicketingOptions Options = new();
    private static readonly FreeScoutFailure Down = new(FreeScoutFailureKind.ServerError, "FreeScout failed (500).", WasSent: true);
    private static readonly FreeScoutFailure OfRequest = Down with { Kind = FreeScoutFailureKind.Refused, IsOfRequest = true };
    private static readonly Ticket Claim = Row(9, TicketState.Filing);

    [Theory]
    [InlineData("Filing", 600, false, true, true)]
    [InlineData("Unconfirmed", 600, false, true, true)]
    [InlineData("Open", 59, true, true, true)]
    [InlineData("Open", 59, false, true, true)]
    [InlineData("Open", 60, true, false, true)]
    [InlineData("Open", 600, true, false, true)]
    [InlineData("Closed", 59, true, true, true)]
    [InlineData("Closed", 59, false, false, false)]
    [InlineData("Closed", 60, true, false, false)]
    public void A_row_blocks_a_click_for_the_window_and_an_alert_while_it_is_open(
        string state,
        int minutes,
        bool isKnown,
        bool click,
        bool alert
    )
    {
        var row = Row(1, Enum.Parse<TicketState>(state), minutes) with { ConversationId = isKnown ? 1001 : null };

        Assert.Equal(click, FilingRules.Blocks(row, isForAlert: false, Now, Options.Window));
        Assert.Equal(alert, FilingRules.Blocks(row, isForAlert: true, Now, Options.Window));
    }

    [Fact]
    public void A_claim_that_nothing_blocks_is_posted_and_links_the_latest_ticket()
    {
        var older = Row(1, TicketState.Open, minutes: 90);

        Assert.Equal(new FilingStep.Post(null, MayBeReopened: false), Next(Claim, []));
        Assert.Equal(new FilingStep.Post(older, MayBeReopened: false), Next(Claim, [], latest: older));
    }

    [Fact]
    public void An_alerts_own_closed_ticket_is_read_from_FreeScout_before_the_post()
    {
        var closed = Row(1, TicketState.Closed, minutes: 90);

        Assert.Equal(new FilingStep.Post(closed, MayBeReopened: true), Next(Claim, [], latest: closed, isForAlert: true));
        Assert.Equal(new FilingStep.Post(closed, MayBeReopened: false), Next(Claim, [], latest: closed));
        Assert.Equal(new FilingStep.Post(closed, MayBeReopened: false), Next(Claim, [], latest: closed, isForAlert: true, closed: [1]));
    }

    [Fact]
    public void Without_the_claim_a_filing_waits_for_the_one_that_holds_it()
    {
        Assert.IsType<FilingStep.Wait>(Next(null, []));
        Assert.IsType<FilingStep.Wait>(Next(null, [Row(1, TicketState.Filing)]));
        Assert.IsType<FilingStep.Wait>(Next(null, [Row(2, TicketState.Open), Row(1, TicketState.Filing)]));
    }

    [Fact]
    public void A_lost_answer_is_looked_up_and_so_is_a_claim_whose_lease_ran_out()
    {
        var lost = Row(1, TicketState.Unconfirmed);
        var abandoned = Row(1, TicketState.Filing) with { LeaseUntil = Now };

        Assert.Equal(new FilingStep.LookUp(lost), Next(null, [lost]));
        Assert.Equal(new FilingStep.LookUp(abandoned), Next(null, [Row(2, TicketState.Open), abandoned], closed: [2]));
    }

    [Fact]
    public void Before_a_lost_answer_is_looked_up_the_other_tickets_are_read_from_FreeScout()
    {
        var (lost, open, closed) = (Row(3, TicketState.Unconfirmed), Row(2, TicketState.Open), Row(1, TicketState.Closed, minutes: 90));

        Assert.Equal([open], Assert.IsType<FilingStep.Ask>(Next(null, [lost, open])).Tickets);
        Assert.Equal([closed], Assert.IsType<FilingStep.Ask>(Next(null, [lost], latest: closed, isForAlert: true)).Tickets);
        Assert.Equal(new FilingStep.LookUp(lost), Next(null, [lost], latest: closed));
        Assert.Equal(new FilingStep.LookUp(lost), Next(null, [lost], latest: closed, isForAlert: true, closed: [1]));
    }

    [Fact]
    public void An_open_ticket_without_its_conversation_id_is_looked_up_first()
    {
        var lost = Row(1, TicketState.Open) with { ConversationId = null };

        Assert.Equal(new FilingStep.MarkIdLost(lost), Next(null, [Row(2, TicketState.Open), lost]));
    }

    [Fact]
    public void A_ticket_that_was_confirmed_during_this_filing_is_returned_without_asking()
    {
        var recent = Row(1, TicketState.Open) with { ConfirmedAt = Now };
        var before = recent with { ConfirmedAt = Now - TimeSpan.FromTicks(1) };
        var resolved = recent with { State = TicketState.Closed };

        Assert.Equal(new FilingStep.AlreadyOpen(recent), Next(null, [recent]));
        Assert.Equal([before], Assert.IsType<FilingStep.Ask>(Next(null, [before])).Tickets);
        Assert.Equal([resolved], Assert.IsType<FilingStep.Ask>(Next(null, [resolved])).Tickets);
    }

    [Fact]
    public void All_blocking_tickets_are_read_from_FreeScout_except_those_it_called_closed()
    {
        var (one, two) = (Row(1, TicketState.Open), Row(2, TicketState.Closed));

        Assert.Equal([two, one], Assert.IsType<FilingStep.Ask>(Next(Claim, [two, one])).Tickets);
        Assert.Equal([one], Assert.IsType<FilingStep.Ask>(Next(null, [two, one], closed: [2])).Tickets);
        Assert.Equal(new FilingStep.Post(two, MayBeReopened: false), Next(Claim, [two, one], latest: two, closed: [1, 2]));
        Assert.IsType<FilingStep.Wait>(Next(null, [two, one], closed: [1, 2]));
    }

    [Fact]
    public void An_open_ticket_wins_then_an_unknown_one_that_was_open_then_an_unknown_one_that_was_closed()
    {
        var open = new TicketCheck(Row(1, TicketState.Closed), new Conversation { Id = 1, Status = "active" }, null);
        var closed = new TicketCheck(Row(2, TicketState.Open), new Conversation { Id = 2, Status = "closed" }, null);
        var unknownClosed = new TicketCheck(Row(3, TicketState.Closed), null, Down);
        var unknownOpen = new TicketCheck(Row(4, TicketState.Open), null, Down);

        Assert.Equal(open, FilingRules.Deciding([unknownOpen, closed, open]));
        Assert.Equal(unknownOpen, FilingRules.Deciding([unknownClosed, closed, unknownOpen]));
        Assert.Equal(unknownClosed, FilingRules.Deciding([closed, unknownClosed]));
        Assert.Null(FilingRules.Deciding([closed]));
    }

    [Theory]
    [InlineData(false, false, true, true)]
    [InlineData(true, false, true, false)]
    [InlineData(false, true, true, false)]
    public void A_ticket_last_seen_closed_is_closed_when_FreeScout_is_slow_or_refuses_it_alone(
        bool wasCutOff,
        bool isOfRequest,
        bool isOpenUnknown,
        bool isClosedUnknown
    )
    {
        var failure = isOfRequest ? OfRequest : Down;

        Assert.Equal(isOpenUnknown, new TicketCheck(Row(1, TicketState.Open), null, failure, wasCutOff).Unknown is not null);
        Assert.Equal(isClosedUnknown, new TicketCheck(Row(1, TicketState.Closed), null, failure, wasCutOff).Unknown is not null);
    }

    [Fact]
    public void Only_a_ticket_that_FreeScout_does_not_have_or_has_deleted_is_gone()
    {
        var row = Row(1, TicketState.Closed);

        Assert.True(new TicketCheck(row, null, null).IsGone);
        Assert.True(new TicketCheck(row, new Conversation { Id = 1, State = "deleted" }, null).IsGone);
        Assert.False(new TicketCheck(row, new Conversation { Id = 1, Status = "closed" }, null).IsGone);
        Assert.False(new TicketCheck(row, null, OfRequest).IsGone);
    }

    [Theory]
    [InlineData(300, 0, true)]
    [InlineData(299, 0, false)]
    [InlineData(900, 900, true)]
    [InlineData(900, 901, false)]
    public void A_post_needs_a_minimum_of_time_and_as_much_as_a_request_took(int left, int took, bool expected) =>
        Assert.Equal(expected, FilingRules.IsTimeToPost(TimeSpan.FromMilliseconds(left), TimeSpan.FromMilliseconds(took)));

    /// <param name="ago">Seconds since the last look-up that counted; -1 without one.</param>
    [Theory]
    [InlineData(0, -1, 120, false)]
    [InlineData(1, 4, 120, false)]
    [InlineData(1, 5, 119, false)]
    [InlineData(1, 5, 120, true)]
    [InlineData(2, 1, 119, false)]
    [InlineData(2, 1, 120, true)]
    public void A_post_was_never_committed_after_two_spaced_look_ups_and_the_grace_period(int lookups, int ago, int age, bool expected)
    {
        var row = Row(1, TicketState.Filing) with
        {
            PostedAt = Now.AddSeconds(-age),
            EmptyLookups = lookups,
            LookedUpAt = ago < 0 ? null : Now.AddSeconds(-ago),
        };

        Assert.Equal(expected, FilingRules.IsNeverCommittedAfterEmptyLookup(row, Now, Options));
    }

    [Theory]
    [InlineData("Unconfirmed", 2, 120, true)]
    [InlineData("Filing", 2, 120, true)]
    [InlineData("Open", 2, 120, false)]
    [InlineData("Unconfirmed", 1, 120, false)]
    [InlineData("Unconfirmed", 2, 119, false)]
    public void A_filing_is_missing_when_the_last_look_up_came_after_the_grace_period(string state, int lookups, int after, bool expected)
    {
        var row = Row(1, Enum.Parse<TicketState>(state)) with
        {
            ConversationId = null,
            PostedAt = Now.AddHours(-1),
            EmptyLookups = lookups,
            LookedUpAt = Now.AddHours(-1).AddSeconds(after),
        };

        Assert.Equal(expected, FilingRules.IsMissing(row, Options.Grace));
        Assert.False(FilingRules.IsMissing(row with { ConversationId = 1001 }, Options.Grace));
        Assert.False(FilingRules.IsMissing(row with { LookedUpAt = null }, Options.Grace));
    }

    /// <param name="ago">Seconds since the last look-up that counted.</param>
    [Theory]
    [InlineData(10, 4, false)]
    [InlineData(10, 5, true)]
    [InlineData(400, 99, false)]
    [InlineData(400, 100, true)]
    [InlineData(7200, 299, false)]
    [InlineData(7200, 300, true)]
    public void The_sweep_looks_up_a_lost_answer_more_and_more_rarely(int age, int ago, bool expected)
    {
        var row = Row(1, TicketState.Unconfirmed) with { PostedAt = Now.AddSeconds(-age), LookedUpAt = Now.AddSeconds(-ago) };

        Assert.Equal(expected, FilingRules.IsLookupDue(row, Now, Options.LookupSpacing));
        Assert.True(FilingRules.IsLookupDue(row with { LookedUpAt = null }, Now, Options.LookupSpacing));
    }

    [Fact]
    public void A_search_ends_after_a_day()
    {
        Assert.False(FilingRules.IsTooOldToLookUp(Row(1, TicketState.Filing, minutes: 1439), Now));
        Assert.True(FilingRules.IsTooOldToLookUp(Row(1, TicketState.Filing, minutes: 1440), Now));
    }

    [Theory]
    [InlineData("Filing", 1, false, false, false)]
    [InlineData("Filing", 0, false, true, false)]
    [InlineData("Filing", 70, false, false, false)]
    [InlineData("Filing", 71, false, true, false)]
    [InlineData("Filing", 1, true, false, true)]
    [InlineData("Unconfirmed", 1, false, true, true)]
    [InlineData("Open", 0, true, false, false)]
    [InlineData("Closed", 0, true, false, false)]
    public void A_row_is_unsettled_when_its_owner_is_gone_or_its_answer_was_lost(
        string state,
        int lease,
        bool hasProblem,
        bool mayBeTakenOver,
        bool isUnconfirmed
    )
    {
        var row = Row(1, Enum.Parse<TicketState>(state)) with { LeaseUntil = Now.AddSeconds(lease), Problem = hasProblem ? "lost" : null };

        Assert.Equal(mayBeTakenOver, FilingRules.MayBeTakenOver(Now, Options.Lease).Compile()(row));
        Assert.Equal(isUnconfirmed, FilingRules.IsUnconfirmed.Compile()(row));
        Assert.Equal(
            mayBeTakenOver || isUnconfirmed,
            FilingRules.IsUnconfirmed.Or(FilingRules.MayBeTakenOver(Now, Options.Lease)).Compile()(row)
        );
        // A filing waits for a held row, unless the row may be taken over. Then the filing looks the ticket up.
        if (FilingRules.IsHeld(row))
        {
            Assert.Equal(mayBeTakenOver, Next(null, [row]) is FilingStep.LookUp);
        }
    }

    private static FilingStep Next(
        Ticket? claim,
        IReadOnlyList<Ticket> blocking,
        Ticket? latest = null,
        bool isForAlert = false,
        IEnumerable<long>? closed = null
    ) => FilingRules.Next(isForAlert, claim, blocking, latest, (closed ?? []).ToHashSet(), startedAt: Now, Now, Options.Lease);

    private static Ticket Row(long id, TicketState state, int minutes = 10) =>
        new()
        {
            Id = id,
            Marker = $"at-{id}",
            DedupKey = "key",
            Severity = Severity.P2,
            State = state,
            LeaseUntil = Now + Options.Lease,
            FiledBy = "olga",
            Subject = "pay is down",
            AuditAction = "",
            Tag = TicketTags.Status,
            PostedAt = Now.AddMinutes(-minutes),
            ConversationId = state is TicketState.Open or TicketState.Closed ? 1000 + id : null,
        };
}
