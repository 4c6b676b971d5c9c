using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using AutoTicket.Data;

namespace AutoTicket.FreeScout;

/// <summary>Turns an unsuccessful response into a failure with FreeScout's own message and the next step.</summary>
internal static partial class FreeScoutRefusals
{
    private const int LongestWords = 160;

    /// <returns>Null: status and content type say success.</returns>
    /// <param name="withoutKey">Masks the API key, which FreeScout may quote. Called before the text is cut: a part of the key would not be
    /// found.</param>
    /// <param name="isOneTicket">The call is about one existing ticket.</param>
    public static FreeScoutFailure? Read(
        int status,
        bool isJson,
        ReadOnlyMemory<byte> body,
        TimeSpan? retryAfter,
        HttpMethod method,
        Func<string, string> withoutKey,
        bool isOneTicket = false
    )
    {
        if (status is 201 or 204 || (status is >= 200 and < 300 && isJson && body.Length > 0))
        {
            return null;
        }

        var words = CleanText.Cut(HiddenCharacter.Blank(CleanText.Of(withoutKey(Words(isJson, body)))), LongestWords).Trim();
        var quote = words.Length > 0 ? $", “{words}”" : "";
        return status switch
        {
            // FreeScout, or a proxy in front of it, sends its login page with 200.
            >= 200 and < 300 when !isJson && body.Length > 0 => Failure(
                FreeScoutFailureKind.BadAnswer,
                $"FreeScout's address answers {status}, but not with its API (a login page?){quote}. Check FREESCOUT_BASE_URL."
            ),
            >= 200 and < 300 when method == HttpMethod.Get && body.Length == 0 => Failure(
                FreeScoutFailureKind.BadAnswer,
                $"FreeScout answered {status} with an empty response."
            ),
            >= 200 and < 300 => null,
            >= 300 and < 400 => Failure(
                FreeScoutFailureKind.BadAnswer,
                $"FreeScout's address redirects ({status}) instead of answering. Check FREESCOUT_BASE_URL."
            ),
            403 when Text(body).Contains("Untrusted Host", StringComparison.OrdinalIgnoreCase) => Failure(
                FreeScoutFailureKind.UntrustedHost,
                $"FreeScout does not serve the host of FREESCOUT_BASE_URL (403{quote}). "
                    + "Set it to the address in FreeScout's APP_URL, or add the host to APP_TRUSTED_HOSTS there."
            ),
            // A firewall may block one POST for its text. If it blocks everything, the reading of lists fails, too.
            401 or 403 when !isJson => Failure(
                FreeScoutFailureKind.Blocked,
                $"A proxy or firewall in front of FreeScout blocked the call ({status}{quote}). Allow the console's calls of /api/ there."
            ) with
            {
                IsOfRequest = isOneTicket || method == HttpMethod.Post,
            },
            401 => Failure(
                FreeScoutFailureKind.KeyRejected,
                $"FreeScout rejected the API key (401{quote}): it is invalid or was revoked. Set a new FREESCOUT_API_KEY."
            ),
            403 when isOneTicket && method == HttpMethod.Get => Refused($"FreeScout does not show this ticket (403{quote})."),
            // The console has just read the ticket with this key. So the key may not change any ticket.
            403 when isOneTicket => Failure(
                FreeScoutFailureKind.ScopeMissing,
                $"FreeScout does not allow changing the ticket (403{quote}): the key may only read, or the agent of FREESCOUT_USER_ID may "
                    + "not use the mailbox. Create a key with full access in FreeScout: Manage → API & Webhooks."
            ) with
            {
                IsOfRequest = true,
            },
            403 => Failure(
                FreeScoutFailureKind.ScopeMissing,
                $"FreeScout does not allow it (403{quote}): the key lacks the scope. "
                    + "Create a key with full access in FreeScout: Manage → API & Webhooks."
            ),
            404 when !isJson || words.Length == 0 => Failure(
                FreeScoutFailureKind.ApiOff,
                $"FreeScout has no API at this address (404{quote}): the API & Webhooks module is off, or FREESCOUT_BASE_URL is wrong."
            ),
            404 => Failure(
                FreeScoutFailureKind.MailboxMissing,
                $"FreeScout does not find it (404{quote}): the mailbox was deleted, or FREESCOUT_OPERATIONS_MAILBOX_ID is wrong."
            ),
            400 or 422 when NamesMailbox(body) => Failure(
                FreeScoutFailureKind.MailboxMissing,
                $"FreeScout does not know the mailbox ({status}{quote}). Check FREESCOUT_OPERATIONS_MAILBOX_ID."
            ),
            408 => Failure(FreeScoutFailureKind.TimedOut, $"FreeScout did not get the request in time (408{quote}).", retryAfter),
            429 => Failure(
                FreeScoutFailureKind.RateLimited,
                $"FreeScout asks for a pause (429{quote}){(retryAfter is { } wait ? $" of {Math.Ceiling(wait.TotalSeconds)} s" : "")}.",
                retryAfter
            ),
            502 or 503 or 504 => Failure(FreeScoutFailureKind.ServerError, $"FreeScout is down ({status}{quote}).", retryAfter),
            >= 500 => Failure(FreeScoutFailureKind.ServerError, $"FreeScout failed with {status}{quote}.", retryAfter),
            _ => Refused($"FreeScout rejected the request ({status}{quote})."),
        };
    }

    private static FreeScoutFailure Failure(FreeScoutFailureKind kind, string message, TimeSpan? retryAfter = null) =>
        new(kind, message, WasSent: true, retryAfter);

    private static FreeScoutFailure Refused(string message) => Failure(FreeScoutFailureKind.Refused, message) with { IsOfRequest = true };

    private static bool NamesMailbox(ReadOnlyMemory<byte> body) =>
        Errors(body).Any(error => error.Text("path") == "mailboxId")
        || Words(isJson: true, body).Contains("mailbox not found", StringComparison.OrdinalIgnoreCase);

    /// <returns>The API's message, the page's title, or the text itself. Show it as text, never as markup.</returns>
    private static string Words(bool isJson, ReadOnlyMemory<byte> body) =>
        isJson ? Errors(body).Select(error => error.Text("message")).FirstOrDefault() ?? Root(body).Text("message") ?? ""
        : Title().Match(Text(body)) is { Success: true } title ? WebUtility.HtmlDecode(title.Groups[1].Value)
        : Text(body).StartsWith('<') ? ""
        : Text(body);

    /// <returns>The beginning of the body.</returns>
    private static string Text(ReadOnlyMemory<byte> body) => Encoding.UTF8.GetString(body.Span[..Math.Min(body.Length, 4096)]).TrimStart();

    private static IEnumerable<JsonElement> Errors(ReadOnlyMemory<byte> body) =>
        Root(body) is { ValueKind: JsonValueKind.Object } root && root.TryGetProperty("_embedded", out var embedded)
            ? embedded.List("errors")
            : [];

    private static JsonElement Root(ReadOnlyMemory<byte> body)
    {
        try
        {
            return JsonSerializer.Deserialize<JsonElement>(body.Span);
        }
        catch (JsonException)
        {
            return default;
        }
    }

    [GeneratedRegex("<title[^>]*>([^<]*)</title>", RegexOptions.IgnoreCase)]
    private static partial Regex Title();
}
