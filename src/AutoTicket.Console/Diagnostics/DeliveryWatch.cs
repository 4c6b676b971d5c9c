using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.Flags;
using AutoTicket.FreeScout;
using AutoTicket.Slack;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Diagnostics;

/// <param name="Problem">For the operator: the cause and the next step.</param>
/// <param name="Since">When it began; null: not known.</param>
internal sealed record MessagesProblem(string Problem, DateTimeOffset? Since);

/// <summary>Watches whether alerts reach anyone: they don't while both Slack and FreeScout fail, or the database is down.</summary>
internal sealed class DeliveryWatch(
    SlackHealth slack,
    FreeScoutHealth freeScout,
    FlagWatch flags,
    DatabaseGate gate,
    LeaderLease leader,
    IDbContextFactory<AutoTicketDbContext> contexts,
    TimeProvider clock,
    ILogger<DeliveryWatch> logger
) : Loop(clock, logger)
{
    public const string Nobody = "Alerts reach nobody, neither by DM nor by ticket.";
    public const string SentLater = "Waiting alerts are sent when one of the two works again.";

    /// <summary>How often the others read what the leader last recorded.</summary>
    private static readonly TimeSpan FollowEvery = TimeSpan.FromSeconds(1);

    /// <summary>The age of decisions that count: a waiting DM gets one at least every 20 seconds.</summary>
    private static readonly TimeSpan Recent = TimeSpan.FromMinutes(1);

    /// <summary>Raised when <see cref="Problem"/> or <see cref="Messages"/> changed. Handlers return at once and never throw.</summary>
    public event Action? Changed;

    /// <summary>Why alerts reach nobody, for the operator; null: they are sent.</summary>
    public string? Problem { get; private set; }

    /// <summary>When the first of the current problems began; null: there is none.</summary>
    public DateTimeOffset? Since { get; private set; }

    /// <summary>Why no DMs are sent; null: no problem is known.</summary>
    public MessagesProblem? Messages { get; private set; }

    protected override void Begin()
    {
        slack.Changed += Wake;
        freeScout.Changed += Wake;
        flags.Changed += Wake;
        gate.Changed += Wake;
        leader.Changed += Wake;
    }

    protected override async Task<TimeSpan> TurnAsync(CancellationToken stoppingToken)
    {
        var messages = gate.Problem is null ? await MessagesAsync(stoppingToken) : Messages;
        Set(Look(messages?.Problem), messages);
        return leader.WasLeader ? DatabaseSignals.LongestPause : FollowEvery;
    }

    private void Set(string? problem, MessagesProblem? messages)
    {
        if (problem == Problem && messages == Messages)
        {
            return;
        }

        (Problem, Since) = (problem, problem is null ? null : Since ?? Clock.GetUtcNow());
        Messages = messages;
        Changed?.Invoke();
    }

    private string? Look(string? messages)
    {
        if (gate.Problem is not null)
        {
            return $"Alerts are not being sent: the console's database {(gate.IsReadOnly ? "takes no writes" : "can't be reached")}. "
                + "New alerts are rejected, so that their senders retry. "
                + (
                    slack.Failure is { } failing
                        ? $"Slack fails, too: {failing.Message}"
                        : "Only alerts on surfaces and escalations are sent, by DM."
                );
        }

        var tickets =
            freeScout.Failure?.Message
            ?? (
                flags.Current.Flags.Any(flag => flag is { Name: FlagNames.AlertsAutoTicket, Enabled: false })
                    ? $"{FlagNames.AlertsAutoTicket} is off."
                    : null
            );
        return tickets is not null && messages is not null ? $"{Nobody} {messages} {tickets} {SentLater}" : null;
    }

    private async Task<MessagesProblem?> MessagesAsync(CancellationToken cancellationToken)
    {
        if (leader.WasLeader || slack.Failure is { Kind: SlackFailureKind.NotConfigured })
        {
            return slack is { Failure: { } failure, FailingSince: var since } ? new(failure.Message, since) : null;
        }

        // Only the leader sends DMs; other processes read its decisions.
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var from = Clock.GetUtcNow() - Recent;
        var recent = db.Decisions.AsNoTracking().Where(d => d.LastAt > from && d.Path == DecisionSources.Slack);
        var last = await recent
            .Where(DecisionWord.IsMessageRow)
            .Concat(recent.Where(DecisionWord.IsDegradedRow))
            .OrderByDescending(d => d.LastAt)
            .FirstOrDefaultAsync(cancellationToken);
        // The next alert's row begins later than the outage.
        return last is { Word.IsDegraded: true, Detail: { } detail } ? new(detail, Messages?.Since ?? last.FirstAt) : null;
    }
}
