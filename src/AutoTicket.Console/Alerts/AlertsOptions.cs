using System.ComponentModel.DataAnnotations;
using AutoTicket.Surfaces;

namespace AutoTicket.Alerts;

/// <summary>Settings under <c>Alerts__*</c>.</summary>
internal sealed class AlertsOptions : IValidatableObject
{
    /// <summary>The severity words of Prometheus rules, syslog, Zabbix, Opsgenie and Jira.</summary>
    private static readonly Dictionary<Severity, string> KnownWords = new()
    {
        [Severity.P1] =
            "critical crit page emergency emerg fatal panic alert disaster severe danger urgent blocker highest p0 sev0 sev1 s0 s1",
        [Severity.P2] = "error err high major ticket sev2 s2",
        [Severity.P3] = "warning warn medium moderate average minor normal sev3 s3",
        [Severity.P4] = "info information informational notice low lowest trivial none ok debug trace p5 sev4 sev5 s4 s5",
    };

    private Dictionary<string, Severity>? _severities;

    /// <summary>Alerts at least this severe reach the hooks.</summary>
    public Severity NotifySeverity { get; set; } = Severity.P2;

    /// <summary>The severities that reach the hooks.</summary>
    public List<Severity> NotifySeverities => [.. Enum.GetValues<Severity>().Where(ReachesHooks)];

    /// <summary>An alert that its source neither repeats nor resolves for this long expires, unless the source names a time.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "3650.00:00:00")]
    public TimeSpan ExpireAfter { get; set; } = TimeSpan.FromHours(24);

    /// <summary>An alert that fires again within this time after its end continues its episode: it flaps.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "12:00:00")]
    public TimeSpan QuietPeriod { get; set; } = TimeSpan.FromMinutes(15);

    /// <summary>How long ended alerts and decisions are kept.</summary>
    [Range(typeof(TimeSpan), "1.00:00:00", "3650.00:00:00")]
    public TimeSpan Retention { get; set; } = TimeSpan.FromDays(90);

    /// <summary>More words of the labels <c>severity</c> and <c>priority</c>, as <c>gold=P1,warning=P2</c>. They override the known
    /// words. An unknown word counts as <see cref="NotifySeverity"/>.</summary>
    public string SeverityMap { get; set; } = "";

    /// <summary>The severity of an alert without either label.</summary>
    public Severity DefaultSeverity { get; set; } = Severity.P3;

    /// <summary>More labels that are ignored when two alerts are compared, separated by commas. Severity and priority always are.</summary>
    public string VolatileLabels { get; set; } = "";

    /// <summary><c>ALERTS_INGEST_TOKEN</c>; without it the intake answers 503.</summary>
    [ConfigurationKeyName("ALERTS_INGEST_TOKEN")]
    public string? IngestToken { get; set; }

    public bool ReachesHooks(Severity severity) => severity <= NotifySeverity;

    /// <summary>Whether an alert that fires now continues the episode that ended at <paramref name="endedAt"/>.</summary>
    public bool ContinuesEpisode(DateTimeOffset endedAt, DateTimeOffset now) => now - endedAt <= QuietPeriod;

    /// <returns>The earliest time to deliver a flapping alert's end; null when the alert does not flap or has not ended.</returns>
    public DateTimeOffset? EndHeldUntil(Alert alert) => alert is { Reopened: > 0, EndedAt: { } endedAt } ? endedAt + QuietPeriod : null;

    /// <returns>The earliest time to deliver a flapping alert again after its delivery at <paramref name="at"/>.</returns>
    public DateTimeOffset RepeatFrom(DateTimeOffset at) => at + QuietPeriod;

    /// <summary>Whether a delivery waits until this time. A longer wait began before the clock was set back, and is ignored.</summary>
    public bool MustWait(DateTimeOffset until, DateTimeOffset now) => until > now && until - now <= QuietPeriod;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (
            var pair in SeverityPairs()
                // Enum.Parse would read 3 as P3.
                .Where(pair =>
                    pair.Length != 2
                    || pair[0].Length == 0
                    || !Enum.GetNames<Severity>().Contains(pair[1], StringComparer.OrdinalIgnoreCase)
                )
        )
        {
            yield return new($"Alerts__SeverityMap must hold pairs as gold=P1,silver=P2, but holds “{string.Join('=', pair)}”.");
        }
    }

    /// <summary>The severity of a word, in any case, or of P1 to P4; null when unknown.</summary>
    public Severity? SeverityOf(string word) => (_severities ??= Severities()).TryGetValue(word, out var severity) ? severity : null;

    /// <summary>Built at first use and kept, because every alert asks.</summary>
    private Dictionary<string, Severity> Severities()
    {
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
