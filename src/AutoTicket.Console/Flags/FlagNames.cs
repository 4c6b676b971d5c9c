namespace AutoTicket.Flags;

/// <summary>The flags. Each name is also the environment variable that pins the flag.</summary>
public static class FlagNames
{
    /// <summary>Files one ticket per alert of P2 or worse.</summary>
    public const string AlertsAutoTicket = "FLAG_CONSOLE_ALERTS_AUTO_TICKET";

    /// <summary>Shows an Investigate button on the board's tiles.</summary>
    public const string InvestigateFromStatus = "FLAG_CONSOLE_INVESTIGATE_FROM_STATUS";

    public static readonly IReadOnlyList<string> All = [AlertsAutoTicket, InvestigateFromStatus];

    /// <returns>What the flag switches, in the plural.</returns>
    public static string TitleOf(string name) =>
        name switch
        {
            AlertsAutoTicket => "Automatic tickets for alerts",
            InvestigateFromStatus => "Tickets by click on the board",
            _ => name,
        };

    /// <returns>What ends the pin of a flag that the environment switched off, for “until …”.</returns>
    public static string EndOfPin(string name) => $"{name} is changed in the environment and the console restarts";
}
