using AutoTicket.FreeScout;
using AutoTicket.Intake;
using AutoTicket.Mailbox;
using AutoTicket.Tickets;

namespace AutoTicket.Diagnostics;

/// <summary>Whether a condition holds now.</summary>
/// <param name="Holds">Null: unknown, and its clock does not change.</param>
internal sealed record EscalationFact(bool? Holds, DateTimeOffset? Since = null, string? Evidence = null)
{
    public static readonly EscalationFact Not = new(false);
    public static readonly EscalationFact Unknown = new((bool?)null);
}

/// <param name="Limit">How long it may hold before the operator is notified.</param>
/// <param name="Next">What the operator does next.</param>
internal sealed record EscalationRule(
    EscalationCondition Condition,
    string Title,
    TimeSpan Limit,
    string Next,
    string Runbook,
    Func<CancellationToken, Task<EscalationFact>> ReadAsync
);

/// <summary>The rules of all conditions.</summary>
internal sealed class EscalationConditions
{
    /// <summary>From the runbook: how long a flag's change may take.</summary>
    public static readonly TimeSpan FlagLimit = TimeSpan.FromSeconds(30);

    /// <summary>From the runbook: how long FreeScout may be down.</summary>
    public static readonly TimeSpan DownLimit = TimeSpan.FromMinutes(30);

    /// <summary>Enough time to rotate a key if the vault can be reached.</summary>
    public static readonly TimeSpan KeyLimit = TimeSpan.FromMinutes(10);

    /// <summary>Enough time to correct a new sender.</summary>
    public static readonly TimeSpan ParkedLimit = TimeSpan.FromMinutes(10);

    private const int MostNamed = 5;

    private readonly FlagAgreement _flags;
    private readonly FreeScoutHealth _health;
    private readonly RequiredHooks _hooks;
    private readonly FindingStore _findings;
    private readonly ParkedAlerts _parked;

    public EscalationConditions(
        FlagAgreement flags,
        FreeScoutHealth health,
        RequiredHooks hooks,
        FindingStore findings,
        ParkedAlerts parked
    )
    {
        (_flags, _health, _hooks, _findings, _parked) = (flags, health, hooks, findings, parked);
        All =
        [
            new(
                EscalationCondition.FlagNotEffective,
                "A flag's change takes no effect",
                FlagLimit,
                "Restart the process with the old value. If too many tickets are still filed, set the flag to 0 in the environment.",
                Runbooks.Flags,
                _ => Task.FromResult(FlagNotEffective())
            ),
            new(
                EscalationCondition.KeyInvalid,
                "The FreeScout key is invalid",
                KeyLimit,
                "Set a new FREESCOUT_API_KEY. If the vault can't be reached either, create a key in FreeScout by hand.",
                Runbooks.NoTickets,
                _ => Task.FromResult(KeyInvalid())
            ),
            new(
                EscalationCondition.FreescoutDown,
                "FreeScout is down",
                DownLimit,
                "Get FreeScout back. Alerts are sent by DM; while automatic tickets are on, they get theirs when it answers again.",
                Runbooks.FreeScoutDown,
                _ => Task.FromResult(FreeScoutDown())
            ),
            new(
                EscalationCondition.HookMissing,
                "An emit hook is missing",
                TimeSpan.Zero,
                "Roll back to the last release with the hook, and inform the developers.",
                Runbooks.MissingHook,
                _ => Task.FromResult(HookMissing())
            ),
            new(
                EscalationCondition.GhostTickets,
                "Tickets were filed that FreeScout does not have",
                TimeSpan.Zero,
                "Ask the agents whether they deleted the tickets for good. If not, FreeScout lost data.",
                Runbooks.GhostTickets,
                GhostsAsync
            ),
            new(
                EscalationCondition.AlertsParked,
                "Alerts can't be read, and reach nobody",
                ParkedLimit,
                "Correct the sender, then retry or discard the alerts at /console/alerts.",
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
            // Only a success proves that FreeScout accepts the key again.
            null when _health.WorkedAt is not null => EscalationFact.Not,
            _ => EscalationFact.Unknown,
        };

    private EscalationFact FreeScoutDown() =>
        _health.Failure switch
        {
            // Read once: it may end at any moment.
            { IsDown: true } failure => new(true, _health.KindSince, failure.Message),
            // A proxy limits calls during an outage, too.
            { Kind: FreeScoutFailureKind.RateLimited } => EscalationFact.Unknown,
            // FreeScout answers, with a rejection.
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
        if (await _parked.SummarizeAsync(cancellationToken) is not { } all)
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
        // A single one is an agent's “Delete forever”, and stays a finding. If FreeScout loses data, there are more.
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
            $"The audit log says that {named} were filed, but FreeScout does not have them."
        );
    }
}
