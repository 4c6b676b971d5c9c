using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using AutoTicket.Data;

namespace AutoTicket.FreeScout;

/// <summary>Reads what an answer that is not a success means, and says it in FreeScout's own words and with what to do.</summary>
internal static partial class FreeScoutRefusals
{
    private const int LongestWords = 160;

    /// <summary>Null when the answer is a success as far as its status and type tell.</summary>
    /// <param name="isOneTicket">The call is about one ticket that exists.</param>
    public static FreeScoutFailure? Read(
        int status,
        bool isJson,
        ReadOnlyMemory<byte> body,
        TimeSpan? retryAfter,
        HttpMethod method,
        bool isOneTicket = false
    )
    {
        var words = Words(isJson, body);
        var quote = words.Length > 0 ? $", “{words}”" : "";
        return status switch
        {
            204 => null,
            201 => null,
            // FreeScout, or a proxy before it, shows its login page with 200.
            >= 200 and < 300 when !isJson && body.Length > 0 => Failure(
                FreeScoutFailureKind.BadAnswer,
                $"FreeScout's address answers {status} with something that is not its API (a login page?){quote}. Check FREESCOUT_BASE_URL."
            ),
            >= 200 and < 300 when method == HttpMethod.Get && body.Length == 0 => Failure(
                FreeScoutFailureKind.BadAnswer,
                $"FreeScout answered {status} with nothing in it."
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
            // Whether it refuses all calls or this one, for its text or its path, the reading of lists tells.
            401 or 403 when !isJson => Failure(
                FreeScoutFailureKind.Blocked,
                $"A proxy or firewall in front of FreeScout refuses the call ({status}{quote}). "
                    + "Let the console's calls of /api/ through there."
            ) with
            {
                IsOfRequest = isOneTicket || method == HttpMethod.Post,
            },
            401 => Failure(
                FreeScoutFailureKind.KeyRejected,
                $"FreeScout rejects the key (401{quote}): it is invalid or was revoked. Rotate FREESCOUT_API_KEY."
            ),
            403 when isOneTicket => Refused($"FreeScout forbids it for this ticket (403{quote})."),
            403 => Failure(
                FreeScoutFailureKind.ScopeMissing,
                $"FreeScout forbids it (403{quote}): the key lacks the scope. "
                    + "Make a key with full access in FreeScout: Manage → API & Webhooks."
            ),
            404 when !isJson || words.Length == 0 => Failure(
                FreeScoutFailureKind.ApiOff,
                $"FreeScout has no API at this address (404{quote}): the API & Webhooks module is off, or FREESCOUT_BASE_URL is wrong."
            ),
            404 => Failure(
                FreeScoutFailureKind.MailboxMissing,
                $"FreeScout does not find it (404{quote}): the mailbox was deleted or FREESCOUT_OPERATIONS_MAILBOX_ID is wrong."
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
            >= 500 => Failure(FreeScoutFailureKind.ServerError, $"FreeScout fails with {status}{quote}.", retryAfter),
            _ => Refused($"FreeScout refuses it ({status}{quote})."),
        };
    }

    private static FreeScoutFailure Failure(FreeScoutFailureKind kind, string message, TimeSpan? retryAfter = null) =>
        new(kind, message, WasSent: true, retryAfter);

    private static FreeScoutFailure Refused(string message) => Failure(FreeScoutFailureKind.Refused, message) with { IsOfRequest = true };

    private static bool NamesMailbox(ReadOnlyMemory<byte> body) =>
        Errors(body).Any(error => error.Text("path") == "mailboxId")
        || Words(isJson: true, body).Contains("mailbox not found", StringComparison.OrdinalIgnoreCase);

    /// <summary>What the answer says, short and on one line: the API's message, a page's title, else the text as it is. It is shown as
    /// text, never as markup.</summary>
    private static string Words(bool isJson, ReadOnlyMemory<byte> body)
    {
        var words =
            isJson ? Errors(body).Select(error => error.Text("message")).FirstOrDefault() ?? Root(body).Text("message") ?? ""
            : Title().Match(Text(body)) is { Success: true } title ? WebUtility.HtmlDecode(title.Groups[1].Value)
            : Text(body).StartsWith('<') ? ""
            : Text(body);
        var line = new StringBuilder();
        foreach (var rune in words.EnumerateRunes())
        {
            if (line.Length + rune.Utf16SequenceLength > LongestWords)
            {
                break;
            }

            line.Append(rune.IsBmp && HiddenCharacter.Is((char)rune.Value) ? " " : rune.ToString());
        }

        return line.ToString().Trim();
    }

    /// <summary>Its beginning: what else there is of a page says nothing.</summary>
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
