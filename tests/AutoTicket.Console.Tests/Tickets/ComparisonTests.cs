using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.FreeScout;
using AutoTicket.Mailbox;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;

namespace AutoTicket.Tests.Tickets;

/// <summary>The findings of one comparison for one ticket.</summary>
public sealed class ComparisonTests
{
    private const long Mailbox = 3;

    private static readonly Ticket Row = new()
    {
        Marker = "at-0123456789",
        DedupKey = AlertIdentity.OfSurface("pay"),
        SurfaceKey = "pay",
        Severity = Severity.P2,
        State = TicketState.Open,
        FiledBy = "mara",
        Subject = "Pay is down",
        AuditAction = AuditActions.InvestigateFiled,
        Tag = TicketTags.Status,
        ConversationId = 7,
        Number = 7,
    };

    [Fact]
    public void An_unchanged_ticket_has_no_finding() => Assert.Empty(Kinds(Row, Held()));

    [Fact]
    public void A_reopened_ticket_has_a_finding_until_it_is_closed_again()
    {
        Assert.Equal([FindingKind.Reopened], Kinds(Row with { State = TicketState.Closed }, Held()));
        Assert.Equal([FindingKind.Reopened], Kinds(Row with { ReopenedAt = DateTimeOffset.UnixEpoch }, Held()));
        Assert.Empty(Kinds(Row with { State = TicketState.Closed }, Held() with { Status = "closed" }));
    }

    [Fact]
    public void A_ticket_may_have_several_findings() =>
        Assert.Equal(
            [FindingKind.Moved, FindingKind.TagsGone, FindingKind.Reopened],
            Kinds(Row with { State = TicketState.Closed }, Held("vip") with { MailboxId = 1 })
        );

    [Theory]
    [InlineData("pay", "surface:pay", "auto:status")]
    [InlineData("pay", "surface:pay", "Surface:PAY")]
    [InlineData(null, "surface:pay", "surface:shop")]
    [InlineData(null, "auto:status")]
    public void Tags_name_a_surface_only_if_they_name_exactly_one(string? surface, params string[] tags) =>
        Assert.Equal(surface, Comparison.SurfaceIn(tags));

    /// <param name="minutes">Minutes between the two posts.</param>
    [Theory]
    [InlineData(59, true)]
    [InlineData(60, false)]
    [InlineData(59, false, "pay", AuditActions.TicketReconciled)]
    [InlineData(59, false, "shop")]
    public void Two_tickets_that_the_console_filed_for_one_key_within_the_window_are_a_duplicate(
        int minutes,
        bool expected,
        string surface = "pay",
        string action = AuditActions.InvestigateFiled
    )
    {
        var other = Row with
        {
            ConversationId = 8,
            DedupKey = AlertIdentity.OfSurface(surface),
            AuditAction = action,
            PostedAt = Row.PostedAt.AddMinutes(minutes),
        };

        Assert.Equal(expected ? [8] : [], Comparison.Duplicates([other, Row], TimeSpan.FromHours(1)).Select(found => found.ConversationId));
    }

    private static IEnumerable<FindingKind> Kinds(Ticket row, Conversation found) =>
        Comparison.Of(new Filing(7, 7, row.Subject, row), found, Mailbox).Select(difference => difference.Kind);

    private static Conversation Held(params string[] tags) =>
        new()
        {
            Id = 7,
            Status = "active",
            State = "published",
            MailboxId = Mailbox,
            Embeds = JsonSerializer.SerializeToElement(
                new { tags = (tags.Length > 0 ? tags : ["auto:status", "surface:pay"]).Select(name => new { name }) }
            ),
        };
}
