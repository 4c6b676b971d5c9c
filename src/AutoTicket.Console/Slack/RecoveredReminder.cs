using System.Globalization;
using System.Text;
using AutoTicket.Data;
using AutoTicket.Mailbox;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Slack;

/// <summary>Once a day the leader reminds the operator of tickets that are open though their surface has recovered, how many and
/// which. Nothing is said when there are none.</summary>
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
) : Loop(clock, logger)
{
    /// <summary>The day's turn is a row of <c>leases</c> that lasts until the next one: restarts and other leaders find it taken.</summary>
    private const string Turn = "recovered_reminder";

    private const int MostLines = 20;
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(30);

    private DateTimeOffset _settledUntil = DateTimeOffset.MinValue;

    protected override void Begin() => tickets.Changed += Wake;

    protected override async Task<TimeSpan> TurnAsync(CancellationToken stoppingToken)
    {
        if (Clock.GetUtcNow() >= _settledUntil && await RemindAsync(stoppingToken) is { } until)
        {
            _settledUntil = until;
        }

        return LookEvery;
    }

    /// <returns>Until when there is nothing more to say; null: the day's turn is open still.</returns>
    private async Task<DateTimeOffset?> RemindAsync(CancellationToken cancellationToken)
    {
        var now = Clock.GetUtcNow();
        var today = new DateTimeOffset(now.UtcDateTime.Date, TimeSpan.Zero) + options.Value.RemindAt;
        if (now < today)
        {
            // Of yesterday nobody needs to be reminded before today's time.
            return today;
        }

        // A list that is old says neither how many nor that there are none.
        if (!leader.IsLeader || tickets.Current.IsStale || health.IsHeld || client.NotConfigured() is not null)
        {
            return null;
        }

        var open = await recovered.ReadAsync(cancellationToken);
        var tomorrow = today + TimeSpan.FromDays(1);
        // None yet: what recovers later in the day is told of then.
        if (open.Count == 0 || !await TakeTurnAsync(now, tomorrow))
        {
            return open.Count == 0 ? null : tomorrow;
        }

        if (await client.SendAsync(Text(open)) is not { } failure)
        {
            Log.Reminded(logger, open.Count);
        }
        // A lost answer may have been a delivery, and a second reminder of the day is worse than none.
        else if (!failure.MayHaveSent)
        {
            await GiveTurnBackAsync(now);
            return null;
        }

        return tomorrow;
    }

    /// <summary>Before it is said, so that two never say it.</summary>
    private async Task<bool> TakeTurnAsync(DateTimeOffset now, DateTimeOffset until)
    {
        await using var db = await contexts.CreateDbContextAsync();
        return await db.ExecuteAsync(
                $"""
                INSERT INTO leases (name, owner, until, fence) VALUES ({Turn}, {Environment.MachineName}, {until}, 1)
                ON CONFLICT (name) DO UPDATE SET until = excluded.until, owner = excluded.owner, fence = leases.fence + 1
                WHERE leases.until <= {now}
                """,
                CancellationToken.None
            ) == 1;
    }

    private async Task GiveTurnBackAsync(DateTimeOffset now)
    {
        await using var db = await contexts.CreateDbContextAsync();
        await db.ExecuteAsync($"UPDATE leases SET until = {now} WHERE name = {Turn}", CancellationToken.None);
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
            text.Append('\n')
                .Append(
                    SlackText.Plain(
                        string.Create(
                            CultureInfo.InvariantCulture,
                            $"{TicketNumber.Of(one.Ticket.Number)} {one.SurfaceName}, "
                                + $"operational since {one.RecoveredAt.UtcDateTime:yyyy-MM-dd HH:mm} UTC"
                        ),
                        120
                    )
                );
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
