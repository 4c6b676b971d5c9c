using System.Globalization;
using System.Text;
using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.Flags;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Slack;

/// <summary>Once a day, reminds the operator of flags that were switched off a day ago or more, and says how many alerts went without a
/// ticket. A flag that was never on is not named.</summary>
internal sealed class FlagReminder(
    FlagWatch flags,
    SlackClient client,
    SlackHealth health,
    LeaderLease leader,
    IDbContextFactory<AutoTicketDbContext> contexts,
    ConsoleAddress address,
    IOptions<SlackOptions> options,
    IOptions<AlertsOptions> alerts,
    TimeProvider clock,
    ILogger<FlagReminder> logger
) : DailyReminder("flag_reminder", client, health, leader, contexts, options, clock, logger)
{
    private const int LongestLine = 400;
    private static readonly TimeSpan FirstAfter = TimeSpan.FromDays(1);

    private readonly IDbContextFactory<AutoTicketDbContext> _contexts = contexts;

    protected override async Task<Reminder?> WriteAsync(CancellationToken cancellationToken)
    {
        if (flags.Current.IsStale)
        {
            return null;
        }

        var now = Clock.GetUtcNow();
        var due = flags.Current.Flags.Where(flag => !flag.Enabled && flag.Off?.Since <= now - FirstAfter).ToList();
        if (due.Count == 0)
        {
            return null;
        }

        await using var db = await _contexts.CreateDbContextAsync(cancellationToken);
        var text = new StringBuilder();
        foreach (var flag in due)
        {
            text.Append(SlackText.Plain(Line(flag, flag.Off!, now), LongestLine)).Append('\n');
            if (flag.Name == FlagNames.AlertsAutoTicket)
            {
                var count = await CountAsync(db, flag.Off!.Since, cancellationToken);
                var alertsOf = $"{(count == 1 ? "alert" : "alerts")} of {alerts.Value.NotifySeverity}";
                text.Append(CultureInfo.InvariantCulture, $"{count} {alertsOf} or worse went without a ticket meanwhile.\n");
            }
        }

        var canSwitch = due.Exists(flag => !flag.IsPinned);
        text.Append(
            CultureInfo.InvariantCulture,
            $"{(canSwitch ? "Switch on" : "Flags")}: {SlackText.Link($"{address.Url}/console/flags")}"
        );
        return new(text.ToString(), $"{due.Count} flag(s) that are off");
    }

    private static string Line(FlagState flag, FlagOff off, DateTimeOffset now) =>
        $"{FlagNames.TitleOf(flag.Name)} have been off for {UtcTime.Age(now - off.Since)}"
        + (flag.IsPinned ? $" and stay off until {FlagNames.EndOfPin(flag.Name)}. " : ". ")
        + $"Switched by {off.By} at {UtcTime.Stamp(off.Since)}: {off.Reason}";

    /// <summary>Counts the alerts that the flag kept from a ticket, unless an operator filed one since it went off.</summary>
    private static Task<int> CountAsync(AutoTicketDbContext db, DateTimeOffset since, CancellationToken cancellationToken)
    {
        var tickets = db.Tickets;
        return (
            from decision in db.Decisions
            join alert in db.Alerts on decision.AlertRow equals alert.Id
            where
                decision.Path == DecisionSources.Ticket
                && decision.Word == DecisionWord.FlagOff
                && decision.LastAt >= since
                && !tickets.Any(ticket =>
                    ticket.DedupKey == alert.AlertId && (ticket.State == TicketState.Open || ticket.PostedAt >= since)
                )
            select alert.Id
        ).CountAsync(cancellationToken);
    }
}
