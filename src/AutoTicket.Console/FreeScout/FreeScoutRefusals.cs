using System.Text.Json;

namespace AutoTicket.FreeScout;

/// <summary>Reads what an answer that is not a success means, and says it so that an operator knows what to do.</summary>
internal static class FreeScoutRefusals
{
    /// <summary>Null when the answer is a success as far as its status and type tell.</summary>
    public static FreeScoutFailure? Read(int status, bool isJson, ReadOnlyMemory<byte> body, TimeSpan? retryAfter, HttpMethod method) => status switch
    {
        204 => null,
        201 => null,
        // FreeScout, or a proxy before it, shows its login page with 200.
        >= 200 and < 300 when !isJson && body.Length > 0 => Sent(FreeScoutFailureKind.BadAnswer, $"FreeScout's address answers {status} with something that is not its API (a login page?). Check FREESCOUT_BASE_URL."),
        >= 200 and < 300 when method == HttpMethod.Get && body.Length == 0 => Sent(FreeScoutFailureKind.BadAnswer, $"FreeScout answered {status} with nothing in it."),
        >= 200 and < 300 => null,
        >= 300 and < 400 => Sent(FreeScoutFailureKind.BadAnswer, $"FreeScout's address redirects ({status}) instead of answering. Check FREESCOUT_BASE_URL."),
        401 => Refused(FreeScoutFailureKind.KeyRejected, "FreeScout rejects the key (401): it is invalid or was revoked. Rotate FREESCOUT_API_KEY."),
        403 => Refused(FreeScoutFailureKind.ScopeMissing, "FreeScout forbids it (403): the key lacks the scope. Generate a key with full API access under Admin → API Keys."),
        404 when !isJson || Message(body).Length == 0 => Refused(FreeScoutFailureKind.ApiOff, "FreeScout has no API at this address (404): the API & Webhooks module is off, or FREESCOUT_BASE_URL is wrong."),
        404 => Refused(FreeScoutFailureKind.MailboxMissing, $"FreeScout does not find it (404, “{Message(body)}”): the mailbox was deleted or FREESCOUT_OPERATIONS_MAILBOX_ID is wrong."),
        400 or 422 when NamesMailbox(body) => Refused(FreeScoutFailureKind.MailboxMissing, $"FreeScout does not know the mailbox ({status}, “{Message(body)}”). Check FREESCOUT_OPERATIONS_MAILBOX_ID."),
        408 => Sent(FreeScoutFailureKind.TimedOut, "FreeScout did not get the request in time (408).", retryAfter),
        429 => Refused(FreeScoutFailureKind.RateLimited, $"FreeScout asks for a pause (429){(retryAfter is { } wait ? $" of {Math.Ceiling(wait.TotalSeconds)} s" : "")}.", retryAfter),
        >= 500 => Sent(FreeScoutFailureKind.ServerError, $"FreeScout fails with {status}.", retryAfter),
        _ => Refused(FreeScoutFailureKind.Refused, $"FreeScout refuses it ({status}{(Message(body) is { Length: > 0 } message ? $", “{message}”" : "")})."),
    };

    private static FreeScoutFailure Sent(FreeScoutFailureKind kind, string message, TimeSpan? retryAfter = null) => new(kind, message, WasSent: true, retryAfter);

    /// <summary>A definite no: nothing was made of the request.</summary>
    private static FreeScoutFailure Refused(FreeScoutFailureKind kind, string message, TimeSpan? retryAfter = null) => new(kind, message, WasSent: true, retryAfter);

    private static bool NamesMailbox(ReadOnlyMemory<byte> body) =>
        Errors(body).Any(error => error.Text("path") == "mailboxId") || Message(body).Contains("mailbox not found", StringComparison.OrdinalIgnoreCase);

    /// <summary>The far side's own words, short and on one line; it is shown as text.</summary>
    private static string Message(ReadOnlyMemory<byte> body)
    {
        var first = Errors(body).Select(error => error.Text("message")).FirstOrDefault() ?? Root(body).Text("message") ?? "";
        var line = string.Concat(first.Select(c => char.IsControl(c) ? ' ' : c)).Trim();
        return line.Length > 160 ? line[..160] : line;
    }

    private static IEnumerable<JsonElement> Errors(ReadOnlyMemory<byte> body) =>
        Root(body) is { ValueKind: JsonValueKind.Object } root && root.TryGetProperty("_embedded", out var embedded) ? embedded.List("errors") : [];

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
}
