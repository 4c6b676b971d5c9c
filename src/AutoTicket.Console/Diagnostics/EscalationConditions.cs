using AutoTicket.FreeScout;
using AutoTicket.Intake;
using AutoTicket.Mailbox;
using AutoTicket.Tickets;

namespace AutoTicket.Diagnostics;

/// <summary>What is known of a condition just now.</summary>
/// <param name="Holds">Null: it is not known, and the clock goes on as it was.</param>
internal sealed record EscalationFact(bool? Holds, DateTimeOffset? Since = null, string? Evidence = null)
{
    public static readonly EscalationFact Not = new(false);
    public static readonly EscalationFact Unknown = new((bool?)null);
}

/// <param name="Limit">How long it may hold before the operator is told.</param>
/// <param name="Next">What the operator does about it.</param>
internal sealed record EscalationRule(
    EscalationCondition Condition,
    string Title,
    TimeSpan Limit,
    string Next,
    string Runbook,
    Func<CancellationToken, Task<EscalationFact>> ReadAsync
);

/// <summary>The conditions, each with what it is read from.</summary>
internal sealed class EscalationConditions
{
    /// <summary>The runbook's time for a flip to take effect.</summary>
    public static readonly TimeSpan FlagLimit = TimeSpan.FromSeconds(30);

    /// <summary>The runbook's time for FreeScout to be down unnoticed.</summary>
    public static readonly TimeSpan DownLimit = TimeSpan.FromMinutes(30);

    /// <summary>Time enough to rotate a key, when the vault can be reached.</summary>
    public static readonly TimeSpan KeyLimit = TimeSpan.FromMinutes(10);

    /// <summary>Somebody who tries out a new sender has this long to correct it.</summary>
    public static readonly TimeSpan ParkedLimit = TimeSpan.FromMinutes(10);

    private const int MostNamed = 5;

    private readonly FlagAgreement _flags;
    private readonly FreeScoutHealth _health;
    private readonly RequiredHooks _hooks;
    private readonly FindingLog _findings;
    private readonly ParkedAlerts _parked;

    public EscalationConditions(FlagAgreement flags, FreeScoutHealth health, RequiredHooks hooks, FindingLog findings, ParkedAlerts parked)
    {
        (_flags, _health, _hooks, _findings, _parked) = (flags, health, hooks, findings, parked);
        All =
        [
            new(
                EscalationCondition.FlagNotEffective,
                "A flag's flip takes no effect",
                FlagLimit,
                "Restart the process that does not follow; if tickets still flood, set the flag to 0 in the environment.",
                Runbooks.Flags,
                _ => Task.FromResult(FlagNotEffective())
            ),
            new(
                EscalationCondition.KeyInvalid,
                "The FreeScout key is invalid",
                KeyLimit,
                "Rotate FREESCOUT_API_KEY; if the vault can't be reached either, make a key in FreeScout by hand.",
                Runbooks.NoTickets,
                _ => Task.FromResult(KeyInvalid())
            ),
            new(
                EscalationCondition.FreescoutDown,
                "FreeScout is down",
                DownLimit,
                "See to FreeScout. Alerts have their DMs, and get their tickets when it answers again.",
                Runbooks.FreeScoutDown,
                _ => Task.FromResult(FreeScoutDown())
            ),
            new(
                EscalationCondition.HookMissing,
                "An emit hook is missing",
                TimeSpan.Zero,
                "Roll back to the last release that had it, and tell the developers.",
                Runbooks.MissingHook,
                _ => Task.FromResult(HookMissing())
            ),
            new(
                EscalationCondition.GhostTickets,
                "Tickets were filed that FreeScout does not have",
                TimeSpan.Zero,
                "Ask whether somebody deleted them for good; if nobody did, FreeScout lost data.",
                Runbooks.GhostTickets,
                GhostsAsync
            ),
            new(
                EscalationCondition.AlertsParked,
                "Alerts can't be read, and reach nobody",
                ParkedLimit,
                "Correct what their sender sends; then retry or discard them at /console/alerts.",
                Runbooks.Parked,
                ParkedAsync
            ),
        ];
    }

    public IReadOnlyList<EscalationRule> All { get; }

    private EscalationFact FlagNotEffective() =>
        _flags.Late() switch
        {
            null => EscalationFact.Unknown,
            [] => EscalationFact.Not,
            [var first, ..] => new(true, first.Since, first.Evidence),
        };

    private EscalationFact KeyInvalid() =>
        _health.Failure switch
        {
            { Kind: FreeScoutFailureKind.KeyRejected or FreeScoutFailureKind.ScopeMissing } failure => new(
                true,
                _health.KindSince,
                failure.Message
            ),
            { Kind: FreeScoutFailureKind.NotConfigured } => EscalationFact.Not,
            // Only FreeScout itself can say that it takes the key again.
            null when _health.WorkedAt is not null => EscalationFact.Not,
            _ => EscalationFact.Unknown,
        };

    private EscalationFact FreeScoutDown() =>
        _health.Failure switch
        {
            { IsOutage: true }
            or { Kind: FreeScoutFailureKind.ApiOff or FreeScoutFailureKind.UntrustedHost or FreeScoutFailureKind.Blocked } => new(
                true,
                _health.KindSince,
                _health.Failure.Message
            ),
            // Whatever it says, it answers.
            not null => EscalationFact.Not,
            null when _health.WorkedAt is not null => EscalationFact.Not,
            _ => EscalationFact.Unknown,
        };

    private EscalationFact HookMissing() =>
        _hooks.Missing is { Count: > 0 } missing
            ? new(true, null, $"This build has no hook {string.Join(" and ", missing)}.")
            : EscalationFact.Not;

    private async Task<EscalationFact> ParkedAsync(CancellationToken cancellationToken)
    {
        if (await _parked.SumUpAsync(cancellationToken) is not { } all)
        {
            return EscalationFact.Unknown;
        }

        return all.Newest is null
            ? EscalationFact.Not
            : new(
                true,
                all.Since,
                $"{all.Count} {(all.Count == 1 ? "alert is" : "alerts are")} parked, the last from the {all.Newest.Intake} intake: "
                    + all.Newest.Reason
            );
    }

    private async Task<EscalationFact> GhostsAsync(CancellationToken cancellationToken)
    {
        var known = await _findings.ReadAsync(cancellationToken);
        var ghosts = known.Findings.Where(finding => finding is { Kind: FindingKind.Ghost, IsOver: false }).ToList();
        // One alone is an agent's “Delete forever”, and stays a finding. FreeScout losing data takes more than one.
        if (ghosts.Count < 2)
        {
            return known.Problem is null ? EscalationFact.Not : EscalationFact.Unknown;
        }

        var named =
            string.Join(", ", ghosts.Take(MostNamed).Select(ghost => TicketNumber.Of(ghost.Number)))
            + (ghosts.Count > MostNamed ? $" and {ghosts.Count - MostNamed} more" : "");
        return new(
            true,
            ghosts.Min(ghost => ghost.FirstSeenAt),
            $"The audit log says that {named} were filed; FreeScout does not have them."
        );
    }
}
