using System.Globalization;
using System.Text;
using AutoTicket.Data;
using AutoTicket.Flags;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Slack;

/// <summary>On the leader, tells the operator once of each flip of a flag: who, why and until when, and corrects what it told. After
/// an outage of Slack it is told later, but not when it is old. The flips before the console's first start are not told.</summary>
internal sealed partial class FlagNotice(
    FlagWatch flags,
    SlackClient client,
    SlackHealth health,
    LeaderLease leader,
    IDbContextFactory<AutoTicketDbContext> contexts,
    ConsoleAddress address,
    TimeProvider clock,
    ILogger<FlagNotice> logger
) : LeaderLoop(leader, clock, logger)
{
    private const int MostLines = 5;
    private const int LongestLine = 400;
    private static readonly TimeSpan UsefulFor = TimeSpan.FromHours(1);
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(15);
    private static readonly Backoff Retries = new(LookEvery, TimeSpan.FromMinutes(5));

    private readonly string _owner = $"{Environment.MachineName}/{Guid.NewGuid():N}";
    private int _failures;

    protected override void Begin()
    {
        base.Begin();
        flags.Changed += Wake;
    }

    protected override async Task<TimeSpan> LeadAsync(CancellationToken stoppingToken)
    {
        // A start first audits what the environment changed. At the first start of all, that is no flip.
        if (flags.Current.ReadAt is null)
        {
            return LookEvery;
        }

        if (health.IsHeld)
        {
            return LookEvery;
        }

        // Also without Slack: the first time it only notes from which flip on to tell.
        var due = await ReadDueAsync(stoppingToken);
        if (client.NotConfigured() is not null)
        {
            return LookEvery;
        }

        foreach (var (told, its) in due)
        {
            // Claimed before the message is sent, so that two processes never send it.
            if (
                !await UnsentClaim.TakeAsync(
                    () => MoveAsync(its[0].Flag, told.Fence, told.Owner, its[^1].Id),
                    ReleaseAsync,
                    Clock,
                    stoppingToken
                )
            )
            {
                continue;
            }

            if (await client.SendAsync(Text(its)) is not { } failure)
            {
                Log.Told(logger, its[0].Flag, its.Count);
            }
            // If the answer was lost, Slack may have delivered the message. A second one would be worse than none.
            else if (!failure.MayHaveSent)
            {
                await UnsentClaim.ReleaseAsync(ReleaseAsync, Clock, stoppingToken);
                return Retries.After(++_failures);
            }

            Task ReleaseAsync() => MoveAsync(its[0].Flag, its[^1].Id, _owner, told.Fence);
        }

        _failures = 0;
        return LookEvery;
    }

    /// <returns>For each flag that was flipped: the row of the last flip that was told, and the flips since then, oldest first.</returns>
    private async Task<IReadOnlyList<(LeaseRow Told, IReadOnlyList<FlagFlip> Flips)>> ReadDueAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var since = Clock.GetUtcNow() - UsefulFor;
        var due = new List<(LeaseRow, IReadOnlyList<FlagFlip>)>();
        foreach (var flag in FlagNames.All)
        {
            var name = RowOf(flag);
            var row = await db.Leases.AsNoTracking().FirstOrDefaultAsync(row => row.Name == name, cancellationToken);
            var its = await FlagFlip.AfterAsync(db, flag, row?.Fence ?? 0, since, cancellationToken);
            if (row is null)
            {
                await db.ExecuteAsync(
                    $"""
                    INSERT INTO leases (name, owner, until, fence)
                    VALUES ({name}, {Environment.MachineName}, {Clock.GetUtcNow()}, {(its.Count > 0 ? its[^1].Id : 0L)})
                    ON CONFLICT DO NOTHING
                    """,
                    cancellationToken
                );
            }
            else if (its.Count > 0)
            {
                due.Add((row, its));
            }
        }

        return due;
    }

    /// <summary>Moves the flag's last flip that was told. It is the fence of a row of <c>leases</c>, also for restarts and other
    /// leaders.</summary>
    private async Task<bool> MoveAsync(string flag, long from, string owner, long to)
    {
        await using var db = await contexts.CreateDbContextAsync();
        return await db.ExecuteAsync(
                $"""
                UPDATE leases SET fence = {to}, owner = {_owner}, until = {Clock.GetUtcNow()}
                WHERE name = {RowOf(flag)} AND fence = {from} AND owner = {owner}
                """,
                CancellationToken.None
            ) == 1;
    }

    private static string RowOf(string flag) => $"flag_notice:{flag}";

    private string Text(IReadOnlyList<FlagFlip> flips)
    {
        var text = new StringBuilder();
        if (flips.Count > MostLines)
        {
            text.Append(CultureInfo.InvariantCulture, $"{flips.Count - MostLines} earlier changes of this flag are in the audit log.\n");
        }

        foreach (var flip in flips.TakeLast(MostLines))
        {
            text.Append(SlackText.Plain(Line(flip), LongestLine)).Append('\n');
        }

        return text.Append(CultureInfo.InvariantCulture, $"Flags: {SlackText.Link($"{address.Url}/console/flags")}").ToString();
    }

    private static string Line(FlagFlip flip)
    {
        var until =
            flip.IsPinned ? FlagNames.EndOfPin(flip.Flag)
            : flip.Until is { } at ? UtcTime.Stamp(at)
            : $"somebody switches them {(flip.Enabled ? "off" : "on")}";
        var (now, changed) = flip.IsSwitched ? ("are", "Switched") : ("stay", "Changed");
        return $"{FlagNames.TitleOf(flip.Flag)} {now} {(flip.Enabled ? "on" : "off")} until {until}. "
            + $"{changed} by {flip.Actor} at {UtcTime.Stamp(flip.At)}: {flip.Reason}";
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "operator told that a flag was flipped flag={Flag} flips={Flips}")]
        public static partial void Told(ILogger logger, string flag, int flips);
    }
}
