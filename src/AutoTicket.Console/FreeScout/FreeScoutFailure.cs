namespace AutoTicket.FreeScout;

/// <summary>Why a call of FreeScout failed. Each kind needs another action of the operator.</summary>
internal enum FreeScoutFailureKind
{
    NotConfigured,

    /// <summary>401: the key is invalid or revoked.</summary>
    KeyRejected,

    /// <summary>403 of the API: the key lacks the scope.</summary>
    ScopeMissing,

    /// <summary>403 of FreeScout's core: the base URL has another host than FreeScout's APP_URL.</summary>
    UntrustedHost,

    /// <summary>401 or 403 of a proxy or firewall in front of FreeScout.</summary>
    Blocked,
    MailboxMissing,

    /// <summary>The API &amp; Webhooks module is off, or its license check failed.</summary>
    ApiOff,

    /// <summary>400, 422 and other rejections of one request.</summary>
    Refused,
    RateLimited,
    TimedOut,

    /// <summary>Nothing was sent: connection refused, unknown host, TLS.</summary>
    Unreachable,

    /// <summary>The connection broke after something was sent.</summary>
    Broken,
    ServerError,

    /// <summary>A response that is not FreeScout's: a login page, truncated or wrong JSON, too many bytes.</summary>
    BadAnswer,

    /// <summary>After too many failures no call is made for a few seconds.</summary>
    CircuitOpen,
}

/// <param name="Message">For the operator: one line with cause and next step; never a secret, never a raw body.</param>
/// <param name="WasSent">FreeScout may have received the request and carried it out.</param>
/// <param name="RetryAfter">The pause that FreeScout or its proxy asked for.</param>
/// <param name="IsOfRequest">Only this request fails; others may succeed.</param>
/// <param name="IsLost">It looks like a rejection but may hide a success.</param>
internal sealed record FreeScoutFailure(
    FreeScoutFailureKind Kind,
    string Message,
    bool WasSent,
    TimeSpan? RetryAfter = null,
    bool IsOfRequest = false,
    bool IsLost = false
)
{
    /// <summary>Retry interval while only a person can help; more retries would only fill the log.</summary>
    public static readonly TimeSpan RetryRefused = TimeSpan.FromMinutes(1);

    /// <summary>The longest pause before a retry during an outage.</summary>
    public static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    /// <summary>A create with this failure may have created a ticket.</summary>
    public bool MayHaveCreated =>
        IsLost
        || WasSent
            && Kind
                is FreeScoutFailureKind.TimedOut
                    or FreeScoutFailureKind.Broken
                    or FreeScoutFailureKind.ServerError
                    or FreeScoutFailureKind.BadAnswer;

    /// <summary>FreeScout is down, as opposed to rejecting a call.</summary>
    public bool IsOutage =>
        Kind
            is FreeScoutFailureKind.TimedOut
                or FreeScoutFailureKind.Unreachable
                or FreeScoutFailureKind.Broken
                or FreeScoutFailureKind.ServerError
                or FreeScoutFailureKind.BadAnswer
                or FreeScoutFailureKind.CircuitOpen;

    /// <summary>Nothing works, be it FreeScout or what lies before it.</summary>
    public bool IsDown =>
        IsOutage || Kind is FreeScoutFailureKind.ApiOff or FreeScoutFailureKind.UntrustedHost or FreeScoutFailureKind.Blocked;

    /// <summary>Retries don't help until a person changes the key, the scope or the mailbox.</summary>
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

/// <summary>Kinds of calls. A failure ends only when a call of a matching kind succeeds.</summary>
internal enum FreeScoutCall
{
    Read,
    Create,

    /// <summary>Changes a note, tag or status of one ticket. Its result says nothing about filing.</summary>
    Change,

    /// <summary>Looks for the operations mailbox.</summary>
    FindMailbox,
}

/// <summary>The result of a call: a value or a failure.</summary>
internal readonly record struct FreeScoutAnswer<T>(T? Value, FreeScoutFailure? Failure)
{
    public static implicit operator FreeScoutAnswer<T>(T value) => new(value, null);

    public static implicit operator FreeScoutAnswer<T>(FreeScoutFailure failure) => new(default, failure);
}
