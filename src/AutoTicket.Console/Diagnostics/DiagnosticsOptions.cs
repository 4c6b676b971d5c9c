using System.ComponentModel.DataAnnotations;

namespace AutoTicket.Diagnostics;

/// <summary>Settings under <c>Diagnostics__*</c>.</summary>
internal sealed class DiagnosticsOptions : IValidatableObject
{
    /// <summary>The address of the folder that holds <c>docs/ops</c>, e.g. <c>https://github.com/example/console/blob/main/</c>; null:
    /// runbooks are shown without links.</summary>
    public string? RunbookUrl { get; set; }

    /// <summary>How often the canary runs.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan CanaryInterval { get; set; } = TimeSpan.FromMinutes(3);

    /// <summary><c>FALLBACK_WEBHOOK_URL</c>: webhook to call when neither Slack nor FreeScout can be reached. It may contain a
    /// secret.</summary>
    [ConfigurationKeyName("FALLBACK_WEBHOOK_URL")]
    public string? FallbackWebhookUrl { get; set; }

    /// <summary><c>METRICS_TOKEN</c>; null: <c>/metrics</c> accepts the intake's token.</summary>
    [ConfigurationKeyName("METRICS_TOKEN")]
    public string? MetricsToken { get; set; }

    /// <returns>The address of a runbook section; null: unknown.</returns>
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
                "Diagnostics__RunbookUrl must be an absolute http or https address, e.g. https://github.com/example/console/blob/main."
            );
        }

        if (
            !string.IsNullOrWhiteSpace(FallbackWebhookUrl)
            && !(Uri.TryCreate(FallbackWebhookUrl.Trim(), UriKind.Absolute, out var fallback) && fallback.Scheme is "http" or "https")
        )
        {
            // Does not show the value, because such addresses are secrets.
            yield return new("FALLBACK_WEBHOOK_URL must be an absolute http or https address that accepts a POST of {\"text\": …}.");
        }
    }
}
