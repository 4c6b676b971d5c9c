using System.ComponentModel.DataAnnotations;
using System.Net.Http.Headers;

namespace AutoTicket.FreeScout;

/// <summary>Where and how tickets are filed: the variables <c>FREESCOUT_*</c>. They may be absent; bad values stop the start.</summary>
internal sealed class FreeScoutOptions : IValidatableObject
{
    /// <summary>What stands before an address's @: RFC 5321, 4.5.3.1.1.</summary>
    private const int LongestLocalPart = 64;

    private static readonly ProductInfoHeaderValue Agent = new(
        "AutoTicket-Console",
        typeof(FreeScoutOptions).Assembly.GetName().Version?.ToString(3)
    );

    /// <summary><c>FREESCOUT_BASE_URL</c>: FreeScout's own address, with its subdirectory if it has one, without <c>/api</c>.</summary>
    [ConfigurationKeyName("FREESCOUT_BASE_URL")]
    public string? BaseUrl { get; set; }

    /// <summary><c>FREESCOUT_API_KEY</c>.</summary>
    [ConfigurationKeyName("FREESCOUT_API_KEY")]
    public string? ApiKey { get; set; }

    /// <summary><c>FREESCOUT_OPERATIONS_MAILBOX_ID</c>, as it was given.</summary>
    [ConfigurationKeyName("FREESCOUT_OPERATIONS_MAILBOX_ID")]
    public string? OperationsMailboxId { get; set; }

    /// <summary><c>FREESCOUT_CUSTOMER_EMAIL</c>: the technical customer.</summary>
    [ConfigurationKeyName("FREESCOUT_CUSTOMER_EMAIL")]
    public string? CustomerEmail { get; set; }

    /// <summary><c>FREESCOUT_USER_ID</c>, as it was given: the agent who writes notes and resolves tickets.</summary>
    [ConfigurationKeyName("FREESCOUT_USER_ID")]
    public string? NoteUserId { get; set; }

    /// <summary><c>FREESCOUT_WEBHOOK_SECRET</c>: the secret key with which FreeScout signs its webhooks; null: none are taken.</summary>
    [ConfigurationKeyName("FREESCOUT_WEBHOOK_SECRET")]
    public string? WebhookSecret { get; set; }

    /// <summary>Null: no notes are written.</summary>
    public long? UserId => long.TryParse(NoteUserId?.Trim(), out var id) ? id : null;

    /// <summary>The longest that one call may take.</summary>
    [Range(typeof(TimeSpan), "00:00:00.2", "00:01:00")]
    public TimeSpan CallTimeout { get; set; } = TimeSpan.FromSeconds(3.5);

    /// <summary>Pause before a GET is tried again.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:00:10")]
    public TimeSpan RetryDelay { get; set; } = TimeSpan.FromMilliseconds(200);

    /// <summary>How long the circuit stays open before one call is let through to try.</summary>
    [Range(typeof(TimeSpan), "00:00:00.5", "00:05:00")]
    public TimeSpan BreakDuration { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>The web address without a slash at its end; what tickets link to.</summary>
    public string? WebUrl
    {
        get
        {
            var url = BaseUrl?.Trim().TrimEnd('/');
            if (string.IsNullOrEmpty(url))
            {
                return null;
            }

            // The path's end, not the address's: a host may be called api.
            return
                Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.AbsolutePath.EndsWith("/api", StringComparison.OrdinalIgnoreCase)
                ? url[..^4].TrimEnd('/')
                : url;
        }
    }

    public long? MailboxId => long.TryParse(OperationsMailboxId?.Trim(), out var id) ? id : null;

    /// <summary>A call of FreeScout's API. It names its agent, because firewalls refuse calls that name none.</summary>
    public HttpRequestMessage Request(HttpMethod method, string path)
    {
        var request = new HttpRequestMessage(method, $"{WebUrl}/api/{path}");
        request.Headers.Add("X-FreeScout-API-Key", ApiKey!.Trim());
        request.Headers.Authorization = new("Bearer", ApiKey.Trim());
        request.Headers.Accept.ParseAdd("application/json");
        request.Headers.UserAgent.Add(Agent);
        return request;
    }

    /// <summary>A text that quotes FreeScout, which may quote us.</summary>
    public string WithoutKey(string text) =>
        ApiKey?.Trim() is { Length: > 0 } key ? text.Replace(key, "…", StringComparison.OrdinalIgnoreCase) : text;

    public string TicketUrl(long conversationId) => $"{WebUrl}/conversation/{conversationId}";

    /// <summary>The variables that are missing before anything can be filed.</summary>
    public IEnumerable<string> Missing()
    {
        if (WebUrl is null)
        {
            yield return "FREESCOUT_BASE_URL";
        }

        if (string.IsNullOrWhiteSpace(ApiKey))
        {
            yield return "FREESCOUT_API_KEY";
        }

        if (MailboxId is null)
        {
            yield return "FREESCOUT_OPERATIONS_MAILBOX_ID";
        }
    }

    /// <summary>The technical customer's address. A method, because validation reads every property, also without an address.</summary>
    /// <param name="surface">Each surface has its own customer: <c>ops-console+shop@…</c>. Text that is no key has none.</param>
    public string? Customer(string? surface = null)
    {
        var address =
            !string.IsNullOrWhiteSpace(CustomerEmail) ? CustomerEmail.Trim()
            : WebUrl is null ? null
            : $"ops-console@{new Uri(WebUrl).Host}";
        var isKey = surface?.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-') == true;
        return address?.LastIndexOf('@') is { } at && isKey && at + surface!.Length < LongestLocalPart
            ? $"{address[..at]}+{surface}{address[at..]}"
            : address;
    }

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (
            WebUrl is { } url
            && !(
                Uri.TryCreate(url, UriKind.Absolute, out var uri)
                && uri.Scheme is "http" or "https"
                && uri.UserInfo.Length == 0
                && uri.Query.Length == 0
            )
        )
        {
            yield return new(
                "FREESCOUT_BASE_URL must be an absolute http or https address without user, password or query, "
                    + "as https://tickets.example.org."
            );
        }

        if (!string.IsNullOrWhiteSpace(OperationsMailboxId) && MailboxId is not > 0)
        {
            yield return new($"FREESCOUT_OPERATIONS_MAILBOX_ID must be the mailbox's number, as 3, but is “{OperationsMailboxId}”.");
        }

        if (!string.IsNullOrWhiteSpace(NoteUserId) && UserId is not > 0)
        {
            yield return new($"FREESCOUT_USER_ID must be the number of an agent, as 7, but is “{NoteUserId}”.");
        }

        if (!string.IsNullOrWhiteSpace(ApiKey) && ApiKey.Trim().Any(c => c is < '!' or > '~'))
        {
            yield return new("FREESCOUT_API_KEY holds characters that no HTTP header may carry; copy the key again.");
        }

        if (!string.IsNullOrWhiteSpace(CustomerEmail) && !new EmailAddressAttribute().IsValid(CustomerEmail.Trim()))
        {
            yield return new($"FREESCOUT_CUSTOMER_EMAIL must be an e-mail address, but is “{CustomerEmail}”.");
        }
    }
}
