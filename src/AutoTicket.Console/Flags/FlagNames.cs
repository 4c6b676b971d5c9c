namespace AutoTicket.Flags;

/// <summary>The flags. Each name is also the environment variable that pins the flag.</summary>
public static class FlagNames
{
    /// <summary>Files one ticket per alert of P2 or worse.</summary>
    public const string AlertsAutoTicket = "FLAG_CONSOLE_ALERTS_AUTO_TICKET";

    /// <summary>Shows an Investigate button on the board's tiles.</summary>
    public const string InvestigateFromStatus = "FLAG_CONSOLE_INVESTIGATE_FROM_STATUS";

    public static readonly IReadOnlyList<string> All = [AlertsAutoTicket, InvestigateFromStatus];
}
