namespace AutoTicket.Hosting;

/// <summary>Warns about variables whose names are almost a setting's. They may be another program's, so they don't stop the start; an
/// unknown name in one of our sections does.</summary>
internal static partial class MisspelledSettings
{
    /// <summary>The largest distance of a misspelling: one wrong letter, or two missing ones.</summary>
    private const int Near = 2;

    /// <summary>Without short names such as PORT, which are near to too many others.</summary>
    internal static readonly string[] Variables =
    [
        "ALERTS_INGEST_TOKEN",
        "AUTOTICKET_SQLITE_PATH",
        "CONSOLE_API_TOKENS",
        "CONSOLE_KEY_ENCRYPTION_KEY",
        "CONSOLE_OPERATOR_PASSWORD_HASH",
        "CONSOLE_PUBLIC_URL",
        "CONSOLE_SESSION_LIFETIME",
        "CONSOLE_SESSION_MAX_AGE",
        "DATABASE_URL",
        "FALLBACK_WEBHOOK_URL",
        "FLAG_CONSOLE_ALERTS_AUTO_TICKET",
        "FLAG_CONSOLE_INVESTIGATE_FROM_STATUS",
        "FREESCOUT_API_KEY",
        "FREESCOUT_BASE_URL",
        "FREESCOUT_CUSTOMER_EMAIL",
        "FREESCOUT_OPERATIONS_MAILBOX_ID",
        "FREESCOUT_USER_ID",
        "FREESCOUT_WEBHOOK_SECRET",
        "METRICS_TOKEN",
        "OIDC_AUTHORITY",
        "OIDC_CLIENT_ID",
        "OIDC_CLIENT_SECRET",
        "OIDC_RECHECK_INTERVAL",
        "OIDC_ROLE_CLAIM",
        "OIDC_ROLE_MAP",
        "OIDC_SCOPES",
        "SLACK_BASE_URL",
        "SLACK_BOT_TOKEN",
        "SLACK_OPERATOR_USER_ID",
        "TRUSTED_PROXIES",
    ];

    internal static readonly string[] Sections =
    [
        "Alerts",
        "Audit",
        "Circuits",
        "Diagnostics",
        "Escalation",
        "FreeScout",
        "Leader",
        "Sandbox",
        "Slack",
        "Status",
        "Surfaces",
        "Ticketing",
    ];

    public static void Warn(IConfiguration configuration, ILogger logger)
    {
        foreach (var (written, meant) in In(configuration))
        {
            Log.IsMisspelled(logger, written, meant);
        }
    }

    /// <summary>Each misspelled name with the setting that is probably meant. A setting that is set itself is not suggested.</summary>
    internal static IEnumerable<(string Written, string Meant)> In(IConfiguration configuration) =>
        from setting in configuration.GetChildren()
        let isSection = setting.GetChildren().Any()
        let known = isSection ? Sections : Variables
        where !known.Contains(setting.Key, StringComparer.OrdinalIgnoreCase)
        let letters = Letters(setting.Key)
        let meant = known.FirstOrDefault(name => IsNear(letters, Letters(name)) && (isSection || string.IsNullOrEmpty(configuration[name])))
        where meant is not null
        orderby setting.Key
        select (setting.Key, meant);

    private static bool IsNear(string written, string name) =>
        Math.Abs(written.Length - name.Length) <= Near && Settings.Distance(written, name) <= Near;

    private static string Letters(string name) => name.Replace("_", "", StringComparison.Ordinal).ToUpperInvariant();

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "{Written} is set, but it is not a setting of the console and is not read. Is {Meant} meant?")]
        public static partial void IsMisspelled(ILogger logger, string written, string meant);
    }
}
