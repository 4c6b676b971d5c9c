using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Slack;

/// <param name="About">What it is about, for the log.</param>
internal sealed record Reminder(string Text, string About);

/// <summary>A DM that the leader sends once a day, from <see cref="SlackOptions.RemindAt"/> on. It sends nothing if there is nothing to
/// say.</summary>
/// <param name="lease">The day's reminder is a row of <c>leases</c> that lasts until the next day, also for restarts and other
/// leaders.</param>
internal abstract partial class DailyReminder(
    string lease,
    SlackClient client,
    SlackHealth health,
    LeaderLease leader,
    IDbContextFactory<AutoTicketDbContext> contexts,
    IOptions<SlackOptions> options,
    TimeProvider clock,
    ILogger logger
) : LeaderLoop(leader, clock, logger)
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);

    private readonly ILogger _logger = logger;
    private readonly string _owner = $"{Environment.MachineName}/{Guid.NewGuid():N}";

    private DateTimeOffset _doneUntil = DateTimeOffset.MinValue;

    /// <returns>Null: there is nothing to say yet. It is asked again later in the day.</returns>
    protected abstract Task<Reminder?> WriteAsync(CancellationToken cancellationToken);

    protected override async Task<TimeSpan> LeadAsync(CancellationToken stoppingToken)
    {
        // The next reminder is more than a day away only if the clock was put back.
        var left = _doneUntil - Clock.GetUtcNow();
        if ((left <= TimeSpan.Zero || left > Day) && await RemindAsync(stoppingToken) is { } until)
        {
            _doneUntil = until;
        }

        return LookEvery;
    }

    /// <returns>The time of the next reminder; null: today's may still come.</returns>
    private async Task<DateTimeOffset?> RemindAsync(CancellationToken cancellationToken)
    {
        var now = Clock.GetUtcNow();
        var midnight = new DateTimeOffset(now.UtcDateTime.Date, TimeSpan.Zero);
        var today = midnight + options.Value.RemindAt;
        if (now < today)
        {
            return today;
        }

        if (health.IsHeld || client.NotConfigured() is not null || await WriteAsync(cancellationToken) is not { } reminder)
        {
            return null;
        }

        var tomorrow = today + Day;
        if (!await UnsentClaim.TakeAsync(() => TakeLeaseAsync(midnight + Day, tomorrow), ReleaseAsync, Clock, cancellationToken))
        {
            return tomorrow;
        }

        if (await client.SendAsync(reminder.Text) is not { } failure)
        {
            Log.Reminded(_logger, reminder.About);
        }
        // If the answer was lost, Slack may have delivered the message. A second one would be worse than none.
        else if (!failure.MayHaveSent)
        {
            await UnsentClaim.ReleaseAsync(ReleaseAsync, Clock, cancellationToken);
            return null;
        }

        return tomorrow;

        Task ReleaseAsync() => ReturnLeaseAsync(now, tomorrow);
    }

    /// <summary>Claims the day before the message is sent, so that two processes never send it. The day is claimed if the row lasts until
    /// any time of the next day: <see cref="SlackOptions.RemindAt"/> may have been changed. A row that lasts longer is from a clock that
    /// was ahead.</summary>
    private async Task<bool> TakeLeaseAsync(DateTimeOffset nextDay, DateTimeOffset until)
    {
        await using var db = await contexts.CreateDbContextAsync();
        return await db.ExecuteAsync(
                $"""
                INSERT INTO leases (name, owner, until, fence) VALUES ({lease}, {_owner}, {until}, 1)
                ON CONFLICT (name) DO UPDATE SET until = excluded.until, owner = excluded.owner, fence = leases.fence + 1
                WHERE leases.until < {nextDay} OR leases.until >= {nextDay + Day}
                """,
                CancellationToken.None
            ) == 1;
    }

    /// <summary>Unless a later day is claimed meanwhile.</summary>
    private async Task ReturnLeaseAsync(DateTimeOffset now, DateTimeOffset until)
    {
        await using var db = await contexts.CreateDbContextAsync();
        await db.ExecuteAsync(
            $"UPDATE leases SET until = {now} WHERE name = {lease} AND until = {until} AND owner = {_owner}",
            CancellationToken.None
        );
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "operator reminded of {About}")]
        public static partial void Reminded(ILogger logger, string about);
    }
}
