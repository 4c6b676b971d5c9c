using System.ComponentModel.DataAnnotations;
using AutoTicket.Surfaces;

namespace AutoTicket.Alerts;

/// <summary>Settings under <c>Alerts__*</c>.</summary>
internal sealed class AlertsOptions : IValidatableObject
{
    /// <summary>What Prometheus rules, syslog, Zabbix, Opsgenie and Jira call them.</summary>
    private static readonly Dictionary<Severity, string> KnownWords = new()
    {
        [Severity.P1] =
            "critical crit page emergency emerg fatal panic alert disaster severe danger urgent blocker highest " + "p0 sev0 sev1 s0 s1",
        [Severity.P2] = "error err high major ticket sev2 s2",
        [Severity.P3] = "warning warn medium moderate average minor normal sev3 s3",
        [Severity.P4] = "info information informational notice low lowest trivial none ok debug trace p5 sev4 sev5 s4 s5",
    };

    private Dictionary<string, Severity>? _severities;

    /// <summary>Alerts at least this severe reach the hooks.</summary>
    public Severity NotifySeverity { get; set; } = Severity.P2;

    /// <summary>The severities that reach the hooks.</summary>
    public List<Severity> NotifySeverities => [.. Enum.GetValues<Severity>().Where(ReachesHooks)];

    /// <summary>An alert that its source neither repeats nor resolves for this long expires, unless the source says how long it holds.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "3650.00:00:00")]
    public TimeSpan ExpireAfter { get; set; } = TimeSpan.FromHours(24);

    /// <summary>What fires again this soon after its end is the same episode, and flaps.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "12:00:00")]
    public TimeSpan QuietPeriod { get; set; } = TimeSpan.FromMinutes(15);

    /// <summary>How long ended alerts and decisions are kept.</summary>
    [Range(typeof(TimeSpan), "1.00:00:00", "3650.00:00:00")]
    public TimeSpan Retention { get; set; } = TimeSpan.FromDays(90);

    /// <summary>What words of the labels <c>severity</c> and <c>priority</c> mean besides the known ones, or instead, as
    /// <c>gold=P1,warning=P2</c>. Any other word counts as <see cref="NotifySeverity"/>.</summary>
    public string SeverityMap { get; set; } = "";

    /// <summary>For an alert without either label.</summary>
    public Severity DefaultSeverity { get; set; } = Severity.P3;

    /// <summary>Labels that don't count for the identity, separated by commas, besides severity and priority.</summary>
    public string VolatileLabels { get; set; } = "";

    /// <summary><c>ALERTS_INGEST_TOKEN</c>; null: the intake answers 503.</summary>
    [ConfigurationKeyName("ALERTS_INGEST_TOKEN")]
    public string? IngestToken { get; set; }

    public bool ReachesHooks(Severity severity) => severity <= NotifySeverity;

    /// <summary>Whether an alert that fires now continues the episode that ended at <paramref name="endedAt"/>.</summary>
    public bool ContinuesEpisode(DateTimeOffset endedAt, DateTimeOffset now) => now - endedAt <= QuietPeriod;

    /// <returns>Until when the end of a flapping alert is held back; null when the alert does not flap or has not ended.</returns>
    public DateTimeOffset? EndHeldUntil(Alert alert) => alert is { Reopened: > 0, EndedAt: { } endedAt } ? endedAt + QuietPeriod : null;

    /// <returns>From when on an alert that was delivered at <paramref name="at"/> and keeps flapping is delivered again.</returns>
    public DateTimeOffset RepeatFrom(DateTimeOffset at) => at + QuietPeriod;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (
            var pair in SeverityPairs()
                .Where(pair =>
                    pair.Length != 2
                    || pair[0].Length == 0
                    || !Enum.TryParse<Severity>(pair[1], ignoreCase: true, out var severity)
                    || !Enum.IsDefined(severity)
                )
        )
        {
            yield return new($"Alerts__SeverityMap must hold pairs as gold=P1,silver=P2, but holds “{string.Join('=', pair)}”.");
        }
    }

    /// <summary>Words in any case; P1 to P4 mean themselves.</summary>
    public Severity? SeverityOf(string word) => (_severities ??= Severities()).TryGetValue(word, out var severity) ? severity : null;

    /// <summary>Made once, when the settings are read no more but used: each alert asks.</summary>
    private Dictionary<string, Severity> Severities()
    {
        // The enumeration's own reading would make P3 of “3” and of “P1,P2”.
        var severities = Enum.GetValues<Severity>().ToDictionary(severity => severity.ToString(), StringComparer.OrdinalIgnoreCase);
        foreach (var pair in SeverityPairs())
        {
            severities.TryAdd(pair[0], Enum.Parse<Severity>(pair[1], ignoreCase: true));
        }

        foreach (var (severity, words) in KnownWords)
        {
            foreach (var word in words.Split(' '))
            {
                severities.TryAdd(word, severity);
            }
        }

        return severities;
    }

    private IEnumerable<string[]> SeverityPairs() =>
        SeverityMap
            .Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Select(pair => pair.Split('=', StringSplitOptions.TrimEntries));
}
