namespace AutoTicket.Slack;

/// <summary>Why a message could not be sent. Each kind needs another action of the operator.</summary>
internal enum SlackFailureKind
{
    NotConfigured,
    RateLimited,

    /// <summary>The token is invalid, expired or was revoked.</summary>
    TokenRejected,
    ScopeMissing,

    /// <summary>The operator can't be messaged: channel archived or not found, member deactivated.</summary>
    ChannelGone,

    /// <summary>Any other rejection; the message names it.</summary>
    Refused,
    TimedOut,

    /// <summary>Connection refused or broken, unknown host, TLS.</summary>
    Unreachable,
    ServerError,

    /// <summary>A response that is not Slack's: a login page, a redirect, wrong JSON, too many bytes.</summary>
    BadAnswer,
}

/// <param name="Message">For the operator: one line with cause and next step; never a secret, never a raw body.</param>
/// <param name="RetryAfter">The pause that Slack or a proxy asked for.</param>
/// <param name="MayHaveSent">The answer was lost, so Slack may have delivered the message.</param>
internal sealed record SlackFailure(SlackFailureKind Kind, string Message, TimeSpan? RetryAfter = null, bool MayHaveSent = false)
{
    /// <summary>Retries don't help until a person changes the token, its scopes or the member.</summary>
    public bool NeedsPerson =>
        Kind
            is SlackFailureKind.NotConfigured
                or SlackFailureKind.TokenRejected
                or SlackFailureKind.ScopeMissing
                or SlackFailureKind.ChannelGone;

    public static SlackFailure NotConfigured(IEnumerable<string> missing) =>
        new(SlackFailureKind.NotConfigured, $"Slack is not set up: {string.Join(" and ", missing)} not set.");
}
