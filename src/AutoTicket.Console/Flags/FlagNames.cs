namespace AutoTicket.Flags;

/// <summary>The two switches of the runbook. Their names are also the environment variables that pin them.</summary>
public static class FlagNames
{
    /// <summary>P2+ alerts become tickets.</summary>
    public const string AlertsAutoTicket = "FLAG_CONSOLE_ALERTS_AUTO_TICKET";

    /// <summary>The board's tiles carry an Investigate button.</summary>
    public const string InvestigateFromStatus = "FLAG_CONSOLE_INVESTIGATE_FROM_STATUS";

    public static readonly IReadOnlyList<string> All = [AlertsAutoTicket, InvestigateFromStatus];
}
