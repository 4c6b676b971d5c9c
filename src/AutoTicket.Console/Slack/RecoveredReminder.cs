using System.Globalization;
using System.Text;
using AutoTicket.Data;
using AutoTicket.Mailbox;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Slack;

/// <summary>Once a day, reminds the operator of open tickets whose surface has recovered.</summary>
internal sealed class RecoveredReminder(
    RecoveredTickets recovered,
    OpenTickets tickets,
    SlackClient client,
    SlackHealth health,
    LeaderLease leader,
    IDbContextFactory<AutoTicketDbContext> contexts,
    ConsoleAddress address,
    IOptions<SlackOptions> options,
    TimeProvider clock,
    ILogger<RecoveredReminder> logger
) : DailyReminder("recovered_reminder", client, health, leader, contexts, options, clock, logger)
{
    private const int MostLines = 20;

    protected override void Begin()
    {
        base.Begin();
        tickets.Changed += WakeSoon;
    }

    protected override async Task<Reminder?> WriteAsync(CancellationToken cancellationToken) =>
        !tickets.Current.IsStale && await recovered.ReadAsync(cancellationToken) is { Count: > 0 } open
            ? new(Text(open), $"{open.Count} ticket(s) of recovered surfaces")
            : null;

    private string Text(IReadOnlyList<RecoveredTicket> open)
    {
        var text = new StringBuilder(
            open.Count == 1
                ? "1 ticket is open though its surface has recovered:"
                : $"{open.Count} tickets are open though their surfaces have recovered:"
        );
        foreach (var one in open.Take(MostLines))
        {
            var since = one.RecoveredAt.UtcDateTime.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture);
            var line = $"{TicketNumber.Of(one.Ticket.Number)} {one.SurfaceName}, operational since {since} UTC";
            text.Append('\n').Append(SlackText.Plain(line, 120));
        }

        return text.Append(open.Count > MostLines ? $"\nand {open.Count - MostLines} more" : "")
            .Append(CultureInfo.InvariantCulture, $"\nResolve them: {SlackText.Link($"{address.Url}/console/tickets")}")
            .ToString();
    }
}
