using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.Flags;
using AutoTicket.FreeScout;
using AutoTicket.Slack;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Diagnostics;

/// <summary>Whether alerts reach anybody. If neither Slack nor FreeScout takes them, or the database is away, every page says so.</summary>
internal sealed class DeliveryWatch(
    SlackHealth slack,
    FreeScoutHealth freeScout,
    FlagStore flags,
    DatabaseGate gate,
    LeaderLease leader,
    IDbContextFactory<AutoTicketDbContext> contexts,
    TimeProvider clock,
    ILogger<DeliveryWatch> logger
) : Loop(clock, logger)
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);

    /// <summary>A DM that waits is written down as often as every 20 seconds.</summary>
    private static readonly TimeSpan Lately = TimeSpan.FromMinutes(1);

    /// <summary>Raised when <see cref="Problem"/> is another. Handlers return at once and never throw.</summary>
    public event Action? Changed;

    /// <summary>Why nobody is told, for the operator; null: somebody is.</summary>
    public string? Problem { get; private set; }

    /// <summary>Since when there is a problem, whatever it says.</summary>
    public DateTimeOffset? Since { get; private set; }

    protected override void Begin()
    {
        slack.Changed += Wake;
        freeScout.Changed += Wake;
    }

    protected override async Task<TimeSpan> TurnAsync(CancellationToken stoppingToken)
    {
        Set(await LookAsync(stoppingToken));
        return LookEvery;
    }

    private void Set(string? problem)
    {
        if (problem == Problem)
        {
            return;
        }

        (Problem, Since) = (problem, problem is null ? null : Since ?? Clock.GetUtcNow());
        Changed?.Invoke();
    }

    private async Task<string?> LookAsync(CancellationToken cancellationToken)
    {
        if (gate.Problem is not null)
        {
            return "Alerts are not being sent: the console's database can't be reached. "
                + "What comes meanwhile is refused, so that its sender sends it again. "
                + (
                    slack.Failure is { } failing
                        ? $"Slack fails as well: {failing.Message}"
                        : "Only that a surface goes down, and escalations, are still told by DM."
                );
        }

        // The switch keeps tickets away as well as FreeScout does.
        var tickets =
            freeScout.Failure?.Message
            ?? (
                flags.Current.Flags.Any(flag => flag is { Name: FlagNames.AlertsAutoTicket, Enabled: false })
                    ? $"{FlagNames.AlertsAutoTicket} is off."
                    : null
            );
        return tickets is not null && await MessagesAsync(cancellationToken) is { } messages
            ? $"Nobody is being told of alerts, neither by DM nor by ticket. {messages} {tickets} "
                + "Nothing is lost: what waits goes out when either works again."
            : null;
    }

    /// <returns>Why no DMs go out; null: they do, as far as is known.</returns>
    private async Task<string?> MessagesAsync(CancellationToken cancellationToken)
    {
        if (leader.WasLeader || slack.Failure is { Kind: SlackFailureKind.NotConfigured })
        {
            return slack.Failure?.Message;
        }

        // Only the leader sends them; the others read how it fares.
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var since = Clock.GetUtcNow() - Lately;
        var lately = db.Decisions.AsNoTracking().Where(d => d.LastAt > since && d.Path == DecisionSources.Slack);
        var last = await lately
            .Where(DecisionWord.IsMessageRow)
            .Concat(lately.Where(DecisionWord.IsDegradedRow))
            .OrderByDescending(d => d.LastAt)
            .FirstOrDefaultAsync(cancellationToken);
        return last is { Word.IsDegraded: true } ? last.Detail : null;
    }
}
