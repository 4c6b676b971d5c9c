using System.Globalization;
using System.Text;
using AutoTicket.Data;
using AutoTicket.Mailbox;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Slack;

/// <summary>Once a day the leader reminds the operator of open tickets whose surface has recovered. It sends nothing if there are
/// none.</summary>
internal sealed partial class RecoveredReminder(
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
) : LeaderLoop(leader, clock, logger)
{
    /// <summary>The day's reminder is a row of <c>leases</c> that lasts until the next day, also for restarts and other leaders.</summary>
    private const string Lease = "recovered_reminder";

    private const int MostLines = 20;
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(30);

    private DateTimeOffset _doneUntil = DateTimeOffset.MinValue;

    protected override void Begin()
    {
        base.Begin();
        tickets.Changed += Wake;
    }

    protected override async Task<TimeSpan> LeadAsync(CancellationToken stoppingToken)
    {
        if (Clock.GetUtcNow() >= _doneUntil && await RemindAsync(stoppingToken) is { } until)
        {
            _doneUntil = until;
        }

        return LookEvery;
    }

    /// <returns>The time of the next reminder; null: today's may still come.</returns>
    private async Task<DateTimeOffset?> RemindAsync(CancellationToken cancellationToken)
    {
        var now = Clock.GetUtcNow();
        var today = new DateTimeOffset(now.UtcDateTime.Date, TimeSpan.Zero) + options.Value.RemindAt;
        if (now < today)
        {
            return today;
        }

        if (tickets.Current.IsStale || health.IsHeld || client.NotConfigured() is not null)
        {
            return null;
        }

        var open = await recovered.ReadAsync(cancellationToken);
        var tomorrow = today + TimeSpan.FromDays(1);
        // None yet: the reminder may still come later in the day.
        if (open.Count == 0 || !await TakeLeaseAsync(now, tomorrow))
        {
            return open.Count == 0 ? null : tomorrow;
        }

        if (await client.SendAsync(Text(open)) is not { } failure)
        {
            Log.Reminded(logger, open.Count);
        }
        // If the answer was lost, Slack may have delivered the message. A second one would be worse than none.
        else if (!failure.MayHaveSent)
        {
            await ReturnLeaseAsync(now);
            return null;
        }

        return tomorrow;
    }

    /// <summary>Claims the day before the message is sent, so that two processes never send it.</summary>
    private async Task<bool> TakeLeaseAsync(DateTimeOffset now, DateTimeOffset until)
    {
        await using var db = await contexts.CreateDbContextAsync();
        return await db.ExecuteAsync(
                $"""
                INSERT INTO leases (name, owner, until, fence) VALUES ({Lease}, {Environment.MachineName}, {until}, 1)
                ON CONFLICT (name) DO UPDATE SET until = excluded.until, owner = excluded.owner, fence = leases.fence + 1
                WHERE leases.until <= {now}
                """,
                CancellationToken.None
            ) == 1;
    }

    private async Task ReturnLeaseAsync(DateTimeOffset now)
    {
        await using var db = await contexts.CreateDbContextAsync();
        await db.ExecuteAsync($"UPDATE leases SET until = {now} WHERE name = {Lease}", CancellationToken.None);
    }

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

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "operator reminded of {Count} ticket(s) of recovered surfaces")]
        public static partial void Reminded(ILogger logger, int count);
    }
}
