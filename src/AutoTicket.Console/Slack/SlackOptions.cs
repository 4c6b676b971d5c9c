using System.ComponentModel.DataAnnotations;

namespace AutoTicket.Slack;

/// <summary>Who gets direct messages, and how: the variables <c>SLACK_*</c> and <c>Slack__*</c>. A missing one is shown in Diagnostics; an
/// invalid one stops the start.</summary>
internal sealed class SlackOptions : IValidatableObject
{
    /// <summary><c>SLACK_BOT_TOKEN</c>: the bot's token, with the scopes <c>chat:write</c> and <c>im:write</c>.</summary>
    [ConfigurationKeyName("SLACK_BOT_TOKEN")]
    public string? BotToken { get; set; }

    /// <summary><c>SLACK_OPERATOR_USER_ID</c>: the member who gets the messages.</summary>
    [ConfigurationKeyName("SLACK_OPERATOR_USER_ID")]
    public string? OperatorUserId { get; set; }

    /// <summary><c>SLACK_BASE_URL</c>: the Web API's address.</summary>
    [ConfigurationKeyName("SLACK_BASE_URL")]
    public string? BaseUrl { get; set; }

    /// <summary>Single messages a minute; further ones are sent as digests.</summary>
    [Range(1, 60)]
    public int SinglesPerMinute { get; set; } = 10;

    /// <summary>The time of day, UTC, from which the operator is reminded of open tickets whose surface has recovered.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "23:59:59")]
    public TimeSpan RemindAt { get; set; } = TimeSpan.FromHours(9);

    /// <summary>How long one call may take. No variable sets it.</summary>
    internal TimeSpan CallTimeout { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>The Web API's address with a trailing slash.</summary>
    public string ApiUrl => string.IsNullOrWhiteSpace(BaseUrl) ? "https://slack.com/api/" : $"{BaseUrl.Trim().TrimEnd('/')}/";

    /// <returns>The missing variables without which no message can be sent.</returns>
    public IEnumerable<string> Missing()
    {
        if (string.IsNullOrWhiteSpace(BotToken))
        {
            yield return "SLACK_BOT_TOKEN";
        }

        if (string.IsNullOrWhiteSpace(OperatorUserId))
        {
            yield return "SLACK_OPERATOR_USER_ID";
        }
    }

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        // Does not show the value, because an address may contain a password.
        if (
            !(
                Uri.TryCreate(ApiUrl, UriKind.Absolute, out var uri)
                && uri.Scheme is "http" or "https"
                && uri.UserInfo.Length == 0
                && uri.Query.Length == 0
                && uri.Fragment.Length == 0
            )
        )
        {
            yield return new(
                "SLACK_BASE_URL must be an absolute http or https address without user, password or query, e.g. https://slack.com/api/."
            );
        }

        if (!string.IsNullOrWhiteSpace(BotToken) && BotToken.Trim().Any(c => c is < '!' or > '~'))
        {
            yield return new("SLACK_BOT_TOKEN contains characters that an HTTP header can't carry; copy the token again.");
        }

        if (!string.IsNullOrWhiteSpace(OperatorUserId) && !OperatorUserId.Trim().All(char.IsAsciiLetterOrDigit))
        {
            yield return new($"SLACK_OPERATOR_USER_ID must be a member ID, e.g. U012AB3CD, but is “{OperatorUserId}”.");
        }
    }
}
