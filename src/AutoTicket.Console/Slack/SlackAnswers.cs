using System.Text.Json;
using System.Text.RegularExpressions;
using AutoTicket.Data;

namespace AutoTicket.Slack;

/// <summary>Turns Slack's response into a failure with cause and next step. Slack rejects with a 200 and <c>"ok":false</c>:
/// https://docs.slack.dev/reference/methods/chat.postMessage#errors.</summary>
internal static partial class SlackAnswers
{
    private const string CheckUrl = "Check SLACK_BASE_URL.";

    /// <param name="body">The response of a success.</param>
    /// <returns>Null: success.</returns>
    public static SlackFailure? Read(int status, ReadOnlyMemory<byte> json, TimeSpan? retryAfter, string token, out JsonElement body)
    {
        body = Parse(json);
        return status switch
        {
            429 => RateLimited(retryAfter),
            408 => new(SlackFailureKind.TimedOut, "Slack did not get the request in time (408).", retryAfter),
            >= 500 => new(SlackFailureKind.ServerError, $"Slack failed with {status}.", retryAfter, MayHaveSent: status != 503),
            >= 300 and < 400 => new(SlackFailureKind.BadAnswer, $"Slack's address redirects ({status}) instead of answering. {CheckUrl}"),
            _ => Ok(body) switch
            {
                false => Refusal(body, retryAfter, token),
                true when status < 300 => null,
                _ => new(
                    SlackFailureKind.BadAnswer,
                    $"Slack's address answers {status}, but not with its API (a login page? a truncated response?). {CheckUrl}",
                    MayHaveSent: status < 300
                ),
            },
        };
    }

    public static string? Text(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var text) && text.ValueKind == JsonValueKind.String
            ? text.GetString()
            : null;

    private static SlackFailure Refusal(JsonElement body, TimeSpan? retryAfter, string token)
    {
        var error = Word(body.Text("error"), token);
        return error switch
        {
            "ratelimited" or "rate_limited" => RateLimited(retryAfter),
            "invalid_auth" or "not_authed" or "token_revoked" or "token_expired" or "account_inactive" or "not_allowed_token_type" => new(
                SlackFailureKind.TokenRejected,
                $"Slack rejected the token ({error}): it is invalid or was revoked. Set a new SLACK_BOT_TOKEN."
            ),
            "missing_scope" or "no_permission" => new(
                SlackFailureKind.ScopeMissing,
                $"The Slack token lacks a scope ({error}, needed: {Word(body.Text("needed") ?? "chat:write,im:write", token)}). "
                    + "Add it to the app and install the app again."
            ),
            "channel_not_found"
            or "is_archived"
            or "not_in_channel"
            or "user_not_found"
            or "users_not_found"
            or "user_not_visible"
            or "user_disabled"
            or "cannot_dm_bot"
            or "messages_tab_disabled" => new(
                SlackFailureKind.ChannelGone,
                $"Slack has no direct message with the operator ({error}). Check SLACK_OPERATOR_USER_ID, and that the member is active."
            ),
            // Slack's documentation: part of the operation may have succeeded.
            "internal_error" or "fatal_error" => new(
                SlackFailureKind.ServerError,
                $"Slack failed with {error}.",
                retryAfter,
                MayHaveSent: true
            ),
            "service_unavailable" or "request_timeout" => new(SlackFailureKind.ServerError, $"Slack failed with {error}.", retryAfter),
            _ => new(SlackFailureKind.Refused, $"Slack rejected the message ({error})."),
        };
    }

    private static SlackFailure RateLimited(TimeSpan? retryAfter) =>
        new(
            SlackFailureKind.RateLimited,
            $"Slack limits the rate and asks for a pause{(retryAfter is { } wait ? $" of {Math.Ceiling(wait.TotalSeconds)} s" : "")}.",
            retryAfter
        );

    /// <returns>Slack's error word, if it is safe to show in logs and pages.</returns>
    private static string Word(string? word, string token) =>
        word is { Length: <= 100 } && Words().IsMatch(word) && !word.Contains(token, StringComparison.OrdinalIgnoreCase)
            ? word
            : "for a reason that can't be read";

    private static bool? Ok(JsonElement body) =>
        body.ValueKind == JsonValueKind.Object
        && body.TryGetProperty("ok", out var ok)
        && ok.ValueKind is JsonValueKind.True or JsonValueKind.False
            ? ok.GetBoolean()
            : null;

    private static JsonElement Parse(ReadOnlyMemory<byte> json)
    {
        try
        {
            return JsonSerializer.Deserialize<JsonElement>(CleanText.Json(json.Span));
        }
        catch (JsonException)
        {
            return default;
        }
    }

    [GeneratedRegex(@"^[\w:,.-]+\z")]
    private static partial Regex Words();
}
