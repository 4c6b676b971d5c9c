using System.ComponentModel.DataAnnotations;

namespace AutoTicket.Diagnostics;

/// <summary>Settings under <c>Diagnostics__*</c>.</summary>
internal sealed class DiagnosticsOptions : IValidatableObject
{
    /// <summary>Where the pages of <c>docs/ops</c> can be read, as <c>https://github.com/example/console/blob/main/</c>; without it their
    /// names are shown and lead nowhere.</summary>
    public string? RunbookUrl { get; set; }

    /// <summary>How often the canary walks the line.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan CanaryInterval { get; set; } = TimeSpan.FromMinutes(3);

    /// <summary><c>FALLBACK_WEBHOOK_URL</c>: who is told that nobody is told. The address may hold a secret.</summary>
    [ConfigurationKeyName("FALLBACK_WEBHOOK_URL")]
    public string? FallbackWebhookUrl { get; set; }

    /// <summary><c>METRICS_TOKEN</c>; null: <c>/metrics</c> takes the intake's.</summary>
    [ConfigurationKeyName("METRICS_TOKEN")]
    public string? MetricsToken { get; set; }

    /// <returns>Null: there is no such address.</returns>
    public string? Link(string? runbook) =>
        runbook is null || string.IsNullOrWhiteSpace(RunbookUrl) ? null : $"{RunbookUrl.Trim().TrimEnd('/')}/{runbook}";

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (
            !string.IsNullOrWhiteSpace(RunbookUrl)
            && !(Uri.TryCreate(RunbookUrl.Trim(), UriKind.Absolute, out var url) && url.Scheme is "http" or "https")
        )
        {
            yield return new(
                "Diagnostics__RunbookUrl must be an absolute http or https address, as https://github.com/example/console/blob/main."
            );
        }

        if (
            !string.IsNullOrWhiteSpace(FallbackWebhookUrl)
            && !(Uri.TryCreate(FallbackWebhookUrl.Trim(), UriKind.Absolute, out var fallback) && fallback.Scheme is "http" or "https")
        )
        {
            // Not what it held: such addresses are secrets.
            yield return new("FALLBACK_WEBHOOK_URL must be an absolute http or https address that takes a POST of {\"text\": …}.");
        }
    }
}
