using System.Globalization;
using System.Text;
using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.Mailbox;
using AutoTicket.Tickets;

namespace AutoTicket.Slack;

/// <summary>On the leader, tells the operator again of P1 and P2 tickets that nobody has taken, once a ticket. All that are due at the same
/// time are one message.</summary>
internal sealed partial class UnclaimedReminder(
    UnclaimedTickets unclaimed,
    OpenTickets tickets,
    TicketStore store,
    SlackClient client,
    SlackHealth health,
    LeaderLease leader,
    ConsoleAddress address,
    TimeProvider clock,
    ILogger<UnclaimedReminder> logger
) : LeaderLoop(leader, clock, logger)
{
    private const int MostLines = UnclaimedTickets.MostRead;
    private const int LongestLine = 120;
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(15);
    private static readonly Backoff Retries = new(LookEvery, TimeSpan.FromMinutes(5));

    private int _failures;

    protected override async Task<TimeSpan> LeadAsync(CancellationToken stoppingToken)
    {
        // On an old copy the console can't say that nobody has a ticket.
        if (tickets.Current.IsStale || health.IsHeld || client.NotConfigured() is not null)
        {
            return LookEvery;
        }

        if (await unclaimed.ReadDueAsync(stoppingToken) is not { } due)
        {
            // A ticket could not be read. Without a backoff, up to twenty would be read every 15 s for as long as that lasts.
            return Retries.After(++_failures);
        }

        // Claimed before the message is sent: a second one would be worse than none.
        var (ids, at) = (due.Select(ticket => ticket.Id).ToList(), Clock.GetUtcNow());
        var claimed =
            ids.Count == 0
                ? new HashSet<long>()
                : await UnsentClaim.TakeAsync(() => store.ClaimUnclaimedAsync(ids, at), ReleaseAsync, Clock, stoppingToken);
        if (claimed.Count == 0)
        {
            _failures = 0;
            return LookEvery;
        }

        if (await client.SendAsync(Text([.. due.Where(ticket => claimed.Contains(ticket.Id))])) is not { } failure)
        {
            Log.Told(logger, claimed.Count);
        }
        // If the answer was lost, Slack may have delivered the message. A second one would be worse than none.
        else if (!failure.MayHaveSent)
        {
            await UnsentClaim.ReleaseAsync(ReleaseAsync, Clock, stoppingToken);
            return Retries.After(++_failures);
        }

        _failures = 0;
        return LookEvery;

        Task ReleaseAsync() => store.ReturnUnclaimedAsync(ids, at);
    }

    private string Text(IReadOnlyList<Ticket> due)
    {
        if (due is [var only])
        {
            var url = $"{address.Url}/console/incidents/{AlertIdentity.KeyOf(only.DedupKey)}";
            var ticket = tickets.Current.Tickets.FirstOrDefault(open => open.Id == only.ConversationId);
            return $"Nobody has taken ticket {Line(only)}"
                + (ticket is null ? "" : $"\nTicket: {SlackText.Link(ticket.Url)}")
                + $"\nConsole: {SlackText.Link(url)}";
        }

        var counts = due.CountBy(ticket => ticket.Severity).Select(count => $"{count.Key}: {count.Value}");
        var text = new StringBuilder($"{due.Count} tickets are open, and nobody has taken them ({string.Join(", ", counts)}):");
        foreach (var ticket in due.Take(MostLines))
        {
            text.Append('\n').Append(Line(ticket));
        }

        return text.Append(due.Count > MostLines ? $"\nand {due.Count - MostLines} more" : "")
            .Append(CultureInfo.InvariantCulture, $"\nTake them: {SlackText.Link($"{address.Url}/console/tickets?assignee=nobody")}")
            .ToString();
    }

    private string Line(Ticket ticket) =>
        SlackText.Plain(
            $"{TicketNumber.Of(ticket.Number)} for {UtcTime.Age(Clock.GetUtcNow() - ticket.PostedAt)}: {ticket.Subject}",
            LongestLine
        );

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "operator told of {Count} ticket(s) that nobody has taken")]
        public static partial void Told(ILogger logger, int count);
    }
}
