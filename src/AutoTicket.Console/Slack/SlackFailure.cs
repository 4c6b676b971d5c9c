namespace AutoTicket.Slack;

/// <summary>Why Slack could not do its part. Each kind asks for another action of the operator.</summary>
internal enum SlackFailureKind
{
    NotConfigured,
    RateLimited,

    /// <summary>The token is invalid, expired or was revoked.</summary>
    TokenRejected,
    ScopeMissing,

    /// <summary>The direct message has nobody at its other end: archived, not found, the member gone.</summary>
    ChannelGone,

    /// <summary>Another refusal, which the message names.</summary>
    Refused,
    TimedOut,

    /// <summary>Refused connection, unknown host, TLS, or a connection that broke.</summary>
    Unreachable,
    ServerError,

    /// <summary>An answer that is not Slack's: a login page, a redirect, wrong JSON, more than we read.</summary>
    BadAnswer,
}

/// <param name="Message">For the operator: one line, what happened and what to do; never a secret, never a raw body.</param>
/// <param name="RetryAfter">How long Slack, or a proxy before it, asks us to wait.</param>
/// <param name="MayHaveSent">The answer was lost: Slack may have delivered the message all the same.</param>
internal sealed record SlackFailure(SlackFailureKind Kind, string Message, TimeSpan? RetryAfter = null, bool MayHaveSent = false)
{
    /// <summary>Trying again by itself won't help: a person must change the token, its scopes or the member.</summary>
    public bool NeedsPerson =>
        Kind
            is SlackFailureKind.NotConfigured
                or SlackFailureKind.TokenRejected
                or SlackFailureKind.ScopeMissing
                or SlackFailureKind.ChannelGone;

    public static SlackFailure NotConfigured(IEnumerable<string> missing) =>
        new(SlackFailureKind.NotConfigured, $"Slack is not set up: {string.Join(" and ", missing)} not set.");
}
