using System.ComponentModel.DataAnnotations;
using System.Net.Http.Headers;

namespace AutoTicket.FreeScout;

/// <summary>Where and how tickets are filed: the variables <c>FREESCOUT_*</c>. A missing one is shown in Diagnostics; an invalid one stops
/// the start.</summary>
internal sealed class FreeScoutOptions : IValidatableObject
{
    /// <summary>Characters before the @ of an address: RFC 5321, 4.5.3.1.1.</summary>
    private const int LongestLocalPart = 64;

    private static readonly ProductInfoHeaderValue Agent = new("AutoTicket-Console", ProductVersion.Short);

    /// <summary><c>FREESCOUT_BASE_URL</c>: FreeScout's address, with its subdirectory if any, without <c>/api</c>.</summary>
    [ConfigurationKeyName("FREESCOUT_BASE_URL")]
    public string? BaseUrl { get; set; }

    [ConfigurationKeyName("FREESCOUT_API_KEY")]
    public string? ApiKey { get; set; }

    /// <summary><c>FREESCOUT_OPERATIONS_MAILBOX_ID</c> as set; <see cref="MailboxId"/> is its number.</summary>
    [ConfigurationKeyName("FREESCOUT_OPERATIONS_MAILBOX_ID")]
    public string? OperationsMailboxId { get; set; }

    /// <summary><c>FREESCOUT_CUSTOMER_EMAIL</c>: the technical customer.</summary>
    [ConfigurationKeyName("FREESCOUT_CUSTOMER_EMAIL")]
    public string? CustomerEmail { get; set; }

    /// <summary><c>FREESCOUT_USER_ID</c> as set: the agent who writes notes and resolves tickets.</summary>
    [ConfigurationKeyName("FREESCOUT_USER_ID")]
    public string? NoteUserId { get; set; }

    /// <summary><c>FREESCOUT_WEBHOOK_SECRET</c>: the key with which FreeScout signs its webhooks; null: the console accepts none.</summary>
    [ConfigurationKeyName("FREESCOUT_WEBHOOK_SECRET")]
    public string? WebhookSecret { get; set; }

    /// <summary>Null: notes and resolving are off.</summary>
    public long? UserId => long.TryParse(NoteUserId?.Trim(), out var id) ? id : null;

    /// <summary>Timeout of one call.</summary>
    [Range(typeof(TimeSpan), "00:00:00.2", "00:01:00")]
    public TimeSpan CallTimeout { get; set; } = TimeSpan.FromSeconds(3.5);

    /// <summary>Pause before a GET is retried.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:00:10")]
    public TimeSpan RetryDelay { get; set; } = TimeSpan.FromMilliseconds(200);

    /// <summary>How long the circuit stays open before one call may try.</summary>
    [Range(typeof(TimeSpan), "00:00:00.5", "00:05:00")]
    public TimeSpan BreakDuration { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How often the leader reads while FreeScout is down, so that it soon knows of its return: right after the circuit would let
    /// a call through.</summary>
    public TimeSpan RetryOutage => BreakDuration + TimeSpan.FromMilliseconds(500);

    /// <summary>FreeScout's address without a trailing slash; tickets link to it.</summary>
    public string? WebUrl
    {
        get
        {
            var url = BaseUrl?.Trim().TrimEnd('/');
            if (string.IsNullOrEmpty(url))
            {
                return null;
            }

            // Compares the path, because a host may be called api.
            return
                Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.AbsolutePath.EndsWith("/api", StringComparison.OrdinalIgnoreCase)
                ? url[..^4].TrimEnd('/')
                : url;
        }
    }

    public long? MailboxId => long.TryParse(OperationsMailboxId?.Trim(), out var id) ? id : null;

    /// <returns>A request to FreeScout's API. It has a User-Agent, because firewalls block requests without one.</returns>
    public HttpRequestMessage Request(HttpMethod method, string path)
    {
        var request = new HttpRequestMessage(method, $"{WebUrl}/api/{path}");
        request.Headers.Add("X-FreeScout-API-Key", ApiKey!.Trim());
        request.Headers.Authorization = new("Bearer", ApiKey.Trim());
        request.Headers.Accept.ParseAdd("application/json");
        request.Headers.UserAgent.Add(Agent);
        return request;
    }

    /// <returns>The text without the API key, which FreeScout may quote.</returns>
    public string WithoutKey(string text) =>
        ApiKey?.Trim() is { Length: > 0 } key ? text.Replace(key, "…", StringComparison.OrdinalIgnoreCase) : text;

    public string TicketUrl(long conversationId) => WebUrl + ConversationPath(conversationId);

    /// <summary>The end of every <see cref="TicketUrl"/> of the conversation, whatever the base URL was when it was stored.</summary>
    public static string ConversationPath(long conversationId) => $"/conversation/{conversationId}";

    /// <returns>The missing variables without which nothing can be filed.</returns>
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

    /// <returns>The technical customer's address. It is a method, because validation reads every property, also while no address is
    /// set.</returns>
    /// <param name="surface">Each surface key has its own customer by a suffix: <c>ops-console+shop@…</c>.</param>
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
                    + "e.g. https://tickets.example.org."
            );
        }

        if (!string.IsNullOrWhiteSpace(OperationsMailboxId) && MailboxId is not > 0)
        {
            yield return new($"FREESCOUT_OPERATIONS_MAILBOX_ID must be the number of a mailbox, e.g. 3, but is “{OperationsMailboxId}”.");
        }

        if (!string.IsNullOrWhiteSpace(NoteUserId) && UserId is not > 0)
        {
            yield return new($"FREESCOUT_USER_ID must be the number of an agent, e.g. 7, but is “{NoteUserId}”.");
        }

        if (!string.IsNullOrWhiteSpace(ApiKey) && ApiKey.Trim().Any(c => c is < '!' or > '~'))
        {
            yield return new("FREESCOUT_API_KEY contains characters that an HTTP header can't carry; copy the key again.");
        }

        if (!string.IsNullOrWhiteSpace(CustomerEmail) && !new EmailAddressAttribute().IsValid(CustomerEmail.Trim()))
        {
            yield return new($"FREESCOUT_CUSTOMER_EMAIL must be an e-mail address, but is “{CustomerEmail}”.");
        }
    }
}
