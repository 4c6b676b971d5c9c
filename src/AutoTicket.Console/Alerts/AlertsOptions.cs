using System.ComponentModel.DataAnnotations;
using AutoTicket.Surfaces;

namespace AutoTicket.Alerts;

/// <summary>Settings under <c>Alerts__*</c>.</summary>
internal sealed class AlertsOptions : IValidatableObject
{
    private Dictionary<string, Severity>? _severities;

    /// <summary>Alerts at least this severe reach the hooks.</summary>
    public Severity NotifySeverity { get; set; } = Severity.P2;

    /// <summary><see cref="NotifySeverity"/> and those that are worse.</summary>
    public List<Severity> NotifySeverities => [.. Enum.GetValues<Severity>().Where(severity => severity <= NotifySeverity)];

    /// <summary>An alert that its source neither repeats nor resolves for this long expires, unless the source says how long it holds.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "3650.00:00:00")]
    public TimeSpan ExpireAfter { get; set; } = TimeSpan.FromHours(24);

    /// <summary>What fires again this soon after its end is the same episode, and flaps.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "12:00:00")]
    public TimeSpan QuietPeriod { get; set; } = TimeSpan.FromMinutes(15);

    /// <summary>How long ended alerts and decisions are kept.</summary>
    [Range(typeof(TimeSpan), "1.00:00:00", "3650.00:00:00")]
    public TimeSpan Retention { get; set; } = TimeSpan.FromDays(90);

    /// <summary>What the words of the labels <c>severity</c> and <c>priority</c> mean, as <c>critical=P1,warning=P3</c>.</summary>
    public string SeverityMap { get; set; } = "critical=P1,page=P1,emergency=P1,fatal=P1,error=P2,high=P2,major=P2,warning=P3,medium=P3,minor=P3,info=P4,low=P4,none=P4,debug=P4";

    /// <summary>For an alert without either label.</summary>
    public Severity DefaultSeverity { get; set; } = Severity.P3;

    /// <summary>Labels that don't count for the identity, separated by commas, besides severity and priority.</summary>
    public string VolatileLabels { get; set; } = "";

    /// <summary><c>ALERTS_INGEST_TOKEN</c>; null: the intake answers 503.</summary>
    [ConfigurationKeyName("ALERTS_INGEST_TOKEN")]
    public string? IngestToken { get; set; }

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var pair in SeverityPairs().Where(pair => pair.Length != 2 || pair[0].Length == 0 || !Enum.TryParse<Severity>(pair[1], ignoreCase: true, out var severity) || !Enum.IsDefined(severity)))
        {
            yield return new($"Alerts__SeverityMap must hold pairs as critical=P1,warning=P3, but holds “{string.Join('=', pair)}”.");
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

        return severities;
    }

    private IEnumerable<string[]> SeverityPairs() =>
        SeverityMap.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(pair => pair.Split('=', StringSplitOptions.TrimEntries));
}
