namespace AutoTicket.FreeScout;

/// <summary>Why a call to FreeScout failed. Each kind needs another action of the operator (failure mode 2 of the runbook).</summary>
internal enum FreeScoutFailureKind
{
    NotConfigured,

    /// <summary>401: the key is invalid or revoked.</summary>
    KeyRejected,

    /// <summary>403 of the API: the key lacks the scope.</summary>
    ScopeMissing,

    /// <summary>403 of FreeScout's core: it serves the host of its APP_URL, and the base URL names another.</summary>
    UntrustedHost,

    /// <summary>401 or 403 that is not FreeScout's: a proxy or firewall in front of it refuses.</summary>
    Blocked,
    MailboxMissing,

    /// <summary>The API &amp; Webhooks module does not answer: switched off, or its licence check failed.</summary>
    ApiOff,

    /// <summary>400, 422 and other refusals of what was asked.</summary>
    Refused,
    RateLimited,
    TimedOut,

    /// <summary>Nothing was sent: refused connection, unknown host, TLS.</summary>
    Unreachable,

    /// <summary>The connection broke after something was sent.</summary>
    Broken,
    ServerError,

    /// <summary>An answer that is not FreeScout's: a login page, torn or wrong JSON, more than we read.</summary>
    BadAnswer,

    /// <summary>Too many failures just now: the next call is let through in a moment.</summary>
    CircuitOpen,
}

/// <param name="Message">For the operator: one line, what happened and what to do; never a secret, never a raw body.</param>
/// <param name="WasSent">FreeScout may have received the request, so it may have done it.</param>
/// <param name="RetryAfter">How long FreeScout, or the proxy before it, asks us to wait.</param>
/// <param name="IsOfRequest">It is about this one request, and says nothing of others.</param>
/// <param name="IsLost">It looks like a refusal, and may hide a success.</param>
internal sealed record FreeScoutFailure(
    FreeScoutFailureKind Kind,
    string Message,
    bool WasSent,
    TimeSpan? RetryAfter = null,
    bool IsOfRequest = false,
    bool IsLost = false
)
{
    /// <summary>How long to wait before repeating what only a person can cure: more often would only fill the logs.</summary>
    public static readonly TimeSpan RetryRefused = TimeSpan.FromMinutes(1);

    /// <summary>The longest pause before a retry of what an outage stopped.</summary>
    public static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    /// <summary>The outcome of a POST is unknown: it may or may not have made a ticket.</summary>
    public bool MayHaveCreated =>
        IsLost
        || WasSent
            && Kind
                is FreeScoutFailureKind.TimedOut
                    or FreeScoutFailureKind.Broken
                    or FreeScoutFailureKind.ServerError
                    or FreeScoutFailureKind.BadAnswer;

    /// <summary>FreeScout itself is not there, as opposed to refusing what is asked of it.</summary>
    public bool IsOutage =>
        Kind
            is FreeScoutFailureKind.TimedOut
                or FreeScoutFailureKind.Unreachable
                or FreeScoutFailureKind.Broken
                or FreeScoutFailureKind.ServerError
                or FreeScoutFailureKind.BadAnswer
                or FreeScoutFailureKind.CircuitOpen;

    /// <summary>Trying again by itself won't help: a person must change the key, the scope or the mailbox.</summary>
    public bool NeedsPerson => NeedsPersonFor(Kind);

    /// <inheritdoc cref="NeedsPerson"/>
    public static bool NeedsPersonFor(FreeScoutFailureKind kind) =>
        kind
            is FreeScoutFailureKind.NotConfigured
                or FreeScoutFailureKind.KeyRejected
                or FreeScoutFailureKind.ScopeMissing
                or FreeScoutFailureKind.UntrustedHost
                or FreeScoutFailureKind.Blocked
                or FreeScoutFailureKind.MailboxMissing
                or FreeScoutFailureKind.ApiOff;
}

/// <summary>What was asked of FreeScout: a failure ends only when a call of its kind succeeds.</summary>
internal enum FreeScoutCall
{
    Read,
    Create,

    /// <summary>A note, a tag or a status of one ticket: how it ends says nothing of filing.</summary>
    Change,

    /// <summary>The operations mailbox was looked for, and found.</summary>
    FindMailbox,
}

/// <summary>What a call came to: a value, or a failure.</summary>
internal readonly record struct FreeScoutAnswer<T>(T? Value, FreeScoutFailure? Failure)
{
    public static implicit operator FreeScoutAnswer<T>(T value) => new(value, null);

    public static implicit operator FreeScoutAnswer<T>(FreeScoutFailure failure) => new(default, failure);
}
